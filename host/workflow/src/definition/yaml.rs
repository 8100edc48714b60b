//! A small tree of a YAML file in which every node knows its place.
//!
//! Only what JSON can say is accepted: anchors, aliases, tags, directives, several documents
//! and repeated keys are problems. Never expands anything, so its size is bounded by the
//! source's.

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle};

use super::Location;
use super::code::Code;
use super::problem::{Problem, Sink};

/// Bytes of a workflow file: two hundred bytes for each of 20,000 steps.
pub(crate) const SOURCE_BYTES_MAX: usize = 4 << 20;

/// Nested lists and mappings: JSON made from the tree stays far below JSON's own bound of 128.
pub(crate) const DEPTH_MAX: usize = 64;

/// Nodes of a file: keeps the tree of a 4 MiB file of commas below 100 MB.
pub(crate) const NODES_MAX: usize = 600_000;

/// A value and where it is.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) value: NodeValue,
}

/// A place in the file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) at: Location,
    /// Bytes of the source.
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// What JSON can say.
#[derive(Debug)]
pub(crate) enum NodeValue {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping; scalars of any kind are taken as their text.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) span: Span,
}

impl Node {
    /// "a list", for messages.
    pub(crate) const fn kind(&self) -> &'static str {
        match self.value {
            NodeValue::Null => "nothing",
            NodeValue::Bool(_) => "true or false",
            NodeValue::Number(_) => "a number",
            NodeValue::Text(_) => "text",
            NodeValue::List(_) => "a list",
            NodeValue::Map(_) => "a mapping",
        }
    }

    /// The value as JSON; its depth is bounded by [`DEPTH_MAX`].
    pub(crate) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.value {
            NodeValue::Null => Value::Null,
            NodeValue::Bool(value) => Value::Bool(*value),
            NodeValue::Number(value) => Value::Number(value.clone()),
            NodeValue::Text(value) => Value::String(value.clone()),
            NodeValue::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            NodeValue::Map(entries) => Value::Object(
                entries.iter().map(|(key, node)| (key.text.clone(), node.to_json())).collect(),
            ),
        }
    }
}

impl Span {
    /// Of what is not in the file.
    pub(crate) const fn nowhere() -> Self {
        Self { at: Location { line: 1, column: 1 }, start: 0, end: 0 }
    }

    /// A part of it: `offset` and `length` in bytes.
    pub(crate) fn within(self, source: &str, offset: usize, length: usize) -> Self {
        let before = source.get(self.start..self.start + offset).unwrap_or("");
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let mut at = self.at;
        match before.rsplit_once('\n') {
            Some((lines, line)) => {
                at.line += number(lines.matches('\n').count() + 1);
                at.column = number(line.chars().count() + 1);
            }
            None => at.column += number(before.chars().count()),
        }
        let start = self.start + offset;
        Self { at, start, end: start + length }
    }

    /// As written.
    pub(crate) fn text(self, source: &str) -> &str {
        source.get(self.start..self.end).unwrap_or("").trim()
    }

    /// A problem that covers this place, as far as its first line goes.
    pub(crate) fn problem(self, source: &str, message: impl Into<String>) -> Problem {
        let covered = source.get(self.start..self.end).unwrap_or("");
        let first_line = covered.lines().next().unwrap_or("").trim_end();
        let length = u32::try_from(first_line.chars().count()).unwrap_or(u32::MAX).max(1);
        Problem { length, ..Problem::new(self.at, message) }
    }
}

/// Reads one document. `None`: the problems say why.
pub(crate) fn read(source: &str, problems: &mut Sink) -> Option<Node> {
    let top = Location { line: 1, column: 1 };
    if source.len() > SOURCE_BYTES_MAX {
        problems.add(Problem::new(
            top,
            format!("the file has {} bytes, more than {SOURCE_BYTES_MAX}", source.len()),
        ));
        return None;
    }
    let options = granit_parser::options! {
        emit_comments: false,
        disallow_directives: true,
        emit_unresolved_aliases: true,
        flow_nesting_limit: DEPTH_MAX,
        block_nesting_limit: DEPTH_MAX,
    };
    let mut builder = Builder { source, problems, open: Vec::new(), root: None, nodes: 0 };
    for event in Parser::new_from_str_with_options(source, options) {
        match event {
            Ok((event, span)) => {
                let span = place(&span);
                if builder.take(event, span).is_err() {
                    return None;
                }
            }
            Err(error) => {
                let mark = error.marker();
                let at = location(mark.line(), mark.col());
                // The parser reads ahead, so that it may meet the bound before the builder.
                let message = if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
                    too_deep()
                } else {
                    format!("not YAML: {}", error.info())
                };
                builder.problems.add(Problem::new(at, message).coded(Code::Yaml));
                return None;
            }
        }
    }
    let root = builder.root;
    if root.is_none() {
        problems.add(Problem::new(top, "the file is empty"));
    }
    root
}

fn too_deep() -> String {
    format!("nested more than {DEPTH_MAX} deep")
}

fn location(line: usize, column: usize) -> Location {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Location { line: number(line.max(1)), column: number(column).saturating_add(1) }
}

fn place(span: &granit_parser::Span) -> Span {
    let range = span.byte_range().unwrap_or(0..0);
    let at = location(span.start.line(), span.start.col());
    Span { at, start: range.start, end: range.end }
}

/// Reading cannot go on; why is in the problems.
struct Stop;

struct Builder<'a> {
    source: &'a str,
    problems: &'a mut Sink,
    open: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
}

/// A list or mapping whose end has not been seen.
enum Open {
    List(Span, Vec<Node>),
    Map(Span, OpenMap),
    /// A list or mapping where a key should be: read to its end and dropped.
    BadKey,
}

