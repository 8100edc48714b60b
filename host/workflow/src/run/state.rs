//! What a run is, as plain values: the part of it that is stored in snapshots.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::eras::{Era, Made};
use super::event::{RunStarted, RunStatus};
use crate::{Attempt, Digest, Failure, Json, Revision, StepId, TaskId, TimestampMs};

/// The first byte of a stored snapshot; one of another format is passed over.
const SNAPSHOT_FORMAT: u8 = 1;
/// That of a run that was upgraded: a program that knows nothing of upgrades must not go on with it.
const SNAPSHOT_FORMAT_UPGRADED: u8 = 2;

/// A run's state as it is stored. Opaque: made by [`super::Run::snapshot`], read by
/// [`super::Run::restore`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Snapshot(State);

impl Snapshot {
    pub(super) fn of(state: &State) -> Self {
        Self(state.clone())
    }

    pub(super) fn into_state(self) -> State {
        self.0
    }

    /// As bytes, for a store.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let upgraded = !self.0.former.is_empty();
        let mut bytes = vec![if upgraded { SNAPSHOT_FORMAT_UPGRADED } else { SNAPSHOT_FORMAT }];
        rmp_serde::encode::write_named(&mut bytes, &self.0)
            .expect("a state holds nothing that MessagePack cannot, and a Vec takes all");
        bytes
    }

    /// The inverse of [`Self::to_bytes`].
    ///
    /// # Errors
    /// Bytes that are no snapshot of this format, or one that contradicts itself.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, super::Unreadable> {
        let snapshot = match bytes.split_first() {
            Some((&(SNAPSHOT_FORMAT | SNAPSHOT_FORMAT_UPGRADED), state)) => {
                rmp_serde::from_slice(state).map(Self).ok()
            }
            _ => None,
        };
        snapshot.filter(Self::is_whole).ok_or(super::Unreadable::Snapshot)
    }

    /// Whether its counts are those of its parts; folding over others would go wrong.
    fn is_whole(&self) -> bool {
        let State { started, steps, over, .. } = &self.0;
        let is_over =
            |step: &&StepState| matches!(step, StepState::Done { .. } | StepState::Skipped { .. });
        started.is_some()
            && steps.iter().filter(is_over).count() == *over as usize
            && steps.iter().all(|step| match step {
                StepState::Mapping(mapping) => mapping.is_whole(),
                StepState::Waiting
                | StepState::Calling(_)
                | StepState::Done { .. }
                | StepState::Skipped { .. } => true,
            })
    }

    /// The definition that it is of.
    pub(super) fn definition(&self) -> Option<Digest> {
        self.0.started.as_ref().map(|started| started.definition)
    }

    /// The revision that it holds.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        self.0.revision
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) started: Option<Box<RunStarted>>,
    pub(super) started_at: TimestampMs,
    pub(super) changed_at: TimestampMs,
    pub(super) revision: Revision,
    pub(super) status: Status,
    pub(super) steps: Vec<StepState>,
    pub(super) kv: Arc<BTreeMap<String, Vec<u8>>>,
    /// Steps that are done or skipped.
    pub(super) over: u32,
    /// Workers that were lost with attempts of a task, since it began or was last released.
    #[serde(default)]
    pub(super) deaths: BTreeMap<TaskId, BTreeSet<String>>,
    /// Attempts up to this number were made before the last upgrade, and do not count.
    #[serde(default)]
    pub(super) attempt_floor: Attempt,
    /// What the run was made from before its upgrades, oldest first.
    #[serde(default)]
    pub(super) former: Vec<Era>,
    /// The record of the last upgrade; 0: there was none.
    #[serde(default)]
    pub(super) since: Revision,
    /// Of steps that have results of before, which versions they are of.
    #[serde(default)]
    pub(super) past: BTreeMap<StepId, Made>,
}

impl State {
    pub(super) fn new(now: TimestampMs) -> Self {
        Self {
            started: None,
            started_at: now,
            changed_at: now,
            revision: Revision::default(),
            status: Status::Running,
            steps: Vec::new(),
            kv: Arc::default(),
            over: 0,
            deaths: BTreeMap::new(),
            attempt_floor: Attempt(0),
            former: Vec::new(),
            since: Revision::default(),
            past: BTreeMap::new(),
        }
    }

