//! From YAML values to templates: finds the expressions, resolves their names.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use cel::parser::Expression;

use super::lookup::{Segment, push_segment};
use super::lower::{Lowering, parse};
use super::names::{Complaint, Names, resolve};
use super::node::{Node as Cel, Program};
use super::place::Place;
use super::template::{Part, Piece, Plan, Root, Template};
use super::{EXPRESSION_BYTES_MAX, EXPRESSIONS_MAX, token};
use crate::StepId;
use crate::definition::{Node, NodeValue, Reader, Span};

/// A step that an expression names.
pub(crate) struct Reference {
    pub(crate) step: StepId,
    pub(crate) span: Span,
}

/// Compiles the templates of one definition.
pub(crate) struct Compiler<'a> {
    reader: &'a Reader<'a>,
    /// Whether templates remember where their parts are.
    places: bool,
    expressions: Cell<usize>,
    /// The same text is often written many times.
    parsed: RefCell<HashMap<Box<str>, Arc<Expression>>>,
}

impl<'a> Compiler<'a> {
    pub(crate) fn new(reader: &'a Reader<'a>, places: bool) -> Self {
        Self { reader, places, expressions: Cell::new(0), parsed: RefCell::default() }
    }

    /// Compiles a value; what is wrong is reported, and `null` stands in its place.
    pub(crate) fn compile(
        &self,
        node: &Node,
        names: &Names<'_>,
        references: &mut Vec<Reference>,
    ) -> Template {
        let mut one = One::new(self, names, references);
        let part = one.part(node);
        let place = self.places.then(|| Place::of(node, &one.broken));
        Template::new(part, one.plan, place)
    }

    /// A text by itself: the spaces and line breaks of a block scalar are not part of it.
    fn compile_text(
        &self,
        text: &str,
        span: Span,
        names: &Names<'_>,
        references: &mut Vec<Reference>,
    ) -> Template {
        let mut one = One::new(self, names, references);
        let part = one.text(text.trim(), span);
        let place = self.places.then(|| Place::of_span(span, !one.broken.is_empty()));
        Template::new(part, one.plan, place)
    }

    /// The same for what must be one expression or constant: a text with a constant around an
    /// expression, or without any expression, is reported.
    pub(crate) fn compile_expression(
        &self,
        node: &Node,
        what: &str,
        names: &Names<'_>,
        references: &mut Vec<Reference>,
    ) -> Template {
        let NodeValue::Text(text) = &node.value else {
            return self.compile(node, names, references);
        };
        if !is_one_expression(text) {
            let hint = if text.contains("${") {
                "put all of it into one `${…}`".to_owned()
            } else {
                format!("write `${{{}}}`", text.trim())
            };
            self.reader.report_hinted(
                node.span,
                format!("{what} must be an expression"),
                Some(hint),
            );
            return Template::constant("null").placed(Place::of_span(node.span, true));
        }
        self.compile_text(text, node.span, names, references)
    }

    fn parse(&self, source: &str, shape: token::Shape) -> Result<Arc<Expression>, Complaint> {
        if let Some(parsed) = self.parsed.borrow().get(source) {
            return Ok(Arc::clone(parsed));
        }
        let parsed = Arc::new(parse(source, shape)?);
        self.parsed.borrow_mut().insert(source.into(), Arc::clone(&parsed));
        Ok(parsed)
    }
}

fn is_one_expression(text: &str) -> bool {
    let text = text.trim();
    text.strip_prefix("${").is_some_and(|rest| {
        // An expression without an end is reported as that.
        token::closing_brace(rest).is_none_or(|(end, _)| end + 1 == rest.len())
    })
}

/// The compilation of one template.
struct One<'c, 'a> {
    compiler: &'c Compiler<'a>,
    names: &'c Names<'c>,
    plan: Plan,
    references: &'c mut Vec<Reference>,
    /// Where texts begin that could not be compiled.
    broken: Vec<usize>,
}

impl<'c, 'a> One<'c, 'a> {
    fn new(
        compiler: &'c Compiler<'a>,
        names: &'c Names<'c>,
        references: &'c mut Vec<Reference>,
    ) -> Self {
        Self { compiler, names, plan: Plan::default(), references, broken: Vec::new() }
    }

