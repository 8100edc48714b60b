//! How events change the state: the only place that does.

use std::sync::Arc;

use super::event::{Event, StepOutput};
use super::state::{Calling, Mapping, Span, Status, StepState, TaskState};
use super::{Run, Unreadable};
use crate::definition::StepKind;
use crate::{Attempt, Json, StepId, TaskId, TimestampMs};

impl Run {
    /// Changes the state by one event. Events that do not fit are ignored: those of this process
    /// always fit, and those read back were checked by [`Self::check_fits`].
    pub(super) fn fold(&mut self, event: &Event, at: TimestampMs) {
        match event {
            Event::Started(started) => {
                self.facts.id = started.run;
                self.facts.workflow = started.workflow.clone();
                self.state.started = Some(started.clone());
                self.state.started_at = at;
            }
            Event::StepSkipped { step } => self.settle(*step, StepState::Skipped { at }),
            Event::StepCompleted { step, output } => self.fold_completed(*step, output, at),
            Event::MapOpened { step, items, list } => {
                let mapping = Mapping {
                    tasks: (0..*items).map(|_| TaskState::NotBegun).collect(),
                    list: *list,
                    next: 0,
                    open: 0,
                    done: 0,
                    started_at: at,
                    attempt: Attempt::FIRST,
                    failure: None,
                };
                self.set_step(*step, StepState::Mapping(Box::new(mapping)));
            }
            Event::AttemptScheduled { task, attempt } => self.fold_scheduled(*task, *attempt, at),
            Event::AttemptSucceeded { task, attempt, output, kv } => {
                self.fold_kv(kv);
                self.fold_result(*task, *attempt, output, at);
            }
            Event::AttemptFailed { task, attempt, failure, retry_at } => {
                self.fold_failed(*task, *attempt, failure, *retry_at);
            }
            // The attempt scheduled next takes its place, or its task is quarantined.
            Event::AttemptLost { task, worker, .. } => {
                if let Some(worker) = worker {
                    self.state.deaths.entry(*task).or_default().insert(worker.clone());
                }
            }
            Event::StepQuarantined { task, .. } => {
                if let Some(state) = self.state.task_mut(*task)
                    && let TaskState::UnderWay { attempt, failures } = *state
                {
                    *state = TaskState::Quarantined { attempt, failures };
                }
            }
            Event::StepReleased { task } => {
                self.state.deaths.remove(task);
            }
            Event::RunRetried => self.fold_retried(),
            // With its definition: `fold_upgraded`.
            Event::Upgraded(_) => {}
            Event::Succeeded { output } => {
                self.end(Status::Succeeded { output: output.clone() });
            }
            Event::Failed { task, failure } => {
                self.end(Status::Failed { task: *task, failure: failure.clone() });
            }
            Event::Cancelled { reason } => self.end(Status::Cancelled { reason: reason.clone() }),
        }
    }

    /// Whether an event that was read back can belong to this run as it is now.
    pub(super) fn check_fits(&self, event: &Event) -> Result<(), Unreadable> {
        let step_fits = |step: &StepId| step.position() < self.definition.steps.len();
        let open_task = |task: &TaskId| self.state.task(*task).is_some();
        let fits = match event {
            Event::Started(started) => {
                self.state.started.is_none()
                    && started.plugins.len() == self.definition.plugins.len()
            }
            Event::RunRetried => matches!(self.state.status, Status::Failed { .. }),
            // See `check_upgrade_fits`.
            Event::Upgraded(_) => false,
            _ if self.state.started.is_none() || self.state.status.is_over() => false,
            Event::StepSkipped { step } | Event::StepCompleted { step, .. } => step_fits(step),
            Event::MapOpened { step, .. } => {
                matches!(self.state.steps.get(step.position()), Some(StepState::Waiting))
            }
            Event::AttemptScheduled { task, .. } if task.index.is_none() => matches!(
                self.state.steps.get(task.step.position()),
                Some(StepState::Waiting | StepState::Calling(_))
            ),
            Event::AttemptScheduled { task, .. }
            | Event::AttemptSucceeded { task, .. }
            | Event::AttemptFailed { task, .. }
            | Event::AttemptLost { task, .. } => open_task(task),
            Event::StepQuarantined { task, attempt, .. } => matches!(
                self.state.task(*task),
                Some(TaskState::UnderWay { attempt: current, .. }) if current == attempt
            ),
            Event::StepReleased { task } => {
                matches!(self.state.task(*task), Some(TaskState::Quarantined { .. }))
            }
            Event::Succeeded { .. } | Event::Failed { .. } | Event::Cancelled { .. } => true,
        };
        if fits { Ok(()) } else { Err(Unreadable::Misfit) }
    }

