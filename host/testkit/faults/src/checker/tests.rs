//! Histories that break each invariant: a checker that cannot fail shows nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use wfhost_workflow::RunId;
use wfhost_workflow::placement::LEASE;

use super::{Invariant, check};
use crate::history::{Apart, Counted, Execution, Happened, History, Task, View, Wanted};

const MS: u64 = 1_000_000;

fn run() -> RunId {
    RunId::from_bytes([1; 16])
}

fn task() -> Task {
    Task { step: "a".to_owned(), index: None }
}

fn event(revision: u64, name: &str, attempt: Option<u32>, value: Option<&str>) -> Happened {
    Happened {
        revision,
        name: name.to_owned(),
        task: attempt.map(|_| task()),
        attempt,
        value: value.map(str::to_owned),
        again: false,
    }
}

fn execution(process: &str, attempt: u32, start_ms: u64, end_ms: Option<u64>) -> Execution {
    Execution {
        process: process.to_owned(),
        run: run(),
        task: task(),
        attempt,
        input: "{}".to_owned(),
        start_ns: start_ms * MS,
        end_ns: end_ms.map(|end| end * MS),
    }
}

/// A worker died with the first attempt, and the second one counts.
fn history() -> History {
    let journal = vec![
        event(1, "started", None, Some("{}")),
        event(1, "attempt-scheduled", Some(1), None),
        event(2, "attempt-lost", Some(1), None),
        event(2, "attempt-scheduled", Some(2), None),
        event(3, "attempt-succeeded", Some(2), Some("7")),
        event(3, "succeeded", None, Some("7")),
    ];
    let wanted = Wanted { input: json!({}), output: json!(7), acknowledged: true };
    let steps = vec![("a".to_owned(), "done".to_owned(), None)];
    let view = View { status: "succeeded".to_owned(), output: Some(json!(7)), steps };
    let counted = Counted { acknowledged_before: 1, asked_after: 1, ..Counted::default() };
    History {
        wanted: BTreeMap::from([(run(), wanted)]),
        seen: vec![(run(), journal[..3].to_vec())],
        counted: vec![Counted { running: 1, ..counted }, Counted { succeeded: 1, ..counted }],
        told: BTreeMap::from([(run(), journal.clone())]),
        views: BTreeMap::from([(run(), view)]),
        stored: BTreeMap::from([(run(), journal)]),
        executions: vec![execution("one", 1, 10, None), execution("two", 2, 200, Some(300))],
        ended_ns: BTreeMap::from([("one".to_owned(), 100 * MS)]),
        apart: Vec::new(),
        removed: BTreeSet::new(),
        may_fail: BTreeSet::new(),
    }
}

/// Changes what is told and what is stored alike, as a coordinator that errs would.
fn both(history: &mut History, change: impl Fn(&mut Vec<Happened>)) {
    for journals in [&mut history.told, &mut history.stored] {
        journals.values_mut().for_each(&change);
    }
}

#[track_caller]
fn breaks(invariant: Invariant, change: impl FnOnce(&mut History)) {
    let mut history = history();
    change(&mut history);
    let found = check(&history);
    assert!(found.iter().any(|it| it.invariant == invariant), "{invariant:?}: {found:#?}");
}

fn view(history: &mut History) -> &mut View {
    history.views.get_mut(&run()).expect("it is there")
}

#[test]
fn an_honest_history_breaks_nothing() {
    assert_eq!(check(&history()), []);
}

#[test]
fn a_start_that_was_acknowledged_exists_as_it_was_asked_for() {
    let breaks = |change: fn(&mut History)| breaks(Invariant::AcknowledgedExists, change);
    breaks(|history| {
        history.told.clear();
        history.stored.clear();
    });
    breaks(|history| both(history, |it| it[0].value = Some("{\"x\":1}".to_owned())));
    breaks(|history| both(history, |it| drop(it.remove(0))));
    breaks(|history| history.wanted.clear());
    // What was not acknowledged may be gone.
    let mut unknown = history();
    let wanted = Wanted { acknowledged: false, ..unknown.wanted[&run()].clone() };
    unknown.wanted.insert(RunId::from_bytes([2; 16]), wanted);
    assert_eq!(check(&unknown), []);
}

