//! A compiled value: constant text with slots in it.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::evaluation::Evaluation;
use super::lookup::{Segment, Wanted};
use super::node::Program;
use super::place::Place;
use super::{Error, ITEMS_MAX, Scope};
use crate::{Json, StepId};

/// A JSON value some of whose strings are expressions, compiled. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Template(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) part: Part,
    pub(super) plan: Arc<Plan>,
    /// What has been cut out already, by slot: everything but the item's, after a `bind`.
    pub(super) bound: Vec<Option<Arc<Bound>>>,
    /// Whether the result may be nested deeper than what it is made from.
    pub(super) nests: bool,
    /// Where its parts are in the file; kept only while one is checked.
    pub(super) place: Option<Place>,
}

/// A piece of a compiled value.
#[derive(Debug, Clone)]
pub(super) enum Part {
    /// JSON text.
    Constant(Arc<str>),
    Slot(usize),
    Program(Arc<Program>),
    Text(Vec<Piece>),
    List(Vec<Self>),
    /// Keys are JSON text, with quotes and colon.
    Object(Vec<(Arc<str>, Self)>),
}

/// A piece of a text that mixes constants and expressions.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    /// JSON text of a string, without its quotes.
    Constant(Arc<str>),
    Slot(usize),
    Program(Arc<Program>),
}

/// What a template takes from its scope.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) roots: Vec<RootPlan>,
    pub(super) slots: Vec<Slot>,
}

#[derive(Debug)]
pub(super) struct RootPlan {
    pub(super) root: Root,
    pub(super) wanted: Wanted,
}

/// Where a path begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Root {
    Input,
    Run,
    Step(StepId),
    Item,
    Index,
}

impl Root {
    /// Whether it differs from item to item.
    pub(super) const fn is_of_item(&self) -> bool {
        match self {
            Self::Item | Self::Index => true,
            Self::Input | Self::Run | Self::Step(_) => false,
        }
    }
}

/// One place in a root.
#[derive(Debug)]
pub(super) struct Slot {
    /// Position in [`Plan::roots`].
    pub(super) root: usize,
    /// The root as it is written: `steps.extract`.
    pub(super) root_name: Box<str>,
    pub(super) path: Vec<Segment>,
    /// As it is written, for messages.
    pub(super) shown: Box<str>,
}

/// A value that was cut out for all items of a `map` together.
#[derive(Debug)]
pub(super) enum Bound {
    Found { text: Json, tree: OnceLock<serde_json::Value> },
    Missing(Error),
}

impl Plan {
    /// The slot of a path; equal paths share one.
    pub(super) fn slot(
        &mut self,
        root: &Root,
        root_name: &str,
        path: Vec<Segment>,
        shown: &str,
    ) -> usize {
        let position = self.roots.iter().position(|known| known.root == *root);
        let position = position.unwrap_or_else(|| {
            self.roots.push(RootPlan { root: root.clone(), wanted: Wanted::default() });
            self.roots.len() - 1
        });
        let same = |slot: &Slot| slot.root == position && slot.path == path;
        if let Some(slot) = self.slots.iter().position(same) {
            return slot;
        }
        self.roots[position].wanted.add(&path, self.slots.len());
        self.slots.push(Slot {
            root: position,
            root_name: root_name.into(),
            path,
            shown: super::access::quoted(shown).into(),
        });
        self.slots.len() - 1
    }

    pub(super) fn is_of_item(&self, slot: usize) -> bool {
        self.roots[self.slots[slot].root].root.is_of_item()
    }
}

impl Template {
    pub(super) fn new(part: Part, plan: Plan, place: Option<Place>) -> Self {
        let nests = matches!(part, Part::List(_) | Part::Object(_)) || part.is_heavy();
        Self(Arc::new(Inner { part, plan: Arc::new(plan), bound: Vec::new(), nests, place }))
    }

    /// A template without expressions.
    pub(crate) fn constant(json: &str) -> Self {
        Self::new(Part::Constant(json.into()), Plan::default(), None)
    }

    /// The same at a place in the file.
    pub(crate) fn placed(self, place: Place) -> Self {
        match Arc::try_unwrap(self.0) {
            Ok(inner) => Self(Arc::new(Inner { place: Some(place), ..inner })),
            Err(shared) => Self(shared),
        }
    }

    /// Where it is in memory: steps that share a `when` share this.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }

    /// Where it is in the file, if that is known.
    pub(crate) fn place(&self) -> Option<&Place> {
        self.0.place.as_ref()
    }

