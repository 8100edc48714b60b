//! TOML that people write: refused where it is wrong, with the place and the likely right word.

use std::ops::Range;

use serde::de::DeserializeOwned;
use wfhost_workflow::definition::{Location, Problem, did_you_mean};

/// What is wrong with a file's text.
pub(crate) struct WrongToml {
    /// For people who see nothing but this: with the line, quoted.
    pub(crate) shown: String,
    /// For who shows the place by themselves.
    pub(crate) problem: Option<Problem>,
}

/// Reads a file's text. The problem names line and column, and for an unknown key the nearest
/// known one.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, WrongToml> {
    toml::from_str(text).map_err(|error| {
        let shown = error.to_string().trim_end().to_owned();
        let hint = hint(&shown);
        let problem = error.span().map(|span| {
            let mut problem = Problem::new(location(text, span.start), error.message());
            problem.length = length(text, span);
            problem.hinted(hint.clone())
        });
        let shown = hint.map_or(shown.clone(), |hint| format!("{shown}\n{hint}"));
        WrongToml { shown, problem }
    })
}

/// The nearest known key, where the parser met an unknown one.
fn hint(problem: &str) -> Option<String> {
    let unknown = ["unknown field `", "unknown variant `"]
        .iter()
        .find_map(|words| problem.split_once(words).map(|(_, names)| names))?;
    let mut names = unknown.split('`').step_by(2);
    let written = names.next().unwrap_or_default();
    did_you_mean(written, names)
}

/// Line and column of a byte, both from 1.
pub(crate) fn location(text: &str, at: usize) -> Location {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Location { line: number(line), column: number(column) }
}

/// Characters of a span on its first line.
fn length(text: &str, span: Range<usize>) -> u32 {
    let covered = text.get(span).unwrap_or_default();
    number(covered.lines().next().unwrap_or_default().chars().count().max(1))
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
