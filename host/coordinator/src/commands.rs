//! What other threads say to the event loop.

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};

use wfhost_checkpoint::CommitResult;
use wfhost_transport::client::{Answer, Refusal, Request, Started};
use wfhost_transport::{ClientId, Waker};
use wfhost_workflow::run::{Change, Rejection, Run, RunSummary, Upgrade};
use wfhost_workflow::{AttemptId, Definition, Digest, Json, RunId, WorkerId};

use crate::deliveries::Delivery;
use crate::deployed::{BundlesAsked, Starting};

use crate::pool::PoolView;

/// One message to the event loop.
pub(crate) enum Command {
    /// From this process.
    Request(Request, ReplyTo),
    /// From the committer.
    Committed(CommitResult),
    /// From the queries' thread.
    Queried(ReplyTo, QueryResult),
    /// From the evaluator: the run, and what it decided.
    Evaluated(Box<Evaluated>),
    /// From this process: let a run go on with another version.
    Upgrade(RunId, Box<Upgrade>, ReplyTo),
    /// From this process's pool of workers.
    Pool(mpsc::SyncSender<PoolView>),
    /// Finish what is being stored, then end.
    Stop,
}

/// A run that was away.
pub(crate) struct Evaluated {
    pub(crate) id: RunId,
    /// `None`: the evaluation panicked, and the run in memory is lost.
    pub(crate) run: Option<Box<Run>>,
    pub(crate) result: Result<Change, Rejection>,
    /// To whom the change is confirmed once it is durable.
    pub(crate) reply: Option<ReplyTo>,
}

/// What the queries' thread found.
pub(crate) enum QueryResult {
    /// The answer as it is.
    Answer(Answer),
    /// A part of a content, for a worker.
    Chunk { digest: Digest, offset: u64, total: u64, bytes: Vec<u8> },
    /// A large output of an attempt, or why it cannot be used.
    Received { delivery: Box<Delivery>, output: Result<Json, String> },
    /// The answer to a part of a content.
    Put(Answer),
    /// Summaries, to which the loop adds whether the runs are served.
    Summaries(Vec<RunSummary>),
    /// A definition for a run that is to be started.
    Prepared(Box<Starting>, Arc<Definition>),
    /// What was asked about bundles, with what had to be read for it.
    Bundles(BundlesAsked, Option<BTreeMap<Digest, u64>>),
    /// A change of what is deployed is durable, or the store has failed.
    Deployed(Result<(), Refusal>),
    /// Nothing to tell.
    Nothing,
    /// A run that was read back, to be served or cancelled.
    Loaded(Box<Run>, LoadedFor),
}

/// Why a run was read back.
#[derive(Debug, Clone)]
pub(crate) enum LoadedFor {
    /// To go on after it has failed.
    Retry,
    /// To let quarantined steps go on.
    Release {
        step: Option<String>,
    },
    /// To go on with another version.
    Upgrade(Box<Upgrade>),
    Resume,
    Cancel {
        reason: String,
    },
}

/// Where an answer goes.
pub(crate) enum ReplyTo {
    /// To a thread of this process.
    Local(mpsc::SyncSender<Answer>),
    /// To a client on the link.
    Client(ClientId, u64),
    /// To nobody: this process wanted it itself.
    Nobody,
    /// To whoever started a run of a deployed workflow, once it is durable.
    Starter(Box<(ReplyTo, Started)>),
    /// To a worker, which gets a chunk of a content.
    Worker(WorkerId),
    /// To a worker that has sent the end of an attempt and keeps it until it is durable, or does
    /// not count.
    Taken(WorkerId, AttemptId, Ended),
}

/// How an attempt ended, for the counts of its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With a result.
    Done,
    /// With a failure.
    Failed,
    /// Without either.
    Lost,
}

/// Sends commands to the event loop and wakes it.
#[derive(Clone)]
pub(crate) struct Mailbox {
    pub(crate) sender: mpsc::Sender<Command>,
    pub(crate) waker: Waker,
}

impl Mailbox {
    /// Gives the command back if the loop has ended.
    pub(crate) fn send(&self, command: Command) -> Result<(), Box<Command>> {
        self.sender.send(command).map_err(|error| Box::new(error.0))?;
        self.waker.wake();
        Ok(())
    }
}
