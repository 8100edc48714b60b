//! What must hold of everything that becomes durable, whatever goes wrong.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use wfhost_workflow::definition::StepKind;
use wfhost_workflow::run::{Event, Record, Upgraded};
use wfhost_workflow::{
    Attempt, Definition, Digest, Json, Name, Revision, StepId, TaskId, TimestampMs,
};

/// Something that must never happen, in a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation(pub String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! ensure {
    ($holds:expr, $($message:tt)+) => {
        if !$holds {
            return Err(Violation(format!($($message)+)));
        }
    };
}

/// An account of the durable events, kept independently of the core.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// Every version that the run may have had.
    versions: HashMap<Digest, Arc<Definition>>,
    digest: Digest,
    definition: Arc<Definition>,
    revision: Revision,
    /// No attempt up to this number counts.
    floor: Attempt,
    /// Which step an attempt was made for.
    made_for: HashMap<(TaskId, Attempt), Name>,
    /// Items of a map that had begun when the run was upgraded.
    crowded: HashMap<StepId, usize>,
    newest: HashMap<TaskId, Attempt>,
    open: HashMap<TaskId, Attempt>,
    failures: HashMap<TaskId, u32>,
    not_before: HashMap<TaskId, TimestampMs>,
    results: HashMap<TaskId, Json>,
    items: HashMap<StepId, u32>,
    over: HashSet<StepId>,
    /// By step, item and attempt.
    given: HashSet<(Name, Option<u32>, Attempt, Json)>,
    /// Workers that were lost with attempts of a task.
    deaths: HashMap<TaskId, BTreeSet<String>>,
    /// The last attempts of tasks that no worker may be given.
    quarantined: HashMap<TaskId, Attempt>,
    ended: bool,
    failed: bool,
    retried: u32,
    upgraded: u32,
}

impl Ledger {
    pub(crate) fn new(digest: Digest, definition: Arc<Definition>) -> Self {
        Self {
            versions: [(digest, definition.clone())].into(),
            digest,
            definition,
            revision: Revision::default(),
            floor: Attempt::default(),
            made_for: HashMap::new(),
            crowded: HashMap::new(),
            newest: HashMap::new(),
            open: HashMap::new(),
            failures: HashMap::new(),
            not_before: HashMap::new(),
            results: HashMap::new(),
            items: HashMap::new(),
            over: HashSet::new(),
            given: HashSet::new(),
            deaths: HashMap::new(),
            quarantined: HashMap::new(),
            ended: false,
            failed: false,
            retried: 0,
            upgraded: 0,
        }
    }

    /// The run may be upgraded to this.
    pub(crate) fn knows(&mut self, digest: Digest, definition: Arc<Definition>) {
        self.versions.insert(digest, definition);
    }

    pub(crate) fn version(&self, digest: &Digest) -> Option<Arc<Definition>> {
        self.versions.get(digest).cloned()
    }

    /// The version that is durable.
    pub(crate) const fn digest(&self) -> Digest {
        self.digest
    }

    pub(crate) const fn upgraded(&self) -> u32 {
        self.upgraded
    }

    /// The number up to which none counts, and the highest that was used.
    pub(crate) fn attempts(&self) -> (Attempt, Attempt) {
        (self.floor, self.newest.values().copied().fold(self.floor, Attempt::max))
    }

    /// A worker has computed a result: only such a one may be stored, and only for its step.
    pub(crate) fn was_given(&mut self, step: Name, task: TaskId, attempt: Attempt, output: Json) {
        self.given.insert((step, task.index, attempt, output));
    }

    /// An attempt is about to be sent: it must be durable that it was wanted, for this step.
    pub(crate) fn check_dispatch(
        &self,
        step: &Name,
        task: TaskId,
        attempt: Attempt,
    ) -> Result<(), Violation> {
        let wanted = self.made_for.get(&(task, attempt));
        ensure!(wanted.is_some(), "{task:?} attempt {attempt} was sent before it was durable");
        ensure!(
            wanted == Some(step),
            "{task:?} attempt {attempt} was sent for `{step}` and is one of {wanted:?}"
        );
        Ok(())
    }

    pub(crate) const fn ended(&self) -> bool {
        self.ended
    }

    /// It has ended, and not well.
    pub(crate) const fn failed(&self) -> bool {
        self.failed
    }

    /// How often it was let go on after it had failed.
    pub(crate) const fn retried(&self) -> u32 {
        self.retried
    }

    pub(crate) fn tasks(&self) -> usize {
        self.newest.len()
    }

    /// The result of a step without items.
    pub(crate) fn result_of(&self, step: StepId) -> Option<&Json> {
        self.results.get(&TaskId::of(step))
    }

