//! Reading values of known shapes out of the node tree; whatever is wrong becomes a problem.

use std::cell::RefCell;

use super::code::{Code, Severity};
use super::problem::{Problem, Sink, did_you_mean};
use super::yaml::{Key, Node, NodeValue, Span, shortened};
use crate::DurationMs;

/// Characters of a name or id: they are part of every record and log line.
pub(crate) const NAME_CHARS_MAX: usize = 64;

/// The source and where problems go.
pub(crate) struct Reader<'a> {
    pub(crate) source: &'a str,
    sink: RefCell<Sink>,
    draft: bool,
}

impl<'a> Reader<'a> {
    /// `draft`: advice is reported as well.
    pub(crate) const fn new(source: &'a str, sink: Sink, draft: bool) -> Self {
        Self { source, sink: RefCell::new(sink), draft }
    }

    pub(crate) fn into_sink(self) -> Sink {
        self.sink.into_inner()
    }

    pub(crate) const fn is_draft(&self) -> bool {
        self.draft
    }

    /// Whether another problem would still be kept, and its hint be worth finding.
    pub(crate) fn shows_more(&self) -> bool {
        !self.sink.borrow().is_full()
    }

    pub(crate) fn report(&self, span: Span, message: impl Into<String>) {
        self.report_hinted(span, message, None);
    }

    pub(crate) fn report_hinted(
        &self,
        span: Span,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        self.add(span.problem(self.source, message).hinted(hint));
    }

    /// The same as a kind of its own.
    pub(crate) fn report_coded(
        &self,
        span: Span,
        code: Code,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        self.add(span.problem(self.source, message).coded(code).hinted(hint));
    }

    /// A note, where notes are wanted.
    pub(crate) fn advise(
        &self,
        span: Span,
        code: Code,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        if self.draft {
            let problem = span.problem(self.source, message);
            self.add(problem.rated(Severity::Note, code).hinted(hint));
        }
    }

    pub(crate) fn add(&self, problem: Problem) {
        self.sink.borrow_mut().add(problem);
    }

    /// Where in a scalar its part is, if the file has it as it is; else the whole scalar.
    pub(crate) fn inside(&self, span: Span, part: &str) -> Span {
        inside(self.source, span, part)
    }

    /// The entries of a mapping whose keys are known; other keys are reported.
    pub(crate) fn fields<'n>(
        &self,
        node: &'n Node,
        what: &str,
        known: &'static [&'static str],
    ) -> Option<Fields<'n>> {
        let NodeValue::Map(entries) = &node.value else {
            let keys = known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            self.report_hinted(
                node.span,
                format!("{what} must be a mapping, not {}", node.kind()),
                Some(format!("its keys are {keys}")),
            );
            return None;
        };
        for (key, _) in entries {
            if !known.contains(&key.text.as_str()) {
                self.unknown_key(key, what, known);
            }
        }
        Some(Fields { entries })
    }

    fn unknown_key(&self, key: &Key, what: &str, known: &'static [&'static str]) {
        let text = shortened(&key.text);
        if UNSUPPORTED.contains(&key.text.as_str()) && what.ends_with("step") {
            let message = format!("`{text}` is not supported by this version");
            self.report_coded(key.span, Code::UnknownKey, message, None);
            return;
        }
        let hint = did_you_mean(&key.text, known.iter().copied())
            .or_else(|| Some(format!("{what} knows {}", known.join(", "))));
        self.report_coded(key.span, Code::UnknownKey, format!("unknown key `{text}`"), hint);
    }

    pub(crate) fn list<'n>(&self, node: &'n Node, what: &str) -> Option<&'n [Node]> {
        if let NodeValue::List(items) = &node.value {
            return Some(items);
        }
        self.report(node.span, format!("{what} must be a list, not {}", node.kind()));
        None
    }

    pub(crate) fn map<'n>(&self, node: &'n Node, what: &str) -> Option<&'n [(Key, Node)]> {
        if let NodeValue::Map(entries) = &node.value {
            return Some(entries);
        }
        self.report(node.span, format!("{what} must be a mapping, not {}", node.kind()));
        None
    }

    pub(crate) fn text<'n>(&self, node: &'n Node, what: &str) -> Option<&'n str> {
        if let NodeValue::Text(text) = &node.value {
            return Some(text);
        }
        self.report(node.span, format!("{what} must be text, not {}", node.kind()));
        None
    }

    /// A whole number between bounds.
    pub(crate) fn number(
        &self,
        node: &Node,
        what: &str,
        allowed: std::ops::RangeInclusive<u32>,
    ) -> Option<u32> {
        let number = match &node.value {
            NodeValue::Number(number) => number.as_u64().and_then(|n| u32::try_from(n).ok()),
            _ => None,
        };
        let number = number.filter(|n| allowed.contains(n));
        if number.is_none() {
            let (low, high) = (allowed.start(), allowed.end());
            self.report(node.span, format!("{what} must be a whole number from {low} to {high}"));
        }
        number
    }

    /// A number between bounds.
    pub(crate) fn float(
        &self,
        node: &Node,
        what: &str,
        allowed: std::ops::RangeInclusive<f64>,
    ) -> Option<f64> {
        let number = match &node.value {
            NodeValue::Number(number) => number.as_f64(),
            _ => None,
        };
        let number = number.filter(|n| allowed.contains(n));
        if number.is_none() {
            let (low, high) = (allowed.start(), allowed.end());
            self.report(node.span, format!("{what} must be a number from {low} to {high}"));
        }
        number
    }

    /// A span such as `250ms`, `30s` or `1h30m`.
    pub(crate) fn duration(&self, node: &Node, what: &str) -> Option<DurationMs> {
        let parsed = match &node.value {
            NodeValue::Text(text) => parse_duration(text),
            _ => None,
        };
        if parsed.is_none() {
            let hint = match &node.value {
                NodeValue::Number(number) => format!("write `{number}s` for seconds"),
                _ => "such as `250ms`, `30s`, `5m` or `1h30m`".to_owned(),
            };
            self.report_hinted(node.span, format!("{what} must be a duration"), Some(hint));
            return None;
        }
        let parsed = parsed.filter(|span| (1..=DURATION_MS_MAX).contains(&span.0));
        if parsed.is_none() {
            self.report(node.span, format!("{what} must be from 1ms to 30 days"));
        }
        parsed
    }

    /// A name that expressions can use as it is.
    pub(crate) fn identifier<'n>(&self, node: &'n Node, what: &str) -> Option<&'n str> {
        let text = self.text(node, what)?;
        self.check_identifier(text, node.span, what).then_some(text)
    }

    pub(crate) fn check_identifier(&self, text: &str, span: Span, what: &str) -> bool {
        let complaint = if text.chars().count() > NAME_CHARS_MAX {
            (format!("{what} has more than {NAME_CHARS_MAX} characters"), None)
        } else if crate::expression::is_reserved(text) {
            (format!("`{text}` is a word of the expression language"), None)
        } else if is_identifier(text) {
            return true;
        } else {
            let hint = identifier_like(text).map_or_else(
                || "a small letter, then small letters, digits and `_`".to_owned(),
                |better| format!("write `{better}`"),
            );
            (format!("`{}` is no valid {what}", shortened(text)), Some(hint))
        };
        self.report_hinted(span, complaint.0, complaint.1);
        false
    }
}

