//! The only place of this crate that asks for the time.

use std::time::SystemTime;

/// Now, by the clock that files' times come from.
#[expect(clippy::disallowed_methods, reason = "this is the crate's clock file")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}
