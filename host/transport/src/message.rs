//! What coordinator and workers say to each other; the same over `inproc`, `ipc` and TCP.
//!
//! MessagePack with named fields behind a protocol byte; every size is bounded before decoding.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wfhost_workflow::{
    AttemptId, Determinism, Digest, DirGrant, Failure, Json, Limits, Name, run::KvWrite,
};

/// Rises with every change that an older peer could not read.
pub const PROTOCOL: u16 = 4;

/// The code of the failure with which a worker ends an attempt that it was told to stop.
pub const CANCELLED: &str = "cancelled";

/// The code of the failure with which a worker answers a `Dispatch` above its slots.
pub const NO_SLOT: &str = "no-slot";

/// The code of the failure with which a worker answers a `Dispatch` that it does not trust.
pub const UNTRUSTED: &str = "untrusted";

/// Larger inputs and outputs travel by reference, in chunks that the receiver asks for: no message
/// is long, and whoever takes decides how much is on its way.
pub const INLINE_BYTES_MAX: usize = 64 << 10;

/// From a worker to its coordinator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FromWorker {
    /// First on every connection.
    Hello(Box<Hello>),
    /// Alive.
    Heartbeat,
    /// An attempt is over; gives its slot back. Sent for each attempt that was dispatched, whatever
    /// happens to it; again on each new connection until [`ToWorker::Taken`] names it; and once
    /// more for a `Cancel` that finds it not running.
    Ended {
        /// Which attempt.
        attempt: AttemptId,
        /// As it was dispatched.
        token: Token,
        /// How it ended.
        outcome: Outcome,
    },
    /// Log lines of an attempt. May be dropped under load.
    Log {
        /// Which attempt.
        attempt: AttemptId,
        /// In the order in which they were written.
        lines: Vec<LogLine>,
    },
    /// How far an attempt has come. Only the newest counts.
    Progress {
        /// Which attempt.
        attempt: AttemptId,
        /// How far.
        progress: Progress,
    },
    /// It waits for its turn on the worker: its timeout has not begun.
    Waiting {
        /// Which attempt.
        attempt: AttemptId,
        /// For how long at most.
        at_most_ms: u64,
    },
    /// Wants `len` bytes at `offset` of a content (a component, or a large input).
    Fetch {
        /// Which content.
        digest: Digest,
        /// From which byte.
        offset: u64,
        /// How many bytes; the chunk has exactly so many, or those up to the content's end.
        len: u32,
    },
    /// A part of an attempt's output.
    Chunk {
        /// Which attempt.
        attempt: AttemptId,
        /// From which byte.
        offset: u64,
        /// The output's whole length; 0 where the worker does not have it.
        total: u64,
        /// The bytes.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// A component of a [`ToWorker::Prefetch`] is ready, or cannot be made so. Said for each, and
    /// at once for one that is ready.
    Prefetched {
        /// Which component.
        component: Digest,
        /// Why it is not ready; at most [`PREFETCH_ERROR_BYTES_MAX`].
        error: Option<String>,
    },
    /// Takes no more attempts; what it runs will still be reported.
    Draining,
    /// Leaves. What it had not finished is lost.
    Goodbye,
}

/// Who a worker is and what it has.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// The worker's [`PROTOCOL`].
    pub protocol: u16,
    /// For people.
    pub name: String,
    /// Which version of this program it is.
    pub version: String,
    /// Drawn anew by each process: tells one that connects again from one that was started again.
    pub instance: u64,
    /// Rises with every connection that the process makes: what is late on a former one says
    /// nothing of where the worker is now.
    pub connection: u64,
    /// How many attempts it takes at once: the coordinator's credits.
    pub slots: u32,
    /// What it says of its machine, at most [`LABELS_MAX`].
    pub labels: BTreeMap<String, String>,
    /// Components that it holds ready, at most [`COMPONENTS_MAX`].
    pub components: Vec<Digest>,
    /// Attempts that it has: it is running them, or their end was not yet taken. What a coordinator
    /// thinks it has and is not here never reached it.
    pub running: Vec<Held>,
    /// Its process, if the coordinator's own pool started it.
    #[serde(default)]
    pub managed: Option<u32>,
}

/// Labels of one worker.
pub const LABELS_MAX: usize = 64;

/// Bytes of a label's name and of its value.
pub const LABEL_BYTES_MAX: usize = 128;

/// Components that a worker says it holds.
pub const COMPONENTS_MAX: usize = 1024;

/// Components of one `Prefetch`: a worker keeps no more.
pub const PREFETCH_MAX: usize = COMPONENTS_MAX;

/// Why a component is not ready, in words.
pub const PREFETCH_ERROR_BYTES_MAX: usize = 1024;

/// An attempt that a worker has, and that it was given it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Which attempt.
    pub attempt: AttemptId,
    /// As it was dispatched.
    pub token: Token,
}

/// Shows that a worker was given an attempt: the coordinator makes it from the attempt, the
/// worker's key and a secret of its own, and takes no result without it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Token(#[serde(with = "serde_bytes")] pub [u8; 16]);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

