//! What is wrong with a workflow file, for people: where, what, and what to write instead.

use std::fmt;

use super::Location;
use super::code::{Code, Severity};

/// Problems kept of one file: more are counted only, so that a hostile file cannot make a
/// report of unbounded size.
pub(crate) const PROBLEMS_MAX: usize = 100;

/// Characters of a source line that a report shows; longer lines are cut around the place.
const SHOWN_LINE_CHARS_MAX: usize = 160;

/// Characters of a message or hint: file contents are quoted in them.
const MESSAGE_CHARS_MAX: usize = 600;

/// One thing that is wrong with a workflow file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it begins.
    pub at: Location,
    /// Characters that it covers on that line; at least 1.
    pub length: u32,
    /// A fragment in lower case, without the place.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// How grave it is.
    pub severity: Severity,
    /// What kind of problem it is.
    pub code: Code,
}

impl Problem {
    /// An error that covers one character and has no hint.
    #[must_use]
    pub fn new(at: Location, message: impl Into<String>) -> Self {
        Self {
            at,
            length: 1,
            message: cut(message.into()),
            hint: None,
            severity: Severity::Error,
            code: Code::InvalidValue,
        }
    }

    /// The same as another kind of problem.
    #[must_use]
    pub fn rated(self, severity: Severity, code: Code) -> Self {
        Self { severity, code, ..self }
    }

    /// An error of another kind.
    #[must_use]
    pub(crate) fn coded(self, code: Code) -> Self {
        Self { code, ..self }
    }

    /// The same with a hint, if there is one.
    #[must_use]
    pub fn hinted(mut self, hint: Option<String>) -> Self {
        self.hint = hint.map(cut);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} {}", self.at.line, self.at.column, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, ": {hint}"),
            None => Ok(()),
        }
    }
}

/// All that is wrong with a workflow file, in the order of the file. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} in the workflow", count(.found.len() + .left_out))]
pub struct Problems {
    found: Vec<Problem>,
    left_out: usize,
}

impl Problems {
    /// For a reader that gave nothing and said nothing: a mistake of its own.
    pub(super) fn unknown() -> Self {
        let at = Location { line: 1, column: 1 };
        Self { found: vec![Problem::new(at, "the file could not be read")], left_out: 0 }
    }

    /// The first hundred.
    #[must_use]
    pub fn found(&self) -> &[Problem] {
        &self.found
    }

    /// How many more there are.
    #[must_use]
    pub const fn left_out(&self) -> usize {
        self.left_out
    }

    /// A report in plain text, as [`render`] makes it.
    #[must_use]
    pub fn render(&self, file_name: &str, source: &str) -> String {
        let mut report = render(&self.found, file_name, source, &|_, text| text.to_owned());
        if self.left_out > 0 {
            report.push_str(&format!("and {} more\n", self.left_out));
        }
        report
    }
}

/// A part of a report that may be coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The word that says how grave it is, and the mark below the line.
    Severity(Severity),
    /// The number and margin of the line.
    Margin,
    /// The word before a hint.
    Hint,
}

/// A report: each problem with its line of `source` and a mark below it. Ends with a line
/// break. Whatever a terminal would act on is replaced, and `paint` may add colours.
#[must_use]
pub fn render(
    problems: &[Problem],
    file_name: &str,
    source: &str,
    paint: &dyn Fn(Part, &str) -> String,
) -> String {
    let lines: Vec<&str> = source.lines().collect();
    let mut report = String::new();
    for problem in problems {
        render_one(&mut report, problem, &printable(file_name), &lines, paint);
    }
    report
}

fn count(problems: usize) -> String {
    if problems == 1 { "1 problem".to_owned() } else { format!("{problems} problems") }
}

