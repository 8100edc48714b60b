//! What a command returns when it could not do its work.

use wfhost_transport::client::Refusal;

use crate::exit_code::ExitCode;

/// An error with its exit code and what the user can do about it.
#[derive(Debug)]
pub(crate) struct CommandError {
    pub(crate) code: ExitCode,
    pub(crate) error: anyhow::Error,
    pub(crate) hints: Vec<String>,
    /// Several lines that are shown before the error, such as places in a file.
    pub(crate) report: Option<String>,
}

pub(crate) type Result<T, E = CommandError> = std::result::Result<T, E>;

impl CommandError {
    pub(crate) fn new(code: ExitCode, error: impl Into<anyhow::Error>) -> Self {
        Self { code, error: error.into(), hints: Vec::new(), report: None }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Usage, anyhow::Error::msg(message.into()))
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Invalid, anyhow::Error::msg(message.into()))
    }

    pub(crate) fn store(error: impl Into<anyhow::Error>) -> Self {
        Self::new(ExitCode::Store, error)
    }

    pub(crate) fn unreachable(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Unreachable, anyhow::Error::msg(message.into()))
    }

    /// Adds a line that says what to do next.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Shows lines before the error.
    #[must_use]
    pub(crate) fn report(mut self, report: impl Into<String>) -> Self {
        self.report = Some(report.into());
        self
    }

    /// Says what was being done when it happened.
    #[must_use]
    pub(crate) fn context(mut self, what: impl Into<String>) -> Self {
        self.error = self.error.context(what.into());
        self
    }

    /// The whole chain on one line, without repeats.
    pub(crate) fn message(&self) -> String {
        let mut message = String::new();
        for cause in self.error.chain() {
            let text = cause.to_string();
            if message.ends_with(&text) {
                continue;
            }
            if !message.is_empty() {
                message.push_str(": ");
            }
            message.push_str(&text);
        }
        message
    }
}

impl From<wfhost_checkpoint::Error> for CommandError {
    fn from(error: wfhost_checkpoint::Error) -> Self {
        let hint = error.hint();
        let error = Self::store(error);
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl From<Refusal> for CommandError {
    fn from(refusal: Refusal) -> Self {
        Self::new(ExitCode::of_refusal(&refusal), refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_the_chain_without_repeats() {
        let error =
            anyhow::anyhow!("no such file").context("no such file").context("could not read x");
        let error = CommandError::store(error);
        assert_eq!(error.message(), "could not read x: no such file");
        assert_eq!(error.context("loading").message(), "loading: could not read x: no such file");
    }
}