    /// The steps that it names.
    pub(crate) fn steps(&self) -> impl Iterator<Item = StepId> + '_ {
        self.0.plan.roots.iter().filter_map(|root| match root.root {
            Root::Step(step) => Some(step),
            Root::Input | Root::Run | Root::Item | Root::Index => None,
        })
    }

    /// The first fields of the input that it names; `None` for the input as a whole.
    pub(crate) fn input_fields(&self) -> impl Iterator<Item = Option<&str>> + '_ {
        let plan = &self.0.plan;
        let of_input = |slot: &&Slot| plan.roots[slot.root].root == Root::Input;
        plan.slots.iter().filter(of_input).map(|slot| match slot.path.first() {
            Some(Segment::Field(name)) => Some(&**name),
            _ => None,
        })
    }

    /// Whether it always gives what `other` gives: the same text in the same place.
    pub(crate) fn is_same_condition(&self, other: &Self) -> bool {
        if Arc::ptr_eq(&self.0, &other.0) {
            return true;
        }
        match (&self.0.part, &other.0.part) {
            (Part::Program(one), Part::Program(two)) => one.source == two.source,
            (Part::Slot(one), Part::Slot(two)) => {
                let (one, two) = (&self.0.plan.slots[*one], &other.0.plan.slots[*two]);
                one.root_name == two.root_name && one.path == two.path
            }
            _ => false,
        }
    }

    /// The JSON text, if there is no expression in it.
    #[must_use]
    pub fn constant_text(&self) -> Option<&str> {
        match &self.0.part {
            Part::Constant(text) => Some(text),
            _ => None,
        }
    }

    /// Evaluates all expressions.
    ///
    /// # Errors
    /// The first expression that gives nothing, or a bound that is reached.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Json, Error> {
        Evaluation::new(&self.0, scope).json()
    }

    /// Evaluates to a boolean (a `when`).
    ///
    /// # Errors
    /// As [`Self::evaluate`], and anything that is neither true nor false.
    pub fn evaluate_bool(&self, scope: &Scope<'_>) -> Result<bool, Error> {
        let json = self.evaluate(scope)?;
        match json.as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(Error::WrongType {
                expression: self.shown(),
                wanted: "true or false",
                found: super::access::kind_of_text(other),
            }),
        }
    }

    /// Evaluates to a list, item by item (a `map`), at most [`ITEMS_MAX`].
    ///
    /// # Errors
    /// As [`Self::evaluate`], anything that is no list, and a list that is too long.
    pub fn evaluate_list(&self, scope: &Scope<'_>) -> Result<Vec<Json>, Error> {
        let json = self.evaluate(scope)?;
        if !json.as_str().starts_with('[') {
            return Err(Error::WrongType {
                expression: self.shown(),
                wanted: "a list",
                found: super::access::kind_of_text(json.as_str()),
            });
        }
        let items = super::lookup::items(json.as_str())
            .map_err(|_| Error::TooDeep { limit: crate::json::DEPTH_MAX })?;
        if items.len() > ITEMS_MAX {
            return Err(Error::TooManyItems { count: items.len(), limit: ITEMS_MAX });
        }
        Ok(items.into_iter().map(Json::from_trusted).collect())
    }

    /// Evaluates what does not name the item, once for all items of a `map`; `scope.item` is
    /// ignored. The result gives what this template would give, for any item.
    ///
    /// # Errors
    /// As [`Self::evaluate`], of what does not name the item.
    pub fn bind(&self, scope: &Scope<'_>) -> Result<Self, Error> {
        let scope = Scope { item: None, ..*scope };
        let evaluation = Evaluation::new(&self.0, &scope);
        let part = evaluation.bind(&self.0.part)?;
        let bound = evaluation.bound_slots(&part);
        let (plan, nests) = (Arc::clone(&self.0.plan), self.0.nests);
        Ok(Self(Arc::new(Inner { part, plan, bound, nests, place: None })))
    }

    /// Whether evaluating it may take long enough to be done off the event loop: it holds more
    /// than plain paths and literals.
    #[must_use]
    pub fn is_heavy(&self) -> bool {
        self.0.part.is_heavy()
    }

    /// The expression for messages, or as much of it as is one.
    pub(crate) fn shown(&self) -> String {
        match &self.0.part {
            Part::Slot(slot) => self.0.plan.slots[*slot].shown.to_string(),
            Part::Program(program) => program.shown(),
            Part::Constant(text) => super::access::quoted(text),
            Part::Text(_) | Part::List(_) | Part::Object(_) => "the value".to_owned(),
        }
    }
}

impl Part {
    fn is_heavy(&self) -> bool {
        match self {
            Self::Constant(_) | Self::Slot(_) => false,
            Self::Program(_) => true,
            Self::Text(pieces) => pieces.iter().any(|piece| matches!(piece, Piece::Program(_))),
            Self::List(parts) => parts.iter().any(Self::is_heavy),
            Self::Object(entries) => entries.iter().any(|(_, part)| part.is_heavy()),
        }
    }
}

/// A place in the text of a root.
pub(super) type Found = Option<Range<usize>>;
