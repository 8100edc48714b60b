//! What an expression gives, and what is wrong with it, from the types of what it names.
//!
//! Never evaluates anything. What is reported as an error fails whenever that part of the
//! expression is evaluated; a warning names a value for which it fails.

mod calls;
mod conditions;
mod nodes;
mod operators;
mod paths;

pub(crate) use nodes::fixed;

use serde_json::Value;

use super::lookup::Segment;
use super::node::Program;
use super::place::{Parts, Place};
use super::template::{Part, Piece, Plan, Root, Template};
use crate::definition::{Code, Problem, Severity, Span, inside};
use crate::typing::{Fact, KindSet, Type};

/// Parts of types and nodes that one check of a file looks at; beyond that nothing is known.
const WORK_MAX: u64 = 20_000_000;

/// A template with what each of its parts gives.
#[derive(Debug)]
pub(crate) struct Typed {
    pub(crate) of: Type,
    pub(crate) span: Span,
    pub(crate) shape: Shape,
}

/// How a part is written.
#[derive(Debug)]
pub(crate) enum Shape {
    /// Without expressions, lists and mappings.
    Constant(Value),
    /// From one expression, or a text with some.
    Expression,
    List(Vec<Typed>),
    /// Name, place of the name, value.
    Object(Vec<(Box<str>, Span, Typed)>),
}

impl Typed {
    fn unknown(span: Span) -> Self {
        Self { of: Type::Unknown, span, shape: Shape::Expression }
    }

    /// Whether no expression is in it.
    pub(crate) fn constant(&self) -> bool {
        match &self.shape {
            Shape::Constant(_) => true,
            Shape::Expression => false,
            Shape::List(items) => items.iter().all(Self::constant),
            Shape::Object(entries) => entries.iter().all(|(.., value)| value.constant()),
        }
    }

    /// The value, with `null` for every expression.
    pub(crate) fn value(&self) -> Value {
        match &self.shape {
            Shape::Constant(value) => value.clone(),
            Shape::Expression => Value::Null,
            Shape::List(items) => Value::Array(items.iter().map(Self::value).collect()),
            Shape::Object(entries) => Value::Object(
                entries.iter().map(|(name, _, value)| (name.to_string(), value.value())).collect(),
            ),
        }
    }
}

/// Something that is known wherever a `when` held.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Known {
    base: Base,
    path: Vec<Segment>,
    fact: Fact,
    /// From `has`, which never fails itself.
    asked: bool,
    /// Known only because what it guards would not count otherwise: `x.y > 1 && has(x.y)`.
    hindsight: bool,
}

/// Where a path begins.
#[derive(Debug, Clone, PartialEq)]
enum Base {
    Root(Root),
    /// The variable of the comprehension that is this many from the outermost.
    Local(usize),
}

/// Infers the templates of one place in a definition.
pub(crate) struct Inference<'i> {
    /// The file's text.
    pub(crate) source: &'i str,
    /// What a root holds, as this place sees it.
    pub(crate) roots: &'i dyn Fn(&Root) -> Type,
    /// What holds here.
    pub(crate) known: Vec<Known>,
    pub(crate) found: Vec<Problem>,
    /// Counted over all inferences of a file.
    pub(crate) work: u64,
}

impl Inference<'_> {
    /// The type of the whole and of its parts.
    pub(crate) fn template(&mut self, template: &Template) -> Typed {
        let inner = &template.0;
        let Some(place) = &inner.place else {
            let nowhere = Span::nowhere();
            return Typed::unknown(nowhere);
        };
        self.part(&inner.part, &inner.plan, place)
    }

    /// A `when`: what it gives, and what is known where it held.
    pub(crate) fn condition(&mut self, template: &Template) -> (Typed, Vec<Known>) {
        let typed = self.template(template);
        let inner = &template.0;
        let known = match &inner.part {
            Part::Program(program) => {
                let one = One::new(self, &inner.plan, typed.span, typed.span);
                one.known_if(&program.root, true)
            }
            Part::Slot(slot) => {
                let slot = &inner.plan.slots[*slot];
                let base = Base::Root(inner.plan.roots[slot.root].root.clone());
                vec![Known {
                    base,
                    path: slot.path.clone(),
                    fact: Fact::NotNull,
                    asked: false,
                    hindsight: false,
                }]
            }
            Part::Constant(_) | Part::Text(_) | Part::List(_) | Part::Object(_) => Vec::new(),
        };
        (typed, known)
    }

    fn part(&mut self, part: &Part, plan: &Plan, place: &Place) -> Typed {
        let span = place.span;
        if place.broken || self.work > WORK_MAX {
            return Typed::unknown(span);
        }
        self.work += 1;
        match (part, &place.parts) {
            (Part::Constant(text), _) => {
                let value = serde_json::from_str(text).unwrap_or(Value::Null);
                constant(value, place)
            }
            (Part::Slot(slot), _) => {
                let shown = plan.slots[*slot].shown.to_string();
                let span = inside(self.source, span, &shown);
                let program = Program {
                    root: super::node::Node::Slot(*slot),
                    source: shown.into(),
                    slots: Vec::new(),
                };
                let of = One::new(self, plan, span, place.span).infer(&program.root);
                Typed { of, span, shape: Shape::Expression }
            }
            (Part::Program(program), _) => {
                let span = inside(self.source, span, &program.source);
                let of = One::new(self, plan, span, place.span).infer(&program.root);
                Typed { of, span, shape: Shape::Expression }
            }
            (Part::Text(pieces), _) => {
                pieces.iter().for_each(|piece| self.piece(piece, plan, span));
                let of = Type::text(crate::typing::Texts::any(crate::typing::Sure::Some));
                Typed { of, span, shape: Shape::Expression }
            }
            (Part::List(parts), Parts::List(places)) => {
                let typed = |(part, place)| self.part(part, plan, place);
                list(parts.iter().zip(places).map(typed).collect(), span)
            }
            (Part::Object(parts), Parts::Object(places)) => {
                let typed =
                    |((_, part), (name, key, place)): (&(_, Part), &(Box<str>, Span, Place))| {
                        (name.clone(), *key, self.part(part, plan, place))
                    };
                object(parts.iter().zip(places).map(typed).collect(), span)
            }
            (Part::List(_) | Part::Object(_), _) => Typed::unknown(span),
        }
    }

    /// An expression inside a text.
    fn piece(&mut self, piece: &Piece, plan: &Plan, span: Span) {
        let slot_program;
        let program = match piece {
            Piece::Constant(_) => return,
            Piece::Program(program) => &**program,
            Piece::Slot(slot) => {
                let source = plan.slots[*slot].shown.clone();
                slot_program =
                    Program { root: super::node::Node::Slot(*slot), source, slots: Vec::new() };
                &slot_program
            }
        };
        let part = inside(self.source, span, &program.source);
        let mut one = One::new(self, plan, part, span);
        let of = one.infer(&program.root);
        let allowed = KindSet::ALL.without(KindSet::LIST.or(KindSet::OBJECT));
        one.expect(&of, allowed, &program.root, "a place in a text");
    }

    fn report(
        &mut self,
        span: Span,
        severity: Severity,
        code: Code,
        message: String,
        hint: Option<String>,
    ) {
        self.found.push(span.problem(self.source, message).rated(severity, code).hinted(hint));
    }
}