    /// Makes again what is not stored.
    pub(super) fn rebuild(&mut self) {
        let over = |step: &StepId| {
            matches!(
                self.state.steps.get(step.position()),
                Some(StepState::Done { .. } | StepState::Skipped { .. })
            )
        };
        let unmet = |needs: &[StepId]| needs.iter().filter(|need| !over(need)).count() as u32;
        self.unmet = self.definition.steps.iter().map(|step| unmet(&step.needs)).collect();
        self.timers = self.backoffs().collect();
    }

    fn backoffs(&self) -> impl Iterator<Item = (TimestampMs, TaskId)> {
        self.tasks().filter_map(|(task, state)| match state {
            TaskState::Backoff { until, .. } => Some((*until, task)),
            TaskState::NotBegun
            | TaskState::UnderWay { .. }
            | TaskState::Quarantined { .. }
            | TaskState::Failed { .. }
            | TaskState::Done { .. } => None,
        })
    }

    /// Every task of every open step, in order.
    pub(super) fn tasks(&self) -> impl Iterator<Item = (TaskId, &TaskState)> {
        self.state.steps.iter().enumerate().flat_map(|(position, step)| {
            let step_id = StepId(position as u32);
            let (call, items): (Option<&TaskState>, &[TaskState]) = match step {
                StepState::Calling(calling) => (Some(&calling.task), &[]),
                StepState::Mapping(mapping) => (None, &mapping.tasks[..mapping.next as usize]),
                StepState::Waiting | StepState::Done { .. } | StepState::Skipped { .. } => {
                    (None, &[])
                }
            };
            let call = call.map(|state| (TaskId::of(step_id), state));
            let items = (0_u32..).zip(items);
            call.into_iter()
                .chain(items.map(move |(index, state)| (TaskId::item(step_id, index), state)))
        })
    }

    fn fold_completed(&mut self, step: StepId, output: &StepOutput, at: TimestampMs) {
        let Some(state) = self.state.steps.get(step.position()) else { return };
        let (output, span) = match (output, state) {
            (StepOutput::Value(output), _) => {
                (output.clone(), Span { from: at, to: at, attempt: Attempt::FIRST, items: 0 })
            }
            (StepOutput::Parts, StepState::Mapping(mapping)) => {
                let outputs = mapping.tasks.iter().filter_map(|task| match task {
                    TaskState::Done { output, .. } => Some(output),
                    TaskState::NotBegun
                    | TaskState::UnderWay { .. }
                    | TaskState::Backoff { .. }
                    | TaskState::Quarantined { .. }
                    | TaskState::Failed { .. } => None,
                });
                let span = Span {
                    from: mapping.started_at,
                    to: at,
                    attempt: mapping.attempt,
                    items: mapping.tasks.len() as u32,
                };
                (Json::array(outputs), span)
            }
            (StepOutput::Parts, _) => {
                (self.join(step), Span { from: at, to: at, attempt: Attempt::FIRST, items: 0 })
            }
        };
        self.opened.remove(&step);
        self.settle(step, StepState::Done { output, span });
    }

