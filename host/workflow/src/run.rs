//! The run state machine: inputs in, a record to store and effects to carry out, out.
//!
//! `apply` computes; the caller stores the record and only then acts on the effects. The state
//! changes by folding events alone, so that a run that is read back is the run that was stored.
//! Invariants: a task's attempt numbers only rise; a task's result is folded once; nothing is
//! folded after the run is over.

mod advance;
mod attempt_ended;
mod cancelled;
mod eras;
mod event;
mod fold;
mod quarantine;
mod recovered;
mod retried;
mod retry;
mod state;
mod timers_due;
mod upgrade;
mod view;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

pub use eras::{Era, MadeBy};
pub use event::{Event, KvWrite, Record, RunStarted, RunStatus, RunSummary, StepOutput, Upgraded};
pub use state::{Snapshot, StateName};
pub use upgrade::{Standing, UPGRADES_MAX, Upgrade, UpgradeProblem};
pub use view::{StepProgress, StepStanding};

use crate::expression::{RunFacts, Template};
use crate::{
    Attempt, Definition, Digest, Failure, Json, Name, PinnedPlugin, Revision, RunId, StepId,
    TaskId, TimestampMs,
};
use state::{State, Status, TaskState};

/// One run in memory: its definition, its state, and what can be made again from both.
#[derive(Debug)]
pub struct Run {
    definition: Arc<Definition>,
    facts: RunFacts,
    state: State,
    /// For each step, how many of its needs are not over yet.
    unmet: Vec<u32>,
    /// When tasks in backoff are due.
    timers: BTreeSet<(TimestampMs, TaskId)>,
    /// Lists of open maps, evaluated once in this process.
    opened: HashMap<StepId, OpenedMap>,
}

/// A map's list and its input, with everything outside the item already evaluated.
#[derive(Debug)]
struct OpenedMap {
    items: Vec<Json>,
    with: Template,
}

/// What can happen to a run.
#[derive(Debug, Clone)]
pub enum Input {
    /// The run was read back: redo what may have been lost.
    Recover,
    /// An attempt is over, or given up.
    AttemptEnded {
        /// Which step or item.
        task: TaskId,
        /// Which try.
        attempt: Attempt,
        /// How.
        outcome: AttemptOutcome,
    },
    /// It is [`Run::next_timer`] or later.
    TimersDue,
    /// Somebody wants it to end.
    Cancel {
        /// For people.
        reason: String,
    },
    /// Somebody lets quarantined tasks be tried again.
    Release {
        /// Which step or item; without an index, every item of a `map`. `None`: all there are.
        task: Option<TaskId>,
    },
    /// Somebody wants a run that has failed to go on from where it failed.
    Retry,
    /// Somebody wants it to go on with another version of its workflow.
    Upgrade(Box<Upgrade>),
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum AttemptOutcome {
    /// With a result.
    Succeeded {
        /// The step's output.
        output: Json,
        /// Its writes to the run's key-value store.
        kv: Vec<KvWrite>,
    },
    /// Without one.
    Failed(Failure),
    /// Nobody knows: its worker is gone. Does not count against the retry policy.
    Lost {
        /// For people.
        reason: String,
        /// Whose end it was, if the step may have been its cause: a name that is the same for
        /// all its attempts there. `None`: not the step's doing, such as a coordinator's restart.
        worker: Option<String>,
    },
}

/// Why an input changed nothing. Not an error: late and repeated messages are normal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Rejection {
    /// The run has ended.
    #[error("the run is over")]
    RunOver,
    /// The definition has no such step, or the list no such item.
    #[error("there is no such step")]
    UnknownTask,
    /// No attempt of the step is under way.
    #[error("no attempt of the step is under way")]
    NotUnderWay,
    /// Another attempt is under way.
    #[error("another attempt is under way")]
    StaleAttempt,
    /// No timer is due.
    #[error("nothing is due")]
    NothingDue,
    /// A release of what is not kept.
    #[error("the step is not quarantined")]
    NotQuarantined,
    /// A retry of a run that has not failed.
    #[error("the run has not failed")]
    NotFailed,
    /// The run cannot go on with this version.
    #[error("it cannot be upgraded: {}", reasons(.0))]
    CannotUpgrade(Vec<UpgradeProblem>),
}

fn reasons(problems: &[UpgradeProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What to store, and what to do once it is stored.
#[derive(Debug)]
#[must_use = "store the record, then carry out the effects"]
pub struct Change {
    /// `None`: nothing changed that must be stored; the effects may be carried out at once.
    pub record: Option<Record>,
    /// In order.
    pub effects: Vec<Effect>,
}

/// What the world outside has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Have an attempt run.
    Dispatch(Box<Order>),
    /// Its result no longer matters: stop it if that is cheap.
    Withdraw {
        /// Which step or item.
        task: TaskId,
        /// Which try.
        attempt: Attempt,
    },
    /// The run is over.
    Ended(RunStatus),
}

/// An attempt that is to be run.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Which step or item.
    pub task: TaskId,
    /// Which try.
    pub attempt: Attempt,
    /// The function's input.
    pub input: Json,
}

