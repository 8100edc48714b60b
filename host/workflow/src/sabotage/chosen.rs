//! The sabotage that a thread has chosen.

use std::cell::Cell;

/// A check to leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// Take a result whatever attempt it is from.
    AttemptCheck,
    /// Take a result for a task that has one.
    Dedupe,
    /// Forget what a lost worker or process had under way.
    Redispatch,
    /// Wait for ever for a worker that hangs.
    Timeout,
    /// Give slots by priority alone, never by age.
    Ageing,
    /// Go on giving a step to workers, however many were lost with it.
    Quarantine,
    /// Take results of attempts that began before an upgrade, and give their numbers again.
    AttemptFloor,
}

thread_local! {
    static CHOSEN: Cell<Option<Sabotage>> = const { Cell::new(None) };
}

/// Leaves out one check on this thread, or none.
pub fn choose(sabotage: Option<Sabotage>) {
    CHOSEN.set(sabotage);
}

pub(crate) fn no_attempt_check() -> bool {
    CHOSEN.get() == Some(Sabotage::AttemptCheck)
}

pub(crate) fn no_dedupe() -> bool {
    CHOSEN.get() == Some(Sabotage::Dedupe)
}

pub(crate) fn no_redispatch() -> bool {
    CHOSEN.get() == Some(Sabotage::Redispatch)
}

pub(crate) fn no_timeout() -> bool {
    CHOSEN.get() == Some(Sabotage::Timeout)
}

pub(crate) fn no_attempt_floor() -> bool {
    CHOSEN.get() == Some(Sabotage::AttemptFloor)
}

pub(crate) fn no_ageing() -> bool {
    CHOSEN.get() == Some(Sabotage::Ageing)
}

pub(crate) fn no_quarantine() -> bool {
    CHOSEN.get() == Some(Sabotage::Quarantine)
}
