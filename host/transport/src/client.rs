//! What commands ask of the process that holds a data folder, and what it answers.
//!
//! The same requests are answered in the process itself when it holds the folder.

mod deploys;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wfhost_workflow::{
    Digest, Json, PinnedPlugin, Revision, RunId, TimestampMs,
    run::{Era, MadeBy, RunStatus, RunSummary},
};

use crate::message::{LogLevel, LogLine};

pub use deploys::{
    BundleChange, Canary, Deploy, GET_BYTES_MAX, Seen, ShownBundle, ShownCanary, ShownChange,
    ShownCounts, ShownSigner, ShownVersion, StartDeployed, Started,
};

/// One request of a client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Starts a run. The definition's text and the components are in the folder's content store
    /// before this is sent. Sent twice with the same id, it starts one run.
    Start(Box<Start>),
    /// Which of these contents are not in the content store. Those that are stay there for long
    /// enough to start a run with them.
    Has {
        /// Any number that fits a request.
        digests: Vec<Digest>,
    },
    /// A part of a content for the content store. One that is repeated or does not come next
    /// changes nothing; the answer says which comes next.
    Put {
        /// Of the whole content, checked when all of it is there.
        digest: Digest,
        /// Where the part begins.
        offset: u64,
        /// The content's length.
        total: u64,
        /// At most [`crate::codec::CHUNK_BYTES`].
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// A part of a content.
    Get {
        /// Which.
        digest: Digest,
        /// From which byte.
        offset: u64,
        /// How many, at most [`GET_BYTES_MAX`].
        len: u32,
    },
    /// Starts a run of a deployed workflow. Sent twice with the same id, it starts one run.
    StartDeployed(Box<StartDeployed>),
    /// Deploys a version of a bundle, or says whether it could be.
    Deploy(Box<Deploy>),
    /// Changes what is deployed under a name.
    ChangeBundle {
        /// The bundle's name.
        name: String,
        /// How.
        change: BundleChange,
    },
    /// What is deployed.
    Bundles,
    /// What is deployed under a name.
    Bundle {
        /// The bundle's name.
        name: String,
    },
    /// Goes on with an open run that nobody serves.
    Resume {
        /// Which run.
        run: RunId,
    },
    /// Goes on with a failed run, from what failed.
    Retry {
        /// Which run.
        run: RunId,
    },
    /// Lets steps of an open run go on that were taken for the death of their workers.
    Release {
        /// Which run.
        run: RunId,
        /// Which step; `None`: every one.
        step: Option<String>,
    },
    /// The workers that are there.
    Workers,
    /// Gives a worker nothing more; it leaves when what it runs is done.
    DrainWorker {
        /// A [`ShownWorker::id`].
        worker: String,
    },
    /// Puts a worker out: what it runs is begun again elsewhere.
    RemoveWorker {
        /// A [`ShownWorker::id`].
        worker: String,
    },
    /// Says how many workers the process that serves keeps on its machine.
    Scale {
        /// How many.
        workers: u32,
    },
    /// The pool of local workers.
    Pool,
    /// Has the workers that take steps fetch and compile components before a step wants them, and
    /// says how far they are: to be asked again until they are done. Components are in the content
    /// store before this is sent. What failed is tried again once nobody has asked for a while.
    Prefetch {
        /// At most [`crate::message::PREFETCH_MAX`].
        components: Vec<Digest>,
    },
    /// Ends an open run.
    Cancel {
        /// Which run.
        run: RunId,
        /// For people.
        reason: String,
    },
    /// Summaries, newest first.
    List {
        /// Only those before this id.
        before: Option<RunId>,
        /// At most this many.
        limit: u32,
        /// Only these; empty: all.
        status: Vec<ShownStatus>,
    },
    /// The runs whose id begins with this text, at most two; `latest` gives the newest.
    Find {
        /// A prefix of an id, or `latest`.
        prefix: String,
    },
    /// One run in detail.
    Show {
        /// Which run.
        run: RunId,
    },
    /// The journal, for people and scripts.
    Events {
        /// Which run.
        run: RunId,
        /// Only those after this revision.
        after: Revision,
        /// At most this many records.
        limit: u32,
    },
    /// Log lines of the run's steps.
    Logs {
        /// Which run.
        run: RunId,
        /// Skip this many bytes of the run's log.
        offset: u64,
    },
    /// The output of an ended run, or of one of its steps.
    Output {
        /// Which run.
        run: RunId,
        /// A step's name; `None`: the run's.
        step: Option<String>,
    },
    /// Removes an ended run.
    Remove {
        /// Which run.
        run: RunId,
    },
    /// Waits until the run is over, at most `wait_ms`.
    Await {
        /// Which run.
        run: RunId,
        /// At most this long.
        wait_ms: u64,
    },
    /// Waits until the run's state differs from `seen`, at most `wait_ms`, and gives it.
    Watch {
        /// Which run.
        run: RunId,
        /// The tick of the last view that the client has; 0 at first.
        seen: u64,
        /// At most this long.
        wait_ms: u64,
    },
}

