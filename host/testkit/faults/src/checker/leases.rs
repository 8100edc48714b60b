//! What guests wrote down: an attempt runs once, attempts of a task have one input, and two of them
//! run at once only where the first one's worker had been unheard of for a lease.

use std::collections::BTreeMap;

use wfhost_workflow::RunId;
use wfhost_workflow::placement::LEASE;

use super::{Findings, Invariant};
use crate::history::{Execution, History, Task};

/// A worker is heard of every 200 ms, so that much of a lease may be over when it falls silent; and
/// as much again for a machine that is busy.
const SLACK_NS: u64 = 400_000_000;

pub(super) fn check(history: &History, findings: &mut Findings) {
    let mut tasks: BTreeMap<(RunId, &Task), Vec<&Execution>> = BTreeMap::new();
    for execution in &history.executions {
        tasks.entry((execution.run, &execution.task)).or_default().push(execution);
    }
    for ((run, task), mut executions) in tasks {
        executions.sort_by_key(|execution| execution.start_ns);
        for pair in executions.windows(2) {
            let [first, second] = pair else { continue };
            findings.unless(first.input == second.input, Invariant::EqualInputs, || {
                format!("{task:?} of run {run}: {} and {}", first.input, second.input)
            });
        }
        for (position, second) in executions.iter().enumerate() {
            for first in &executions[..position] {
                pair(history, first, second, findings);
            }
        }
    }
    scheduled(history, findings);
}

fn pair(history: &History, first: &Execution, second: &Execution, findings: &mut Findings) {
    if first.attempt == second.attempt {
        let how = format!("one attempt ran twice: {first:?} and {second:?}");
        return findings.add(Invariant::OneLease, how);
    }
    let ended = [first.end_ns, history.ended_ns.get(&first.process).copied()];
    let ended = ended.into_iter().flatten().min().unwrap_or(u64::MAX);
    if ended <= second.start_ns {
        return;
    }
    let lease_ns = LEASE.0 * 1_000_000;
    let lapsed = history.apart.iter().any(|apart| {
        let about = apart.process.as_ref().is_none_or(|process| *process == first.process);
        about
            && apart.from_ns < ended
            && apart.from_ns + lease_ns <= second.start_ns.saturating_add(SLACK_NS)
    });
    findings.unless(lapsed, Invariant::OneLease, || {
        format!("{second:?} began while {first:?} ran and its lease held")
    });
}

/// Nothing runs that no journal has, and what counts has run to its end.
fn scheduled(history: &History, findings: &mut Findings) {
    let mut events: BTreeMap<(RunId, &Task, u32), Vec<&str>> = BTreeMap::new();
    for (run, journal) in &history.told {
        for event in journal {
            if let (Some(task), Some(attempt)) = (&event.task, event.attempt) {
                events.entry((*run, task, attempt)).or_default().push(&event.name);
            }
        }
    }
    for execution in &history.executions {
        let Execution { run, task, attempt, end_ns, .. } = execution;
        let names = events.get(&(*run, task, *attempt)).map_or(&[][..], Vec::as_slice);
        findings.unless(names.contains(&"attempt-scheduled"), Invariant::OneLease, || {
            format!("{execution:?} ran, and no journal has it")
        });
        let counts = names.contains(&"attempt-succeeded");
        findings.unless(!counts || end_ns.is_some(), Invariant::OneResult, || {
            format!("{execution:?} has a result and never came to its end")
        });
    }
}
