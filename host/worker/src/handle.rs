//! A running worker, seen from outside of its thread.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use crate::report::{Report, Reports};

/// How a worker ended.
#[derive(Debug)]
pub enum Ending {
    /// [`WorkerHandle::stop`]; attempts that were running are lost.
    Stopped,
    /// Everything that it ran was reported.
    Drained,
    /// The coordinator does not want it.
    Refused(String),
    /// The coordinator has gone: the one in the same process, or one that was silent for longer
    /// than [`crate::Options::leave_after`].
    CoordinatorGone,
    /// The link failed.
    LinkFailed(wfhost_transport::Error),
    /// The worker's thread panicked: a fault of the worker.
    Panicked,
}

/// The worker has not ended in time.
#[derive(Debug, thiserror::Error)]
#[error("the worker is still running")]
pub struct StillRunning(pub WorkerHandle);

/// A running worker. Dropping it stops the worker without waiting for its end.
pub struct WorkerHandle {
    reports: Reports,
    ended: Receiver<Ending>,
}

impl WorkerHandle {
    pub(crate) fn new(reports: Reports, ended: Receiver<Ending>) -> Self {
        Self { reports, ended }
    }

    /// Lets the worker finish what it runs, report it, and leave.
    pub fn drain(&self) {
        self.reports.send(Report::Drain);
    }

    /// Stops what the worker runs and lets it leave.
    pub fn stop(&self) {
        self.reports.send(Report::Stop);
    }

    /// Waits until the worker has ended, at most `limit`.
    ///
    /// # Errors
    /// Gives the handle back if the worker is still running.
    pub fn join(self, limit: Duration) -> Result<Ending, StillRunning> {
        match self.ended.recv_timeout(limit) {
            Ok(ending) => Ok(ending),
            Err(RecvTimeoutError::Disconnected) => Ok(Ending::Panicked),
            Err(RecvTimeoutError::Timeout) => Err(StillRunning(self)),
        }
    }
}

impl Drop for WorkerHandle {
    fn drop(&mut self) {
        self.stop();
    }
}

impl std::fmt::Debug for WorkerHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WorkerHandle")
    }
}
