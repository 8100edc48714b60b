//! How attempts and handles reach the worker's thread.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use tokio::sync::oneshot;
use wfhost_transport::Waker;
use wfhost_workflow::{AttemptId, Digest};

use crate::end::End;
use crate::fetch::FetchError;

/// Where a content's bytes go.
pub(crate) type Reply = oneshot::Sender<Result<Arc<[u8]>, FetchError>>;

/// What the worker's thread is told.
pub(crate) enum Report {
    /// An attempt is over. Exactly one for each that was begun.
    Ended { attempt: AttemptId, end: End },
    /// An attempt waits for its turn, at most so long.
    Waiting { attempt: AttemptId, at_most_ms: u64 },
    /// An attempt's sink holds something.
    Noted(AttemptId),
    /// Somebody waits for a content of at most this many bytes.
    Fetch { digest: Digest, bytes_max: u64, reply: Reply },
    /// A component is ready, or why it is not.
    Prefetched { component: Digest, error: Option<String> },
    /// Finish, then leave.
    Drain,
    /// Leave.
    Stop,
}

/// The sending end; cloned freely. What is sent to a thread that is gone is dropped.
#[derive(Clone)]
pub(crate) struct Reports {
    sender: Sender<Report>,
    waker: Waker,
}

impl Reports {
    pub(crate) fn new(waker: Waker) -> (Self, Receiver<Report>) {
        let (sender, receiver) = channel();
        (Self { sender, waker }, receiver)
    }

    pub(crate) fn send(&self, report: Report) {
        // The thread has ended: nobody is left to be told.
        if self.sender.send(report).is_ok() {
            self.waker.wake();
        }
    }
}
