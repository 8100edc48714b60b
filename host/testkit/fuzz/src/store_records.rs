//! What is in a data folder: records, summaries, snapshots, the envelope around them, the mark.
//!
//! A damaged or foreign folder does no harm; what is read is written and read again as the same;
//! and whatever the journal says, folding it gives a run or a refusal.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use wfhost_checkpoint::{Commit, Content, Error, Snapshot as StoredSnapshot, fuzzing, memory};
use wfhost_transport::message::{Outcome, Payload};
use wfhost_workflow::run::{
    AttemptOutcome, Change, Effect, Event, Input, Record, Run, RunStarted, RunSummary, Snapshot,
    Upgrade,
};
use wfhost_workflow::{
    Attempt, Definition, Digest, Json, Limits, PinnedPlugin, Revision, RunId, StepId, TaskId,
    TimestampMs,
};

use crate::given::Given;
use crate::made::{Maker, make};
use crate::value;

/// Items of a map, for folding: a journal that opens larger ones takes memory, and may.
const ITEMS_MAX: u32 = 5_000;

/// With a step of every kind; the records of the fuzzer fold over it.
const SOURCE: &str = "{workflow: w, plugins: {p: x}, steps: [
        {id: a, call: p/f, with: {n: '${input.n}'}},
        {id: b, map: '${steps.a.list}', as: it, at_once: 2, call: p/g, with: '${it}'},
        {id: c, parallel: [{id: d, set: '${steps.b}'}, {id: e, call: p/f, when: '${input.go}'}]}],
        output: '${steps.c}'}";

static DEFINITION: LazyLock<Arc<Definition>> =
    LazyLock::new(|| Arc::new(Definition::parse(SOURCE).expect("the definition is valid")));

/// The first byte says what the others are.
pub(crate) fn run(bytes: &[u8]) {
    let mut given = Given::new(bytes);
    match given.below(9) {
        0 => same(&fuzzing::record(given.rest()).map(drop)),
        1 => same(&fuzzing::summary(given.rest())),
        2 => same(&fuzzing::small_forms(given.rest())),
        3 => {
            if let Ok(snapshot) = Snapshot::from_bytes(given.rest()) {
                comes_back(&snapshot);
            }
        }
        4 => envelope(&mut given),
        5 => records(&mut given),
        6 => {
            if let Some(summary) = make::<RunSummary>(&mut given) {
                same(&fuzzing::summary_comes_back(&summary));
                stored(&mut given, summary);
            }
        }
        7 => {
            // One that contradicts itself is refused.
            let bytes = make::<Snapshot>(&mut given).map(|snapshot| snapshot.to_bytes());
            if let Some(Ok(snapshot)) = bytes.map(|bytes| Snapshot::from_bytes(&bytes)) {
                comes_back(&snapshot);
            }
        }
        _ => driven(&mut given),
    }
}

fn same(outcome: &Result<(), String>) {
    assert!(outcome.is_ok(), "{outcome:?}");
}

fn envelope(given: &mut Given<'_>) {
    let (last, bit, key) = (given.byte() & 1 == 1, given.number() as usize, given.below(40));
    let key = given.bytes(key);
    same(&fuzzing::envelope(key, given.rest(), last, bit));
}

fn comes_back(snapshot: &Snapshot) {
    let again = Snapshot::from_bytes(&snapshot.to_bytes());
    assert!(matches!(&again, Ok(again) if again == snapshot), "{snapshot:?} became {again:?}");
    if let Ok(run) =
        Run::restore(&mut |_| Some(Arc::clone(&DEFINITION)), Some(snapshot.clone()), Vec::new())
    {
        goes_on(run, 0);
    }
}

fn made_record(given: &mut Given<'_>) -> Option<Record> {
    let made = fuzzing::made_record(Maker::new(given));
    assert!(made.is_ok(), "{made:?}");
    made.ok().flatten()
}

/// A journal of made events, folded as after a restart.
fn records(given: &mut Given<'_>) {
    let mut records = Vec::new();
    for revision in 1..=u64::try_from(given.count(30)).unwrap_or_default() {
        let Some(record) = made_record(given) else { break };
        records.push(Record { revision: Revision(revision), ..record });
    }
    let opens_large = records
        .iter()
        .flat_map(|record| &record.events)
        .any(|event| matches!(event, Event::MapOpened { items, .. } if *items > ITEMS_MAX));
    if opens_large {
        return;
    }
    if let Ok(run) = Run::restore(&mut |_| Some(Arc::clone(&DEFINITION)), None, records) {
        comes_back(&run.snapshot());
        goes_on(run, given.byte());
    }
}

