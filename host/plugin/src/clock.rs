//! The one place of this crate that asks for the time, and the fixed clocks of tests.

use std::time::{Duration, Instant, SystemTime};

use wasmtime_wasi::{HostMonotonicClock, HostWallClock};
use wfhost_workflow::TimestampMs;

/// The monotonic time, for deadlines.
#[expect(clippy::disallowed_methods, reason = "the clock file")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The wall clock, for the age of files.
#[expect(clippy::disallowed_methods, reason = "the clock file")]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

/// The processor time of this thread so far.
pub(crate) fn thread_cpu() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(spent).unwrap_or_default()
}

/// A clock that stands still, so that a guest's answers can be compared.
pub(crate) struct Still(pub(crate) TimestampMs);

impl HostWallClock for Still {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.0)
    }
}

impl HostMonotonicClock for Still {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        0
    }
}