#[derive(Default)]
struct OpenMap {
    entries: Vec<(Key, Node)>,
    seen: std::collections::HashSet<String>,
    key: Option<Key>,
    /// The value that follows belongs to a key that is dropped.
    skip_value: bool,
}

impl Builder<'_> {
    fn problem(&mut self, span: Span, message: &str) {
        self.problems.add(span.problem(self.source, message).coded(Code::Yaml));
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Stop> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.check_plain(span, anchor, tag.is_some());
                self.scalar(&text, style, span)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_plain(span, anchor, tag.is_some());
                self.open(Open::List(span, Vec::new()), span)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_plain(span, anchor, tag.is_some());
                self.open(Open::Map(span, OpenMap::default()), span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                self.problem(span, "aliases are not supported: write the value out");
                self.place(Node { span, value: NodeValue::Null })
            }
            Event::DocumentStart(..) if self.root.is_some() => {
                self.problem(span, "a workflow file has one document only");
                Err(Stop)
            }
            _ => Ok(()),
        }
    }

    fn check_plain(&mut self, span: Span, anchor: usize, tagged: bool) {
        if anchor != 0 {
            self.problem(span, "anchors are not supported: write the value out");
        }
        if tagged {
            self.problem(span, "tags are not supported");
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, span: Span) -> Result<(), Stop> {
        if self.expects_key() {
            return self.key(text, span);
        }
        let value = if matches!(style, ScalarStyle::Plain) {
            match plain(text) {
                Ok(value) => value,
                Err(message) => {
                    self.problem(span, message);
                    NodeValue::Null
                }
            }
        } else {
            NodeValue::Text(text.to_owned())
        };
        self.place(Node { span, value })
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(Open::Map(_, map)) if map.key.is_none() && !map.skip_value)
    }

    fn key(&mut self, text: &str, span: Span) -> Result<(), Stop> {
        let Some(Open::Map(_, map)) = self.open.last_mut() else { return Ok(()) };
        if map.seen.insert(text.to_owned()) {
            map.key = Some(Key { text: text.to_owned(), span });
        } else {
            map.skip_value = true;
            self.problem(span, &format!("key `{}` is written twice", shortened(text)));
        }
        Ok(())
    }

    fn open(&mut self, open: Open, span: Span) -> Result<(), Stop> {
        if self.open.len() >= DEPTH_MAX {
            self.problem(span, &too_deep());
            return Err(Stop);
        }
        if self.expects_key() {
            self.problem(span, "a key must be text");
            self.open.push(Open::BadKey);
        } else {
            self.open.push(open);
        }
        Ok(())
    }

    fn close(&mut self, end: Span) -> Result<(), Stop> {
        let node = match self.open.pop() {
            Some(Open::List(span, items)) => {
                Node { span: Span { end: end.start, ..span }, value: NodeValue::List(items) }
            }
            Some(Open::Map(span, map)) => {
                Node { span: Span { end: end.start, ..span }, value: NodeValue::Map(map.entries) }
            }
            Some(Open::BadKey) => {
                if let Some(Open::Map(_, map)) = self.open.last_mut() {
                    map.skip_value = true;
                }
                return Ok(());
            }
            None => return Ok(()),
        };
        self.place(node)
    }

    /// Puts a finished value where it belongs.
    fn place(&mut self, node: Node) -> Result<(), Stop> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            self.problem(node.span, &format!("the file has more than {NODES_MAX} values"));
            return Err(Stop);
        }
        match self.open.last_mut() {
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map(_, map)) => match map.key.take() {
                Some(key) => map.entries.push((key, node)),
                // An alias in the place of a key.
                None if !map.skip_value => map.skip_value = true,
                None => map.skip_value = false,
            },
            Some(Open::BadKey) => {}
            None => self.root = Some(node),
        }
        Ok(())
    }
}

/// A plain scalar by YAML 1.2's core schema, as far as JSON has it.
fn plain(text: &str) -> Result<NodeValue, &'static str> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(NodeValue::Null),
        "true" | "True" | "TRUE" => return Ok(NodeValue::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(NodeValue::Bool(false)),
        _ => {}
    }
    if let Some(number) = integer(text) {
        return number.map(NodeValue::Number);
    }
    if let Some(number) = float(text) {
        return number.map(NodeValue::Number);
    }
    Ok(NodeValue::Text(text.to_owned()))
}

type Number = Result<serde_json::Number, &'static str>;

fn integer(text: &str) -> Option<Number> {
    let too_large = Err("a number this large cannot be kept exactly: put it in quotes");
    if let Some(digits) = text.strip_prefix("0x") {
        let valid = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let number = || u64::from_str_radix(digits, 16).map_or(too_large, |n| Ok(n.into()));
        return valid.then(number);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        let valid = !digits.is_empty() && digits.bytes().all(|b| matches!(b, b'0'..=b'7'));
        let number = || u64::from_str_radix(digits, 8).map_or(too_large, |n| Ok(n.into()));
        return valid.then(number);
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    if let Ok(number) = unsigned.parse::<i64>() {
        return Some(Ok(number.into()));
    }
    Some(unsigned.parse::<u64>().map_or(too_large, |number| Ok(number.into())))
}

fn float(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN") {
        return Some(Err("JSON has no such number"));
    }
    let starts = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let digits = unsigned.bytes().any(|b| b.is_ascii_digit());
    let allowed = unsigned
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'-' | b'+'));
    if !starts || !digits || !allowed {
        return None;
    }
    let number = text.strip_prefix('+').unwrap_or(text).parse::<f64>().ok()?;
    Some(serde_json::Number::from_f64(number).ok_or("a number this large cannot be kept"))
}

/// A text from the file, short enough for a message.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
