//! Quarantine and retry, step by step; all else is the simulator's.

use std::sync::Arc;

use super::*;
use crate::{Digest, FailureKind};

const NOW: TimestampMs = TimestampMs(1000);

const THREE: &str = "
workflow: w
poison_after: 2
plugins: { p: ./p.wasm }
steps:
  - { id: a, call: p/f }
  - { id: b, call: p/f, retry: { attempts: 2, backoff: { first: 1ms, jitter: 0 } } }
  - { id: c, map: [1, 2, 3], at_once: 2, call: p/f, retry: { attempts: 1 } }
output: \"${steps.c}\"
";

fn begin(source: &str) -> (Run, Change) {
    let definition = Arc::new(Definition::parse(source).expect("a valid workflow"));
    let started = RunStarted {
        run: RunId::from_bytes([1; 16]),
        workflow: definition.name.clone(),
        version: definition.version.clone(),
        definition: Digest::of(b""),
        input: Json::null(),
        plugins: vec![PinnedPlugin {
            alias: "p".into(),
            digest: Digest::of(b"p"),
            dirs: Vec::new(),
            limits: crate::Limits::default(),
            determinism: crate::Determinism::default(),
            plugin: None,
        }],
        seed: 0,
        origin: None,
    };
    Run::start(definition, started, NOW)
}

/// Step, index and attempt.
type Dispatched = (u32, Option<u32>, u32);

/// A run, with what it has committed so far.
struct Story {
    run: Run,
    records: Vec<Record>,
    now: TimestampMs,
}

impl Story {
    fn new() -> Self {
        let (run, change) = begin(THREE);
        Self { run, records: change.record.into_iter().collect(), now: NOW }
    }

    /// Applies an input; gives the names of its events and what is to be dispatched.
    #[track_caller]
    fn take(&mut self, input: Input) -> (Vec<Event>, Vec<Dispatched>) {
        let change = self.run.apply(self.now, input).expect("it is not rejected");
        let dispatched = change.effects.iter().filter_map(|effect| match effect {
            Effect::Dispatch(order) => Some((order.task.step.0, order.task.index, order.attempt.0)),
            Effect::Withdraw { .. } | Effect::Ended(_) => None,
        });
        let dispatched = dispatched.collect();
        let events = change.record.as_ref().map_or_else(Vec::new, |record| record.events.clone());
        self.records.extend(change.record);
        self.check_restores();
        (events, dispatched)
    }

    /// What is read back is what is here, with and without a snapshot.
    #[track_caller]
    fn check_restores(&self) {
        let definition = self.run.definition().clone();
        let again = Run::restore(&mut |_| Some(definition.clone()), None, self.records.clone());
        assert_eq!(again.expect("it can be read").snapshot(), self.run.snapshot());
        let bytes = self.run.snapshot().to_bytes();
        let snapshot = Snapshot::from_bytes(&bytes).expect("it can be read");
        let again = Run::restore(&mut |_| Some(definition.clone()), Some(snapshot), Vec::new());
        assert_eq!(again.expect("it can be read").snapshot(), self.run.snapshot());
    }

    #[track_caller]
    fn ends(&mut self, task: TaskId, attempt: u32, outcome: AttemptOutcome) -> Vec<Event> {
        self.take(Input::AttemptEnded { task, attempt: Attempt(attempt), outcome }).0
    }

    #[track_caller]
    fn succeeds(&mut self, task: TaskId, attempt: u32) -> Vec<Event> {
        let output = Json::from_trusted(attempt.to_string());
        self.ends(task, attempt, AttemptOutcome::Succeeded { output, kv: Vec::new() })
    }

    #[track_caller]
    fn fails(&mut self, task: TaskId, attempt: u32) -> Vec<Event> {
        let failure = Failure::new(FailureKind::Retryable, "c", "m");
        self.ends(task, attempt, AttemptOutcome::Failed(failure))
    }

    #[track_caller]
    fn kills(&mut self, task: TaskId, attempt: u32, worker: &str) -> Vec<Event> {
        let worker = Some(worker.to_owned());
        self.ends(task, attempt, AttemptOutcome::Lost { reason: "gone".to_owned(), worker })
    }