/// What a run is started from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// Chosen by the client, so that a repeated request is noticed.
    pub run: RunId,
    /// Of the workflow file's text, in the content store.
    pub definition: Digest,
    /// The run's input.
    pub input: Json,
    /// In the order of the definition's plugins; components are in the content store.
    pub plugins: Vec<PinnedPlugin>,
}

/// The answer to a [`Request`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// To `Start`, `Resume`, `Retry`, `Release`, `Cancel`, `Remove`: it is durable. To
    /// `DrainWorker`, `RemoveWorker`, `Scale`: it is under way.
    Done,
    /// To `Workers`: in the order of their ids.
    Workers(Vec<ShownWorker>),
    /// To `Pool`.
    Pool(ShownPool),
    /// To `Prefetch`: those that take steps now, in the order of their ids.
    Prefetched(Vec<PrefetchedAt>),
    /// To `Has`: these are not there.
    Missing {
        /// In the order of the request.
        digests: Vec<Digest>,
    },
    /// To `Put`.
    Received {
        /// Where the next part begins; the content's length when it is stored.
        next: u64,
    },
    /// To `Get`.
    Part {
        /// The content's length.
        total: u64,
        /// As many as were asked for, or those up to its end.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// To `StartDeployed`: it is durable. `None`: the run was there already.
    Started(Option<Box<Started>>),
    /// To `Deploy`, `ChangeBundle` and `Bundle`: as it is now, durable; to a plan, as it would be.
    Bundle(Box<ShownBundle>),
    /// To `Bundles`: in the order of their names, without their histories.
    Bundles(Vec<ShownBundle>),
    /// To `List` and `Find`.
    Runs(Vec<ShownRun>),
    /// To `Show` and `Watch`.
    Run(Box<RunView>),
    /// To `Events`: one JSON object an event.
    Events {
        /// In order.
        events: Vec<ShownEvent>,
        /// Ask again with this revision; `None`: there is no more.
        next: Option<Revision>,
    },
    /// To `Logs`.
    Logs {
        /// In order.
        lines: Vec<ShownLogLine>,
        /// Ask again with this offset; the same as asked for where there is no more.
        offset: u64,
    },
    /// To `Output`.
    Output(Json),
    /// To `Await`.
    Ended {
        /// `Running`: the time was over first.
        status: RunStatus,
        /// What it gave.
        output: Option<Json>,
        /// Why it gave nothing.
        error: Option<String>,
    },
    /// It could not be done.
    Refused(Refusal),
}

/// Why a request was not carried out; decides about the exit code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// No such run, or no such step in it.
    #[error("{0}")]
    NotFound(String),
    /// Not in this state of the run.
    #[error("{0}")]
    WrongState(String),
    /// Definition or input is not valid.
    #[error("{0}")]
    Invalid(String),
    /// Whoever asks may not.
    #[error("{0}")]
    Denied(String),
    /// The store failed; nothing was done.
    #[error("{0}")]
    Store(String),
    /// The holder is stopping, or has too much to do.
    #[error("{0}")]
    Unavailable(String),
}

