//! What a frame carries, and how long it may be.

use serde::{Serialize, de::DeserializeOwned};

use super::{CHUNK_BYTES, CLIENT_FRAME_BYTES_MAX, WORKER_FRAME_BYTES_MAX};
use crate::client::{Answer, Request};
use crate::message::{FromWorker, ToWorker};

/// What a frame carries: its second byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// [`FromWorker::Hello`].
    Hello = 1,
    /// [`FromWorker::Heartbeat`].
    WorkerHeartbeat = 2,
    /// [`FromWorker::Ended`].
    Ended = 3,
    /// [`FromWorker::Log`].
    Log = 4,
    /// [`FromWorker::Progress`].
    Progress = 5,
    /// [`FromWorker::Fetch`].
    Fetch = 6,
    /// [`FromWorker::Draining`].
    Draining = 7,
    /// [`FromWorker::Goodbye`].
    Goodbye = 8,
    /// [`FromWorker::Waiting`].
    Waiting = 9,
    /// [`FromWorker::Chunk`].
    OutputChunk = 10,
    /// [`FromWorker::Prefetched`].
    Prefetched = 11,
    /// [`ToWorker::Welcome`].
    Welcome = 33,
    /// [`ToWorker::Refused`].
    Refused = 34,
    /// [`ToWorker::Dispatch`].
    Dispatch = 35,
    /// [`ToWorker::Cancel`].
    Cancel = 36,
    /// [`ToWorker::Chunk`].
    Chunk = 37,
    /// [`ToWorker::Heartbeat`].
    Heartbeat = 38,
    /// [`ToWorker::Drain`].
    Drain = 39,
    /// [`ToWorker::Identify`].
    Identify = 40,
    /// [`ToWorker::Taken`].
    Taken = 41,
    /// [`ToWorker::Fetch`].
    FetchOutput = 42,
    /// [`ToWorker::Prefetch`].
    Prefetch = 43,
    /// [`Request::Start`].
    Start = 65,
    /// Any other [`Request`].
    Request = 66,
    /// [`Request::Put`].
    Put = 67,
    /// [`Request::Prefetch`].
    PrefetchRequest = 68,
    /// An [`Answer`].
    Answer = 97,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 27] = [
        Self::Hello,
        Self::WorkerHeartbeat,
        Self::Ended,
        Self::Log,
        Self::Progress,
        Self::Fetch,
        Self::Draining,
        Self::Goodbye,
        Self::Waiting,
        Self::OutputChunk,
        Self::Prefetched,
        Self::Welcome,
        Self::Refused,
        Self::Dispatch,
        Self::Cancel,
        Self::Chunk,
        Self::Heartbeat,
        Self::Drain,
        Self::Identify,
        Self::Taken,
        Self::FetchOutput,
        Self::Prefetch,
        Self::Start,
        Self::Request,
        Self::Put,
        Self::PrefetchRequest,
        Self::Answer,
    ];

    /// The kind with this byte.
    #[must_use]
    pub fn of_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }

    /// The longest frame of this kind, header included.
    #[must_use]
    pub const fn bytes_max(self) -> usize {
        match self {
            // 64 KiB of input or output; the key-value store (1 MiB unless configured), or what
            // was written to it, is the rest.
            Self::Dispatch | Self::Ended => WORKER_FRAME_BYTES_MAX,
            Self::Hello | Self::Log => 1 << 20,
            Self::Chunk | Self::OutputChunk | Self::Put => CHUNK_BYTES as usize + (4 << 10),
            Self::Progress | Self::Refused | Self::Request => 64 << 10,
            // A digest is a text of 71 bytes.
            Self::Prefetch | Self::PrefetchRequest => 128 << 10,
            Self::WorkerHeartbeat
            | Self::Fetch
            | Self::FetchOutput
            | Self::Draining
            | Self::Goodbye
            | Self::Waiting
            | Self::Welcome
            | Self::Cancel
            | Self::Heartbeat
            | Self::Drain
            | Self::Taken
            | Self::Prefetched
            | Self::Identify => 4 << 10,
            // A run's input, and a run's output.
            Self::Start | Self::Answer => CLIENT_FRAME_BYTES_MAX,
        }
    }
}

/// What can be put into a frame.
pub trait Framed: Serialize + DeserializeOwned {
    /// The kind of the frame that carries it.
    fn kind(&self) -> Kind;
}

impl Framed for FromWorker {
    fn kind(&self) -> Kind {
        match self {
            Self::Hello(_) => Kind::Hello,
            Self::Heartbeat => Kind::WorkerHeartbeat,
            Self::Ended { .. } => Kind::Ended,
            Self::Log { .. } => Kind::Log,
            Self::Progress { .. } => Kind::Progress,
            Self::Fetch { .. } => Kind::Fetch,
            Self::Draining => Kind::Draining,
            Self::Goodbye => Kind::Goodbye,
            Self::Waiting { .. } => Kind::Waiting,
            Self::Chunk { .. } => Kind::OutputChunk,
            Self::Prefetched { .. } => Kind::Prefetched,
        }
    }
}

impl Framed for ToWorker {
    fn kind(&self) -> Kind {
        match self {
            Self::Welcome { .. } => Kind::Welcome,
            Self::Refused { .. } => Kind::Refused,
            Self::Dispatch(_) => Kind::Dispatch,
            Self::Cancel { .. } => Kind::Cancel,
            Self::Chunk { .. } => Kind::Chunk,
            Self::Heartbeat => Kind::Heartbeat,
            Self::Drain => Kind::Drain,
            Self::Identify => Kind::Identify,
            Self::Taken { .. } => Kind::Taken,
            Self::Fetch { .. } => Kind::FetchOutput,
            Self::Prefetch { .. } => Kind::Prefetch,
        }
    }
}

impl Framed for Request {
    fn kind(&self) -> Kind {
        match self {
            Self::Start(_) | Self::StartDeployed(_) => Kind::Start,
            Self::Put { .. } => Kind::Put,
            Self::Prefetch { .. } => Kind::PrefetchRequest,
            Self::Has { .. }
            | Self::Get { .. }
            | Self::Deploy(_)
            | Self::ChangeBundle { .. }
            | Self::Bundles
            | Self::Bundle { .. }
            | Self::Retry { .. }
            | Self::Release { .. }
            | Self::Workers
            | Self::Pool
            | Self::DrainWorker { .. }
            | Self::RemoveWorker { .. }
            | Self::Scale { .. }
            | Self::Resume { .. }
            | Self::Cancel { .. }
            | Self::List { .. }
            | Self::Find { .. }
            | Self::Show { .. }
            | Self::Events { .. }
            | Self::Logs { .. }
            | Self::Output { .. }
            | Self::Remove { .. }
            | Self::Await { .. }
            | Self::Watch { .. } => Kind::Request,
        }
    }
}

impl Framed for Answer {
    fn kind(&self) -> Kind {
        Kind::Answer
    }
}
