//! A run that has failed goes on from where it failed: what is done stays as it is.

use super::event::{Event, RunStatus};
use super::state::{StepState, TaskState};
use super::{Pending, Rejection, Run};
use crate::{Attempt, StepId, TaskId};

impl Run {
    /// Whatever was under way, or had failed, is wanted again with a new attempt and as many
    /// retries as at first.
    pub(super) fn retried(&mut self, change: &mut Pending) -> Result<(), Rejection> {
        if self.status() != RunStatus::Failed {
            return Err(Rejection::NotFailed);
        }
        self.push(change, Event::RunRetried);
        let again: Vec<(TaskId, Attempt)> = self
            .tasks()
            .filter_map(|(task, state)| match state {
                TaskState::Failed { attempt } => Some((task, *attempt)),
                TaskState::NotBegun
                | TaskState::UnderWay { .. }
                | TaskState::Backoff { .. }
                | TaskState::Quarantined { .. }
                | TaskState::Done { .. } => None,
            })
            .collect();
        for (task, attempt) in again {
            if self.state.status.is_over() {
                return Ok(());
            }
            self.schedule_next(change, task, attempt);
        }
        self.go_on_with_maps(change);
        if !self.state.status.is_over() {
            self.begin_ready_steps(change);
        }
        Ok(())
    }

    /// Items that had not begun when the run failed.
    pub(super) fn go_on_with_maps(&mut self, change: &mut Pending) {
        let maps: Vec<StepId> = (0_u32..)
            .zip(&self.state.steps)
            .filter(|(_, state)| matches!(state, StepState::Mapping(_)))
            .map(|(position, _)| StepId(position))
            .collect();
        for step in maps {
            if self.state.status.is_over() {
                return;
            }
            if let Err(failure) = self.fill_map(change, step) {
                self.fail(change, Some(TaskId::of(step)), failure);
            }
        }
    }
}