/// A status as a person sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShownStatus {
    /// Open, and a process serves it.
    Running,
    /// Open, and no process serves it: `resume` goes on.
    Interrupted,
    /// Ended with an output.
    Succeeded,
    /// Ended by a failure.
    Failed,
    /// Ended by a person or client.
    Cancelled,
}

impl ShownStatus {
    /// From what is stored, and whether a process serves the run.
    #[must_use]
    pub const fn of(status: RunStatus, served: bool) -> Self {
        match (status, served) {
            (RunStatus::Running, true) => Self::Running,
            (RunStatus::Running, false) => Self::Interrupted,
            (RunStatus::Succeeded, _) => Self::Succeeded,
            (RunStatus::Failed, _) => Self::Failed,
            (RunStatus::Cancelled, _) => Self::Cancelled,
        }
    }
}

/// A line of `runs list`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShownRun {
    /// As stored.
    pub summary: RunSummary,
    /// As shown.
    pub status: ShownStatus,
}

/// `runs show` and live progress.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunView {
    /// Rises with every change of the view, stored or not.
    pub tick: u64,
    /// As in lists.
    pub run: ShownRun,
    /// In the order of the definition.
    pub steps: Vec<StepView>,
    /// The run's input, if it is at most 4 KiB.
    pub input: Option<Json>,
    /// The run's output, if there is one and it is at most 4 KiB.
    pub output: Option<Json>,
    /// What the run pinned.
    pub plugins: Vec<PinnedPlugin>,
    /// Of a run that was upgraded, or is of a bundle: all versions that it has had, the one of now last.
    #[serde(default)]
    pub versions: Vec<Era>,
}

/// One step in a [`RunView`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepView {
    /// The step's name.
    pub name: String,
    /// `call`, `map`, `set`, `parallel`.
    pub kind: String,
    /// Where it stands.
    pub state: StepShown,
    /// For a `map`: items done and in all.
    pub items: Option<(u32, u32)>,
    /// The newest attempt's number (of a `map`: the highest of its items).
    pub attempt: u32,
    /// Attempts under way now.
    pub running: u32,
    /// When its first attempt was scheduled.
    pub started_at: Option<TimestampMs>,
    /// When it ended.
    pub ended_at: Option<TimestampMs>,
    /// The newest failure, also while it is retried.
    pub error: Option<String>,
    /// When the next attempt is due.
    pub retry_at: Option<TimestampMs>,
    /// What the newest attempt says of itself; from a guest.
    pub progress: Option<crate::message::Progress>,
    /// The workers that attempts of it are at: their names, and the beginnings of their ids.
    /// Only `Show` tells.
    #[serde(default)]
    pub workers: Vec<String>,
    /// Why an attempt of it is not at a worker. Only `Show` tells.
    #[serde(default)]
    pub why: Option<String>,
    /// Of a run that was upgraded, or is of a bundle: of which versions what the step has is; positions in
    /// [`RunView::versions`].
    #[serde(default)]
    pub made_by: Vec<MadeBy>,
}

/// A worker, for people and scripts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShownWorker {
    /// What it is called in requests: its key, or what its process is called where it has none.
    pub id: String,
    /// What people call it; its own word.
    pub name: String,
    /// Its public key; `None`: it is on the coordinator's machine.
    pub key: Option<String>,
    /// Its process, if the coordinator's own pool keeps it.
    #[serde(default)]
    pub managed: Option<u32>,
    /// Of its program; its own word.
    pub version: String,
    /// Attempts that it takes at once.
    pub slots: u32,
    /// How many it has.
    pub busy: u32,
    /// What steps may require of it.
    pub labels: BTreeMap<String, String>,
    /// What it is given.
    pub state: WorkerState,
    /// When it joined.
    pub joined_at: TimestampMs,
    /// How long it has been silent.
    pub heard_ms_ago: u64,
    /// What it has; of many, the first.
    pub running: Vec<ShownAttempt>,
    /// What became of what it was given.
    pub counts: WorkerCounts,
}

