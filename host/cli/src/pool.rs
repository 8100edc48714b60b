//! The local workers that `wfhost serve` keeps: child processes of the same program.
//!
//! They join through the data folder like any worker of this user, and outlive a coordinator that
//! is killed: its next life finds them by their files and counts them. Nothing here decides which
//! step runs where, nor how many workers are wanted (`wfhost_workflow::placement::scale`).

mod member;
mod options;
mod plan;
mod program;
mod registry;
mod supervisor;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::Signal;
use wfhost_coordinator::{CoordinatorHandle, Pool as AskedPool};
use wfhost_transport::client::ShownPool;

use crate::error::{CommandError, Result};
use crate::output::Output;

pub(crate) use member::ChildCommand;
pub(crate) use options::{PoolArgs, PoolSettings, Remote, WORKERS_MAX};
pub(crate) use registry::Membership;

/// Where the pool's files are, below the data folder.
pub(crate) const FOLDER: &str = "pool";

/// A worker of the pool that hears nothing of a coordinator for so long leaves: enough to restart
/// one by hand, and nothing runs for ever that nobody knows of.
pub(crate) const ORPHAN_LIMIT: Duration = Duration::from_secs(120);

/// What the supervisor is told.
#[derive(Debug, Clone, Copy)]
enum Order {
    /// So many and no other number.
    Scale(u32),
    /// Let all leave, and end those that have not left after so long.
    Stop(Duration),
}

/// Where others meet the supervisor: the coordinator's thread, and the one that takes signals.
pub(crate) struct Desk {
    orders: Sender<Order>,
    shown: Mutex<ShownPool>,
}

impl Desk {
    /// With what the supervisor of [`Pool::start`] takes.
    pub(crate) fn new() -> (Arc<Self>, Orders) {
        let (orders, taken) = channel();
        (Arc::new(Self { orders, shown: Mutex::default() }), Orders(taken))
    }

    /// Ends every worker at once.
    pub(crate) fn kill(&self) {
        for member in self.shown().members {
            member::signal(member.pid, Signal::KILL);
        }
    }

    fn show(&self, shown: ShownPool) {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = shown;
    }
}

impl AskedPool for Desk {
    fn scale(&self, workers: u32) {
        // A supervisor that has ended is stopping with its process.
        let _ended = self.orders.send(Order::Scale(workers.min(WORKERS_MAX)));
    }

    fn shown(&self) -> ShownPool {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What a [`Desk`] passes on.
pub(crate) struct Orders(Receiver<Order>);

/// What a pool is made of.
pub(crate) struct PoolSetup {
    pub(crate) settings: PoolSettings,
    /// How a worker is started.
    pub(crate) command: ChildCommand,
    /// The data folder's.
    pub(crate) folder: PathBuf,
    pub(crate) coordinator: CoordinatorHandle,
    pub(crate) output: Output,
    pub(crate) desk: Arc<Desk>,
    pub(crate) orders: Orders,
}

/// The pool of a process that serves.
pub(crate) struct Pool {
    desk: Arc<Desk>,
    thread: JoinHandle<()>,
}

impl Pool {
    /// Starts the supervisor, which counts the workers that are there already first.
    pub(crate) fn start(setup: PoolSetup) -> Result<Self> {
        let desk = Arc::clone(&setup.desk);
        let supervisor = supervisor::Supervisor::new(setup)?;
        let thread = std::thread::Builder::new()
            .name("pool".to_owned())
            .spawn(move || supervisor.run())
            .map_err(|error| CommandError::store(error).context("could not start the pool"))?;
        Ok(Self { desk, thread })
    }

    /// Lets all workers finish and leave; what has not left after `limit` is ended.
    pub(crate) fn stop(self, limit: Duration) {
        // It ends by itself only by a fault, and has said so then.
        let _ended = self.desk.orders.send(Order::Stop(limit));
        if self.thread.join().is_err() {
            self.desk.kill();
        }
    }
}
