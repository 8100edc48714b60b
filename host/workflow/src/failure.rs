//! How an attempt can fail, told apart by whose fault it is and what may cure it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::DurationMs;

/// Whose fault a failure is, and whether another attempt can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The step says that another attempt may succeed.
    Retryable,
    /// The step says that no attempt will succeed.
    Permanent,
    /// The step, or the check before it, refuses its input.
    InvalidInput,
    /// The guest trapped.
    Trap,
    /// The guest went over a limit; the failure's code names the setting.
    Limit,
    /// The attempt went over its wall-clock timeout.
    Timeout,
    /// The guest asked for what it was not granted.
    Denied,
    /// The host could not run the attempt: not the guest's fault.
    Host,
    /// An expression of the workflow could not be evaluated.
    Expression,
}

impl FailureKind {
    /// Every kind, in the order of their names in messages.
    pub const ALL: [Self; 9] = [
        Self::Retryable,
        Self::Permanent,
        Self::InvalidInput,
        Self::Trap,
        Self::Limit,
        Self::Timeout,
        Self::Denied,
        Self::Host,
        Self::Expression,
    ];

    /// The name that workflow files use under `unless`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Retryable => "retryable",
            Self::Permanent => "permanent",
            Self::InvalidInput => "invalid-input",
            Self::Trap => "trap",
            Self::Limit => "limit",
            Self::Timeout => "timeout",
            Self::Denied => "denied",
            Self::Host => "host",
            Self::Expression => "expression",
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for FailureKind {
    type Err = UnknownFailureKind;

    fn from_str(text: &str) -> Result<Self, UnknownFailureKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| UnknownFailureKind(text.to_owned()))
    }
}

/// A text that names no [`FailureKind`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no kind of failure")]
pub struct UnknownFailureKind(pub String);

/// A failed attempt, for people and for retry policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Decides about retries and metrics.
    pub kind: FailureKind,
    /// A short stable name: the step's own, or the setting that was exceeded.
    pub code: String,
    /// A sentence that may hold text from a guest: neutralise it before a terminal.
    pub message: String,
    /// The least wait before the next attempt, if the step named one.
    pub retry_after: Option<DurationMs>,
}

impl Failure {
    /// A failure without a wished delay.
    #[must_use]
    pub fn new(kind: FailureKind, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, code: code.into(), message: message.into(), retry_after: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.code.is_empty() || self.code == self.kind.name() {
            write!(f, "{}: {}", self.kind, self.message)
        } else {
            write!(f, "{} ({}): {}", self.kind, self.code, self.message)
        }
    }
}