/// How far a worker is with components that it was told to have ready. It is done when `ready`
/// and `failed` together are `of`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefetchedAt {
    /// A [`ShownWorker::id`].
    pub worker: String,
    /// What people call it; its own word.
    pub name: String,
    /// Components that it holds.
    pub ready: u32,
    /// Those that it cannot have ready.
    pub failed: u32,
    /// How many were asked for.
    pub of: u32,
    /// Why, of the first that failed; its own words.
    pub errors: Vec<String>,
}

impl PrefetchedAt {
    /// Whether nothing of what was asked for is still under way.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.ready.saturating_add(self.failed) >= self.of
    }
}

/// The pool of local workers, for people and scripts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownPool {
    /// The fewest that are kept.
    pub min: u32,
    /// The most.
    pub max: u32,
    /// How many are wanted now.
    pub wanted: u32,
    /// Attempts that each takes at once.
    pub slots: u32,
    /// Its processes, in the order of their names.
    pub members: Vec<ShownMember>,
    /// Starts that failed one after the other.
    pub failures: u32,
    /// How long nothing is started because of them.
    pub pause_ms: u64,
    /// How the last one ended.
    pub last_failure: Option<String>,
}

/// A process of the pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownMember {
    /// As a worker it is called the same.
    pub name: String,
    /// Its process.
    pub pid: u32,
    /// What it does.
    pub state: MemberState,
    /// It is of another program, or set up otherwise, than a worker that is started now.
    pub outdated: bool,
}

/// What a process of the pool does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberState {
    /// It has not joined, or is not heard of.
    Starting,
    /// It takes attempts.
    Ready,
    /// It was told to leave.
    Leaving,
}

/// Whether a worker is given attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkerState {
    /// As soon as it has a free slot.
    Ready,
    /// No more; it leaves when it is done.
    Draining,
    /// It has missed several heartbeats, and may be gone.
    Silent,
}

/// Since a worker has joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WorkerCounts {
    /// Attempts with a result.
    pub done: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Results that came too late to count.
    pub late_refused: u64,
    /// Results of attempts that it was never given.
    pub forged: u64,
}

/// An attempt that is at a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownAttempt {
    /// Of which run.
    pub run: RunId,
    /// The run's workflow.
    pub workflow: String,
    /// The step's name.
    pub step: String,
    /// The item's position.
    pub index: Option<u32>,
    /// The try.
    pub attempt: u32,
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepShown {
    /// Its needs are not met.
    Waiting,
    /// Waits for a slot.
    Queued,
    /// An attempt is under way.
    Running,
    /// Waits to be tried again.
    Backoff,
    /// Waits to be released: too many workers were lost with it.
    Quarantined,
    /// Has a result.
    Done,
    /// A `when` was false.
    Skipped,
    /// Ended the run.
    Failed,
    /// The run ended before it did.
    Stopped,
}

/// One event of a run's journal, for people and scripts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShownEvent {
    /// The commit that made it durable.
    pub revision: Revision,
    /// When it was decided.
    pub at: TimestampMs,
    /// A stable name, such as `attempt-succeeded`.
    pub event: String,
    /// The step's name.
    pub step: Option<String>,
    /// The item's position.
    pub index: Option<u32>,
    /// The try.
    pub attempt: Option<u32>,
    /// What else there is to say, by name (values over 4 KiB are left out).
    pub details: BTreeMap<String, Json>,
}

/// One log line with where it came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShownLogLine {
    /// The step's name.
    pub step: String,
    /// The item's position.
    pub index: Option<u32>,
    /// The try.
    pub attempt: u32,
    /// The line.
    pub line: LogLine,
}

impl LogLevel {
    /// The word in logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}