    fn part(&mut self, node: &Node) -> Part {
        match &node.value {
            NodeValue::Text(text) => self.text(text, node.span),
            NodeValue::List(items) => list(items.iter().map(|item| self.part(item)).collect()),
            NodeValue::Map(entries) => object(
                entries
                    .iter()
                    .map(|(key, node)| (json_string(&key.text), self.part(node)))
                    .collect(),
            ),
            NodeValue::Null | NodeValue::Bool(_) | NodeValue::Number(_) => {
                Part::Constant(node.to_json().to_string().into())
            }
        }
    }

    fn text(&mut self, text: &str, span: Span) -> Part {
        let mut pieces = Vec::new();
        let mut constant = String::new();
        let mut complete = true;
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            constant.push_str(&rest[..dollar]);
            rest = &rest[dollar..];
            if let Some(after) = rest.strip_prefix("$${") {
                constant.push_str("${");
                rest = after;
            } else if let Some(after) = rest.strip_prefix("${") {
                let Some((end, shape)) = token::closing_brace(after) else {
                    self.complain(span, rest, Complaint::new("`${` without its `}`"));
                    return null();
                };
                let source = &after[..end];
                rest = &after[end + 1..];
                let part = self.expression(source, shape, span);
                if constant.is_empty() && pieces.is_empty() && rest.is_empty() && complete {
                    return part.unwrap_or_else(null);
                }
                push_constant(&mut pieces, &mut constant);
                match part.and_then(|part| self.piece(part, source, span)) {
                    Some(piece) => pieces.push(piece),
                    None => complete = false,
                }
            } else {
                constant.push('$');
                rest = &rest[1..];
            }
        }
        constant.push_str(rest);
        if pieces.is_empty() {
            return Part::Constant(json_string(&constant));
        }
        push_constant(&mut pieces, &mut constant);
        Part::Text(pieces)
    }

    /// An expression that stands inside a text.
    fn piece(&mut self, part: Part, source: &str, span: Span) -> Option<Piece> {
        match part {
            Part::Slot(slot) => return Some(Piece::Slot(slot)),
            Part::Program(program) => match program.root {
                Cel::List(_) | Cel::Map(_) | Cel::Loop(_) if gives_no_text(&program.root) => {}
                _ => return Some(Piece::Program(program)),
            },
            Part::Constant(json) => {
                return Some(Piece::Constant(match json.strip_prefix('"') {
                    Some(inner) => inner.strip_suffix('"').unwrap_or(inner).into(),
                    None => json,
                }));
            }
            Part::Text(_) | Part::List(_) | Part::Object(_) => {}
        }
        let complaint = Complaint::new("a list or mapping cannot be put into a text");
        self.complain(span, source, complaint);
        None
    }

    fn complain(&mut self, span: Span, part: &str, complaint: Complaint) {
        self.broken.push(span.start);
        let span = self.compiler.reader.inside(span, part);
        let Complaint { message, hint, code } = complaint;
        self.compiler.reader.report_coded(span, code, message, hint);
    }

    fn expression(&mut self, source: &str, shape: token::Shape, span: Span) -> Option<Part> {
        match self.try_expression(source, shape, span) {
            Ok(part) => Some(part),
            Err(complaint) => {
                self.complain(span, source, complaint);
                None
            }
        }
    }

    fn try_expression(
        &mut self,
        source: &str,
        shape: token::Shape,
        span: Span,
    ) -> Result<Part, Complaint> {
        let trimmed = source.trim();
        if trimmed.is_empty() {
            return Err(Complaint::new("an expression is empty"));
        }
        if source.len() > EXPRESSION_BYTES_MAX {
            let message = format!("an expression has more than {EXPRESSION_BYTES_MAX} bytes");
            return Err(Complaint::new(message));
        }
        let count = self.compiler.expressions.get() + 1;
        self.compiler.expressions.set(count);
        if count > EXPRESSIONS_MAX {
            let message = format!("the file has more than {EXPRESSIONS_MAX} expressions");
            return Err(Complaint::new(message));
        }
        let mut named = Vec::new();
        let part = if let Some(path) = plain_path(trimmed) {
            let (root, root_name, rest) = resolve(&path, self.names)?;
            named.extend(root.step());
            Part::Slot(self.plan.slot(&root, &root_name, rest.to_vec(), trimmed))
        } else {
            let parsed = self.compiler.parse(trimmed, shape)?;
            let mut lowering = Lowering::new(self.names, &mut self.plan, &mut named);
            let root = lowering.lower(&parsed)?;
            let slots = lowering.into_slots();
            match constant_text(&root) {
                Some(text) => Part::Constant(text),
                None => Part::Program(Arc::new(Program { root, source: trimmed.into(), slots })),
            }
        };
        let span = self.compiler.reader.inside(span, source);
        self.references.extend(named.into_iter().map(|step| Reference { step, span }));
        Ok(part)
    }
}

