//! A definition against what its plugins say of themselves: every feed, every condition, every
//! grant, before anything runs.
//!
//! Reported as an error is only what fails in every run that gets there; what fails for some of
//! the values that the schemas allow is a warning, what is merely worth knowing a note.

mod fan_out;
mod feeds;
mod grants;
mod structure;
mod views;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

pub use fan_out::{FanOut, Unbounded};

use super::Definition;
use super::code::{Code, Severity};
use super::problem::{PROBLEMS_MAX, Problem};
use crate::expression::Place;
use crate::typing::Type;
use crate::{Contract, DirAsk, Name, StepId};

/// What a plugin says of itself.
#[derive(Debug, Clone, Default)]
pub struct Offer {
    /// Its functions; `None` if they are not known.
    pub contracts: Option<Arc<Vec<Contract>>>,
    /// The directories that its manifest asks for; `None` if that is not known.
    pub asks: Option<Vec<DirAsk>>,
    /// Whether the component reads or writes files; `None` if that is not known.
    pub uses_files: Option<bool>,
}

/// What a check found.
#[derive(Debug, Default)]
pub struct Checked {
    /// At most a hundred, errors before others, in the order of the file.
    pub problems: Vec<Problem>,
    /// Errors, those that are left out included.
    pub errors: usize,
    /// Warnings, those that are left out included.
    pub warnings: usize,
    /// Notes, those that are left out included.
    pub notes: usize,
    /// What a run gives, in words.
    pub output: Option<String>,
    /// How far a run can spread.
    pub fan_out: Option<FanOut>,
}

impl Checked {
    /// Whether a run is refused.
    #[must_use]
    pub const fn is_refused(&self) -> bool {
        self.errors > 0
    }

    /// How many problems are not shown.
    #[must_use]
    pub const fn left_out(&self) -> usize {
        self.errors + self.warnings + self.notes - self.problems.len()
    }

    pub(super) fn add(&mut self, problems: impl IntoIterator<Item = Problem>, left_out: usize) {
        let by_place = |a: &Problem, b: &Problem| (a.at, &a.message).cmp(&(b.at, &b.message));
        self.problems.extend(problems);
        self.problems.sort_by(by_place);
        self.problems.dedup();
        let count = |severity| self.problems.iter().filter(|p| p.severity == severity).count();
        self.errors = count(Severity::Error) + left_out;
        self.warnings = count(Severity::Warning);
        self.notes = count(Severity::Note);
        if self.problems.len() > PROBLEMS_MAX {
            self.problems.sort_by(|a, b| b.severity.cmp(&a.severity).then(by_place(a, b)));
            self.problems.truncate(PROBLEMS_MAX);
            self.problems.sort_by(by_place);
        }
    }
}

pub(super) fn check(
    source: &str,
    definition: &Definition,
    input: Option<&Place>,
    offers: &BTreeMap<Name, Offer>,
) -> Checked {
    let mut check = Check::new(source, definition, offers);
    check.dirs();
    for position in 0..definition.steps.len() {
        check.step(position, false);
    }
    let output = check.output();
    check.structure(input);
    check.grants();
    let fan_out = check.fan_out();
    Checked {
        problems: check.problems,
        output: output.map(|output| output.to_string()),
        fan_out: Some(fan_out),
        ..Checked::default()
    }
}

/// What a run has yet to do, and what is there for it.
#[derive(Debug)]
pub(crate) struct Rest {
    /// The run's input.
    pub(crate) input: Type,
    /// Results of steps that are over.
    pub(crate) over: HashMap<StepId, Type>,
    /// Steps that have begun: whether they run is decided.
    pub(crate) begun: HashSet<StepId>,
}

impl Default for Rest {
    fn default() -> Self {
        Self { input: Type::Unknown, over: HashMap::new(), begun: HashSet::new() }
    }
}

pub(super) fn check_rest(
    source: &str,
    definition: &Definition,
    offers: &BTreeMap<Name, Offer>,
    rest: &Rest,
) -> Vec<Problem> {
    let mut check = Check::new(source, definition, offers);
    check.input = rest.input.clone();
    for (position, id) in (0..definition.steps.len()).zip((0_u32..).map(StepId)) {
        match rest.over.get(&id) {
            Some(result) => check.steps.push(views::StepView::of_result(result.clone())),
            None => check.step(position, rest.begun.contains(&id)),
        }
    }
    let _output = check.output();
    check.problems
}

/// A check on its way through the steps, in an order in which needs come first.
struct Check<'c> {
    source: &'c str,
    definition: &'c Definition,
    offers: &'c BTreeMap<Name, Offer>,
    problems: Vec<Problem>,
    /// By plugin and function.
    contracts: feeds::Contracts<'c>,
    fit: crate::typing::Fit,
    input: Type,
    run: Type,
    /// By step: those that have been looked at.
    steps: Vec<views::StepView>,
    /// By the address of a `when`, which may belong to many steps.
    gates: std::collections::HashMap<usize, views::GateView>,
    work: u64,
}

impl<'c> Check<'c> {
    fn new(source: &'c str, definition: &'c Definition, offers: &'c BTreeMap<Name, Offer>) -> Self {
        let input = definition.input.as_ref();
        let text = || Type::text(crate::typing::Texts::any(crate::typing::Sure::Some));
        Self {
            source,
            definition,
            offers,
            problems: Vec::new(),
            contracts: feeds::Contracts::default(),
            fit: crate::typing::Fit::default(),
            input: input.map_or(Type::Unknown, |schema| Type::of_schema_text(schema.text())),
            run: Type::with_fields([("id".into(), text()), ("workflow".into(), text())]),
            steps: Vec::with_capacity(definition.steps.len()),
            gates: std::collections::HashMap::new(),
            work: 0,
        }
    }

    fn report(&mut self, problem: Problem, severity: Severity, code: Code) {
        // Twice the number that is shown, so that sorting by place still has the first ones;
        // errors are always kept.
        if self.problems.len() < FOUND_MAX || severity == Severity::Error {
            self.problems.push(problem.rated(severity, code));
        }
    }
}

/// Problems that are collected, errors aside: a file of 20,000 steps may have many times that.
const FOUND_MAX: usize = 50_000;
