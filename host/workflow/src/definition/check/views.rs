//! What each step gives, and how others see it.

use super::super::{Code, Severity, Step, StepKind};
use super::Check;
use crate::StepId;
use crate::definition::Span;
use crate::expression::{Inference, Known, Root, Template, Typed, fixed};
use crate::typing::{KindSet, Lists, Numbers, Sure, Type, kind_words};

/// A step that has been looked at.
pub(super) struct StepView {
    /// What it gives if it runs.
    pub(super) gives: Type,
    /// The same, or null.
    pub(super) or_null: Type,
    /// Whether its `when` is false in every run.
    pub(super) never: bool,
    /// Whether its `when` may be false.
    pub(super) skippable: bool,
    /// Of a `map`: items at least and at most.
    pub(super) items: Option<(u64, u64)>,
}

impl StepView {
    /// A step that is over.
    pub(super) fn of_result(result: Type) -> Self {
        let or_null = result.clone();
        Self { gives: result, or_null, never: false, skippable: false, items: None }
    }
}

/// A `when` that has been looked at.
#[derive(Clone)]
pub(super) struct GateView {
    /// What it gives in every run.
    pub(super) fixed: Option<bool>,
    /// What holds where it is true.
    pub(super) known: Vec<Known>,
}

/// What a template sees.
pub(super) struct Scope<'s> {
    /// `when`s that held.
    pub(super) gates: &'s [Template],
    /// The item of a `map`.
    pub(super) item: Option<&'s Type>,
}

impl<'c> Check<'c> {
    /// A step as one sees it whose `gates` held.
    fn seen(&self, step: StepId, gates: &[Template]) -> Type {
        let (Some(view), Some(of)) =
            (self.steps.get(step.position()), self.definition.steps.get(step.position()))
        else {
            return Type::Unknown;
        };
        if view.never {
            return Type::null();
        }
        let held = |gate: &Template| gates.iter().any(|held| held.is_same_condition(gate));
        if !view.skippable || of.gates.iter().all(held) {
            view.gives.clone()
        } else {
            view.or_null.clone()
        }
    }

    fn root(&self, root: &Root, scope: &Scope<'_>) -> Type {
        match root {
            Root::Input => self.input.clone(),
            Root::Run => self.run.clone(),
            Root::Step(step) => self.seen(*step, scope.gates),
            Root::Item => scope.item.cloned().unwrap_or(Type::Unknown),
            Root::Index => Type::number(Numbers { low: 0.0, ..Numbers::whole(Sure::Some) }),
        }
    }