fn render_one(
    report: &mut String,
    problem: &Problem,
    file_name: &str,
    lines: &[&str],
    paint: &dyn Fn(Part, &str) -> String,
) {
    let Location { line, column } = problem.at;
    let part = Part::Severity(problem.severity);
    report.push_str(&format!(
        "{file_name}:{line}:{column}: {} {} [{}]\n",
        paint(part, &format!("{}:", problem.severity.name())),
        printable(&problem.message),
        problem.code.name(),
    ));
    if let Some(text) = lines.get((line as usize).saturating_sub(1)) {
        let (shown, offset) = cut_around(text, column as usize);
        let length = (problem.length.max(1) as usize)
            .min(shown.chars().count().saturating_sub(offset).max(1));
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        report.push_str(&format!("{} {shown}\n", paint(Part::Margin, &format!("{number} |"))));
        report.push_str(&format!(
            "{} {}{}\n",
            paint(Part::Margin, &format!("{margin} |")),
            " ".repeat(offset),
            paint(part, &"^".repeat(length)),
        ));
    }
    if let Some(hint) = &problem.hint {
        report.push_str(&format!("  {} {}\n", paint(Part::Hint, "hint:"), printable(hint)));
    }
}

/// The part of a line around a column, and where in it the column is, both in characters.
fn cut_around(line: &str, column: usize) -> (String, usize) {
    let position = column.saturating_sub(1);
    let start =
        if position < SHOWN_LINE_CHARS_MAX { 0 } else { position - SHOWN_LINE_CHARS_MAX / 2 };
    let shown: String = line.chars().skip(start).take(SHOWN_LINE_CHARS_MAX).collect();
    (printable(&shown), position - start)
}

/// Replaces what a terminal would obey, one character by one so that columns stay.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if c.is_control() || is_deceiving(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// Characters that change the order in which a terminal shows the rest of the line, or that it
/// does not show.
fn is_deceiving(c: char) -> bool {
    let reorders = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let hides = matches!(c, '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    reorders || hides
}

fn cut(text: String) -> String {
    match text.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Where the parts of the reader put what they find.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    found: Vec<Problem>,
    left_out: usize,
}

impl Sink {
    pub(crate) fn add(&mut self, problem: Problem) {
        // Twice the number that is shown, so that sorting by place still has the first ones.
        if self.is_full() {
            self.left_out += 1;
        } else {
            self.found.push(problem);
        }
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.found.len() >= PROBLEMS_MAX * 2
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(crate) fn into_parts(self) -> (Vec<Problem>, usize) {
        (self.found, self.left_out)
    }

    /// `None` if nothing was found.
    pub(crate) fn into_problems(mut self) -> Option<Problems> {
        self.found.sort_by(|a, b| (a.at, &a.message).cmp(&(b.at, &b.message)));
        self.found.dedup();
        let cut = self.found.len().saturating_sub(PROBLEMS_MAX);
        self.found.truncate(PROBLEMS_MAX);
        let left_out = self.left_out + cut;
        (!self.found.is_empty()).then_some(Problems { found: self.found, left_out })
    }
}

/// "did you mean `x`?" for the most similar of `known`, if one is similar enough.
#[must_use]
pub fn did_you_mean<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(written, known).map(|name| format!("did you mean `{name}`?"))
}

/// Names longer than this are not compared: the comparison takes their lengths' product.
const COMPARED_CHARS_MAX: usize = 64;

/// Names that are compared at most: a file with 20,000 steps may have as many mistakes.
const COMPARED_NAMES_MAX: usize = 2_000;

/// Letters that may differ: one of three.
fn allowed(name: &str, written: &str) -> usize {
    name.len().min(written.len()) / 3
}

fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if written.len() > COMPARED_CHARS_MAX {
        return None;
    }
    known
        .into_iter()
        .take(COMPARED_NAMES_MAX)
        .filter(|name| name.len() <= COMPARED_CHARS_MAX)
        .filter(|name| name.len().abs_diff(written.len()) <= allowed(name, written))
        .map(|name| (strsim::osa_distance(written, name), name))
        .filter(|(distance, name)| *distance <= allowed(name, written))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}