/// Where in a scalar its part is, if the file has it as it is; else the whole scalar. Of a part
/// of several lines, the first.
pub(crate) fn inside(source: &str, span: Span, part: &str) -> Span {
    let covered = source.get(span.start..span.end).unwrap_or("");
    let first_line = part.lines().next().unwrap_or("");
    let found = (!first_line.is_empty()).then(|| covered.find(first_line)).flatten();
    found.map_or(span, |offset| span.within(source, offset, first_line.len()))
}

/// Keys of steps that DESIGN names and this version does not have.
const UNSUPPORTED: [&str; 7] =
    ["switch", "repeat", "workflow", "wait", "sleep", "undo", "on_error"];

/// Thirty days: a timer further away is a mistake in writing.
const DURATION_MS_MAX: u64 = 30 * 24 * 3_600_000;

/// A mapping whose keys have been checked.
pub(crate) struct Fields<'n> {
    entries: &'n [(Key, Node)],
}

impl<'n> Fields<'n> {
    /// The value, unless the key is absent or has nothing written after it.
    pub(crate) fn get(&self, key: &str) -> Option<&'n Node> {
        self.entry(key).map(|(_, node)| node).filter(|node| !matches!(node.value, NodeValue::Null))
    }

    /// The entry, whatever its value.
    pub(crate) fn entry(&self, key: &str) -> Option<(Span, &'n Node)> {
        self.entries.iter().find(|(k, _)| k.text == key).map(|(k, node)| (k.span, node))
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// What the writer may have meant: dashes and capitals are the usual mistakes.
fn identifier_like(text: &str) -> Option<String> {
    let better: String = text
        .chars()
        .map(|c| match c {
            '-' | ' ' | '.' => '_',
            c => c.to_ascii_lowercase(),
        })
        .collect();
    is_identifier(&better).then_some(better)
}

pub(crate) fn parse_duration(text: &str) -> Option<DurationMs> {
    let mut rest = text;
    let mut total: u64 = 0;
    let mut last_unit = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        if unit >= last_unit {
            return None;
        }
        last_unit = unit;
        rest = &rest[letters..];
        total = total.checked_add(number.checked_mul(unit)?)?;
    }
    (last_unit != u64::MAX).then_some(DurationMs(total))
}

/// A size such as `256MiB`, or a number of bytes.
#[must_use]
pub fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let unit: u64 = match text[digits..].trim_start() {
        "" | "B" => 1,
        "kB" | "KB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(unit)
}
