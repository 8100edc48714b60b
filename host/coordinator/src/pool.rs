//! The pool of local workers: what it goes by, and how clients reach it.
//!
//! Whoever starts the coordinator keeps the pool; the coordinator only passes on.

use wfhost_transport::client::ShownPool;
use wfhost_workflow::placement::scale::Demand;

/// How clients of a coordinator reach the pool of its process. Never blocks: it is asked on the
/// coordinator's thread.
pub trait Pool: Send + Sync {
    /// So many workers are wanted from now on.
    fn scale(&self, workers: u32);

    /// As it was a moment ago.
    fn shown(&self) -> ShownPool;
}

/// What a pool goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolView {
    /// What a worker without labels could take.
    pub demand: Demand,
    /// The pool's workers that have joined.
    pub workers: Vec<PoolWorker>,
}

/// A worker that says it is of the pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolWorker {
    /// What it is called in requests.
    pub id: String,
    /// Its process.
    pub pid: u32,
    /// What it is called.
    pub name: String,
    /// Attempts that it has.
    pub busy: u32,
    /// It takes no more.
    pub draining: bool,
}
