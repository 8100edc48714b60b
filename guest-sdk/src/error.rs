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

    /// Makes the failure retryable, and the next attempt wait at least `after`.
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

    /// As [`Error::after`], in whole milliseconds: rounded up, so that no wait gets shorter.
    #[must_use]
    pub fn after_ms(&self) -> Option<u64> {
        self.after
            .map(|after| u64::try_from(after.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX))
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
/// For a `Result` the message is the error with its sources. The error is anything that turns into
/// a boxed one: a [`std::error::Error`], a `String`, an `anyhow::Error`. For an `Option` the
/// message is that a value is missing.
pub trait OrFail<T>: Sized {
    /// [`Error::retryable`] with this code: another attempt may succeed.
    #[expect(clippy::missing_errors_doc, reason = "the first line says it")]
    fn or_retryable(self, code: &str) -> Result<T> {
        self.or_fail(ErrorKind::Retryable, code)
    }

    /// [`Error::permanent`] with this code: no attempt will succeed.
    #[expect(clippy::missing_errors_doc, reason = "the first line says it")]
    fn or_permanent(self, code: &str) -> Result<T> {
        self.or_fail(ErrorKind::Permanent, code)
    }

    /// [`Error::invalid_input`] with this code: no attempt will succeed with this input.
    #[expect(clippy::missing_errors_doc, reason = "the first line says it")]
    fn or_invalid_input(self, code: &str) -> Result<T> {
        self.or_fail(ErrorKind::InvalidInput, code)
    }

    /// The value, or a failure of this kind and code.
    #[expect(clippy::missing_errors_doc, reason = "the first line says it")]
    fn or_fail(self, kind: ErrorKind, code: &str) -> Result<T>;
}

impl<T, E: Into<Box<dyn std::error::Error>>> OrFail<T> for std::result::Result<T, E> {
    fn or_fail(self, kind: ErrorKind, code: &str) -> Result<T> {
        self.map_err(|error| Error::new(kind, code, chain(&*error.into())))
    }
}

impl<T> OrFail<T> for Option<T> {
    fn or_fail(self, kind: ErrorKind, code: &str) -> Result<T> {
        self.ok_or_else(|| Error::new(kind, code, "a value is missing"))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Outer(std::num::ParseIntError);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("reading the page number")
        }
    }

    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }

    fn broken() -> std::result::Result<u32, Outer> {
        "x".parse().map_err(Outer)
    }

    const CHAIN: &str = "reading the page number: invalid digit found in string";

    #[test]
    fn any_error_becomes_a_retryable_failure() {
        let error = (|| -> Result<u32> { Ok(broken()?) })().unwrap_err();
        assert_eq!(error, Error::retryable("failed", CHAIN));
        assert_eq!(error.to_string(), format!("failed: {CHAIN}"));
    }

    #[test]
    fn an_error_is_told_what_it_means() {
        assert_eq!(broken().or_retryable("r"), Err(Error::retryable("r", CHAIN)));
        assert_eq!(broken().or_permanent("p"), Err(Error::permanent("p", CHAIN)));
        assert_eq!(broken().or_invalid_input("i"), Err(Error::invalid_input("i", CHAIN)));
        let text: std::result::Result<u32, String> = Err("no page".to_owned());
        assert_eq!(text.or_permanent("p"), Err(Error::permanent("p", "no page")));
        assert_eq!(None::<u32>.or_permanent("p"), Err(Error::permanent("p", "a value is missing")));
        assert_eq!(Some(1).or_permanent("p"), Ok(1));
    }

    #[test]
    fn a_wait_makes_it_retryable_and_is_rounded_up() {
        let error = Error::permanent("busy", "busy").retry_after(Duration::from_micros(1001));
        assert_eq!((error.kind(), error.after_ms()), (ErrorKind::Retryable, Some(2)));
        assert_eq!(Error::retryable("busy", "busy").after_ms(), None);
        assert_eq!(error.retry_after(Duration::MAX).after_ms(), Some(u64::MAX));
    }
}
