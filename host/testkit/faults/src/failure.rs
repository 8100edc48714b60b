//! Why a row could not be carried out: that is neither held nor not held.

use std::fmt::Display;

pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// What was tried and why it did not work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// Says what was being done.
pub(crate) trait Doing<T> {
    fn doing(self, what: impl Display) -> Result<T>;
}

impl<T, E: Display> Doing<T> for std::result::Result<T, E> {
    fn doing(self, what: impl Display) -> Result<T> {
        self.map_err(|error| Failure(format!("{what}: {error}")))
    }
}

impl<T> Doing<T> for Option<T> {
    fn doing(self, what: impl Display) -> Result<T> {
        self.ok_or_else(|| Failure(format!("{what}: it never came to that")))
    }
}
