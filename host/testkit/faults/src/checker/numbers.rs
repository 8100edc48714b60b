//! The numbers of one place are those of the others.

use super::{Findings, Invariant};
use crate::history::{History, Journal};

const ADD_UP: Invariant = Invariant::NumbersAddUp;

pub(super) fn check(history: &History, findings: &mut Findings) {
    for counted in &history.counted {
        let bounds = counted.acknowledged_before..=counted.asked_after;
        findings.unless(bounds.contains(&counted.all()), ADD_UP, || format!("{counted:?}"));
    }
    for (run, journal) in &history.told {
        let Some(view) = history.views.get(run) else { continue };
        for (step, state, items) in &view.steps {
            let told = Told::of(journal, step);
            findings.unless(told.adds_up(state, *items), ADD_UP, || {
                format!("run {run}: step {step} is shown as {state} {items:?}, journal: {told:?}")
            });
        }
    }
    // The last look is after everything.
    if let Some(last) = history.counted.last() {
        let exist = history.told.len();
        findings.unless(last.all() == exist, ADD_UP, || {
            format!("{exist} runs can be read, and the list has {last:?}")
        });
        let done = history.views.values().filter(|view| view.status == "succeeded").count();
        findings.unless(last.succeeded == done, ADD_UP, || {
            format!("{done} runs have succeeded, and the list has {last:?}")
        });
    }
}

/// What a journal says of one step's tasks.
#[derive(Debug, Default)]
struct Told {
    begun: u32,
    done: u32,
    failed: u32,
    running: u32,
    waiting: u32,
}

impl Told {
    fn of(journal: &Journal, step: &str) -> Self {
        let mut last = std::collections::BTreeMap::new();
        for event in journal {
            if let (Some(task), Some(_)) = (&event.task, event.attempt)
                && task.step == step
                && event.name.starts_with("attempt-")
            {
                last.insert(task, event);
            }
        }
        let mut told = Self::default();
        for event in last.values() {
            told.begun += 1;
            match event.name.as_str() {
                "attempt-succeeded" => told.done += 1,
                "attempt-scheduled" => told.running += 1,
                "attempt-failed" if !event.again => told.failed += 1,
                _ => told.waiting += 1,
            }
        }
        told
    }

    fn adds_up(&self, state: &str, items: Option<(u32, u32)>) -> bool {
        let parts = self.done + self.failed + self.running + self.waiting;
        let shown = match (state, items) {
            ("done", Some((done, all))) => done == all && self.done == all,
            (_, Some((done, all))) => done == self.done && self.begun <= all,
            // Of a step that calls nothing there are no attempts.
            ("done", None) => self.done == self.begun,
            (_, None) => self.done == 0,
        };
        parts == self.begun && shown
    }
}
