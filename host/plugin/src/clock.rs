//! The one place of this crate that asks for the time.

use std::time::{Duration, Instant, SystemTime};

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
