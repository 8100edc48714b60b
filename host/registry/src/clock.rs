//! The one place of this crate that asks for the time.

use std::time::Instant;

/// For deadlines.
#[expect(clippy::disallowed_methods, reason = "this is the crate's clock file")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