/// From the coordinator to a worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToWorker {
    /// The answer to `Hello`.
    Welcome {
        /// The coordinator's [`PROTOCOL`].
        protocol: u16,
        /// How often the worker must be heard of.
        heartbeat_ms: u64,
    },
    /// The answer to a `Hello` that cannot be accepted; the worker stops.
    Refused {
        /// Names both versions, where that is why.
        reason: String,
    },
    /// Run this attempt. Never more at once than the worker announced slots: what is above is
    /// answered with a failure of kind `host`.
    Dispatch(Box<Dispatch>),
    /// Stop this attempt. When it has really stopped, the worker sends `Ended` with a failure of
    /// kind `host` and code [`CANCELLED`] (or the result, if that was faster): only then is the
    /// slot free. An attempt that is not running is answered in the same way at once.
    Cancel {
        /// Which attempt.
        attempt: AttemptId,
        /// As it was dispatched.
        token: Token,
    },
    /// The end of this attempt is durable, or does not count: the worker may forget it.
    Taken {
        /// Which attempt.
        attempt: AttemptId,
    },
    /// Wants `len` bytes at `offset` of the output of an attempt that has ended with a reference.
    Fetch {
        /// Which attempt.
        attempt: AttemptId,
        /// From which byte.
        offset: u64,
        /// How many bytes; the chunk has exactly so many, or those up to the output's end.
        len: u32,
    },
    /// A part of a content.
    Chunk {
        /// Which content.
        digest: Digest,
        /// From which byte.
        offset: u64,
        /// The content's whole length; 0 where the content is not known here.
        total: u64,
        /// The bytes.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// Have these components ready before a step wants them: fetched and compiled, one after the
    /// other, with whatever the attempts leave over.
    Prefetch {
        /// At most [`PREFETCH_MAX`].
        components: Vec<Digest>,
    },
    /// Alive.
    Heartbeat,
    /// Finish what is running, take no more, leave.
    Drain,
    /// Say `Hello` again: the connection is not known here, because it is a new one of a worker
    /// that was cut off, or because the coordinator was restarted.
    Identify,
}

/// Everything that a worker needs to run one attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dispatch {
    /// Which attempt.
    pub attempt: AttemptId,
    /// To be sent back with its end.
    pub token: Token,
    /// The workflow's name.
    pub workflow: Name,
    /// The step's name in the workflow.
    pub step: Name,
    /// The plugin's name in the workflow.
    #[serde(default)]
    pub plugin: Option<Name>,
    /// The component by content.
    pub component: Digest,
    /// The bundle that the component is of; `None`: of none.
    #[serde(default)]
    pub origin: Option<BundleOrigin>,
    /// The function to call.
    pub function: String,
    /// Its input.
    pub input: Payload,
    /// Wall clock for the attempt, from its start on the worker.
    pub timeout_ms: u64,
    /// The same for every attempt of this task.
    pub idempotency_key: String,
    /// W3C `traceparent`.
    pub trace_parent: Option<String>,
    /// What the attempt may use.
    pub limits: Limits,
    /// Whether its clocks and randomness are real.
    #[serde(default)]
    pub determinism: Determinism,
    /// The directories it sees.
    pub dirs: Vec<DirGrant>,
    /// The run's key-value store as it is now.
    pub kv: Vec<KvWrite>,
}

/// Where a component comes from: two contents, fetched as any other. What they say is looked at
/// by the worker itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BundleOrigin {
    /// The bundle's digest, which is that of its list of files.
    pub bundle: Digest,
    /// Of the text of its signatures.
    pub signatures: Digest,
}

/// A JSON value, or where to fetch it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Payload {
    /// The value.
    Inline(Json),
    /// To be fetched from the sender, in chunks.
    Reference {
        /// Of the JSON text.
        digest: Digest,
        /// Its length in bytes.
        len: u64,
    },
}

/// How an attempt ended on a worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// With a result.
    Succeeded {
        /// The step's output. A reference is kept by the worker until [`ToWorker::Taken`] names
        /// the attempt.
        output: Payload,
        /// What it wrote to the run's key-value store.
        kv: Vec<KvWrite>,
    },
    /// Without one.
    Failed(Failure),
}

/// One log line of a guest. Its texts come from a guest: neutralise them before a terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Milliseconds since 1970-01-01 UTC, by the worker's clock.
    pub at_ms: u64,
    /// How bad.
    pub level: LogLevel,
    /// The text.
    pub message: String,
    /// Name and JSON text.
    pub fields: Vec<(String, String)>,
}

/// How bad a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// Finest.
    Trace,
    /// For the step's author.
    Debug,
    /// Normal.
    Info,
    /// Worth a look.
    Warn,
    /// Wrong.
    Error,
}

/// How far an attempt has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Units done.
    pub done: u64,
    /// Units in all; 0: not known.
    pub total: u64,
    /// What is being done now; from a guest.
    pub message: String,
}
