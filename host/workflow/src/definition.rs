//! A workflow as the run state machine uses it: names resolved, expressions compiled.
//!
//! Nested steps (`parallel`) are flattened: every step has a position, and what it waits
//! for is a list of positions. Made only by [`Definition::parse`], so it is always valid:
//! needs name earlier positions, expressions name ancestors only.

mod check;
mod code;
mod draft;
mod file;
mod order;
mod place;
mod problem;
mod read;
mod steps;
mod yaml;

use std::collections::BTreeSet;
use std::sync::Arc;

pub(crate) use check::Rest;
pub use check::{Checked, FanOut, Offer, Unbounded};
pub use code::{Code, Severity};
pub use draft::Draft;
pub(crate) use draft::check_rest;
pub(crate) use problem::PROBLEMS_MAX;
pub use problem::{Part, Problem, Problems, did_you_mean, render};
pub use read::parse_bytes;
pub(crate) use read::{Reader, inside, parse_duration};
pub(crate) use yaml::{Node, NodeValue, Span};

use crate::expression::Template;
use crate::placement::{Labels, Priority};
use crate::{Determinism, DirMode, DurationMs, FailureKind, Limits, Name, StepId};

/// A checked workflow.
#[derive(Debug)]
pub struct Definition {
    /// The workflow's name.
    pub name: Name,
    /// The workflow's version, as written.
    pub version: String,
    /// What a run's input must satisfy.
    pub input: Option<crate::Schema>,
    /// What goes first where not everything can.
    pub priority: Priority,
    /// So many workers must have died of a step before it is quarantined; at least 1.
    pub poison_after: u32,
    /// In the order of the file.
    pub plugins: Vec<PluginUse>,
    /// Flattened, in an order in which needs come first.
    pub steps: Vec<Step>,
    /// The run's result.
    pub output: Template,
}

impl Definition {
    /// Reads a workflow file.
    ///
    /// # Errors
    /// Everything that is wrong with it, at most a hundred problems.
    pub fn parse(source: &str) -> Result<Self, Problems> {
        file::parse(source)
    }

    /// The step of this name.
    #[must_use]
    pub fn step_named(&self, name: &str) -> Option<StepId> {
        let position = self.steps.iter().position(|step| *step.name == *name)?;
        u32::try_from(position).ok().map(StepId)
    }

    /// Whether any of its expressions is heavy, see [`Template::is_heavy`].
    #[must_use]
    pub fn is_heavy(&self) -> bool {
        let of_step = |step: &Step| {
            step.gates.iter().any(Template::is_heavy)
                || match &step.kind {
                    StepKind::Call(call) => call.with.is_heavy(),
                    StepKind::Map(map) => map.items.is_heavy() || map.call.with.is_heavy(),
                    StepKind::Set(value) => value.is_heavy(),
                    StepKind::Parallel(_) => false,
                }
        };
        self.output.is_heavy() || self.steps.iter().any(of_step)
    }
}

/// A plugin as a workflow names it.
#[derive(Debug)]
pub struct PluginUse {
    /// The name that steps use.
    pub alias: Name,
    /// A path, relative to the workflow file.
    pub path: String,
    /// The directories that it is given.
    pub dirs: Vec<DirGiven>,
    /// Defaults, with what the file sets.
    pub limits: Limits,
    /// Whether its clocks and randomness are real.
    pub determinism: Determinism,
    /// Attempts of this workflow's runs that may call it at once; `None`: as many as have slots.
    pub concurrency: Option<u32>,
    /// Where the file names it.
    pub at: Location,
}

/// A directory that a workflow gives to a plugin.
#[derive(Debug)]
pub struct DirGiven {
    /// The host path; may name `input` and `run` only.
    pub path: Template,
    /// The absolute path inside the sandbox.
    pub guest_path: String,
    /// The most that the plugin may do there.
    pub mode: DirMode,
    /// Where the file says so.
    pub at: Location,
}

/// A place in the workflow file; both count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

/// One node.
#[derive(Debug)]
pub struct Step {
    /// Unique in the workflow.
    pub name: Name,
    /// What must be done or skipped first; sorted, without repeats.
    pub needs: Vec<StepId>,
    /// The inverse of `needs`.
    pub dependents: Vec<StepId>,
    /// The step's `when` and those of the `parallel` steps around it, outermost first: all must
    /// be true, and they are evaluated in order until one is not.
    pub gates: Vec<Template>,
    /// What it does.
    pub kind: StepKind,
    /// When to try again.
    pub retry: RetryPolicy,
    /// Wall clock for one attempt.
    pub timeout: DurationMs,
    /// Labels that its worker must have.
    pub requires: Arc<Labels>,
    /// How long an attempt may wait for a worker; `None`: for ever.
    pub queue_timeout: Option<DurationMs>,
    /// Where the file defines it.
    pub at: Location,
}

/// What a step does.
#[derive(Debug)]
pub enum StepKind {
    /// Runs a function of a plugin.
    Call(Call),
    /// Runs a function once for each item of a list.
    Map(Map),
    /// Evaluates an expression.
    Set(Template),
    /// Joins branches: its result is an object of their results.
    Parallel(Vec<Branch>),
}

impl StepKind {
    /// What it calls, once or for each item.
    #[must_use]
    pub const fn call(&self) -> Option<&Call> {
        match self {
            Self::Call(call) => Some(call),
            Self::Map(map) => Some(&map.call),
            Self::Set(_) | Self::Parallel(_) => None,
        }
    }

    /// The word in lists and views.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Call(_) => "call",
            Self::Map(_) => "map",
            Self::Set(_) => "set",
            Self::Parallel(_) => "parallel",
        }
    }
}

/// A function and its input.
#[derive(Debug)]
pub struct Call {
    /// Position in [`Definition::plugins`].
    pub plugin: usize,
    /// The step's name in the component, or `ns:pkg/iface#func`.
    pub function: String,
    /// The input.
    pub with: Template,
    /// Where the file names the function.
    pub at: Location,
    /// Where the file gives the input.
    pub with_at: Location,
}

/// One call for each item of a list.
#[derive(Debug)]
pub struct Map {
    /// Must give a list.
    pub items: Template,
    /// Items under way at once, at most; at least 1.
    pub at_once: u32,
    /// `with` may name the item.
    pub call: Call,
}

/// One branch of a `parallel`.
#[derive(Debug)]
pub struct Branch {
    /// The key in the result: the name of the branch's last step.
    pub name: Name,
    /// The branch's last step.
    pub last: StepId,
}

/// When and how often a failed attempt is repeated.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    /// All attempts, the first included; at least 1.
    pub attempts: u32,
    /// The wait after the first failure.
    pub first: DurationMs,
    /// By which the wait grows with each failure; at least 1.
    pub factor: f64,
    /// The longest wait.
    pub max: DurationMs,
    /// The share of the wait that is random, 0 to 1: wait × (1 ± jitter).
    pub jitter: f64,
    /// Kinds that are never repeated, besides `permanent`, `invalid-input` and `expression`.
    pub unless: BTreeSet<FailureKind>,
}

impl Default for RetryPolicy {
    /// What holds for a step without `retry`: three attempts, and only for failures of which the
    /// step itself says that they are worth it, or that are the host's.
    fn default() -> Self {
        Self {
            attempts: 3,
            first: DurationMs(500),
            factor: 2.0,
            max: DurationMs::from_secs(30),
            jitter: 0.2,
            unless: [
                FailureKind::Trap,
                FailureKind::Limit,
                FailureKind::Timeout,
                FailureKind::Denied,
            ]
            .into(),
        }
    }
}