fn constant(value: Value, place: &Place) -> Typed {
    match (value, &place.parts) {
        (Value::Array(items), Parts::List(places)) if items.len() == places.len() => {
            let typed = items.into_iter().zip(places).map(|(item, place)| constant(item, place));
            list(typed.collect(), place.span)
        }
        (Value::Object(entries), Parts::Object(places)) if entries.len() == places.len() => {
            let typed = entries.into_iter().zip(places).map(|((_, value), (name, key, place))| {
                (name.clone(), *key, constant(value, place))
            });
            object(typed.collect(), place.span)
        }
        (value, _) if place.broken => {
            drop(value);
            Typed::unknown(place.span)
        }
        (value, _) => {
            Typed { of: Type::of_value(&value), span: place.span, shape: Shape::Constant(value) }
        }
    }
}

fn list(items: Vec<Typed>, span: Span) -> Typed {
    let of = Type::these(items.iter().map(|item| item.of.clone()).collect());
    Typed { of, span, shape: Shape::List(items) }
}

fn object(entries: Vec<(Box<str>, Span, Typed)>, span: Span) -> Typed {
    let fields = entries.iter().map(|(name, _, value)| ((&**name).into(), value.of.clone()));
    Typed { of: Type::with_fields(fields), span, shape: Shape::Object(entries) }
}

/// The inference of one expression.
struct One<'o, 'i> {
    all: &'o mut Inference<'i>,
    plan: &'o Plan,
    span: Span,
    /// Where the text ends that the expression is in.
    end: usize,
    /// Variables with their names, the outermost first.
    locals: Vec<(Type, Box<str>)>,
}

impl<'o, 'i> One<'o, 'i> {
    const fn new(all: &'o mut Inference<'i>, plan: &'o Plan, span: Span, whole: Span) -> Self {
        Self { all, plan, span, end: whole.end, locals: Vec::new() }
    }

    fn error(&mut self, at: &str, code: Code, message: String, hint: Option<String>) {
        self.say(at, Severity::Error, code, message, hint);
    }

    fn warn(&mut self, at: &str, code: Code, message: String, hint: Option<String>) {
        self.say(at, Severity::Warning, code, message, hint);
    }

    fn say(
        &mut self,
        at: &str,
        severity: Severity,
        code: Code,
        message: String,
        hint: Option<String>,
    ) {
        let span = if at.is_empty() {
            self.span
        } else {
            part_of(self.all.source, self.span, self.end, at)
        };
        self.all.report(span, severity, code, message, hint);
    }
}

/// Where in an expression a part of it is written, not as a piece of a longer word.
fn part_of(source: &str, span: Span, end: usize, part: &str) -> Span {
    let covered = source.get(span.start..end.max(span.end)).unwrap_or("");
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let whole = |at: usize| {
        let before = covered[..at].chars().next_back();
        let after = covered[at + part.len()..].chars().next();
        let begins = !part.starts_with(is_word) || !before.is_some_and(|c| is_word(c) || c == '.');
        begins && !(part.ends_with(is_word) && after.is_some_and(is_word))
    };
    match covered.match_indices(part).map(|(at, _)| at).find(|at| whole(*at)) {
        Some(at) => span.within(source, at, part.len()),
        None => span,
    }
}
