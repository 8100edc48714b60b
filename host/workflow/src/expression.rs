//! Values with `${ … }` in them: compiled when a definition is read, evaluated when a step starts.
//!
//! CEL has no unbounded loops; its cost is bounded here, before anything is evaluated.

use crate::{Json, Name, RunId, StepId};

/// What an expression sees.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// `run`.
    pub run: Option<&'a RunFacts>,
    /// `input`.
    pub input: &'a Json,
    /// `steps`.
    pub steps: &'a dyn StepOutputs,
    /// The `as` name of a `map`, and `index`.
    pub item: Option<Item<'a>>,
}

/// `run.id` and `run.workflow`.
#[derive(Debug, Clone)]
pub struct RunFacts {
    /// The run's id.
    pub id: RunId,
    /// The workflow's name.
    pub workflow: Name,
}

/// One item of a `map`.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    /// Its value.
    pub value: &'a Json,
    /// Its position.
    pub index: u32,
}

/// Where an expression finds `steps.name`.
pub trait StepOutputs {
    /// The step's result, `null` for a skipped one; `None` before it is done.
    fn output(&self, step: StepId) -> Option<Json>;
}

/// A JSON value some of whose strings are expressions, compiled.
#[derive(Debug, Clone)]
pub struct Template {}

/// Why an evaluation gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
}

impl Template {
    /// Evaluates all expressions.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Json, Error> { unimplemented!() }
    /// Evaluates to a boolean (a `when`).
    pub fn evaluate_bool(&self, scope: &Scope<'_>) -> Result<bool, Error> { unimplemented!() }
    /// Evaluates to a list, item by item (a `map`), at most `items_max`.
    pub fn evaluate_list(&self, scope: &Scope<'_>) -> Result<Vec<Json>, Error> { unimplemented!() }
    /// Evaluates what does not name the item, once for all items of a `map`; scope.item is ignored.
    pub fn bind(&self, scope: &Scope<'_>) -> Result<Template, Error> { unimplemented!() }
    /// Whether evaluating it may take long enough to be done off the event loop: it holds a CEL expression with a comprehension or anything but a plain path or literal
    pub fn is_heavy(&self) -> bool { false }
}
