//! The table: what was measured, what came out, what was to be reached.

use std::io::Write as _;

use serde::{Deserialize, Serialize};

/// One figure.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    /// What was measured, with payload and fsync mode.
    pub(crate) what: String,
    /// The figure, with its unit.
    pub(crate) figure: String,
    /// What is to be reached.
    pub(crate) reach: String,
    /// Whether it was; `None`: only for information.
    pub(crate) reached: Option<bool>,
}

impl Row {
    pub(crate) fn new(
        what: impl Into<String>,
        figure: impl Into<String>,
        reach: impl Into<String>,
        reached: bool,
    ) -> Self {
        Self {
            what: what.into(),
            figure: figure.into(),
            reach: reach.into(),
            reached: Some(reached),
        }
    }

    pub(crate) fn info(what: impl Into<String>, figure: impl Into<String>) -> Self {
        Self { what: what.into(), figure: figure.into(), reach: String::new(), reached: None }
    }
}

pub(crate) fn row(row: &Row) {
    let mark = match row.reached {
        Some(true) => "reached",
        Some(false) => "MISSED",
        None => "",
    };
    line(format!("{:<78} {:>34}  {:<24} {mark}", row.what, row.figure, row.reach).trim_end());
}

pub(crate) fn line(text: &str) {
    // A closed pipe: nobody reads on.
    let _closed = writeln!(std::io::stdout(), "{text}");
}

pub(crate) fn error(text: &str) {
    // As above.
    let _closed = writeln!(std::io::stderr(), "{text}");
}
