//! Values to commit: every kind of event, any size.

use std::collections::HashSet;
use std::sync::Arc;

use wfhost_workflow::run::{
    Event, KvWrite, Record, RunStarted, RunStatus, RunSummary, StepOutput, Upgraded,
};
use wfhost_workflow::{
    Attempt, Digest, DirGrant, DirMode, DurationMs, Failure, FailureKind, Json, Limits, Origin,
    PinnedPlugin, PluginOrigin, Revision, RunId, StepId, TaskId, TimestampMs,
};

use crate::Commit;

/// The definition that sample summaries name.
pub(super) fn definition() -> Digest {
    Digest::of(b"definition")
}

/// A run id; larger numbers are newer.
#[must_use]
pub fn run(n: u64) -> RunId {
    RunId::new(TimestampMs(1_700_000_000_000 + n), u128::from(n))
}

/// A small commit.
#[must_use]
pub fn commit(run: RunId, revision: u64) -> Commit {
    let attempt = u32::try_from(revision % 1000).unwrap_or_default();
    let output = json_of(100 + usize::try_from(revision % 50).unwrap_or_default(), revision);
    let task = TaskId::of(StepId(attempt));
    let events = vec![
        Event::AttemptSucceeded { task, attempt: Attempt(1), output, kv: Vec::new() },
        Event::AttemptScheduled { task, attempt: Attempt(attempt) },
    ];
    commit_with(run, revision, events)
}

/// A commit of `events`.
#[must_use]
pub fn commit_with(run: RunId, revision: u64, events: Vec<Event>) -> Commit {
    let at = TimestampMs(1_700_000_000_000 + revision);
    let summary = RunSummary {
        run,
        workflow: Arc::from("sample"),
        version: "1".to_owned(),
        definition: definition(),
        status: RunStatus::Running,
        revision: Revision(revision),
        started_at: TimestampMs(1_700_000_000_000),
        changed_at: at,
        steps_done: u32::try_from(revision % 1_000_000).unwrap_or_default(),
        steps_total: 7,
        error: revision.is_multiple_of(3).then(|| "why".to_owned()),
        origin: None,
        upgrades: 0,
    };
    let record = Record { revision: Revision(revision), at, events };
    Commit { run, record, summary, snapshot: None }
}

/// A JSON string whose text takes `bytes`, at least 2, different for each `seed`.
#[must_use]
pub fn json_of(bytes: usize, seed: u64) -> Json {
    let seed = seed.to_string();
    let inside = bytes.saturating_sub(2);
    let text: String = seed.chars().cycle().take(inside).collect();
    Json::from_trusted(format!("\"{text}\""))
}

/// The first event of `run`, with two plugins.
#[must_use]
pub fn started(run: RunId, input: Json) -> Event {
    let plugin = |name: &str| PinnedPlugin {
        alias: Arc::from(name),
        digest: Digest::of(name.as_bytes()),
        dirs: vec![
            DirGrant {
                host_path: "/srv/texts".to_owned(),
                guest_path: "/in".to_owned(),
                mode: DirMode::ReadOnly,
            },
            DirGrant {
                host_path: "/srv/out".to_owned(),
                guest_path: "/out".to_owned(),
                mode: DirMode::ReadWrite,
            },
        ],
        limits: Limits::default(),
        determinism: wfhost_workflow::Determinism::default(),
        plugin: None,
    };
    Event::Started(Box::new(RunStarted {
        run,
        workflow: Arc::from("sample"),
        version: "1.2".to_owned(),
        definition: definition(),
        input,
        plugins: vec![plugin("text"), plugin("report")],
        seed: u64::MAX,
        origin: None,
    }))
}

/// The contents that [`started`] names.
pub(super) fn references_of_started() -> HashSet<Digest> {
    [Digest::of(b"text"), Digest::of(b"report")].into()
}

/// One event of every kind, and of every form that its fields can take.
#[must_use]
pub fn every_event() -> Vec<Event> {
    let mut events = first_events();
    events.extend(later_events());
    events.extend(bundle_events());
    events
}

/// Those that came after the first version of the format.
#[must_use]
pub fn later_events() -> Vec<Event> {
    let item = TaskId::item(StepId(3), 7);
    let attempt = Attempt(2);
    let workers = vec!["a".to_owned(), "é \u{0}".to_owned()];
    vec![
        Event::AttemptLost {
            task: item,
            attempt,
            reason: "worker 7 is gone".to_owned(),
            worker: Some("7".to_owned()),
        },
        Event::StepQuarantined { task: item, attempt, workers },
        Event::StepQuarantined { task: TaskId::of(StepId(1)), attempt, workers: Vec::new() },
        Event::StepReleased { task: item },
        Event::RunRetried,
    ]
}

/// Those that came with bundles.
#[must_use]
pub fn bundle_events() -> Vec<Event> {
    let mut of_bundle = started(run(5), json_of(40, 1));
    if let Event::Started(started) = &mut of_bundle {
        started.origin = Some(origin("1.2.0-rc.1"));
        for plugin in &mut started.plugins {
            plugin.plugin =
                Some(PluginOrigin { name: plugin.alias.to_string(), version: "0.3.1".to_owned() });
        }
    }
    let upgraded = |origin: Option<Origin>| {
        let Event::Started(started) = &of_bundle else { return Event::RunRetried };
        Event::Upgraded(Box::new(Upgraded {
            version: "2".to_owned(),
            definition: Digest::of(b"another definition"),
            plugins: started.plugins.clone(),
            origin,
            last_attempt: Attempt(7),
        }))
    };
    let events = [upgraded(Some(origin("2.0.0"))), upgraded(None)];
    std::iter::once(of_bundle).chain(events).collect()
}