#[test]
fn what_was_read_is_read_again() {
    let breaks = |change: fn(&mut History)| breaks(Invariant::ResultsStay, change);
    breaks(|history| history.seen[0].1[2].attempt = Some(9));
    breaks(|history| history.seen[0].1.extend(history.told[&run()].clone()));
    breaks(|history| history.seen.push((RunId::from_bytes([3; 16]), history.told[&run()].clone())));
    let change = |journals: &mut BTreeMap<_, Vec<Happened>>| {
        journals.values_mut().for_each(|it| it[4].value = Some("8".to_owned()));
    };
    breaks(|history| history.stored.values_mut().for_each(|it| drop(it.pop())));
    breaks(|history| history.told.values_mut().for_each(|it| drop(it.pop())));
    let mut changed = history();
    change(&mut changed.stored);
    assert!(check(&changed).iter().any(|it| it.invariant == Invariant::ResultsStay));
    breaks(|history| both(history, |it| it[3].revision = 9));
}

#[test]
fn one_result_counts() {
    let breaks = |change: fn(&mut History)| breaks(Invariant::OneResult, change);
    breaks(|history| both(history, |it| it.insert(5, it[4].clone())));
    // The attempt that was given up counts.
    breaks(|history| both(history, |it| it[4].attempt = Some(1)));
    breaks(|history| both(history, |it| it.push(event(4, "failed", None, None))));
    breaks(|history| view(history).output = Some(json!(8)));
    // A result of an attempt that never came to its end.
    breaks(|history| history.executions[1].end_ns = None);
    // Another attempt of what is done.
    breaks(|history| {
        both(history, |it| it.insert(5, event(3, "attempt-scheduled", Some(3), None)));
    });
}

#[test]
fn inputs_are_equal() {
    breaks(Invariant::EqualInputs, |history| history.executions[1].input = "{ }".to_owned());
}

#[test]
fn one_lease_lives() {
    let breaks = |change: fn(&mut History)| breaks(Invariant::OneLease, change);
    breaks(|history| history.ended_ns.clear());
    breaks(|history| {
        history.executions[0].end_ns = Some(201 * MS);
        history.ended_ns.insert("one".to_owned(), 400 * MS);
    });
    breaks(|history| history.executions[1].attempt = 1);
    breaks(|history| history.executions.push(execution("three", 2, 400, Some(500))));
    breaks(|history| history.executions.push(execution("three", 3, 400, Some(500))));
    breaks(|history| both(history, |it| it[2].attempt = Some(2)));
    breaks(|history| both(history, |it| drop(it.remove(2))));
    breaks(|history| both(history, |it| it[3].attempt = Some(1)));
}

#[test]
fn a_worker_that_was_cut_off_runs_on_for_as_long_as_it_likes() {
    let cut_off = |start_ms: u64, of: Option<&str>| {
        let mut history = history();
        history.ended_ns.clear();
        history.apart.push(Apart { process: of.map(str::to_owned), from_ns: 50 * MS });
        history.executions[1] = execution("two", 2, start_ms, Some(start_ms + 10));
        check(&history)
    };
    let lapsed = 50 + LEASE.0;
    assert_eq!(cut_off(lapsed, Some("one")), []);
    assert_eq!(cut_off(lapsed, None), []);
    for (start_ms, of) in [(lapsed / 2, Some("one")), (lapsed, Some("two"))] {
        let found = cut_off(start_ms, of);
        assert!(found.iter().any(|it| it.invariant == Invariant::OneLease), "{start_ms} {of:?}");
    }
}

#[test]
fn numbers_add_up() {
    let breaks = |change: fn(&mut History)| breaks(Invariant::NumbersAddUp, change);
    breaks(|history| history.counted[0].running = 0);
    breaks(|history| history.counted[0].failed = 1);
    breaks(|history| history.counted[1].succeeded = 0);
    breaks(|history| (history.counted[1].succeeded, history.counted[1].running) = (0, 1));
    breaks(|history| view(history).steps[0].1 = "running".to_owned());
    breaks(|history| view(history).steps[0].2 = Some((2, 2)));
}

#[test]
fn everything_finishes() {
    let breaks = |change: fn(&mut History)| breaks(Invariant::EverythingFinishes, change);
    breaks(|history| view(history).status = "running".to_owned());
    breaks(|history| view(history).status = "failed".to_owned());
    breaks(|history| history.views.clear());
    let mut failed = history();
    failed.may_fail.insert(run());
    view(&mut failed).status = "failed".to_owned();
    assert!(!check(&failed).iter().any(|it| it.invariant == Invariant::EverythingFinishes));
    breaks(|history| {
        history.may_fail.insert(run());
        view(history).status = "interrupted".to_owned();
    });
}

#[test]
fn each_invariant_has_its_words() {
    let words: BTreeSet<_> = Invariant::ALL.iter().map(|it| it.text()).collect();
    assert_eq!(words.len(), Invariant::ALL.len());
}