    pub(crate) fn append(&mut self, record: &Record) -> Result<(), Violation> {
        ensure!(
            record.revision == self.revision.next(),
            "revision {} follows {}",
            record.revision.0,
            self.revision.0
        );
        self.revision = record.revision;
        for event in &record.events {
            let goes_on = self.failed && *event == Event::RunRetried;
            ensure!(!self.ended || goes_on, "{event:?} after the run's end");
            self.event(event, record.at)?;
        }
        Ok(())
    }

    fn event(&mut self, event: &Event, at: TimestampMs) -> Result<(), Violation> {
        match event {
            Event::Started(_) => {
                ensure!(self.revision.0 == 1, "started twice");
                Ok(())
            }
            Event::StepSkipped { step } => self.step_over(*step),
            Event::StepCompleted { step, .. } => {
                let items = self.items.get(step).copied().unwrap_or_default();
                let missing = (0..items)
                    .find(|index| !self.results.contains_key(&TaskId::item(*step, *index)));
                ensure!(missing.is_none(), "{step:?} is complete without item {missing:?}");
                self.step_over(*step)
            }
            Event::MapOpened { step, items, .. } => {
                ensure!(self.items.insert(*step, *items).is_none(), "{step:?} opened twice");
                self.check_needs(*step)
            }
            Event::AttemptScheduled { task, attempt } => self.scheduled(*task, *attempt, at),
            Event::AttemptSucceeded { task, attempt, output, .. } => {
                self.succeeded(*task, *attempt, output)
            }
            Event::AttemptFailed { task, attempt, retry_at, .. } => {
                self.attempt_failed(*task, *attempt, *retry_at)
            }
            Event::AttemptLost { task, attempt, worker, .. } => {
                if let Some(worker) = worker {
                    self.deaths.entry(*task).or_default().insert(worker.clone());
                }
                self.close(*task, *attempt)
            }
            Event::StepQuarantined { task, attempt, workers } => {
                let deaths = self.deaths.get(task).cloned().unwrap_or_default();
                ensure!(
                    deaths.len() >= self.definition.poison_after as usize
                        && deaths.iter().eq(workers),
                    "{task:?} is quarantined after {deaths:?}, for {workers:?}"
                );
                self.quarantined.insert(*task, *attempt);
                Ok(())
            }
            Event::StepReleased { task } => {
                self.deaths.remove(task);
                let kept = self.quarantined.remove(task);
                ensure!(kept.is_some(), "{task:?} is released and was not quarantined");
                Ok(())
            }
            Event::RunRetried => {
                self.goes_on();
                Ok(())
            }
            Event::Upgraded(upgraded) => self.goes_over(upgraded),
            Event::Succeeded { .. } => {
                let all = self.over.len() == self.definition.steps.len();
                ensure!(all && self.open.is_empty(), "succeeded with open steps");
                self.ended = true;
                Ok(())
            }
            Event::Failed { .. } => {
                self.ended = true;
                self.failed = true;
                Ok(())
            }
            Event::Cancelled { .. } => {
                self.ended = true;
                Ok(())
            }
        }
    }

    fn succeeded(
        &mut self,
        task: TaskId,
        attempt: Attempt,
        output: &Json,
    ) -> Result<(), Violation> {
        self.close(task, attempt)?;
        self.deaths.remove(&task);
        let name = self.definition.steps[task.step.position()].name.clone();
        let given = self.given.contains(&(name, task.index, attempt, output.clone()));
        ensure!(given, "{task:?} attempt {attempt} has a result that it never gave");
        let former = self.results.insert(task, output.clone());
        ensure!(former.is_none(), "{task:?} has two results");
        if task.index.is_none() { self.step_over(task.step) } else { Ok(()) }
    }

    fn attempt_failed(
        &mut self,
        task: TaskId,
        attempt: Attempt,
        retry_at: Option<TimestampMs>,
    ) -> Result<(), Violation> {
        self.close(task, attempt)?;
        let failures = self.failures.entry(task).or_default();
        *failures += 1;
        let policy = &self.definition.steps[task.step.position()].retry;
        ensure!(
            *failures < policy.attempts || retry_at.is_none(),
            "{task:?} is tried again after {failures} failures"
        );
        if let Some(retry_at) = retry_at {
            self.not_before.insert(task, retry_at);
        }
        Ok(())
    }

    /// Results, and how far attempts were counted, stay as they are.
    fn goes_on(&mut self) {
        self.failures.clear();
        self.open.clear();
        self.not_before.clear();
        self.deaths.clear();
        self.quarantined.clear();
        self.ended = false;
        self.failed = false;
        self.retried += 1;
    }