/// A run that workers answer to as the bytes say; what it stored gives it back.
fn driven(given: &mut Given<'_>) {
    let mut now = TimestampMs(1_700_000_000_000);
    let started = RunStarted {
        run: RunId::from_bytes([3; 16]),
        workflow: DEFINITION.name.clone(),
        version: DEFINITION.version.clone(),
        definition: Digest::of(b""),
        input: Json::from_value(&serde_json::json!({ "n": value::json(given, 2), "go": true })),
        plugins: plugins(),
        seed: given.number(),
        origin: None,
    };
    let (mut run, mut change) = Run::start(Arc::clone(&DEFINITION), started, now);
    let mut orders = Vec::new();
    let mut records = Vec::new();
    for _ in 0..200 {
        records.extend(change.record.take());
        orders.extend(change.effects.drain(..).filter_map(|effect| match effect {
            Effect::Dispatch(order) => Some((order.task, order.attempt)),
            Effect::Withdraw { .. } | Effect::Ended(_) => None,
        }));
        if given.is_empty() {
            break;
        }
        let input = next_input(given, &orders);
        if let (Input::TimersDue, Some(at)) = (&input, run.next_timer()) {
            now = now.max(at);
        }
        change = match run.apply(now, input) {
            Ok(change) => change,
            Err(_) => Change { record: None, effects: Vec::new() },
        };
    }
    records.extend(change.record);
    let again = Run::restore(&mut |_| Some(Arc::clone(&DEFINITION)), None, records);
    assert_eq!(again.map(|again| again.snapshot()).as_ref(), Ok(&run.snapshot()));
    comes_back(&run.snapshot());
}

/// To the version that the run has: what was under way begins again.
fn upgrade() -> Upgrade {
    Upgrade {
        definition: Arc::clone(&DEFINITION),
        text: SOURCE.into(),
        digest: Digest::of(SOURCE.as_bytes()),
        plugins: plugins(),
        offers: BTreeMap::new(),
        origin: None,
    }
}

fn plugins() -> Vec<PinnedPlugin> {
    vec![PinnedPlugin {
        alias: "p".into(),
        digest: Digest::of(b""),
        dirs: Vec::new(),
        limits: Limits::default(),
        determinism: wfhost_workflow::Determinism::default(),
        plugin: None,
    }]
}

fn next_input(given: &mut Given<'_>, orders: &[(TaskId, Attempt)]) -> Input {
    match given.below(16) {
        0 if given.once_in(2) => Input::Retry,
        0 => Input::Recover,
        1 => Input::Cancel { reason: given.text(10) },
        2 if given.once_in(4) => Input::Upgrade(Box::new(upgrade())),
        2..=5 => Input::TimersDue,
        _ => {
            let (task, attempt) = match orders {
                _ if given.once_in(8) => return Input::Release { task: None },
                [] => (TaskId::of(StepId(0)), Attempt::FIRST),
                _ => orders[given.below(orders.len())],
            };
            let outcome = match make::<Outcome>(given) {
                Some(Outcome::Succeeded { output, kv }) => {
                    // A list now and then, so that the map goes on.
                    let list = Json::from_trusted("{\"list\":[1,2,3,4]}");
                    let output = match output {
                        Payload::Inline(output) if given.once_in(3) => output,
                        Payload::Inline(_) | Payload::Reference { .. } => list,
                    };
                    AttemptOutcome::Succeeded { output, kv }
                }
                Some(Outcome::Failed(failure)) => AttemptOutcome::Failed(failure),
                None => {
                    let worker = given.once_in(2).then(|| given.text(3));
                    AttemptOutcome::Lost { reason: given.text(10), worker }
                }
            };
            Input::AttemptEnded { task, attempt, outcome }
        }
    }
}

/// What the coordinator does with a run that it has read.
fn goes_on(mut run: Run, how: u8) {
    let now = TimestampMs(1_700_000_000_000);
    let _views = (run.summary(), run.error(), run.progress().count(), run.next_timer());
    let _recovered = run.apply(now, Input::Recover);
    let _due = run.apply(now, Input::TimersDue);
    if how & 1 == 1 {
        let _cancelled = run.apply(now, Input::Cancel { reason: "enough".to_owned() });
    }
    comes_back_once(&run);
}

fn comes_back_once(run: &Run) {
    let snapshot = run.snapshot();
    let again = Snapshot::from_bytes(&snapshot.to_bytes());
    assert_eq!(again.as_ref(), Ok(&snapshot));
}

/// Through a store in memory: what was acknowledged is found again.
fn stored(given: &mut Given<'_>, summary: RunSummary) {
    let Some(record) = made_record(given) else { return };
    let run = summary.run;
    let summary = RunSummary { revision: Revision(1), ..summary };
    let record = Record { revision: Revision(1), ..record };
    let snapshot = (given.byte() & 1 == 1)
        .then(|| StoredSnapshot { revision: Revision(1), bytes: given.rest().to_vec() });
    let commit = Commit { run, record, summary, snapshot };
    let store = memory(Content::memory());
    match store.commit(std::slice::from_ref(&commit)) {
        Ok(()) => {}
        Err(Error::TooLarge { .. } | Error::Contradiction { .. }) => return,
        Err(error) => panic!("a commit is refused: {error:?}"),
    }
    let journal = store.journal(run, Revision(0), usize::MAX);
    assert_eq!(journal.expect("it was stored"), std::slice::from_ref(&commit.record));
    let found = store.load(run).expect("it was stored").expect("it is there");
    assert_eq!(found.summary, commit.summary);
    assert_eq!(found.snapshot, commit.snapshot);
    let records = if commit.snapshot.is_some() { vec![] } else { vec![commit.record] };
    assert_eq!(found.records, records);
}