    /// The object that a `parallel` step's branches make.
    fn join(&self, step: StepId) -> Json {
        let StepKind::Parallel(branches) = &self.definition.steps[step.position()].kind else {
            return Json::null();
        };
        let mut text = String::from("{");
        for branch in branches {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&serde_json::Value::from(&*branch.name).to_string());
            text.push(':');
            match self.state.steps.get(branch.last.position()) {
                Some(StepState::Done { output, .. }) => text.push_str(output.as_str()),
                _ => text.push_str("null"),
            }
        }
        text.push('}');
        Json::from_trusted(text)
    }

    fn fold_scheduled(&mut self, task: TaskId, attempt: Attempt, at: TimestampMs) {
        let position = task.step.position();
        if task.index.is_none()
            && matches!(self.state.steps.get(position), Some(StepState::Waiting))
        {
            let calling = Calling { task: TaskState::NotBegun, started_at: at, failure: None };
            self.set_step(task.step, StepState::Calling(Box::new(calling)));
        }
        if let (Some(StepState::Mapping(mapping)), Some(index)) =
            (self.state.steps.get_mut(position), task.index)
        {
            mapping.attempt = mapping.attempt.max(attempt);
            if index >= mapping.next {
                mapping.next = index + 1;
                mapping.open += 1;
            }
        }
        if matches!(self.state.task(task), Some(TaskState::Quarantined { .. })) {
            // Its worker lives after all.
            self.state.deaths.remove(&task);
        }
        let Some(state) = self.state.task_mut(task) else { return };
        let failures = match state {
            TaskState::UnderWay { failures, .. } | TaskState::Quarantined { failures, .. } => {
                *failures
            }
            TaskState::Backoff { failures, until, .. } => {
                let failures = *failures;
                self.timers.remove(&(*until, task));
                failures
            }
            TaskState::NotBegun | TaskState::Failed { .. } | TaskState::Done { .. } => 0,
        };
        *state = TaskState::UnderWay { attempt, failures };
    }

    fn fold_result(&mut self, task: TaskId, attempt: Attempt, output: &Json, at: TimestampMs) {
        self.state.deaths.remove(&task);
        let Some(state) = self.state.steps.get_mut(task.step.position()) else { return };
        match (state, task.index) {
            (StepState::Calling(calling), None) => {
                let span = Span { from: calling.started_at, to: at, attempt, items: 0 };
                self.settle(task.step, StepState::Done { output: output.clone(), span });
            }
            (StepState::Mapping(mapping), Some(index)) => {
                if let Some(item) = mapping.tasks.get_mut(index as usize) {
                    *item = TaskState::Done { output: output.clone(), attempt };
                    mapping.done += 1;
                    mapping.open = mapping.open.saturating_sub(1);
                }
            }
            _ => {}
        }
    }

    fn fold_failed(
        &mut self,
        task: TaskId,
        attempt: Attempt,
        failure: &crate::Failure,
        retry_at: Option<TimestampMs>,
    ) {
        match self.state.steps.get_mut(task.step.position()) {
            Some(StepState::Calling(calling)) => calling.failure = Some(failure.clone()),
            Some(StepState::Mapping(mapping)) => mapping.failure = Some(failure.clone()),
            _ => {}
        }
        if matches!(self.state.task(task), Some(TaskState::Quarantined { .. })) {
            // Its worker lives after all.
            self.state.deaths.remove(&task);
        }
        let Some(state) = self.state.task_mut(task) else { return };
        let failures = match state {
            TaskState::UnderWay { failures, .. } | TaskState::Quarantined { failures, .. } => {
                failures.saturating_add(1)
            }
            _ => 1,
        };
        *state = match retry_at {
            Some(until) => TaskState::Backoff { attempt, failures, until },
            None => TaskState::Failed { attempt },
        };
        if let Some(until) = retry_at {
            self.timers.insert((until, task));
        }
    }

    /// The run is open again. What was under way when it failed has no worker any more.
    fn fold_retried(&mut self) {
        self.state.status = Status::Running;
        self.state.deaths.clear();
        let tasks = self.state.steps.iter_mut().flat_map(|step| match step {
            StepState::Calling(calling) => std::slice::from_mut(&mut calling.task).iter_mut(),
            StepState::Mapping(mapping) => mapping.tasks.iter_mut(),
            StepState::Waiting | StepState::Done { .. } | StepState::Skipped { .. } => {
                [].iter_mut()
            }
        });
        for task in tasks {
            if let TaskState::UnderWay { attempt, .. }
            | TaskState::Backoff { attempt, .. }
            | TaskState::Quarantined { attempt, .. } = *task
            {
                *task = TaskState::Failed { attempt };
            }
        }
    }

    fn fold_kv(&mut self, writes: &[super::KvWrite]) {
        if writes.is_empty() {
            return;
        }
        let kv = Arc::make_mut(&mut self.state.kv);
        for write in writes {
            match &write.value {
                Some(value) => kv.insert(write.key.clone(), value.clone()),
                None => kv.remove(&write.key),
            };
        }
    }

    /// Ends a step and tells those who wait for it.
    fn settle(&mut self, step: StepId, state: StepState) {
        self.set_step(step, state);
        self.state.over += 1;
        let Some(definition) = self.definition.steps.get(step.position()) else { return };
        for dependent in &definition.dependents {
            if let Some(unmet) = self.unmet.get_mut(dependent.position()) {
                *unmet = unmet.saturating_sub(1);
            }
        }
    }

    fn set_step(&mut self, step: StepId, state: StepState) {
        if let Some(place) = self.state.steps.get_mut(step.position()) {
            *place = state;
        }
    }

    fn end(&mut self, status: Status) {
        self.state.status = status;
        self.timers.clear();
        self.opened.clear();
    }
}
