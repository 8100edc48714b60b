//! One journal: attempts come one after another, and one result counts.

use std::collections::BTreeMap;

use wfhost_workflow::RunId;

use super::{Findings, Invariant};
use crate::history::{Happened, Journal, Task};

/// Where a task stands while its journal is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Standing {
    /// The newest attempt.
    attempt: u32,
    under_way: bool,
    done: bool,
}

pub(super) fn check(run: RunId, journal: &Journal, findings: &mut Findings) {
    let mut tasks: BTreeMap<&Task, Standing> = BTreeMap::new();
    let mut over: Option<&Happened> = None;
    let begins = journal.first().is_some_and(|first| first.name == "started");
    findings.unless(begins, Invariant::AcknowledgedExists, || {
        format!("the journal of run {run} does not begin with its start")
    });
    let mut revision = 0;
    for event in journal {
        // Several events are of one revision; none is left out.
        let follows = event.revision == revision || event.revision == revision + 1;
        findings.unless(follows, Invariant::ResultsStay, || {
            format!("run {run}: revision {} follows {revision}", event.revision)
        });
        revision = event.revision;
        if let Some(end) = over
            && event.name != "run-retried"
        {
            let how = format!("run {run}: {event:?} after its end {end:?}");
            findings.add(Invariant::OneResult, how);
        }
        over = match event.name.as_str() {
            "succeeded" | "failed" | "cancelled" => Some(event),
            "run-retried" => None,
            _ => over,
        };
        if let (Some(task), Some(attempt)) = (&event.task, event.attempt) {
            step(run, tasks.entry(task).or_default(), event, attempt, findings);
        }
    }
}

fn step(
    run: RunId,
    standing: &mut Standing,
    event: &Happened,
    attempt: u32,
    findings: &mut Findings,
) {
    let mut wrong = |invariant| findings.add(invariant, format!("run {run}: {event:?}"));
    match event.name.as_str() {
        "attempt-scheduled" => {
            if standing.under_way || attempt <= standing.attempt {
                wrong(Invariant::OneLease);
            }
            if standing.done {
                wrong(Invariant::OneResult);
            }
            (standing.attempt, standing.under_way) = (attempt, true);
        }
        "attempt-succeeded" => {
            if standing.done || !standing.under_way || attempt != standing.attempt {
                wrong(Invariant::OneResult);
            }
            (standing.under_way, standing.done) = (false, true);
        }
        "attempt-failed" | "attempt-lost" => {
            if !standing.under_way || attempt != standing.attempt {
                wrong(Invariant::OneLease);
            }
            standing.under_way = false;
        }
        _ => {}
    }
}
