//! What the command's exit codes mean, and which error gives which: the one place.

use std::process::ExitCode as ProcessExitCode;

use wfhost_bundle::grants::Reason;
use wfhost_transport::client::{Refusal, ShownStatus};

/// How a command ended, for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum ExitCode {
    /// Done.
    Done = 0,
    /// The run failed or was cancelled; where a comparison is asked for its result: not the same.
    RunFailed = 1,
    /// The command line is wrong, or names a run or step that does not exist.
    Usage = 2,
    /// The workflow, its input or the run's state does not allow it; nothing was changed.
    Invalid = 3,
    /// A permission is missing.
    Denied = 4,
    /// The data folder or another file could not be read or written.
    Store = 5,
    /// Nobody serves, or does not answer.
    Unreachable = 6,
    /// Stopped by a signal; `wfhost resume` goes on.
    Interrupted = 130,
}

impl ExitCode {
    /// The table that `--help` shows.
    pub(crate) const HELP: &'static str = "\
Exit codes:
  0    done
  1    the run failed or was cancelled; with `bundle diff --exit-code`: they differ
  2    wrong usage, or no such run or step
  3    refused: the workflow, its input or the run's state does not allow it
  4    denied: a permission is missing
  5    the data folder or another file could not be read or written
  6    nobody serves there, or does not answer
  130  interrupted; `wfhost resume` goes on";

    /// Of a refused request.
    pub(crate) const fn of_refusal(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::NotFound(_) => Self::Usage,
            Refusal::WrongState(_) | Refusal::Invalid(_) => Self::Invalid,
            Refusal::Denied(_) => Self::Denied,
            Refusal::Store(_) => Self::Store,
            Refusal::Unavailable(_) => Self::Unreachable,
        }
    }

    /// Of a directory that is not granted.
    pub(crate) const fn of_denial(reason: &Reason) -> Self {
        match reason {
            Reason::NotAsked | Reason::NotAllowed | Reason::OnlyReading => Self::Denied,
            Reason::GivenTwice | Reason::Unusable(_) => Self::Invalid,
        }
    }

    /// Of a run that was followed until this status.
    pub(crate) const fn of_status(status: ShownStatus) -> Self {
        match status {
            ShownStatus::Succeeded => Self::Done,
            ShownStatus::Failed | ShownStatus::Cancelled => Self::RunFailed,
            ShownStatus::Running | ShownStatus::Interrupted => Self::Interrupted,
        }
    }
}

impl From<ExitCode> for ProcessExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_code() {
        for code in [
            ExitCode::Done,
            ExitCode::RunFailed,
            ExitCode::Usage,
            ExitCode::Invalid,
            ExitCode::Denied,
            ExitCode::Store,
            ExitCode::Unreachable,
            ExitCode::Interrupted,
        ] {
            let number = format!("\n  {:<3}  ", code as u8);
            assert!(ExitCode::HELP.contains(&number), "{code:?}");
        }
    }

    #[test]
    fn every_refusal_has_its_code() {
        let text = String::new;
        let cases = [
            (Refusal::NotFound(text()), 2),
            (Refusal::WrongState(text()), 3),
            (Refusal::Invalid(text()), 3),
            (Refusal::Denied(text()), 4),
            (Refusal::Store(text()), 5),
            (Refusal::Unavailable(text()), 6),
        ];
        for (refusal, code) in cases {
            assert_eq!(ExitCode::of_refusal(&refusal) as u8, code, "{refusal:?}");
        }
    }
}
