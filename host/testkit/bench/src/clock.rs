//! The one file that asks for the time.

use std::time::Instant;

use wfhost_workflow::TimestampMs;

#[expect(clippy::disallowed_methods, reason = "this is the clock file")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "this is the clock file")]
pub(crate) fn wall() -> TimestampMs {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    TimestampMs(since.unwrap_or_default().as_millis() as u64)
}

/// Nanoseconds since 1970: comparable between the processes of a machine.
#[expect(clippy::disallowed_methods, reason = "this is the clock file")]
pub(crate) fn wall_ns() -> u128 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap_or_default().as_nanos()
}
