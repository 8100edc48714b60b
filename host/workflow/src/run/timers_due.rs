//! A time has come: tasks whose backoff is over are tried again.

use super::state::TaskState;
use super::{Pending, Rejection, Run};

impl Run {
    pub(super) fn timers_due(&mut self, change: &mut Pending) -> Result<(), Rejection> {
        if self.next_timer().is_none_or(|at| at > change.now) {
            return Err(Rejection::NothingDue);
        }
        while let Some((at, task)) = self.timers.first().copied() {
            if at > change.now {
                break;
            }
            self.timers.pop_first();
            if let Some(TaskState::Backoff { attempt, .. }) = self.state.task(task) {
                let attempt = *attempt;
                self.schedule_next(change, task, attempt);
            }
        }
        Ok(())
    }
}
