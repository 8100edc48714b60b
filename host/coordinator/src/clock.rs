//! The one file that asks for the time.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use wfhost_workflow::{MonotonicMs, TimestampMs};

/// Wall clock for what is stored, a monotonic one for leases.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock file")]
    pub(crate) fn new() -> Self {
        Self { start: Instant::now() }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock file")]
    pub(crate) fn now(&self) -> TimestampMs {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        TimestampMs(since.as_millis() as u64)
    }

    pub(crate) fn monotonic(&self) -> MonotonicMs {
        MonotonicMs(self.start.elapsed().as_millis() as u64)
    }
}
