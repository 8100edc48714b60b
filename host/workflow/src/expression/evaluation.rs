//! One evaluation of a template: each root is read once, and only if it is needed.

use std::cell::{Cell, OnceCell};
use std::sync::{Arc, OnceLock};

use super::access::kind_of_text;
use super::evaluate::Evaluator;
use super::node::Program;
use super::template::{Bound, Found, Inner, Part, Piece, Root};
use super::value::Value;
use super::{Error, RESULT_BYTES_MAX, Scope, TREE_BYTES_MAX, TREE_MARKS_MAX};
use crate::Json;
use crate::json::{DEPTH_MAX, depth};

pub(super) struct Evaluation<'a> {
    template: &'a Inner,
    scope: &'a Scope<'a>,
    roots: Box<[OnceCell<Result<Read, Error>>]>,
    trees: Box<[OnceCell<Result<serde_json::Value, Error>>]>,
    /// Bytes that have been turned into trees.
    tree_bytes: Cell<usize>,
    /// Marks in them.
    tree_marks: Cell<usize>,
}

/// A root's text and what was found in it.
struct Read {
    text: Json,
    /// By slot; those of other roots stay empty.
    found: Vec<Found>,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(template: &'a Inner, scope: &'a Scope<'a>) -> Self {
        let plan = &template.plan;
        Self {
            template,
            scope,
            roots: plan.roots.iter().map(|_| OnceCell::new()).collect(),
            trees: plan.slots.iter().map(|_| OnceCell::new()).collect(),
            tree_bytes: Cell::new(0),
            tree_marks: Cell::new(0),
        }
    }

    /// The whole template's value.
    pub(super) fn json(&self) -> Result<Json, Error> {
        if let Part::Slot(slot) = self.template.part {
            return self.whole(slot);
        }
        let mut out = String::new();
        self.write(&self.template.part, &mut out)?;
        if self.template.nests && depth(&out) > DEPTH_MAX {
            return Err(Error::TooDeep { limit: DEPTH_MAX });
        }
        Ok(Json::from_trusted(out))
    }

    /// A slot's value; of a whole root its text is shared, not copied.
    fn whole(&self, slot: usize) -> Result<Json, Error> {
        if let Some(Some(bound)) = self.template.bound.get(slot)
            && let Bound::Found { text, .. } = &**bound
        {
            return Ok(text.clone());
        }
        let text = self.slot(slot)?;
        let read = self.read(self.template.plan.slots[slot].root)?;
        if text.len() == read.text.len_bytes() {
            return Ok(read.text.clone());
        }
        Ok(Json::from_trusted(text))
    }

    fn write(&self, part: &Part, out: &mut String) -> Result<(), Error> {
        match part {
            Part::Constant(text) => push(out, text),
            Part::Slot(slot) => push(out, self.slot(*slot)?),
            Part::Program(program) => self.run(program)?.write(out).map_err(|m| program.failed(m)),
            Part::Text(pieces) => {
                out.push('"');
                for piece in pieces {
                    self.write_piece(piece, out)?;
                }
                push(out, "\"")
            }
            Part::List(parts) => {
                out.push('[');
                for (position, part) in parts.iter().enumerate() {
                    if position > 0 {
                        out.push(',');
                    }
                    self.write(part, out)?;
                }
                push(out, "]")
            }
            Part::Object(entries) => {
                out.push('{');
                for (position, (key, part)) in entries.iter().enumerate() {
                    if position > 0 {
                        out.push(',');
                    }
                    push(out, key)?;
                    self.write(part, out)?;
                }
                push(out, "}")
            }
        }
    }

    /// A value inside a text; strings are JSON text already, so their escapes fit.
    fn write_piece(&self, piece: &Piece, out: &mut String) -> Result<(), Error> {
        let (text, shown);
        match piece {
            Piece::Constant(text) => return push(out, text),
            Piece::Slot(slot) => {
                text = std::borrow::Cow::Borrowed(self.slot(*slot)?);
                shown = self.template.plan.slots[*slot].shown.to_string();
            }
            Piece::Program(program) => {
                let mut value = String::new();
                self.run(program)?.write(&mut value).map_err(|m| program.failed(m))?;
                text = std::borrow::Cow::Owned(value);
                shown = program.shown();
            }
        }
        match inside_text(&text) {
            Some(inner) => push(out, inner),
            None => Err(Error::WrongType {
                expression: shown,
                wanted: "text or a number inside a text",
                found: kind_of_text(&text),
            }),
        }
    }