impl Run {
    /// Begins a run; the change holds its first record.
    ///
    /// `started.plugins` must be in the order of the definition's plugins.
    pub fn start(
        definition: Arc<Definition>,
        started: RunStarted,
        now: TimestampMs,
    ) -> (Self, Change) {
        let mut run = Self::new(definition, State::new(now));
        let mut change = Pending::new(now);
        run.push(&mut change, Event::Started(Box::new(started)));
        run.begin_ready_steps(&mut change);
        let change = run.finish(change);
        (run, change)
    }

    /// Reads a run back from what was stored. Apply [`Input::Recover`] before anything else.
    /// `definitions` finds the definition whose text has a digest; it is asked for each version
    /// that the run has had since the snapshot.
    ///
    /// # Errors
    /// Records that do not follow one another, or do not fit their definition.
    pub fn restore(
        definitions: &mut dyn FnMut(&Digest) -> Option<Arc<Definition>>,
        snapshot: Option<Snapshot>,
        records: Vec<Record>,
    ) -> Result<Self, Unreadable> {
        let mut find =
            |digest: Digest| definitions(&digest).ok_or(Unreadable::NoDefinition(digest));
        let definition = find(first_definition(snapshot.as_ref(), &records)?)?;
        let first = records.first().map_or(TimestampMs(0), |record| record.at);
        let state = snapshot.map_or_else(|| State::new(first), Snapshot::into_state);
        if state.started.is_some() && state.steps.len() != definition.steps.len() {
            return Err(Unreadable::OtherDefinition);
        }
        let mut run = Self::new(definition, state);
        for record in records {
            if record.revision != run.state.revision.next() {
                return Err(Unreadable::Gap { after: run.state.revision, found: record.revision });
            }
            for event in &record.events {
                if let Event::Upgraded(upgraded) = event {
                    let definition = find(upgraded.definition)?;
                    run.check_upgrade_fits(upgraded, &definition)?;
                    run.fold_upgraded(upgraded, definition);
                    continue;
                }
                run.check_fits(event)?;
                run.fold(event, record.at);
            }
            run.state.revision = record.revision;
            run.state.changed_at = record.at;
        }
        if run.state.started.is_none() {
            return Err(Unreadable::Empty);
        }
        run.rebuild();
        Ok(run)
    }

    /// Takes one input at the time `now`.
    ///
    /// # Errors
    /// A rejection says why nothing changed; the run goes on as it was.
    pub fn apply(&mut self, now: TimestampMs, input: Input) -> Result<Change, Rejection> {
        if self.state.status.is_over() && !matches!(input, Input::Retry) {
            return Err(Rejection::RunOver);
        }
        let mut change = Pending::new(now);
        match input {
            Input::Recover => self.recovered(&mut change),
            Input::AttemptEnded { task, attempt, outcome } => {
                self.attempt_ended(&mut change, task, attempt, outcome)?;
            }
            Input::TimersDue => self.timers_due(&mut change)?,
            Input::Cancel { reason } => self.cancelled(&mut change, reason),
            Input::Release { task } => self.released(&mut change, task)?,
            Input::Retry => self.retried(&mut change)?,
            Input::Upgrade(upgrade) => self.upgraded(&mut change, &upgrade)?,
        }
        Ok(self.finish(change))
    }

    /// The order of an attempt that is wanted or under way, made again: its input is the same.
    /// `None`: it is neither.
    pub fn order(&mut self, task: TaskId, attempt: Attempt) -> Option<Order> {
        let is_it = matches!(self.state.task(task), Some(TaskState::UnderWay { attempt: current, .. }) if *current == attempt);
        if !is_it || self.state.status.is_over() {
            return None;
        }
        // It had a value when the attempt was scheduled, and what it is made from does not change.
        let input = self.task_input(task).ok()?;
        Some(Order { task, attempt, input })
    }

    /// When [`Input::TimersDue`] is wanted next.
    #[must_use]
    pub fn next_timer(&self) -> Option<TimestampMs> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// The run's id.
    #[must_use]
    pub const fn id(&self) -> RunId {
        self.facts.id
    }

    /// What it runs.
    #[must_use]
    pub const fn definition(&self) -> &Arc<Definition> {
        &self.definition
    }

