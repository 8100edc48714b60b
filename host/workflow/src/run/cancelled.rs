//! Somebody ends the run: what is under way is withdrawn, and no result counts any more.

use super::event::Event;
use super::{Pending, Run};

impl Run {
    pub(super) fn cancelled(&mut self, change: &mut Pending, reason: String) {
        self.withdraw_all(change);
        self.push(change, Event::Cancelled { reason });
    }
}
