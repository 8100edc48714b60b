//! Log lines, kept with the run: `log::info!`, `log::warn!` and so on.
//!
//! A line is a message, formatted like `println!`'s, and may have named values before it. A
//! value is anything that serde can write; it is kept as JSON, so that `wfhost runs logs
//! --output json` can be searched by it.
//!
//! ```
//! use wfhost_guest::{log, testing};
//!
//! let host = testing::Host::fresh();
//! let (folder, files) = ("/in", 3);
//! log::info!("reading {folder}");
//! log::warn!(files = files, folder = folder; "{} files are empty", 2);
//!
//! let lines = host.log();
//! assert_eq!(lines[1].message, "2 files are empty");
//! assert_eq!(lines[1].fields["files"], 3);
//! ```
//!
//! The host keeps at most a set amount of lines of an attempt, drops those over it and counts
//! them. Never log a secret.

use serde::Serialize;

pub use crate::{
    __log_debug as debug, __log_error as error, __log_info as info, __log_trace as trace,
    __log_warn as warn,
};

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// For whoever looks into one call.
    Trace,
    /// For the step's author.
    Debug,
    /// For whoever runs the workflow.
    Info,
    /// Something is wrong and the step goes on.
    Warn,
    /// Something is wrong and the step will fail, or its answer is not whole.
    Error,
}

/// Writes one line; the macros of this module are shorter.
///
/// ```
/// use wfhost_guest::log::{self, Level};
///
/// log::write(Level::Info, "read", vec![log::field("files", &3)]);
/// ```
pub fn write(level: Level, message: &str, fields: Vec<Field<'_>>) {
    crate::host::log(level, message, fields);
}

/// A named value of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: String,
}

/// A value under this name; `null` where serde cannot write the value as JSON.
pub fn field<'a, T: Serialize + ?Sized>(name: &'a str, value: &T) -> Field<'a> {
    let value = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
    Field { name, value }
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log {
    ($level:ident, $($name:ident = $value:expr),+ $(,)?; $($message:tt)+) => {
        $crate::log::write(
            $crate::log::Level::$level,
            &::std::format!($($message)+),
            ::std::vec![$($crate::log::field(::core::stringify!($name), &$value)),+],
        )
    };
    ($level:ident, $($message:tt)+) => {
        $crate::log::write($crate::log::Level::$level, &::std::format!($($message)+), ::std::vec![])
    };
}

/// Writes a line of [`Level::Trace`].
#[doc(hidden)]
#[macro_export]
macro_rules! __log_trace { ($($line:tt)+) => { $crate::__log!(Trace, $($line)+) } }

/// Writes a line of [`Level::Debug`].
#[doc(hidden)]
#[macro_export]
macro_rules! __log_debug { ($($line:tt)+) => { $crate::__log!(Debug, $($line)+) } }

/// Writes a line of [`Level::Info`].
#[doc(hidden)]
#[macro_export]
macro_rules! __log_info { ($($line:tt)+) => { $crate::__log!(Info, $($line)+) } }

/// Writes a line of [`Level::Warn`].
#[doc(hidden)]
#[macro_export]
macro_rules! __log_warn { ($($line:tt)+) => { $crate::__log!(Warn, $($line)+) } }

/// Writes a line of [`Level::Error`].
#[doc(hidden)]
#[macro_export]
macro_rules! __log_error { ($($line:tt)+) => { $crate::__log!(Error, $($line)+) } }