    fn rejection(&mut self, input: Input) -> Option<Rejection> {
        self.run.apply(self.now, input).err()
    }

    fn standing(&self, step: usize) -> StepStanding {
        self.run.progress().nth(step).expect("a step").standing
    }
}

const fn step(step: u32) -> TaskId {
    TaskId::of(StepId(step))
}

const fn item(index: u32) -> TaskId {
    TaskId::item(StepId(2), index)
}

#[test]
fn a_step_that_takes_its_workers_along_is_quarantined_until_it_is_released() {
    let mut story = Story::new();
    story.kills(step(0), 1, "x");
    // The same worker counts once, and what is not the step's doing not at all.
    story.kills(step(0), 2, "x");
    let reason = "restart".to_owned();
    story.ends(step(0), 3, AttemptOutcome::Lost { reason, worker: None });
    assert_eq!(story.standing(0), StepStanding::UnderWay);
    let events = story.kills(step(0), 4, "y");
    let workers = vec!["x".to_owned(), "y".to_owned()];
    let quarantined = Event::StepQuarantined { task: step(0), attempt: Attempt(4), workers };
    assert_eq!(events[1..], [quarantined]);
    assert_eq!(story.run.status(), RunStatus::Running);
    assert_eq!(story.standing(0), StepStanding::Quarantined);
    let shown = story.run.progress().next().expect("a step").error;
    let text = "quarantined: 2 workers were lost with it (x, y)";
    assert_eq!(shown.as_deref(), Some(text));
    let kept: Vec<_> = story.run.quarantined().collect();
    assert_eq!(kept, [(step(0), vec!["x", "y"])]);
    // Neither time nor a restart lets it out.
    assert_eq!(story.run.next_timer(), None);
    assert_eq!(story.take(Input::Recover), (Vec::new(), Vec::new()));
    assert_eq!(
        story.rejection(Input::Release { task: Some(step(1)) }),
        Some(Rejection::NotQuarantined)
    );
    let (events, dispatched) = story.take(Input::Release { task: Some(step(0)) });
    assert_eq!(events[0], Event::StepReleased { task: step(0) });
    assert_eq!(dispatched, [(0, None, 5)]);
    // The count begins anew.
    story.kills(step(0), 5, "y");
    assert_eq!(story.standing(0), StepStanding::UnderWay);
    story.succeeds(step(0), 6);
    assert_eq!(story.standing(0), StepStanding::Done);
    assert_eq!(story.run.quarantined().count(), 0);
}

#[test]
fn a_quarantined_step_may_still_end_at_a_worker_that_was_only_cut_off() {
    let mut story = Story::new();
    story.kills(step(0), 1, "x");
    story.kills(step(0), 2, "y");
    let stale = Input::AttemptEnded {
        task: step(0),
        attempt: Attempt(1),
        outcome: AttemptOutcome::Succeeded { output: Json::null(), kv: Vec::new() },
    };
    assert_eq!(story.rejection(stale), Some(Rejection::NotUnderWay));
    story.succeeds(step(0), 2);
    assert_eq!(story.standing(0), StepStanding::Done);
    // Also badly: then it is repeated as any failure is, and nothing is held against it.
    story.kills(step(1), 1, "x");
    story.kills(step(1), 2, "y");
    story.fails(step(1), 2);
    assert_eq!(story.standing(1), StepStanding::Backoff);
    story.now = story.run.next_timer().expect("a backoff");
    assert_eq!(story.take(Input::TimersDue).1, [(1, None, 3)]);
    story.kills(step(1), 3, "x");
    assert_eq!(story.standing(1), StepStanding::UnderWay);
}