impl Root {
    const fn step(&self) -> Option<StepId> {
        match self {
            Self::Step(step) => Some(*step),
            Self::Input | Self::Run | Self::Item | Self::Index => None,
        }
    }
}

/// `a.b[0]["c"]`, if that is all there is.
fn plain_path(text: &str) -> Option<Vec<Segment>> {
    let mut path = Vec::new();
    let mut rest = text;
    loop {
        let name = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let (word, after) = rest.split_at(name);
        let is_root = path.is_empty();
        if word.is_empty() || word.as_bytes()[0].is_ascii_digit() || (is_root && is_literal(word)) {
            return None;
        }
        path.push(Segment::Field(word.into()));
        rest = after;
        while let Some(inside) = rest.strip_prefix('[') {
            let (index, after) = inside.split_once(']')?;
            path.push(plain_index(index)?);
            rest = after;
        }
        match rest.strip_prefix('.') {
            Some(after) => rest = after,
            None => return rest.is_empty().then_some(path),
        }
    }
}

fn is_literal(word: &str) -> bool {
    matches!(word, "true" | "false" | "null" | "in")
}

fn plain_index(index: &str) -> Option<Segment> {
    if !index.is_empty() && index.len() <= 9 && index.bytes().all(|b| b.is_ascii_digit()) {
        return index.parse().ok().map(Segment::Item);
    }
    let quote = index.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let name = index.strip_prefix(quote)?.strip_suffix(quote)?;
    let plain = !name.is_empty() && !name.contains([quote, '\\', '\n', '\r']);
    plain.then(|| Segment::Field(name.into()))
}

/// A path as it is written, for messages.
pub(super) fn shown_path(path: &[Segment]) -> String {
    let mut shown = String::new();
    for segment in path {
        match segment {
            Segment::Field(name) if shown.is_empty() => shown.push_str(name),
            _ => push_segment(&mut shown, segment),
        }
    }
    shown
}

fn gives_no_text(node: &Cel) -> bool {
    use super::node::LoopKind;
    match node {
        Cel::List(_) | Cel::Map(_) => true,
        Cel::Loop(a_loop) => matches!(a_loop.kind, LoopKind::Map | LoopKind::Filter),
        _ => false,
    }
}

/// The JSON text of a literal.
fn constant_text(node: &Cel) -> Option<Arc<str>> {
    Some(match node {
        Cel::Null => "null".into(),
        Cel::Bool(value) => value.to_string().into(),
        Cel::Int(value) => value.to_string().into(),
        Cel::Uint(value) => value.to_string().into(),
        Cel::Double(value) => serde_json::Number::from_f64(*value)?.to_string().into(),
        Cel::Text(text) => json_string(text),
        _ => return None,
    })
}

fn null() -> Part {
    Part::Constant("null".into())
}

fn json_string(text: &str) -> Arc<str> {
    serde_json::Value::from(text).to_string().into()
}

fn push_constant(pieces: &mut Vec<Piece>, constant: &mut String) {
    if !constant.is_empty() {
        let json = json_string(constant);
        pieces.push(Piece::Constant(json[1..json.len() - 1].into()));
        constant.clear();
    }
}

fn list(parts: Vec<Part>) -> Part {
    let mut text = String::from("[");
    for part in &parts {
        let Part::Constant(item) = part else { return Part::List(parts) };
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(item);
    }
    text.push(']');
    Part::Constant(text.into())
}

fn object(entries: Vec<(Arc<str>, Part)>) -> Part {
    let entries: Vec<(Arc<str>, Part)> =
        entries.into_iter().map(|(key, part)| (format!("{key}:").into(), part)).collect();
    let mut text = String::from("{");
    for (key, part) in &entries {
        let Part::Constant(value) = part else { return Part::Object(entries) };
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(key);
        text.push_str(value);
    }
    text.push('}');
    Part::Constant(text.into())
}
