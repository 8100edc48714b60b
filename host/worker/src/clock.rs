//! The one place of this crate that asks for the time.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// For deadlines.
#[expect(clippy::disallowed_methods, reason = "this is the crate's clock file")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since 1970-01-01 UTC, for log lines.
#[expect(clippy::disallowed_methods, reason = "this is the crate's clock file")]
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// For comparing with the times of files.
#[expect(clippy::disallowed_methods, reason = "this is the crate's clock file")]
pub(crate) fn system() -> SystemTime {
    SystemTime::now()
}