/// A commit of what bundles brought, with a summary that says so.
#[must_use]
pub fn bundle_commit(run: RunId, revision: u64, event: Event) -> Commit {
    let mut commit = commit_with(run, revision, vec![event]);
    commit.summary.origin = Some(Digest::of(b"bundle"));
    commit.summary.upgrades = 3;
    commit
}

fn origin(version: &str) -> Origin {
    Origin {
        bundle: "my-agents".to_owned(),
        version: version.to_owned(),
        digest: Digest::of(version.as_bytes()),
        signers: vec!["ed25519:k1 team\n é".to_owned(), String::new()],
    }
}

/// Those that the first version of the format had.
#[must_use]
pub fn first_events() -> Vec<Event> {
    let step = StepId(3);
    let task = TaskId::of(step);
    let item = TaskId::item(step, u32::MAX);
    let attempt = Attempt(2);
    let mut events = vec![
        started(run(1), json_of(40, 1)),
        Event::StepSkipped { step },
        Event::StepCompleted { step, output: StepOutput::Value(Json::null()) },
        Event::StepCompleted { step, output: StepOutput::Parts },
        Event::MapOpened { step, items: 10_000, list: Digest::of(b"list") },
        Event::AttemptScheduled { task, attempt },
        Event::AttemptScheduled { task: item, attempt },
        Event::AttemptSucceeded { task, attempt, output: json_of(30, 2), kv: kv_writes(10) },
        Event::AttemptSucceeded { task: item, attempt, output: Json::null(), kv: Vec::new() },
        Event::AttemptLost { task, attempt, reason: "worker 7 is gone".to_owned(), worker: None },
        Event::Succeeded { output: json_of(50, 3) },
        Event::Failed { task: None, failure: failure(FailureKind::Expression, None) },
        Event::Failed { task: Some(item), failure: failure(FailureKind::Host, None) },
        Event::Cancelled { reason: "Ctrl-C \u{1b}[31m\u{0}é".to_owned() },
    ];
    for (n, kind) in (0_u64..).zip(FailureKind::ALL) {
        let retry_at = n.is_multiple_of(2).then_some(TimestampMs(n));
        let failure = failure(kind, Some(DurationMs(n)));
        events.push(Event::AttemptFailed { task, attempt, failure, retry_at });
    }
    events
}

fn failure(kind: FailureKind, retry_after: Option<DurationMs>) -> Failure {
    let mut failure = Failure::new(kind, "code", "a message\nof two lines");
    failure.retry_after = retry_after;
    failure
}

fn kv_writes(bytes: usize) -> Vec<KvWrite> {
    vec![
        KvWrite { key: "set".to_owned(), value: Some(vec![0xfe; bytes]) },
        KvWrite { key: "delete".to_owned(), value: None },
        KvWrite { key: String::new(), value: Some(Vec::new()) },
    ]
}

/// Every kind of value, each of `bytes`.
pub(super) fn values_of(bytes: usize) -> Vec<Event> {
    let step = StepId(1);
    vec![
        started(run(1), json_of(bytes, 4)),
        Event::StepCompleted { step, output: StepOutput::Value(json_of(bytes, 5)) },
        Event::AttemptSucceeded {
            task: TaskId::of(step),
            attempt: Attempt(1),
            output: json_of(bytes, 6),
            kv: kv_writes(bytes),
        },
        Event::Succeeded { output: json_of(bytes, 7) },
    ]
}

/// The digests of the values in `commit` that do not fit a record.
pub(super) fn large_digests(commit: &Commit) -> Vec<Digest> {
    let mut found = Vec::new();
    let mut add = |bytes: &[u8]| {
        if bytes.len() > 4096 {
            found.push(Digest::of(bytes));
        }
    };
    for event in &commit.record.events {
        match event {
            Event::Started(started) => add(started.input.as_str().as_bytes()),
            Event::StepCompleted { output: StepOutput::Value(output), .. }
            | Event::Succeeded { output } => add(output.as_str().as_bytes()),
            Event::AttemptSucceeded { output, kv, .. } => {
                add(output.as_str().as_bytes());
                kv.iter().filter_map(|write| write.value.as_deref()).for_each(&mut add);
            }
            Event::StepCompleted { output: StepOutput::Parts, .. }
            | Event::StepSkipped { .. }
            | Event::MapOpened { .. }
            | Event::AttemptScheduled { .. }
            | Event::AttemptFailed { .. }
            | Event::AttemptLost { .. }
            | Event::StepQuarantined { .. }
            | Event::StepReleased { .. }
            | Event::RunRetried
            | Event::Upgraded(_)
            | Event::Failed { .. }
            | Event::Cancelled { .. } => {}
        }
    }
    found
}

/// `count` attempts of a map's items: a record of many small events.
pub(super) fn scheduled(count: u32) -> Vec<Event> {
    (0..count)
        .map(|index| Event::AttemptScheduled {
            task: TaskId::item(StepId(2), index),
            attempt: Attempt::FIRST,
        })
        .collect()
}

/// The run's result.
pub(super) fn succeeded(output: Json) -> Vec<Event> {
    vec![Event::Succeeded { output }]
}
