//! An attempt has ended: its result counts if it is the task's current one.

use super::event::{Event, StepOutput};
use super::state::{StepState, TaskState};
use super::{AttemptOutcome, KvWrite, Pending, Rejection, Run, retry};
use crate::{Attempt, Failure, FailureKind, Json, Limit, LimitSource, TaskId};

/// Lists, joins and templates put outputs into each other; JSON is read to a depth of 127.
const OUTPUT_DEPTH_MAX: usize = 100;

impl Run {
    pub(super) fn attempt_ended(
        &mut self,
        change: &mut Pending,
        task: TaskId,
        attempt: Attempt,
        outcome: AttemptOutcome,
    ) -> Result<(), Rejection> {
        let failures = self.current(task, attempt, &outcome)?;
        match outcome {
            AttemptOutcome::Succeeded { output, kv } => match self.refusal(task, &output, &kv) {
                None => self.succeeded(change, task, attempt, output, kv),
                Some(failure) => self.failed(change, task, attempt, failures, failure),
            },
            AttemptOutcome::Failed(failure) => {
                self.failed(change, task, attempt, failures, failure);
            }
            AttemptOutcome::Lost { reason, worker } => {
                self.lost(change, task, attempt, reason, worker);
            }
        }
        Ok(())
    }

    /// The failures so far of the task, if this attempt is the one under way. A quarantined
    /// task's last attempt may still end at a worker that was only cut off.
    fn current(
        &self,
        task: TaskId,
        attempt: Attempt,
        outcome: &AttemptOutcome,
    ) -> Result<u32, Rejection> {
        let step = self.state.steps.get(task.step.position()).ok_or(Rejection::UnknownTask)?;
        // Its position may be another step's now.
        if attempt <= self.state.attempt_floor && !crate::sabotage::no_attempt_floor() {
            return Err(Rejection::StaleAttempt);
        }
        match (self.state.task(task), step) {
            (Some(TaskState::UnderWay { attempt: current, failures }), _) => {
                if *current == attempt || crate::sabotage::no_attempt_check() {
                    Ok(*failures)
                } else {
                    Err(Rejection::StaleAttempt)
                }
            }
            (Some(TaskState::Quarantined { attempt: current, failures }), _)
                if *current == attempt && !matches!(outcome, AttemptOutcome::Lost { .. }) =>
            {
                Ok(*failures)
            }
            (Some(TaskState::Done { .. }), _) if crate::sabotage::no_dedupe() => Ok(0),
            (Some(_), _) => Err(Rejection::NotUnderWay),
            (None, StepState::Done { .. }) if crate::sabotage::no_dedupe() => Ok(0),
            (None, StepState::Mapping(_)) => Err(Rejection::UnknownTask),
            (None, _) => Err(Rejection::NotUnderWay),
        }
    }

    fn succeeded(
        &mut self,
        change: &mut Pending,
        task: TaskId,
        attempt: Attempt,
        output: Json,
        kv: Vec<KvWrite>,
    ) {
        self.push(change, Event::AttemptSucceeded { task, attempt, output, kv });
        let step = task.step;
        let StepState::Mapping(mapping) = &self.state.steps[step.position()] else {
            return self.go_on_after(change, step);
        };
        if mapping.done as usize == mapping.tasks.len() {
            self.push(change, Event::StepCompleted { step, output: StepOutput::Parts });
            return self.go_on_after(change, step);
        }
        if let Err(failure) = self.fill_map(change, step) {
            self.fail(change, Some(task), failure);
        }
    }

    fn failed(
        &mut self,
        change: &mut Pending,
        task: TaskId,
        attempt: Attempt,
        failures: u32,
        failure: Failure,
    ) {
        let policy = &self.definition.steps[task.step.position()].retry;
        let seed = self.state.started.as_ref().map_or(0, |started| started.seed);
        let wait = retry::wait(
            policy,
            &failure,
            failures.saturating_add(1),
            retry::draw(seed, task, attempt),
        );
        let retry_at = wait.map(|wait| change.now + wait);
        let event = Event::AttemptFailed { task, attempt, failure: failure.clone(), retry_at };
        self.push(change, event);
        if retry_at.is_none() {
            self.fail(change, Some(task), failure);
        }
    }

    /// Why a result cannot be kept.
    fn refusal(&self, task: TaskId, output: &Json, kv: &[KvWrite]) -> Option<Failure> {
        let depth = crate::json::depth(output.as_str());
        if depth > OUTPUT_DEPTH_MAX {
            let message =
                format!("the output is nested {depth} deep; the limit is {OUTPUT_DEPTH_MAX}");
            return Some(Failure::new(FailureKind::Limit, "output_depth", message));
        }
        self.kv_overflow(task, kv)
    }

    /// Attempts at the same time each stay below the bound, and may still exceed it together.
    fn kv_overflow(&self, task: TaskId, writes: &[KvWrite]) -> Option<Failure> {
        if writes.is_empty() {
            return None;
        }
        let plugin = self.plugin_of(task.step)?;
        let max = plugin.limits[Limit::KvTotal];
        let kept = self
            .state
            .kv
            .iter()
            .filter(|(key, _)| !writes.iter().any(|write| write.key == **key))
            .map(|(key, value)| key.len() + value.len());
        let written = writes
            .iter()
            .filter_map(|write| write.value.as_ref().map(|value| write.key.len() + value.len()));
        let total = kept.chain(written).sum::<usize>() as u64;
        (total > max).then(|| {
            let what = format!("the run's key-value store would hold {total} bytes");
            let remedy = LimitSource::Workflow.remedy(Limit::KvTotal, Some(&plugin.alias));
            Failure::over_limit(Limit::KvTotal, max, &what, &remedy)
        })
    }
}
