//! A run that is told what happens to its steps by their names.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::definition::Definition;
use crate::run::upgrade::Upgrade;
use crate::run::{AttemptOutcome, Effect, Input, Record, Rejection, Run, RunStarted, Snapshot};
use crate::{
    Attempt, Digest, Failure, FailureKind, Json, PinnedPlugin, RunId, TaskId, TimestampMs,
};

pub(super) const NOW: TimestampMs = TimestampMs(1_000_000);

/// The run, and all that it has stored.
pub(super) struct Story {
    pub(super) run: Run,
    pub(super) records: Vec<Record>,
    pub(super) effects: Vec<Effect>,
    pub(super) definitions: BTreeMap<Digest, Arc<Definition>>,
    pub(super) now: TimestampMs,
}

pub(super) fn text_of(steps: &str) -> String {
    let (head, steps) = steps.split_once("---").unwrap_or(("", steps));
    format!("workflow: w\n{head}\nplugins: {{ p: ./p.wasm }}\nsteps:\n{steps}")
}

pub(super) fn pinned() -> Vec<PinnedPlugin> {
    vec![PinnedPlugin {
        alias: "p".into(),
        digest: Digest::of(b"p"),
        dirs: Vec::new(),
        limits: crate::Limits::default(),
        determinism: crate::Determinism::default(),
        plugin: None,
    }]
}

pub(super) fn version(steps: &str) -> Upgrade {
    let text = text_of(steps);
    Upgrade {
        definition: Arc::new(
            Definition::parse(&text).unwrap_or_else(|p| panic!("{}", p.render("", &text))),
        ),
        digest: Digest::of(text.as_bytes()),
        text: text.into(),
        plugins: pinned(),
        offers: BTreeMap::new(),
        origin: None,
    }
}

impl Story {
    /// A run of these steps, to which `acts` have happened.
    pub(super) fn new(steps: &str, acts: &str) -> Self {
        let version = version(steps);
        let started = RunStarted {
            run: RunId::from_bytes([1; 16]),
            workflow: version.definition.name.clone(),
            version: version.definition.version.clone(),
            definition: version.digest,
            input: Json::parse("{\"n\": 1}").unwrap(),
            plugins: version.plugins.clone(),
            seed: 0,
            origin: None,
        };
        let (run, change) = Run::start(version.definition.clone(), started, NOW);
        let mut story = Self {
            run,
            records: change.record.into_iter().collect(),
            effects: change.effects,
            definitions: [(version.digest, version.definition)].into(),
            now: NOW,
        };
        story.happens(acts);
        story
    }

    /// Words: `a+` succeeds with its attempt's number, `a=1` with that, `a-` fails, `a!x` was lost
    /// with worker x, `m[2]+` is an item, `~` lets backoffs pass.
    pub(super) fn happens(&mut self, acts: &str) {
        for act in acts.split_whitespace() {
            if act == "~" {
                self.now = self.run.next_timer().expect("a backoff");
                self.take(Input::TimersDue).expect("it is due");
                continue;
            }
            let at = act.find(['+', '=', '-', '!']).expect("what happens");
            let (task, how) = (self.task(&act[..at]), &act[at..]);
            let attempt = self.attempt(task).expect("it is under way");
            let outcome = outcome(how, attempt);
            self.take(Input::AttemptEnded { task, attempt, outcome }).expect("it counts");
        }
    }

    pub(super) fn task(&self, name: &str) -> TaskId {
        let (name, index) = match name.split_once('[') {
            Some((name, index)) => (name, index.strip_suffix(']').and_then(|it| it.parse().ok())),
            None => (name, None),
        };
        TaskId { step: self.run.definition.step_named(name).expect("a step"), index }
    }

    pub(super) fn attempt(&self, task: TaskId) -> Option<Attempt> {
        self.run.under_way().find(|(under_way, _)| *under_way == task).map(|(_, attempt)| attempt)
    }

    pub(super) fn take(&mut self, input: Input) -> Result<(), Rejection> {
        if let Input::Upgrade(upgrade) = &input {
            self.definitions.insert(upgrade.digest, upgrade.definition.clone());
        }
        let change = self.run.apply(self.now, input)?;
        self.records.extend(change.record);
        self.effects = change.effects;
        self.check_restores();
        Ok(())
    }

    /// What is read back is what is here, with and without a snapshot at any point.
    pub(super) fn check_restores(&self) {
        let restore = |snapshot, records: &[Record]| {
            let mut find = |digest: &Digest| self.definitions.get(digest).cloned();
            Run::restore(&mut find, snapshot, records.to_vec()).expect("it can be read")
        };
        let whole = self.run.snapshot();
        for cut in 0..=self.records.len() {
            let (before, after) = self.records.split_at(cut);
            let snapshot = (cut > 0).then(|| {
                let bytes = restore(None, before).snapshot().to_bytes();
                Snapshot::from_bytes(&bytes).expect("it can be read")
            });
            let again = restore(snapshot, after);
            assert_eq!(again.snapshot(), whole, "cut after {cut}");
            assert_eq!(again.unmet, self.run.unmet, "cut after {cut}");
            assert_eq!(again.timers, self.run.timers, "cut after {cut}");
        }
    }

    pub(super) fn upgrade(&mut self, steps: &str) -> Result<(), Rejection> {
        self.take(Input::Upgrade(Box::new(version(steps))))
    }

    pub(super) fn name(&self, task: TaskId) -> String {
        let name = self.run.name_of(task.step);
        task.index.map_or_else(|| name.to_string(), |index| format!("{name}[{index}]"))
    }

    /// What was dispatched last, as `a@2 m[0]@3`.
    pub(super) fn dispatched(&self) -> String {
        let orders = self.effects.iter().filter_map(|effect| match effect {
            Effect::Dispatch(order) => Some(format!("{}@{}", self.name(order.task), order.attempt)),
            Effect::Withdraw { .. } | Effect::Ended(_) => None,
        });
        orders.collect::<Vec<_>>().join(" ")
    }

    /// Of each step, where its result came from, as `a:0 m:0x2+1x1`.
    pub(super) fn provenance(&self) -> String {
        let of = |by: &crate::run::MadeBy| match by.items {
            0 => by.era.to_string(),
            items => format!("{}x{items}", by.era),
        };
        let steps = self.run.progress().filter(|progress| !progress.made_by.is_empty());
        let shown = steps.map(|progress| {
            let by: Vec<String> = progress.made_by.iter().map(of).collect();
            format!("{}:{}", progress.step.name, by.join("+"))
        });
        shown.collect::<Vec<_>>().join(" ")
    }
}

pub(super) fn outcome(how: &str, attempt: Attempt) -> AttemptOutcome {
    let succeeded = |output: &str| AttemptOutcome::Succeeded {
        output: Json::parse(output).expect("JSON"),
        kv: Vec::new(),
    };
    match how.split_at(1) {
        ("+", _) => succeeded(&attempt.to_string()),
        ("=", output) => succeeded(output),
        ("-", _) => AttemptOutcome::Failed(Failure::new(FailureKind::Retryable, "c", "m")),
        (_, worker) => {
            AttemptOutcome::Lost { reason: "gone".to_owned(), worker: Some(worker.to_owned()) }
        }
    }
}
