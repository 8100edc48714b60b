//! Sends to the coordinator; keeps what must not be lost while the coordinator does not read.

use std::collections::VecDeque;

use wfhost_transport::message::{FromWorker, Outcome};
use wfhost_transport::{SendError, WorkerLink};
use wfhost_workflow::{Failure, FailureKind, Limit};

/// What waits is bounded by the worker's slots (an `Ended` gives its slot back only when it is
/// taken by the link) and by the chunks that may be asked for.
#[derive(Default)]
pub(crate) struct Outbox {
    waiting: VecDeque<FromWorker>,
}

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Forgets what waits: it was for a connection that is given up.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// Sends now, or as soon as the link takes it.
    pub(crate) fn send(&mut self, link: &mut WorkerLink, message: FromWorker) {
        self.waiting.push_back(message);
        self.retry(link);
    }

    /// Sends now or not at all; says whether it was sent. What waits goes first.
    pub(crate) fn offer(&self, link: &mut WorkerLink, message: &FromWorker) -> bool {
        if !self.waiting.is_empty() {
            return false;
        }
        match link.send(message) {
            Ok(()) => true,
            Err(SendError::Full | SendError::Gone) => false,
            Err(error @ (SendError::Message(_) | SendError::System(_))) => {
                tracing::warn!(%error, "a message to the coordinator is dropped");
                false
            }
        }
    }

    /// Sends what waits, as far as the link takes it.
    pub(crate) fn retry(&mut self, link: &mut WorkerLink) {
        while let Some(message) = self.waiting.pop_front() {
            match link.send(&message) {
                Ok(()) => {}
                Err(SendError::Full | SendError::Gone) => {
                    self.waiting.push_front(message);
                    return;
                }
                Err(error @ (SendError::Message(_) | SendError::System(_))) => {
                    if let Some(instead) = instead_of(message, &error) {
                        self.waiting.push_front(instead);
                    }
                }
            }
        }
    }
}

/// An end that cannot be sent is a failure: the coordinator waits for it. A failure is small.
fn instead_of(message: FromWorker, error: &SendError) -> Option<FromWorker> {
    let text = match error {
        SendError::Message(source) => source.to_string(),
        SendError::Gone | SendError::Full | SendError::System(_) => error.to_string(),
    };
    match message {
        FromWorker::Ended { attempt, token, outcome: Outcome::Succeeded { .. } } => {
            let message = format!("the step's result cannot be sent: {text}");
            let failure = Failure::new(FailureKind::Limit, Limit::Output.name(), message);
            Some(FromWorker::Ended { attempt, token, outcome: Outcome::Failed(failure) })
        }
        FromWorker::Ended { attempt, token, outcome: Outcome::Failed(failure) }
            if !failure.message.is_empty() =>
        {
            let failure =
                Failure { message: String::new(), code: "failure-too-large".to_owned(), ..failure };
            Some(FromWorker::Ended { attempt, token, outcome: Outcome::Failed(failure) })
        }
        FromWorker::Ended { .. }
        | FromWorker::Hello(_)
        | FromWorker::Heartbeat
        | FromWorker::Log { .. }
        | FromWorker::Progress { .. }
        | FromWorker::Waiting { .. }
        | FromWorker::Fetch { .. }
        | FromWorker::Chunk { .. }
        | FromWorker::Prefetched { .. }
        | FromWorker::Draining
        | FromWorker::Goodbye => {
            tracing::error!(error = text, "a message to the coordinator is dropped");
            None
        }
    }
}
