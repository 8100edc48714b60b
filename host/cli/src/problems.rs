//! What was found wrong with a workflow file, for people and for programs.

use serde_json::{Value, json};
use wfhost_workflow::definition::{Part, Problem, Severity, render};

use crate::error::CommandError;
use crate::output::{Output, Tone};
use crate::sanitise;
use crate::workflow_file::Examined;

/// What is wrong with one file.
pub(crate) struct FileProblems {
    /// As it is shown.
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) problems: Vec<Problem>,
    /// How many more there are.
    pub(crate) left_out: usize,
}

impl FileProblems {
    /// Those of a checked workflow that are at least this grave.
    pub(crate) fn of(examined: &Examined, least: Severity) -> Self {
        let problems = examined.checked.problems.iter();
        Self {
            name: examined.path().display().to_string(),
            text: examined.text().to_owned(),
            problems: problems.filter(|problem| problem.severity >= least).cloned().collect(),
            left_out: examined.checked.left_out(),
        }
    }

    /// Writes them to standard error, each with its line.
    pub(crate) fn write(&self, output: &Output) {
        let paint = |part, text: &str| match part {
            Part::Severity(severity) => output.paint_message(tone(severity), text),
            Part::Margin => output.paint_message(Tone::Dim, text),
            Part::Hint => output.paint_message(Tone::Busy, text),
        };
        let name = sanitise::line(&self.name);
        let mut report = render(&self.problems, &name, &self.text, &paint);
        if self.left_out > 0 {
            report.push_str(&format!("and {} more\n", self.left_out));
        }
        if !report.is_empty() {
            output.report(&report, &self.problems.iter().map(json).collect::<Vec<_>>());
        }
    }
}

/// Writes all problems that are at least this grave to standard error.
pub(crate) fn write(output: &Output, examined: &Examined, least: Severity) {
    FileProblems::of(examined, least).write(output);
}

const fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Error => Tone::Bad,
        Severity::Warning => Tone::Warn,
        Severity::Note => Tone::Busy,
    }
}

/// The error that a file with errors ends in.
pub(crate) fn refusal(examined: &Examined) -> CommandError {
    let name = examined.path().display().to_string();
    CommandError::invalid(format!("{} has {}", sanitise::line(&name), counts(examined)))
}

/// "2 errors, 1 warning"; "no problems".
pub(crate) fn counts(examined: &Examined) -> String {
    let checked = &examined.checked;
    let parts: Vec<String> =
        [(checked.errors, "error"), (checked.warnings, "warning"), (checked.notes, "note")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, noun)| format!("{count} {noun}{}", if count == 1 { "" } else { "s" }))
            .collect();
    if parts.is_empty() { "no problems".to_owned() } else { parts.join(", ") }
}

/// One problem for programs.
pub(crate) fn json(problem: &Problem) -> Value {
    json!({
        "severity": problem.severity.name(),
        "code": problem.code.name(),
        "line": problem.at.line,
        "column": problem.at.column,
        "end_column": problem.at.column.saturating_add(problem.length),
        "length": problem.length,
        "message": problem.message,
        "hint": problem.hint,
    })
}