    fn run<'e>(&'e self, program: &'e Program) -> Result<Value<'e>, Error> {
        Evaluator::new(self, program).run()
    }

    /// The JSON text of a slot.
    pub(super) fn slot(&self, slot: usize) -> Result<&str, Error> {
        if let Some(Some(bound)) = self.template.bound.get(slot) {
            return match &**bound {
                Bound::Found { text, .. } => Ok(text.as_str()),
                Bound::Missing(error) => Err(error.clone()),
            };
        }
        let read = self.read(self.template.plan.slots[slot].root)?;
        match read.found.get(slot) {
            Some(Some(range)) => Ok(&read.text.as_str()[range.clone()]),
            _ => Err(self.missing(slot, read.text.as_str())),
        }
    }

    /// Whether there is a value; an object that is null has no fields.
    pub(super) fn has(&self, slot: usize) -> Result<bool, Error> {
        match self.slot(slot) {
            Ok(_) => Ok(true),
            Err(Error::Missing { .. }) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// A slot as a tree, which is made once.
    pub(super) fn tree(&self, slot: usize) -> Result<&serde_json::Value, Error> {
        if let Some(Some(bound)) = self.template.bound.get(slot)
            && let Bound::Found { text, tree } = &**bound
        {
            if tree.get().is_none() {
                // A race would make it twice and keep one.
                let made = self.make_tree(slot, text.as_str())?;
                let _ignored = tree.set(made);
            }
            return tree.get().ok_or(Error::TooDeep { limit: DEPTH_MAX });
        }
        let made = self.trees[slot]
            .get_or_init(|| self.slot(slot).and_then(|text| self.make_tree(slot, text)));
        made.as_ref().map_err(Clone::clone)
    }

    fn make_tree(&self, slot: usize, text: &str) -> Result<serde_json::Value, Error> {
        let bytes = self.tree_bytes.get().saturating_add(text.len());
        self.tree_bytes.set(bytes);
        let what = || format!("`{}`, which an expression works on,", self.shown(slot));
        if bytes > TREE_BYTES_MAX {
            return Err(Error::TooLarge { what: what(), limit: TREE_BYTES_MAX });
        }
        let marks = text.bytes().filter(|b| matches!(b, b'{' | b'[' | b':' | b',')).count();
        let marks = self.tree_marks.get().saturating_add(marks);
        self.tree_marks.set(marks);
        if marks > TREE_MARKS_MAX {
            return Err(Error::TooManyParts { what: what(), limit: TREE_MARKS_MAX });
        }
        serde_json::from_str(text).map_err(|_| Error::TooDeep { limit: DEPTH_MAX })
    }

    pub(super) fn shown(&self, slot: usize) -> &str {
        &self.template.plan.slots[slot].shown
    }

    fn missing(&self, slot: usize, text: &str) -> Error {
        let slot = &self.template.plan.slots[slot];
        Error::Missing {
            message: super::lookup::explain_missing(text, &slot.root_name, &slot.path),
        }
    }

    fn read(&self, root: usize) -> Result<&Read, Error> {
        let read = self.roots[root].get_or_init(|| self.read_now(root));
        read.as_ref().map_err(Clone::clone)
    }

    fn read_now(&self, root: usize) -> Result<Read, Error> {
        let plan = &self.template.plan;
        let text = self.root_text(root)?;
        let mut found = vec![None; plan.slots.len()];
        plan.roots[root]
            .wanted
            .find(text.as_str(), &mut found)
            .map_err(|_| Error::TooDeep { limit: DEPTH_MAX })?;
        Ok(Read { text, found })
    }

    fn root_text(&self, root: usize) -> Result<Json, Error> {
        let missing = |message: &str| Error::Missing { message: message.to_owned() };
        match &self.template.plan.roots[root].root {
            Root::Input => Ok(self.scope.input.clone()),
            Root::Run => {
                let run = self.scope.run.ok_or_else(|| missing("there is no run yet"))?;
                let facts = serde_json::json!({ "id": run.id, "workflow": &*run.workflow });
                Ok(Json::from_value(&facts))
            }
            Root::Step(step) => {
                let output = self.scope.steps.output(*step);
                output.ok_or_else(|| missing("a step that is named is not done"))
            }
            Root::Item => match self.scope.item {
                Some(item) => Ok(item.value.clone()),
                None => Err(missing("there is no item here")),
            },
            Root::Index => match self.scope.item {
                Some(item) => Ok(Json::from_trusted(item.index.to_string())),
                None => Err(missing("there is no item here")),
            },
        }
    }

    /// The part with everything evaluated that does not name the item.
    pub(super) fn bind(&self, part: &Part) -> Result<Part, Error> {
        let is_of_item = |slot: usize| self.template.plan.is_of_item(slot);
        let constant = match part {
            Part::Constant(_) => return Ok(part.clone()),
            Part::Slot(slot) => !is_of_item(*slot),
            Part::Program(program) => !program.slots().any(is_of_item),
            Part::Text(pieces) => {
                return Ok(Part::Text(
                    pieces.iter().map(|piece| self.bind_piece(piece)).collect::<Result<_, _>>()?,
                ));
            }
            Part::List(parts) => {
                let parts = parts.iter().map(|part| self.bind(part)).collect::<Result<_, _>>()?;
                return Ok(Part::List(parts));
            }
            Part::Object(entries) => {
                let bind = |(key, part): &(Arc<str>, Part)| Ok((Arc::clone(key), self.bind(part)?));
                return Ok(Part::Object(entries.iter().map(bind).collect::<Result<_, Error>>()?));
            }
        };
        if !constant {
            return Ok(part.clone());
        }
        let mut text = String::new();
        self.write(part, &mut text)?;
        Ok(Part::Constant(text.into()))
    }

    fn bind_piece(&self, piece: &Piece) -> Result<Piece, Error> {
        let is_of_item = |slot: usize| self.template.plan.is_of_item(slot);
        let constant = match piece {
            Piece::Constant(_) => false,
            Piece::Slot(slot) => !is_of_item(*slot),
            Piece::Program(program) => !program.slots().any(is_of_item),
        };
        if !constant {
            return Ok(piece.clone());
        }
        let mut text = String::new();
        self.write_piece(piece, &mut text)?;
        Ok(Piece::Constant(text.into()))
    }

    /// What the programs that are left need besides the item.
    pub(super) fn bound_slots(&self, part: &Part) -> Vec<Option<Arc<Bound>>> {
        let mut bound = vec![None; self.template.plan.slots.len()];
        let mut programs = Vec::new();
        part.programs(&mut programs);
        for slot in programs.iter().flat_map(|program| program.slots()) {
            if bound[slot].is_none() && !self.template.plan.is_of_item(slot) {
                bound[slot] = Some(Arc::new(match self.slot(slot) {
                    Ok(text) => {
                        Bound::Found { text: Json::from_trusted(text), tree: OnceLock::new() }
                    }
                    Err(error) => Bound::Missing(error),
                }));
            }
        }
        bound
    }
}

impl Part {
    fn programs<'p>(&'p self, programs: &mut Vec<&'p Program>) {
        match self {
            Self::Constant(_) | Self::Slot(_) => {}
            Self::Program(program) => programs.push(program),
            Self::Text(pieces) => programs.extend(pieces.iter().filter_map(|piece| match piece {
                Piece::Program(program) => Some(&**program),
                Piece::Constant(_) | Piece::Slot(_) => None,
            })),
            Self::List(parts) => parts.iter().for_each(|part| part.programs(programs)),
            Self::Object(entries) => {
                entries.iter().for_each(|(_, part)| part.programs(programs));
            }
        }
    }
}

fn push(out: &mut String, text: &str) -> Result<(), Error> {
    if out.len() + text.len() > RESULT_BYTES_MAX {
        return Err(Error::TooLarge { what: "the value".to_owned(), limit: RESULT_BYTES_MAX });
    }
    out.push_str(text);
    Ok(())
}

/// JSON text of a scalar as it goes into a JSON string; `None` for lists and objects.
fn inside_text(json: &str) -> Option<&str> {
    match json.as_bytes().first() {
        Some(b'"') => json.get(1..json.len() - 1),
        Some(b'[' | b'{') => None,
        _ => Some(json),
    }
}