    /// Gives a state that is still empty its steps.
    pub(super) fn fit(&mut self, steps: usize) {
        if self.steps.is_empty() {
            self.steps = (0..steps).map(|_| StepState::Waiting).collect();
        }
    }

    pub(super) fn task(&self, task: TaskId) -> Option<&TaskState> {
        match (self.steps.get(task.step.position())?, task.index) {
            (StepState::Calling(calling), None) => Some(&calling.task),
            (StepState::Mapping(mapping), Some(index)) => mapping.tasks.get(index as usize),
            _ => None,
        }
    }

    pub(super) fn task_mut(&mut self, task: TaskId) -> Option<&mut TaskState> {
        match (self.steps.get_mut(task.step.position())?, task.index) {
            (StepState::Calling(calling), None) => Some(&mut calling.task),
            (StepState::Mapping(mapping), Some(index)) => mapping.tasks.get_mut(index as usize),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Status {
    Running,
    Succeeded { output: Json },
    Failed { task: Option<TaskId>, failure: Failure },
    Cancelled { reason: String },
}

impl Status {
    pub(super) const fn is_over(&self) -> bool {
        self.name().is_over()
    }

    pub(super) const fn name(&self) -> RunStatus {
        match self {
            Self::Running => RunStatus::Running,
            Self::Succeeded { .. } => RunStatus::Succeeded,
            Self::Failed { .. } => RunStatus::Failed,
            Self::Cancelled { .. } => RunStatus::Cancelled,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum StepState {
    /// Its needs are not over.
    Waiting,
    /// One call.
    Calling(Box<Calling>),
    /// One call for each item.
    Mapping(Box<Mapping>),
    /// It has a result.
    Done { output: Json, span: Span },
    /// A `when` was false.
    Skipped { at: TimestampMs },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Calling {
    pub(super) task: TaskState,
    pub(super) started_at: TimestampMs,
    /// The newest failure, for people.
    pub(super) failure: Option<Failure>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Mapping {
    pub(super) tasks: Vec<TaskState>,
    pub(super) list: Digest,
    /// The first item that has not begun; all after it have not either.
    pub(super) next: u32,
    /// Items that are under way, in backoff or quarantined.
    pub(super) open: u32,
    pub(super) done: u32,
    pub(super) started_at: TimestampMs,
    /// The highest attempt of any item.
    pub(super) attempt: Attempt,
    pub(super) failure: Option<Failure>,
}

impl Mapping {
    fn is_whole(&self) -> bool {
        self.next as usize <= self.tasks.len() && self.open <= self.next && self.done <= self.next
    }
}

/// From a step's first attempt to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Span {
    pub(super) from: TimestampMs,
    pub(super) to: TimestampMs,
    pub(super) attempt: Attempt,
    /// Of a map; 0 otherwise.
    pub(super) items: u32,
}

/// One call, of a step or of an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum TaskState {
    NotBegun,
    /// An attempt is wanted or under way.
    UnderWay {
        attempt: Attempt,
        failures: u32,
    },
    /// The attempt was the newest; the next is due at a time.
    Backoff {
        attempt: Attempt,
        failures: u32,
        until: TimestampMs,
    },
    /// The attempt was the last: too many workers were lost with it and those before it.
    Quarantined {
        attempt: Attempt,
        failures: u32,
    },
    /// The attempt ended the run, or the run ended before it did and was let go on.
    Failed {
        attempt: Attempt,
    },
    Done {
        output: Json,
        attempt: Attempt,
    },
}

/// Where a task or run stands, by name: one half of what the simulator counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateName {
    /// The run is over.
    RunOver,
    /// No such step or item, or the step has not begun.
    NotBegun,
    /// An attempt is under way, and it is the one named.
    UnderWay,
    /// Another attempt than the one named is under way.
    UnderWayOther,
    /// Waits for its next attempt.
    Backoff,
    /// Kept from more workers.
    Quarantined,
    /// Has its result.
    Done,
    /// For [`super::Input::Retry`]: the run has failed.
    RunFailed,
    /// For inputs that name no task: nothing is under way, nothing in backoff.
    Quiet,
}
