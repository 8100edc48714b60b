//! What the user sees: results on standard output, everything else on standard error.
//!
//! A closed pipe is no reason to stop a build, so failures to write are ignored.

use std::io::Write;

/// A result.
pub(crate) fn out(text: &str) {
    let _ignored = std::io::stdout().write_all(text.as_bytes());
}

/// What is being done now.
pub(crate) fn step(text: &str) {
    err(&format!("xtask: {text}\n"));
}

/// What the user may want to know.
pub(crate) fn note(text: &str) {
    err(&format!("       {}\n", text.replace('\n', "\n       ")));
}

/// Why it failed.
pub(crate) fn error(text: &str) {
    err(&format!("error: {text}\n"));
}

/// Text of another program, unchanged.
pub(crate) fn err(text: &str) {
    let _ignored = std::io::stderr().write_all(text.as_bytes());
}
