//! How a step fails, and what that means for its retries.

use std::fmt;
use std::time::Duration;

/// The result of a step.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Whether another attempt may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Another attempt may succeed; the workflow's `retry` decides how many there are.
    Retryable,
    /// No attempt will succeed.
    Permanent,
    /// The input is wrong; no attempt will succeed with it.
    InvalidInput,
}

/// A step's failure: whether to try again, a code for programs, a message for people.
///
/// Every [`std::error::Error`] turns into one with `?`. Nothing is known about such an error, so it
/// is **retryable**, with the code `failed`: an attempt too many costs little and the workflow
/// bounds them, while a passing trouble taken for a lasting one would lose the run. Say better
/// with [`OrFail`] or the constructors:
///
/// ```
/// use std::time::Duration;
/// use wfhost_guest::{Error, OrFail, Result};
///
/// fn parse(text: &str) -> Result<u32> {
///     let number: u32 = text.trim().parse().or_invalid_input("not-a-number")?;
///     if number == 429 {
///         return Err(Error::retryable("rate-limited", "too many requests").retry_after(Duration::from_secs(2)));
///     }
///     Ok(number)
/// }
///
/// assert_eq!(parse("x").unwrap_err().code(), "not-a-number");
/// assert_eq!(parse("429").unwrap_err().after(), Some(Duration::from_secs(2)));
/// ```
///
/// Like `anyhow::Error` this type is not a [`std::error::Error`] itself: the conversion above
/// would otherwise collide with the standard library's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    code: String,
    message: String,
    after: Option<Duration>,
}

impl Error {
    /// A failure that another attempt may cure.
    pub fn retryable(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Retryable, code, message)
    }

    /// A failure that no attempt will cure.
    pub fn permanent(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Permanent, code, message)
    }

    /// A refused input. Types and ranges that the schema states are checked before the step;
    /// this is for what a schema cannot say.
    pub fn invalid_input(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, code, message)
    }

    fn new(kind: ErrorKind, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, code: code.into(), message: message.into(), after: None }
    }

    /// Makes the failure retryable, and the next attempt wait at least `after`
    /// (kept in whole milliseconds, rounded up).
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.kind = ErrorKind::Retryable;
        self.after = Some(after);
        self
    }

    /// Whether another attempt may help.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// A short stable name, such as `rate-limited`.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// What went wrong, in a sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The least wait before the next attempt.
    #[must_use]
    pub fn after(&self) -> Option<Duration> {
        self.after
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        Self::retryable("failed", chain(&error))
    }
}

/// The error and what it came from, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}

/// Says what an error means for retries, on its way through `?`.
///
/// For a `Result` the message is the error with its sources; for an `Option` it says that
/// there is no value.
pub trait OrFail<T>: Sized {
    /// Another attempt may succeed.
    ///
    /// # Errors
    /// [`Error::retryable`] if there is no value.
    fn or_retryable(self, code: &str) -> Result<T>;

    /// No attempt will succeed.
    ///
    /// # Errors
    /// [`Error::permanent`] if there is no value.
    fn or_permanent(self, code: &str) -> Result<T>;

    /// The input is wrong.
    ///
    /// # Errors
    /// [`Error::invalid_input`] if there is no value.
    fn or_invalid_input(self, code: &str) -> Result<T>;
}

impl<T, E: std::error::Error> OrFail<T> for std::result::Result<T, E> {
    fn or_retryable(self, code: &str) -> Result<T> {
        self.map_err(|error| Error::retryable(code, chain(&error)))
    }

    fn or_permanent(self, code: &str) -> Result<T> {
        self.map_err(|error| Error::permanent(code, chain(&error)))
    }

    fn or_invalid_input(self, code: &str) -> Result<T> {
        self.map_err(|error| Error::invalid_input(code, chain(&error)))
    }
}

const NO_VALUE: &str = "a value is missing";

impl<T> OrFail<T> for Option<T> {
    fn or_retryable(self, code: &str) -> Result<T> {
        self.ok_or_else(|| Error::retryable(code, NO_VALUE))
    }

    fn or_permanent(self, code: &str) -> Result<T> {
        self.ok_or_else(|| Error::permanent(code, NO_VALUE))
    }

    fn or_invalid_input(self, code: &str) -> Result<T> {
        self.ok_or_else(|| Error::invalid_input(code, NO_VALUE))
    }
}
