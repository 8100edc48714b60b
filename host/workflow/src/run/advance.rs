//! Begins whatever can begin, until everything waits for somebody else or the run is over.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::event::{Event, StepOutput};
use super::state::{StepState, TaskState};
use super::{Effect, OpenedMap, Order, Pending, Run, step_name};
use crate::definition::StepKind;
use crate::expression::{self, Item, Scope, StepOutputs};
use crate::{Attempt, Definition, Digest, Failure, FailureKind, Json, StepId, TaskId};

impl Run {
    /// Begins every step whose needs are over; used when any step may be ready.
    pub(super) fn begin_ready_steps(&mut self, change: &mut Pending) {
        let ready = self
            .unmet
            .iter()
            .zip(&self.state.steps)
            .enumerate()
            .filter(|(_, (unmet, state))| **unmet == 0 && **state == StepState::Waiting)
            .map(|(position, _)| StepId(position as u32))
            .collect();
        self.begin(change, ready);
    }

    /// Goes on after a step ended: only its dependents can have become ready.
    pub(super) fn go_on_after(&mut self, change: &mut Pending, step: StepId) {
        let ready = self.ready_dependents(step);
        self.begin(change, ready);
    }

    fn ready_dependents(&self, step: StepId) -> BTreeSet<StepId> {
        self.definition.steps[step.position()]
            .dependents
            .iter()
            .copied()
            .filter(|dependent| {
                self.unmet[dependent.position()] == 0
                    && self.state.steps[dependent.position()] == StepState::Waiting
            })
            .collect()
    }

    fn begin(&mut self, change: &mut Pending, mut ready: BTreeSet<StepId>) {
        while let Some(step) = ready.pop_first() {
            match self.begin_step(change, step) {
                Ok(Begun::Over) => ready.extend(self.ready_dependents(step)),
                Ok(Begun::Open) => {}
                Err(failure) => return self.fail(change, Some(TaskId::of(step)), failure),
            }
        }
        if self.state.over as usize == self.state.steps.len() {
            self.succeed(change);
        }
    }

    fn begin_step(&mut self, change: &mut Pending, step: StepId) -> Result<Begun, Failure> {
        let definition = self.definition.clone();
        let node = &definition.steps[step.position()];
        let failed = |error| expression_failure(&definition, step, &error);
        for gate in &node.gates {
            if !gate.evaluate_bool(&self.scope(None)).map_err(failed)? {
                self.push(change, Event::StepSkipped { step });
                return Ok(Begun::Over);
            }
        }
        match &node.kind {
            StepKind::Call(call) => {
                let input = call.with.evaluate(&self.scope(None)).map_err(failed)?;
                let attempt = self.first_attempt();
                self.schedule(change, TaskId::of(step), attempt, input);
                Ok(Begun::Open)
            }
            StepKind::Map(_) => self.open_map(change, step),
            StepKind::Set(value) => {
                let output = value.evaluate(&self.scope(None)).map_err(failed)?;
                let output = StepOutput::Value(output);
                self.push(change, Event::StepCompleted { step, output });
                Ok(Begun::Over)
            }
            StepKind::Parallel(_) => {
                self.push(change, Event::StepCompleted { step, output: StepOutput::Parts });
                Ok(Begun::Over)
            }
        }
    }

    fn open_map(&mut self, change: &mut Pending, step: StepId) -> Result<Begun, Failure> {
        let opened = self.evaluate_map(step)?;
        let items = opened.items.len() as u32;
        let list = digest_of(&opened.items);
        self.opened.insert(step, opened);
        self.push(change, Event::MapOpened { step, items, list });
        if items == 0 {
            self.push(change, Event::StepCompleted { step, output: StepOutput::Parts });
            return Ok(Begun::Over);
        }
        self.fill_map(change, step)?;
        Ok(Begun::Open)
    }

    /// Begins items up to `at_once`.
    pub(super) fn fill_map(&mut self, change: &mut Pending, step: StepId) -> Result<(), Failure> {
        let StepKind::Map(map) = &self.definition.steps[step.position()].kind else {
            return Ok(());
        };
        let at_once = map.at_once;
        while let StepState::Mapping(mapping) = &self.state.steps[step.position()] {
            if mapping.open >= at_once || mapping.next as usize >= mapping.tasks.len() {
                break;
            }
            let task = TaskId::item(step, mapping.next);
            let input = self.task_input(task)?;
            let attempt = self.first_attempt();
            self.schedule(change, task, attempt, input);
        }
        Ok(())
    }