    /// Infers a template; what is found goes to the problems.
    pub(super) fn infer<T>(
        &mut self,
        scope: &Scope<'_>,
        known: Vec<Known>,
        infer: impl FnOnce(&mut Inference<'_>) -> T,
    ) -> T {
        let (result, found, work) = {
            let roots = |root: &Root| self.root(root, scope);
            let mut inference = Inference {
                source: self.source,
                roots: &roots,
                known,
                found: Vec::new(),
                work: self.work,
            };
            let result = infer(&mut inference);
            (result, inference.found, inference.work)
        };
        self.work = work;
        for problem in found {
            let (severity, code) = (problem.severity, problem.code);
            self.report(problem, severity, code);
        }
        result
    }

    /// Looks at the step's `when`s, then at what it does. `begun`: they were true.
    pub(super) fn step(&mut self, position: usize, begun: bool) {
        let definition = self.definition;
        let Some(step) = definition.steps.get(position) else { return };
        let mut known = Vec::new();
        let (mut never, mut skippable) = (false, false);
        for at in 0..step.gates.len() {
            let gate = self.gate(step, at, &known);
            never |= gate.fixed == Some(false);
            skippable |= gate.fixed != Some(true);
            known.extend(gate.known);
        }
        never &= !begun;
        skippable &= !begun;
        let before = self.problems.len();
        let (gives, items) = self.gives(step, known);
        if never {
            // What never runs never fails.
            self.problems.truncate(before);
        }
        let or_null = if skippable { gives.or_null() } else { gives.clone() };
        self.steps.push(StepView { gives, or_null, never, skippable, items });
    }

    fn gate(&mut self, step: &Step, at: usize, known: &[Known]) -> GateView {
        let Some(gate) = step.gates.get(at) else {
            return GateView { fixed: None, known: Vec::new() };
        };
        let key = gate.address();
        if let Some(view) = self.gates.get(&key) {
            return view.clone();
        }
        let scope = Scope { gates: &step.gates[..at], item: None };
        let (typed, holds) = self.infer(&scope, known.to_vec(), |i| i.condition(gate));
        self.must_be(&typed, KindSet::BOOL, "`when`");
        let fixed = fixed(&typed.of);
        if fixed == Some(false) {
            let message = "this is false in every run, so that the step never runs".to_owned();
            let problem = typed.span.problem(self.source, message);
            self.report(problem, Severity::Warning, Code::NeverRuns);
        }
        let view = GateView { fixed, known: holds };
        self.gates.insert(key, view.clone());
        view
    }

    /// The step's result, and the items of a `map`.
    fn gives(&mut self, step: &'c Step, known: Vec<Known>) -> (Type, Option<(u64, u64)>) {
        let scope = Scope { gates: &step.gates, item: None };
        match &step.kind {
            StepKind::Call(call) => {
                let contract = self.contract(call);
                let typed = self.infer(&scope, known, |i| i.template(&call.with));
                (self.fed(call, contract, &typed), None)
            }
            StepKind::Map(map) => {
                let items = self.infer(&scope, known.clone(), |i| i.template(&map.items));
                self.must_be(&items, KindSet::LIST, "`map`");
                let list = items.of.as_list();
                let item = list.map_or(Type::Unknown, Lists::each);
                let (min, max) = list.map_or((0, u64::MAX), |list| (list.min, list.max));
                let contract = self.contract(&map.call);
                let scope = Scope { gates: &step.gates, item: Some(&item) };
                let typed = self.infer(&scope, known, |i| i.template(&map.call.with));
                let gives = self.fed(&map.call, contract, &typed);
                let list = Lists { min, max, ..Lists::of(gives, Sure::Some) };
                (Type::list(list), Some((min, max)))
            }
            StepKind::Set(value) => {
                let typed = self.infer(&scope, known, |i| i.template(value));
                (typed.of, None)
            }
            // What a step becomes that could not be read.
            StepKind::Parallel(branches) if branches.is_empty() => (Type::Unknown, None),
            StepKind::Parallel(branches) => {
                let fields = branches
                    .iter()
                    .map(|branch| (branch.name.clone(), self.seen(branch.last, &step.gates)));
                (Type::with_fields(fields), None)
            }
        }
    }

    /// What a run gives.
    pub(super) fn output(&mut self) -> Option<Type> {
        let scope = Scope { gates: &[], item: None };
        let output = &self.definition.output;
        output.place()?;
        Some(self.infer(&scope, Vec::new(), |i| i.template(output)).of)
    }

    /// The paths of directories, which are decided before a run.
    pub(super) fn dirs(&mut self) {
        let scope = Scope { gates: &[], item: None };
        for dir in self.definition.plugins.iter().flat_map(|plugin| &plugin.dirs) {
            let typed = self.infer(&scope, Vec::new(), |i| i.template(&dir.path));
            self.must_be(&typed, KindSet::TEXT, "a directory's path");
        }
    }

    fn must_be(&mut self, typed: &Typed, wanted: KindSet, what: &str) {
        if typed.of.is_never() {
            return;
        }
        let wants = kind_words(wanted);
        let problem = |span: Span, message: String| span.problem(self.source, message);
        if typed.of.possible().and(wanted).is_empty() {
            let found = kind_words(typed.of.possible());
            let problem = problem(typed.span, format!("{what} must be {wants}, not {found}"));
            return self.report(problem, Severity::Error, Code::WrongType);
        }
        let others = typed.of.certain().without(wanted);
        if !others.is_empty() {
            let found = kind_words(others);
            let problem =
                problem(typed.span, format!("{what} must be {wants}, and may be {found}"));
            let null = others == KindSet::NULL;
            let code = if null { Code::MayBeNull } else { Code::MayBeWrongType };
            self.report(problem, Severity::Warning, code);
        }
    }
}
