//! What is stored of a run: records of events, a summary, now and then its whole state.

use serde::{Deserialize, Serialize};

use crate::{
    Attempt, Digest, Failure, Json, Name, Origin, PinnedPlugin, Revision, RunId, StepId, TaskId,
    TimestampMs,
};

/// Everything that one commit adds to a run's journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// One more than the record before it; the first is 1.
    pub revision: Revision,
    /// When the change was decided.
    pub at: TimestampMs,
    /// In the order in which they were applied.
    pub events: Vec<Event>,
}

/// One thing that happened to a run. Folding a run's events from the first gives its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The run exists. Always the first, never again.
    Started(Box<RunStarted>),
    /// A `when` was false, here or around the step: its result is `null`.
    StepSkipped {
        /// Which step.
        step: StepId,
    },
    /// A step that needs no worker has its result (`set`, `parallel`, an empty or complete `map`).
    StepCompleted {
        /// Which step.
        step: StepId,
        /// The result; a `map`'s and a `parallel`'s are made from their parts when read back.
        output: StepOutput,
    },
    /// A `map` has evaluated its list; its items come from the same expression when read back.
    MapOpened {
        /// Which step.
        step: StepId,
        /// How many items.
        items: u32,
        /// Of the list's JSON text, so that a different reading is noticed.
        list: Digest,
    },
    /// An attempt is wanted: committed before anything is dispatched.
    AttemptScheduled {
        /// Which step or item.
        task: TaskId,
        /// Never used before for this task.
        attempt: Attempt,
    },
    /// An attempt succeeded and its result counts.
    AttemptSucceeded {
        /// Which step or item.
        task: TaskId,
        /// The attempt that succeeded.
        attempt: Attempt,
        /// The step's result.
        output: Json,
        /// What it wrote to the run's key-value store.
        kv: Vec<KvWrite>,
    },
    /// An attempt failed.
    AttemptFailed {
        /// Which step or item.
        task: TaskId,
        /// The attempt that failed.
        attempt: Attempt,
        /// Why.
        failure: Failure,
        /// When the next attempt is due; `None`: the step has failed.
        retry_at: Option<TimestampMs>,
    },
    /// An attempt's worker is gone, or its process was: it does not count against the policy.
    AttemptLost {
        /// Which step or item.
        task: TaskId,
        /// The attempt that was lost.
        attempt: Attempt,
        /// For people.
        reason: String,
        /// The worker that may have died of it.
        worker: Option<String>,
    },
    /// So many workers were lost with attempts of a task that no other is given it.
    StepQuarantined {
        /// Which step or item.
        task: TaskId,
        /// The last attempt.
        attempt: Attempt,
        /// The workers, in the order of their names.
        workers: Vec<String>,
    },
    /// Somebody released a quarantined task: the next attempt is scheduled.
    StepReleased {
        /// Which step or item.
        task: TaskId,
    },
    /// Somebody let a failed run go on: what was under way or had failed is wanted again.
    RunRetried,
    /// Somebody let the run go on with another version: what has begun is where its step's name
    /// is, and ids are positions in that definition from here on.
    Upgraded(Box<Upgraded>),
    /// The run ended with a result.
    Succeeded {
        /// The workflow's output.
        output: Json,
    },
    /// The run ended without one.
    Failed {
        /// The step or item whose failure ended it; `None`: the output's expression.
        task: Option<TaskId>,
        /// Why.
        failure: Failure,
    },
    /// The run was cancelled.
    Cancelled {
        /// Who or why, for people.
        reason: String,
    },
}

/// The result of a step that ran no component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepOutput {
    /// The value itself.
    Value(Json),
    /// Made from the results of items or branches, which are stored with them.
    Parts,
}

/// What a run is made from, pinned for its whole life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStarted {
    /// The run's id.
    pub run: RunId,
    /// The workflow's name, for lists.
    pub workflow: Name,
    /// The workflow's version, for lists.
    pub version: String,
    /// Of the workflow file's text, which is kept by content.
    pub definition: Digest,
    /// The run's input, checked against the definition's schema.
    pub input: Json,
    /// In the order of the definition's plugins.
    pub plugins: Vec<PinnedPlugin>,
    /// From which retry jitter is derived; chosen once, at random.
    pub seed: u64,
    /// The bundle that it was started from. `None`: it was started from a file.
    #[serde(default)]
    pub origin: Option<Origin>,
}

/// What a run is made from since it was upgraded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upgraded {
    /// The workflow's version, for lists.
    pub version: String,
    /// Of the workflow file's text, which is kept by content.
    pub definition: Digest,
    /// In the order of the definition's plugins.
    pub plugins: Vec<PinnedPlugin>,
    /// The bundle that it came from. `None`: it came from a file.
    pub origin: Option<Origin>,
    /// No attempt with this number, or one below it, counts any more.
    pub last_attempt: Attempt,
}

/// One write to the run's key-value store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvWrite {
    /// The key.
    pub key: String,
    /// The new value; `None` deletes.
    #[serde(with = "serde_bytes")]
    pub value: Option<Vec<u8>>,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunStatus {
    /// Open: there are steps to run. Without a process that serves it, it is shown as `interrupted`.
    Running,
    /// Ended with an output.
    Succeeded,
    /// Ended by a step's failure.
    Failed,
    /// Ended by a person or a client.
    Cancelled,
}

impl RunStatus {
    /// The word in lists and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more will happen.
    #[must_use]
    pub const fn is_over(self) -> bool {
        !matches!(self, Self::Running)
    }
}

/// What lists show of a run; rewritten with every commit, so it stays small.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSummary {
    /// The run's id.
    pub run: RunId,
    /// The workflow's name.
    pub workflow: Name,
    /// The workflow's version.
    pub version: String,
    /// Of the workflow file's text.
    pub definition: Digest,
    /// Where it stands.
    pub status: RunStatus,
    /// The number of its commits.
    pub revision: Revision,
    /// When it was started.
    pub started_at: TimestampMs,
    /// When it last changed; of an ended run, when it ended.
    pub changed_at: TimestampMs,
    /// Steps that are done or skipped.
    pub steps_done: u32,
    /// Steps of the definition.
    pub steps_total: u32,
    /// Why it failed or was cancelled, cut to 500 bytes.
    pub error: Option<String>,
    /// The bundle version that it runs now, by digest. `None`: none, it was started from a file.
    #[serde(default)]
    pub origin: Option<Digest>,
    /// How often it was upgraded.
    #[serde(default)]
    pub upgrades: u32,
}
