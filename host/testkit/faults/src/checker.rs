//! The one checker of all rows: what must hold of any history, whatever was done to the processes.
//!
//! Decides over values and asks nobody, so that its own tests can show it histories that break
//! each invariant.

mod journal;
mod leases;
mod numbers;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use crate::history::{History, Journal};

/// What must hold, by the issue's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Invariant {
    AcknowledgedExists,
    ResultsStay,
    OneResult,
    EqualInputs,
    OneLease,
    NumbersAddUp,
    EverythingFinishes,
}

impl Invariant {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 7] = [
        Self::AcknowledgedExists,
        Self::ResultsStay,
        Self::OneResult,
        Self::EqualInputs,
        Self::OneLease,
        Self::NumbersAddUp,
        Self::EverythingFinishes,
    ];

    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::AcknowledgedExists => "every acknowledged start exists",
            Self::ResultsStay => "a recorded result never changes",
            Self::OneResult => "at most one result counts per run and step",
            Self::EqualInputs => "inputs of a step are equal across attempts",
            Self::OneLease => "no two live leases on a step",
            Self::NumbersAddUp => "started = done + failed + running + waiting",
            Self::EverythingFinishes => "everything finishes once faults stop",
        }
    }
}

/// A place where one does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) invariant: Invariant,
    pub(crate) how: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant.text(), self.how)
    }
}

/// What was found so far.
#[derive(Default)]
struct Findings(Vec<Violation>);

impl Findings {
    fn add(&mut self, invariant: Invariant, how: String) {
        self.0.push(Violation { invariant, how });
    }

    fn unless(&mut self, holds: bool, invariant: Invariant, how: impl FnOnce() -> String) {
        if !holds {
            self.add(invariant, how());
        }
    }
}

/// All places where an invariant does not hold.
#[must_use]
pub(crate) fn check(history: &History) -> Vec<Violation> {
    let mut findings = Findings::default();
    existence(history, &mut findings);
    for (run, told) in &history.told {
        journal::check(*run, told, &mut findings);
    }
    for (run, seen) in &history.seen {
        stays(&format!("run {run}"), seen, history.told.get(run), &mut findings);
    }
    readings(history, &mut findings);
    leases::check(history, &mut findings);
    numbers::check(history, &mut findings);
    ends(history, &mut findings);
    findings.0
}

/// Acknowledged is there; what is there was asked for, and with this input.
fn existence(history: &History, findings: &mut Findings) {
    let exists = Invariant::AcknowledgedExists;
    for (run, wanted) in &history.wanted {
        let Some(told) = history.told.get(run) else {
            findings.unless(!wanted.acknowledged, exists, || format!("run {run} is gone"));
            continue;
        };
        let input = told.first().and_then(|first| first.value.clone()).unwrap_or_default();
        let wants = wanted.input.to_string();
        findings.unless(input == wants, exists, || {
            format!("run {run} was started with {wants} and has {input}")
        });
    }
    for run in history.told.keys().chain(history.stored.keys()) {
        findings.unless(history.wanted.contains_key(run), exists, || {
            format!("run {run} exists, and nobody has started it")
        });
    }
}

/// What was read once is the beginning of what is read later.
fn stays(what: &str, earlier: &Journal, later: Option<&Journal>, findings: &mut Findings) {
    let later = later.map_or(&[][..], |journal| journal);
    for (position, event) in earlier.iter().enumerate() {
        if later.get(position) != Some(event) {
            let now = later.get(position);
            let how = format!("{what}: {event:?} was read, and later {now:?} in its place");
            return findings.add(Invariant::ResultsStay, how);
        }
    }
}

/// What the coordinator tells is what the store holds, no more and no less.
fn readings(history: &History, findings: &mut Findings) {
    for (run, told) in &history.told {
        stays(&format!("run {run} in the store"), told, history.stored.get(run), findings);
    }
    for (run, stored) in &history.stored {
        stays(&format!("run {run} as told"), stored, history.told.get(run), findings);
    }
}

fn ends(history: &History, findings: &mut Findings) {
    let finishes = Invariant::EverythingFinishes;
    let views: BTreeMap<_, _> = history.views.iter().collect();
    for run in history.told.keys() {
        let Some(view) = views.get(run) else {
            findings.add(finishes, format!("run {run} cannot be shown"));
            continue;
        };
        if history.may_fail.contains(run) {
            let is_over = view.status != "running" && view.status != "interrupted";
            findings.unless(is_over, finishes, || format!("run {run} is {}", view.status));
            continue;
        }
        findings.unless(view.status == "succeeded", finishes, || {
            format!("run {run} is {}: {:?}", view.status, view.steps)
        });
        let wants = history.wanted.get(run).map(|wanted| &wanted.output);
        findings.unless(
            view.status != "succeeded" || view.output.as_ref() == wants,
            Invariant::OneResult,
            || format!("run {run} gives {:?} and must give {wants:?}", view.output),
        );
    }
}
