//! Points at which a build with the feature `crash-points` ends itself, or says what is not so.
//!
//! For `cargo xtask faults`, which tells by `FAILPOINTS` in the environment where, and after how
//! many passes, as the crate `fail` reads it. In every other build all of it is nothing.

#[cfg(feature = "crash-points")]
use fail::{FailScenario, fail_point};

/// Reads the environment; once, before anything else.
#[cfg(feature = "crash-points")]
pub fn set_up() {
    // Until the process ends.
    std::mem::forget(FailScenario::setup());
}

/// Ends the process here, without a word to anybody, if it is told to; `return(MS)`: only after
/// so long, in which other threads go on.
#[cfg(feature = "crash-points")]
pub fn die_at(name: &str) {
    if let Some(wait_ms) = told(name) {
        let wait_ms = wait_ms.parse().unwrap_or_default();
        std::thread::sleep(std::time::Duration::from_millis(wait_ms));
        tracing::error!("crash point {name}");
        std::process::abort();
    }
}

/// Whether something is to go another way here.
#[cfg(feature = "crash-points")]
#[must_use]
pub fn is_hit(name: &str) -> bool {
    let is_hit = told(name).is_some();
    if is_hit {
        tracing::debug!("crash point {name}");
    }
    is_hit
}

/// What it is told to do at this point, if anything.
#[cfg(feature = "crash-points")]
fn told(name: &str) -> Option<String> {
    fail_point!(name, |how| Some(how.unwrap_or_default()));
    None
}

/// Nothing in this build.
#[cfg(not(feature = "crash-points"))]
#[inline]
pub const fn die_at(_name: &str) {}

/// Never in this build.
#[cfg(not(feature = "crash-points"))]
#[inline]
#[must_use]
pub const fn is_hit(_name: &str) -> bool {
    false
}
