//! Values with `${ … }` in them: compiled when a definition is read, evaluated when a step starts.
//!
//! Plain paths such as `input.folder` are cut out of the JSON text. Anything else is CEL, read
//! by the crate `cel` and evaluated here: in the order of the text, so that a second evaluation
//! gives the same bytes, and within a cost that is estimated before and counted throughout.

mod access;
mod compile;
mod cost;
mod evaluate;
mod evaluation;
mod functions;
mod infer;
mod lookup;
mod lower;
mod names;
mod node;
mod operators;
mod place;
mod template;
mod token;
mod value;

pub(crate) use compile::{Compiler, Reference};
pub(crate) use infer::{Inference, Known, Shape, Typed, fixed};
pub(crate) use lookup::Segment;
pub(crate) use names::{Names, ROOTS, is_reserved};
pub(crate) use place::{Parts, Place};
pub(crate) use template::Root;
pub use template::Template;

use crate::{Json, Name, RunId, StepId};

/// Bytes of one expression: what fits on a screen.
pub const EXPRESSION_BYTES_MAX: usize = 4 << 10;

/// Nesting of one expression, also of chains such as `1 + 1 + …`: bounds every recursion over it.
pub const EXPRESSION_DEPTH_MAX: usize = 64;

/// Expressions of one definition: five for each of 20,000 steps.
pub const EXPRESSIONS_MAX: usize = 100_000;

/// Nodes evaluated by one evaluation of an expression: half a second at most.
pub const COST_MAX: u64 = 10_000_000;

/// Bytes of JSON that one evaluation may turn into trees.
pub const TREE_BYTES_MAX: usize = 16 << 20;

/// Marks (`{`, `[`, `:` and `,`) in that JSON: an object of one field has three and takes some
/// 300 bytes, so that trees stay below 200 MB.
pub const TREE_MARKS_MAX: usize = 2_000_000;

/// Bytes that one evaluation may build, kept or not.
pub const BUILT_BYTES_MAX: usize = 64 << 20;

/// Bytes of the JSON text of a result: as much as a step's input may have by default.
pub const RESULT_BYTES_MAX: usize = 64 << 20;

/// Items of a `map`: each is a task that is held in memory.
pub const ITEMS_MAX: usize = 100_000;

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

/// Why an evaluation gave nothing. Messages may quote values: neutralise them before a terminal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A path leads to nothing.
    #[error("{message}")]
    Missing {
        /// The path and what was there instead.
        message: String,
    },
    /// An operation that its operands do not allow, such as a division by zero.
    #[error("`{expression}`: {message}")]
    Failed {
        /// The expression, cut to a line.
        expression: String,
        /// What cannot be done.
        message: String,
    },
    /// Refused before it was evaluated, or stopped when the estimate proved too low.
    #[error("`{expression}` would take {estimate} operations, more than {limit}")]
    TooCostly {
        /// The expression, cut to a line.
        expression: String,
        /// Operations, as estimated or as counted.
        estimate: u64,
        /// [`COST_MAX`].
        limit: u64,
    },
    /// A value, or what was built on the way to it, is too large.
    #[error("{what} has more than {limit} bytes")]
    TooLarge {
        /// What is too large.
        what: String,
        /// The bound that it is over.
        limit: usize,
    },
    /// What an expression works on has too many parts.
    #[error("{what} has too many parts: more than {limit} marks such as commas and brackets")]
    TooManyParts {
        /// What is too large.
        what: String,
        /// [`TREE_MARKS_MAX`].
        limit: usize,
    },
    /// A `map` over too long a list.
    #[error("the list has {count} items, more than {limit}")]
    TooManyItems {
        /// The list's length.
        count: usize,
        /// [`ITEMS_MAX`].
        limit: usize,
    },
    /// The result is nested deeper than JSON readers accept.
    #[error("the value is nested more than {limit} deep")]
    TooDeep {
        /// What JSON readers accept.
        limit: usize,
    },
    /// A `when` that gave something else than true or false, a `map` without a list, or a list or
    /// mapping inside a text.
    #[error("`{expression}` must be {wanted}, not {found}")]
    WrongType {
        /// The expression, cut to a line.
        expression: String,
        /// "true or false", "a list", "text".
        wanted: &'static str,
        /// "a number", …
        found: &'static str,
    },
}
