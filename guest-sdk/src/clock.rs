//! The one place that reads a clock.

use std::time::Duration;

/// A point in time to measure from, or nothing where the target has no clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Started(#[cfg(not(target_os = "unknown"))] std::time::Instant);

impl Started {
    #[cfg(not(target_os = "unknown"))]
    pub(crate) fn now() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the clock file")]
        Self(std::time::Instant::now())
    }

    /// `wasm32-unknown-unknown` has no clock: asking it for the time would trap.
    #[cfg(target_os = "unknown")]
    pub(crate) fn now() -> Self {
        Self()
    }

    #[cfg(not(target_os = "unknown"))]
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    #[cfg(target_os = "unknown")]
    pub(crate) fn elapsed(self) -> Duration {
        Duration::ZERO
    }
}
