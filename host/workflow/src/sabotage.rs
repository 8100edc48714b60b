//! Checks that a sabotage build leaves out, so that the simulator can prove that it notices.
//!
//! In every ordinary build each function is `false` and disappears; `--cfg wfhost_sabotage`
//! makes them a choice of the thread that asks.

#[cfg(not(wfhost_sabotage))]
mod ordinary {
    /// Take a result whatever attempt it is from.
    pub(crate) const fn no_attempt_check() -> bool {
        false
    }

    /// Take a result for a task that has one.
    pub(crate) const fn no_dedupe() -> bool {
        false
    }

    /// Forget what a lost worker or process had under way.
    pub(crate) const fn no_redispatch() -> bool {
        false
    }

    /// Wait for ever for a worker that hangs.
    pub(crate) const fn no_timeout() -> bool {
        false
    }

    /// Go on giving a step to workers, however many were lost with it.
    pub(crate) const fn no_quarantine() -> bool {
        false
    }

    /// Take results of attempts that began before an upgrade, and give their numbers again.
    pub(crate) const fn no_attempt_floor() -> bool {
        false
    }

    /// Give slots by priority alone, never by age.
    pub(crate) const fn no_ageing() -> bool {
        false
    }
}

#[cfg(wfhost_sabotage)]
mod chosen;

#[cfg(wfhost_sabotage)]
pub use chosen::{Sabotage, choose};
#[cfg(wfhost_sabotage)]
pub(crate) use chosen::{
    no_ageing, no_attempt_check, no_attempt_floor, no_dedupe, no_quarantine, no_redispatch,
    no_timeout,
};
#[cfg(not(wfhost_sabotage))]
pub(crate) use ordinary::{
    no_ageing, no_attempt_check, no_attempt_floor, no_dedupe, no_quarantine, no_redispatch,
    no_timeout,
};