    /// Evaluates a task's input; of an item, only its own slice.
    pub(super) fn task_input(&mut self, task: TaskId) -> Result<Json, Failure> {
        let definition = self.definition.clone();
        let failed = |error| expression_failure(&definition, task.step, &error);
        let kind = &definition.steps[task.step.position()].kind;
        match (kind, task.index) {
            (StepKind::Call(call), None) => call.with.evaluate(&self.scope(None)).map_err(failed),
            (StepKind::Map(_), Some(index)) => {
                if !self.opened.contains_key(&task.step) {
                    self.open_again(task.step)?;
                }
                let opened = &self.opened[&task.step];
                let value =
                    opened.items.get(index as usize).ok_or_else(|| list_changed(task.step))?;
                let item = Item { value, index };
                opened.with.evaluate(&self.scope(Some(item))).map_err(failed)
            }
            _ => Err(list_changed(task.step)),
        }
    }

    /// Evaluates the list of a map that has begun.
    pub(super) fn open_again(&mut self, step: StepId) -> Result<(), Failure> {
        let opened = self.evaluate_map(step)?;
        self.check_list(step, &opened)?;
        self.opened.insert(step, opened);
        Ok(())
    }

    fn evaluate_map(&self, step: StepId) -> Result<OpenedMap, Failure> {
        let StepKind::Map(map) = &self.definition.steps[step.position()].kind else {
            return Err(list_changed(step));
        };
        let scope = self.scope(None);
        let failed = |error| expression_failure(&self.definition, step, &error);
        Ok(OpenedMap {
            items: map.items.evaluate_list(&scope).map_err(failed)?,
            with: map.call.with.bind(&scope).map_err(failed)?,
        })
    }

    /// A list that was read back must be the one that the map began with.
    fn check_list(&self, step: StepId, opened: &OpenedMap) -> Result<(), Failure> {
        match &self.state.steps[step.position()] {
            StepState::Mapping(mapping) if mapping.list == digest_of(&opened.items) => Ok(()),
            _ => Err(list_changed(step)),
        }
    }

    pub(super) fn schedule(
        &mut self,
        change: &mut Pending,
        task: TaskId,
        attempt: Attempt,
        input: Json,
    ) {
        self.push(change, Event::AttemptScheduled { task, attempt });
        change.effects.push(Effect::Dispatch(Box::new(Order { task, attempt, input })));
    }

    /// Schedules the attempt after `attempt`, or ends the run if its input has no value.
    pub(super) fn schedule_next(&mut self, change: &mut Pending, task: TaskId, attempt: Attempt) {
        match self.task_input(task) {
            Ok(input) => self.schedule(change, task, self.attempt_after(attempt), input),
            Err(failure) => self.fail(change, Some(task), failure),
        }
    }

    fn succeed(&mut self, change: &mut Pending) {
        let definition = self.definition.clone();
        match definition.output.evaluate(&self.scope(None)) {
            Ok(output) => self.push(change, Event::Succeeded { output }),
            Err(error) => {
                let failure = Failure::new(
                    FailureKind::Expression,
                    "output",
                    format!("the workflow's `output`: {error}"),
                );
                self.fail(change, None, failure);
            }
        }
    }

    /// Ends the run without a result and withdraws what is under way.
    pub(super) fn fail(&mut self, change: &mut Pending, task: Option<TaskId>, failure: Failure) {
        self.withdraw_all(change);
        self.push(change, Event::Failed { task, failure });
    }

    pub(super) fn withdraw_all(&self, change: &mut Pending) {
        let withdrawn = self.tasks().filter_map(|(task, state)| match state {
            TaskState::UnderWay { attempt, .. } => {
                Some(Effect::Withdraw { task, attempt: *attempt })
            }
            TaskState::NotBegun
            | TaskState::Backoff { .. }
            | TaskState::Quarantined { .. }
            | TaskState::Failed { .. }
            | TaskState::Done { .. } => None,
        });
        change.effects.extend(withdrawn);
    }

    pub(super) fn scope<'a>(&'a self, item: Option<Item<'a>>) -> Scope<'a> {
        static NULL: LazyLock<Json> = LazyLock::new(Json::null);
        Scope {
            run: Some(&self.facts),
            input: self.state.started.as_ref().map_or(&*NULL, |started| &started.input),
            steps: self,
            item,
        }
    }
}

enum Begun {
    /// It waits for results.
    Open,
    /// It has its own already.
    Over,
}

fn digest_of(items: &[Json]) -> Digest {
    Digest::of_parts(items.iter().map(|item| item.as_str().as_bytes()))
}

fn list_changed(step: StepId) -> Failure {
    let message = format!("the list of step {} is not the one that its items began with", step.0);
    Failure::new(FailureKind::Expression, "list-changed", message)
}

fn expression_failure(definition: &Definition, step: StepId, error: &expression::Error) -> Failure {
    let name = step_name(definition, step);
    Failure::new(FailureKind::Expression, "expression", format!("step `{name}`: {error}"))
}

impl StepOutputs for Run {
    fn output(&self, step: StepId) -> Option<Json> {
        match self.state.steps.get(step.position())? {
            StepState::Done { output, .. } => Some(output.clone()),
            StepState::Skipped { .. } => Some(Json::null()),
            StepState::Waiting | StepState::Calling(_) | StepState::Mapping(_) => None,
        }
    }
}