#[test]
fn releasing_a_map_releases_its_items_and_others_went_on() {
    let mut story = Story::new();
    story.succeeds(step(0), 1);
    story.succeeds(step(1), 1);
    for index in 0..2 {
        story.kills(item(index), 1, "x");
        story.kills(item(index), 2, "y");
    }
    assert_eq!(story.standing(2), StepStanding::Quarantined);
    let error = story.run.progress().nth(2).expect("a step").error.unwrap_or_default();
    assert_eq!(
        error,
        "item 0 is quarantined: 2 workers were lost with it (x, y), and 1 more items"
    );
    let other = Input::Release { task: Some(item(2)) };
    assert_eq!(story.rejection(other), Some(Rejection::NotQuarantined));
    let (_, dispatched) = story.take(Input::Release { task: Some(step(2)) });
    assert_eq!(dispatched, [(2, Some(0), 3), (2, Some(1), 3)]);
    story.succeeds(item(0), 3);
    story.succeeds(item(1), 3);
    story.succeeds(item(2), 1);
    assert_eq!(story.run.output().map(Json::as_str), Some("[3,3,1]"));
}

#[test]
fn one_item_or_everything_is_released() {
    for (wanted, expected) in [(Some(item(1)), vec![1]), (None, vec![0, 1])] {
        let mut story = Story::new();
        story.succeeds(step(0), 1);
        story.succeeds(step(1), 1);
        for index in 0..2 {
            story.kills(item(index), 1, "x");
            story.kills(item(index), 2, "y");
        }
        let (_, dispatched) = story.take(Input::Release { task: wanted });
        let items: Vec<u32> = dispatched.iter().filter_map(|(_, index, _)| *index).collect();
        assert_eq!(items, expected);
    }
}

#[test]
fn a_failed_run_goes_on_from_where_it_failed() {
    let mut story = Story::new();
    assert_eq!(story.rejection(Input::Retry), Some(Rejection::NotFailed));
    story.succeeds(step(0), 1);
    story.fails(step(1), 1);
    story.now = story.run.next_timer().expect("a backoff");
    story.take(Input::TimersDue);
    story.fails(step(1), 2);
    assert_eq!(story.run.status(), RunStatus::Failed);
    story.run.opened.clear();
    let (events, dispatched) = story.take(Input::Retry);
    assert_eq!(events[0], Event::RunRetried);
    assert_eq!((story.run.status(), dispatched), (RunStatus::Running, vec![(1, None, 3)]));
    // As many retries as at first: one, and then it fails again.
    story.fails(step(1), 3);
    assert_eq!(story.standing(1), StepStanding::Backoff);
    story.now = story.run.next_timer().expect("a backoff");
    story.take(Input::TimersDue);
    story.fails(step(1), 4);
    assert_eq!(story.run.status(), RunStatus::Failed);
    story.take(Input::Retry);
    story.succeeds(step(1), 5);
    for index in 0..3 {
        story.succeeds(item(index), 1);
    }
    assert_eq!(story.run.status(), RunStatus::Succeeded);
    assert_eq!(story.rejection(Input::Retry), Some(Rejection::NotFailed));
}

#[test]
fn a_retried_map_keeps_the_items_that_are_done() {
    let mut story = Story::new();
    story.succeeds(step(0), 1);
    story.succeeds(step(1), 1);
    story.succeeds(item(1), 1);
    // Items 0 and 2 are under way; one fails and ends the run.
    story.fails(item(2), 1);
    assert_eq!(story.run.status(), RunStatus::Failed);
    assert_eq!(story.rejection(Input::TimersDue), Some(Rejection::RunOver));
    let (_, dispatched) = story.take(Input::Retry);
    assert_eq!(dispatched, [(2, Some(0), 2), (2, Some(2), 2)]);
    let late = Input::AttemptEnded {
        task: item(0),
        attempt: Attempt(1),
        outcome: AttemptOutcome::Succeeded { output: Json::null(), kv: Vec::new() },
    };
    assert_eq!(story.rejection(late), Some(Rejection::StaleAttempt));
    story.succeeds(item(2), 2);
    story.succeeds(item(0), 2);
    assert_eq!(story.run.output().map(Json::as_str), Some("[2,1,2]"));
}

#[test]
fn a_cancelled_run_is_not_retried() {
    let mut story = Story::new();
    story.take(Input::Cancel { reason: "enough".to_owned() });
    assert_eq!(story.rejection(Input::Retry), Some(Rejection::NotFailed));
    assert_eq!(story.rejection(Input::Release { task: Some(step(0)) }), Some(Rejection::RunOver));
}