    /// The number of its commits.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        self.state.revision
    }

    /// Where it stands.
    #[must_use]
    pub const fn status(&self) -> RunStatus {
        self.state.status.name()
    }

    /// Its output, once it has succeeded.
    #[must_use]
    pub const fn output(&self) -> Option<&Json> {
        match &self.state.status {
            Status::Succeeded { output } => Some(output),
            Status::Running | Status::Failed { .. } | Status::Cancelled { .. } => None,
        }
    }

    /// Its key-value store as it is now.
    #[must_use]
    pub const fn kv(&self) -> &Arc<BTreeMap<String, Vec<u8>>> {
        &self.state.kv
    }

    /// Attempts with this number, or one below it, were made before its last upgrade. They count
    /// for nothing, and their positions may mean other steps now.
    #[must_use]
    pub const fn attempt_floor(&self) -> Attempt {
        self.state.attempt_floor
    }

    /// The attempts that are wanted or under way: after a restart, those that a worker may have.
    pub fn under_way(&self) -> impl Iterator<Item = (TaskId, Attempt)> {
        self.tasks().filter_map(|(task, state)| match state {
            TaskState::UnderWay { attempt, .. } => Some((task, *attempt)),
            TaskState::NotBegun
            | TaskState::Backoff { .. }
            | TaskState::Quarantined { .. }
            | TaskState::Failed { .. }
            | TaskState::Done { .. } => None,
        })
    }

    /// The plugins that it pinned, in the order of the definition.
    #[must_use]
    pub fn plugins(&self) -> &[PinnedPlugin] {
        self.state.started.as_ref().map_or(&[], |started| &started.plugins)
    }

    /// The plugin that a step calls.
    #[must_use]
    pub fn plugin_of(&self, step: StepId) -> Option<&PinnedPlugin> {
        let call = self.definition.steps.get(step.position())?.kind.call()?;
        self.plugins().get(call.plugin)
    }

    /// Its input.
    #[must_use]
    pub fn input(&self) -> Json {
        self.state.started.as_ref().map_or_else(Json::null, |started| started.input.clone())
    }

    /// What must be kept to read it back without its journal.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.state)
    }

    fn new(definition: Arc<Definition>, state: State) -> Self {
        let (id, workflow) = state.started.as_ref().map_or_else(
            || (RunId::from_bytes([0; 16]), definition.name.clone()),
            |started| (started.run, started.workflow.clone()),
        );
        let mut run = Self {
            definition,
            facts: RunFacts { id, workflow },
            state,
            unmet: Vec::new(),
            timers: BTreeSet::new(),
            opened: HashMap::new(),
        };
        run.state.fit(run.definition.steps.len());
        run.rebuild();
        run
    }

    fn push(&mut self, change: &mut Pending, event: Event) {
        self.fold(&event, change.now);
        change.events.push(event);
    }

    fn finish(&mut self, change: Pending) -> Change {
        if change.events.is_empty() {
            return Change { record: None, effects: change.effects };
        }
        self.state.revision = self.state.revision.next();
        self.state.changed_at = change.now;
        let mut effects = change.effects;
        if self.state.status.is_over() {
            // Whatever was to begin in the same change is pointless now.
            effects.retain(|effect| !matches!(effect, Effect::Dispatch(_)));
            effects.push(Effect::Ended(self.status()));
        }
        Change {
            record: Some(Record {
                revision: self.state.revision,
                at: change.now,
                events: change.events,
            }),
            effects,
        }
    }
}

/// A change while it is being decided.
struct Pending {
    now: TimestampMs,
    events: Vec<Event>,
    effects: Vec<Effect>,
}

impl Pending {
    const fn new(now: TimestampMs) -> Self {
        Self { now, events: Vec::new(), effects: Vec::new() }
    }
}

/// Why stored records give no run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// There is no first record.
    #[error("the run's journal is empty")]
    Empty,
    /// The snapshot is of another format, or damaged.
    #[error("the run's snapshot cannot be read")]
    Snapshot,
    /// A record is missing or repeated.
    #[error("the run's journal goes from revision {} to {}", after.0, found.0)]
    Gap {
        /// The last that was read.
        after: Revision,
        /// The one that came instead of the next.
        found: Revision,
    },
    /// The definition is not the one that the run was started with.
    #[error("the run was started with another definition")]
    OtherDefinition,
    /// A definition is missing.
    #[error("the run's workflow file {0} cannot be read")]
    NoDefinition(Digest),
    /// An event names a step or item that does not exist, or comes before the first.
    #[error("the run's journal holds an event that does not fit its definition")]
    Misfit,
}

/// The definition that what is stored begins with.
fn first_definition(snapshot: Option<&Snapshot>, records: &[Record]) -> Result<Digest, Unreadable> {
    if let Some(snapshot) = snapshot {
        return snapshot.definition().ok_or(Unreadable::Snapshot);
    }
    match records.first().ok_or(Unreadable::Empty)?.events.first() {
        Some(Event::Started(started)) => Ok(started.definition),
        Some(_) | None => Err(Unreadable::Misfit),
    }
}

/// The name of a step, for messages.
pub(crate) fn step_name(definition: &Definition, step: StepId) -> Name {
    definition.steps.get(step.position()).map_or_else(|| Name::from("?"), |step| step.name.clone())
}

#[cfg(test)]
mod tests;
