//! What the host does for a guest, one file an ability.

pub(crate) mod files;
pub(crate) mod grant_dirs;
pub(crate) mod kv;
pub(crate) mod log;
pub(crate) mod progress;
pub(crate) mod random;
pub(crate) mod stdio;
pub(crate) mod wasi;
pub(crate) mod written;

use std::time::Duration;

/// Where an attempt's log lines and progress go.
///
/// Called from the attempt itself: must be quick and must not block. All texts come from
/// a guest; their total size is bounded by the attempt's `log` limit.
pub trait StepSink: Send + Sync {
    /// One log line; `fields` are names and JSON texts.
    fn log(&self, level: LogLevel, message: String, fields: Vec<(String, String)>);

    /// The attempt has to wait for its turn, at most so long: its timeout has not begun.
    fn waiting(&self, _at_most: Duration) {}

    /// The attempt is about to begin; `false`: it was given to somebody else meanwhile, and must
    /// not.
    fn begins(&self) -> bool {
        true
    }

    /// The newest progress replaces what was reported before; `total` 0 is unknown.
    fn progress(&self, done: u64, total: u64, message: String);
}

/// How bad a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// Finest.
    Trace,
    /// For the step's author.
    Debug,
    /// Normal.
    Info,
    /// Worth a look.
    Warn,
    /// Wrong.
    Error,
}
