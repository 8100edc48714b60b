//! Whether the coordinator is there: by when it was last heard of.

use std::time::{Duration, Instant};

use wfhost_workflow::placement::LEASE;

/// What the worker knows of its coordinator.
pub(crate) struct Hearing {
    /// The last sign of it.
    sign_at: Instant,
    /// The same, or when another connection was begun.
    heard_at: Instant,
    /// It was silent for as long as it holds leases: whatever was sent may be lost.
    away: bool,
}

/// What a silence means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Nothing yet.
    Short,
    /// It has just become too long, or it went on for as long again: connect anew.
    Long,
}

/// As long as the coordinator waits for a worker.
const PATIENCE: Duration = Duration::from_millis(LEASE.0);

impl Hearing {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { sign_at: now, heard_at: now, away: false }
    }

    /// Something came. Says whether it had been away.
    pub(crate) fn heard(&mut self, now: Instant) -> bool {
        self.sign_at = now;
        self.heard_at = now;
        std::mem::take(&mut self.away)
    }

    pub(crate) const fn is_away(&self) -> bool {
        self.away
    }

    /// For how long nothing has come.
    pub(crate) fn silent_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.sign_at)
    }

    /// When to look again.
    pub(crate) fn due_at(&self) -> Instant {
        self.heard_at + PATIENCE
    }

    pub(crate) fn look(&mut self, now: Instant) -> Silence {
        if now < self.due_at() {
            return Silence::Short;
        }
        self.heard_at = now;
        self.away = true;
        Silence::Long
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn a_long_silence_is_told_again_and_again_until_something_comes() {
        let start = clock::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut hearing = Hearing::new(start);
        assert_eq!(hearing.look(at(LEASE.0 - 1)), Silence::Short);
        assert_eq!(hearing.look(at(LEASE.0)), Silence::Long);
        assert!(hearing.is_away());
        assert_eq!(hearing.look(at(LEASE.0 + 1)), Silence::Short);
        assert_eq!(hearing.look(at(2 * LEASE.0)), Silence::Long);
        assert_eq!(hearing.silent_for(at(2 * LEASE.0)), Duration::from_millis(2 * LEASE.0));
        assert!(hearing.heard(at(2 * LEASE.0 + 1)));
        assert!(!hearing.is_away() && !hearing.heard(at(2 * LEASE.0 + 2)));
    }
}