    /// What is known of a task goes where its step is now; what was under way is no longer.
    fn goes_over(&mut self, upgraded: &Upgraded) -> Result<(), Violation> {
        let (_, newest) = self.attempts();
        ensure!(
            upgraded.last_attempt >= newest,
            "attempts up to {newest} were used, and those after {} count",
            upgraded.last_attempt
        );
        let Some(new) = self.versions.get(&upgraded.definition).cloned() else {
            return Err(Violation("upgraded to what nobody asked for".to_owned()));
        };
        let former = std::mem::replace(&mut self.definition, new);
        let place = |step: StepId| {
            let name = &former.steps[step.position()].name;
            self.definition
                .step_named(name)
                .ok_or_else(|| Violation(format!("`{name}` has begun and is gone")))
        };
        let place_of = |task: TaskId| Ok(TaskId { step: place(task.step)?, ..task });
        self.newest = moved(&self.newest, place_of)?;
        self.results = moved(&self.results, place_of)?;
        self.not_before = moved(&self.not_before, place_of)?;
        self.quarantined = moved(&self.quarantined, place_of)?;
        self.items = moved(&self.items, place)?;
        self.deaths = moved(&self.deaths, place_of)?;
        self.deaths.retain(|task, _| self.quarantined.contains_key(task));
        self.over = self.over.iter().copied().map(place).collect::<Result<_, _>>()?;
        self.crowded.clear();
        for task in self.newest.keys().filter(|task| !self.results.contains_key(task)) {
            *self.crowded.entry(task.step).or_default() += 1;
        }
        self.failures.clear();
        self.open.clear();
        (self.floor, self.digest) = (upgraded.last_attempt, upgraded.definition);
        self.upgraded += 1;
        self.over.iter().try_for_each(|step| self.check_needs(*step))
    }

    fn scheduled(
        &mut self,
        task: TaskId,
        attempt: Attempt,
        at: TimestampMs,
    ) -> Result<(), Violation> {
        ensure!(
            !self.results.contains_key(&task),
            "{task:?} is tried again although it has a result"
        );
        ensure!(!self.over.contains(&task.step), "{task:?} is tried again although it is over");
        let kept = self.quarantined.get(&task);
        ensure!(kept.is_none(), "{task:?} is tried again although it is quarantined");
        let deaths = self.deaths.get(&task).map_or(0, BTreeSet::len);
        ensure!(
            deaths < self.definition.poison_after as usize,
            "{task:?} is given to another worker after {deaths} were lost with it"
        );
        ensure!(attempt > self.floor, "{task:?} attempt {attempt} is below {}", self.floor);
        let name = self.definition.steps[task.step.position()].name.clone();
        self.made_for.insert((task, attempt), name);
        let former = self.newest.insert(task, attempt);
        ensure!(former < Some(attempt), "{task:?} attempt {attempt} was used before");
        let open = self.open.insert(task, attempt);
        ensure!(open.is_none(), "{task:?} has attempts {open:?} and {attempt} at once");
        let due = self.not_before.remove(&task);
        ensure!(due.is_none_or(|due| due <= at), "{task:?} is tried again too early");
        if let StepKind::Map(map) = &self.definition.steps[task.step.position()].kind {
            let open = self.open.keys().filter(|open| open.step == task.step).count();
            let begun = self.crowded.get(&task.step).copied().unwrap_or_default();
            let max = begun.max(map.at_once as usize);
            ensure!(open <= max, "{:?} has {open} items at once", task.step);
        }
        self.check_needs(task.step)
    }

    fn close(&mut self, task: TaskId, attempt: Attempt) -> Result<(), Violation> {
        // A worker that was only cut off may still end what was given up.
        if self.quarantined.get(&task) == Some(&attempt) {
            self.quarantined.remove(&task);
            self.deaths.remove(&task);
            return Ok(());
        }
        let open = self.open.remove(&task);
        ensure!(
            open == Some(attempt),
            "{task:?}: the end of attempt {attempt} counts while {open:?} is open"
        );
        Ok(())
    }

    fn step_over(&mut self, step: StepId) -> Result<(), Violation> {
        ensure!(self.over.insert(step), "{step:?} is over twice");
        self.check_needs(step)
    }

    fn check_needs(&self, step: StepId) -> Result<(), Violation> {
        let unmet = self.definition.steps[step.position()]
            .needs
            .iter()
            .find(|need| !self.over.contains(need));
        ensure!(unmet.is_none(), "{step:?} began before {unmet:?} was over");
        Ok(())
    }
}

/// The same by where the steps are now.
fn moved<K: Copy + Eq + Hash, V: Clone>(
    known: &HashMap<K, V>,
    place: impl Fn(K) -> Result<K, Violation>,
) -> Result<HashMap<K, V>, Violation> {
    known.iter().map(|(key, value)| Ok((place(*key)?, value.clone()))).collect()
}
