//! The one file that asks for the time.

use std::time::{Duration, Instant};

use wfhost_workflow::TimestampMs;

#[expect(clippy::disallowed_methods, reason = "this is the clock file")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Nanoseconds since 1970: what processes of one machine compare their marks by.
#[expect(clippy::disallowed_methods, reason = "this is the clock file")]
pub(crate) fn wall_ns() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}

pub(crate) fn wall() -> TimestampMs {
    TimestampMs(wall_ns() / 1_000_000)
}

/// Between two looks at something that other processes change.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Looks until there is something, at most `limit`.
pub(crate) fn until<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let began = now();
    loop {
        let found = look();
        if found.is_some() || began.elapsed() >= limit {
            return found;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
