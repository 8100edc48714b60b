//! The data folder, held by this process: coordinator and, for runs, a worker.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use wfhost_checkpoint::{Content, DataFolder, Error as StoreError, OpenOptions};
use wfhost_coordinator::{Coordinator, CoordinatorHandle, CoordinatorOptions};
use wfhost_transport::client::{Answer, Request};
use wfhost_transport::{Endpoint, Hub, ServerLink, ServerOptions, WorkerLink};
use wfhost_worker::{
    ContentSource, Options as WorkerOptions, PluginExecutor, Worker, WorkerHandle,
};
use wfhost_workflow::Digest;

use super::{Holder, OpenError, Purpose, Requests};
use crate::data_folder::DataDir;
use crate::engine::Engine;
use crate::error::{CommandError, Result};
use crate::run_id;

/// When a commit counts as done: when it survives a power cut, when it survives the end of this
/// process, or at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Durability {
    #[default]
    Sync,
    Os,
    None,
}

impl From<Durability> for wfhost_checkpoint::Durability {
    fn from(durability: Durability) -> Self {
        match durability {
            Durability::Sync => Self::Sync,
            Durability::Os => Self::Os,
            Durability::None => Self::None,
        }
    }
}

/// How steps are run.
#[derive(Clone)]
pub(crate) struct ServeOptions {
    /// Steps at once, at most.
    pub(crate) slots: u32,
    pub(crate) durability: Durability,
    /// What runs them.
    pub(crate) engine: Engine,
}

/// Coordinator and worker in this process. Fields are dropped in this order: the folder last.
pub(crate) struct Local {
    worker: Option<WorkerHandle>,
    coordinator: CoordinatorHandle,
    hub: Hub,
    folder: DataFolder,
}

impl Local {
    pub(crate) fn open(data: &DataDir, purpose: &Purpose) -> Result<Self, OpenError> {
        let durability = match purpose {
            // A change that a command reports as done survives.
            Purpose::Ask | Purpose::Reach => Durability::Sync,
            Purpose::Serve(options) => options.durability,
        };
        let options = OpenOptions { durability: durability.into(), ..OpenOptions::default() };
        let folder = match DataFolder::open(data.path(), &options) {
            Ok(folder) => folder,
            Err(StoreError::Held { pid, command, .. }) => {
                return Err(OpenError::Held(Holder { pid, command }));
            }
            Err(error) => {
                let what = format!("could not open the data folder {}", data.path().display());
                return Err(OpenError::Failed(CommandError::from(error).context(what)));
            }
        };
        Self::start(folder, purpose).map_err(OpenError::Failed)
    }

    fn start(folder: DataFolder, purpose: &Purpose) -> Result<Self> {
        let hub = Hub::new();
        let workers = Endpoint::inproc("workers");
        let control = match purpose {
            // Nobody should hand a run to a command that is about to end.
            Purpose::Ask | Purpose::Reach => None,
            Purpose::Serve(_) => Some(folder.path.clone()),
        };
        let (link, waker) = ServerLink::bind(&ServerOptions {
            hub: hub.clone(),
            workers: vec![workers.clone()],
            control,
        })
        .map_err(CommandError::store)?;
        let coordinator = Coordinator::start(CoordinatorOptions {
            store: Arc::clone(&folder.store),
            content: folder.content.clone(),
            logs: folder.path.join("logs"),
            link,
            waker,
            seed: u64::from_le_bytes(run_id::random()?),
        })
        .map_err(CommandError::store)?;
        let worker = match purpose {
            Purpose::Ask | Purpose::Reach => None,
            Purpose::Serve(options) => Some(start_worker(&folder, options, &hub, &workers)?),
        };
        Ok(Self { worker, coordinator, hub, folder })
    }

    pub(crate) fn store(&self, contents: &[(Digest, &[u8])]) -> Result<()> {
        for (_, content) in contents {
            self.folder.content.put(content)?;
        }
        Ok(())
    }

    /// What is under way is given up; what is done is kept.
    pub(crate) fn close(self, limit: Duration) {
        // The coordinator first: it must not take what the worker stops for failures.
        if !self.coordinator.stop(limit.max(Duration::from_secs(1))) {
            tracing::warn!("the coordinator did not stop in time");
        }
        if let Some(worker) = self.worker {
            worker.stop();
            if worker.join(limit).is_err() {
                tracing::warn!("the worker did not stop in time");
            }
        }
        // A client may still be waiting for the answer to what ended this process.
        self.hub.close(FAREWELL_MAX);
    }
}

/// Twice what a link takes at most to give up on a peer that does not read.
const FAREWELL_MAX: Duration = Duration::from_secs(1);

impl Requests for Local {
    fn request(&mut self, request: Request) -> Result<Answer> {
        Ok(self.coordinator.request(request))
    }
}

fn start_worker(
    folder: &DataFolder,
    options: &ServeOptions,
    hub: &Hub,
    at: &Endpoint,
) -> Result<WorkerHandle> {
    let (link, _waker) = WorkerLink::connect(hub, at).map_err(CommandError::store)?;
    let options = WorkerOptions {
        name: "embedded".to_owned(),
        slots: options.slots,
        executor: Arc::new(PluginExecutor::new(options.engine.host().clone())),
        content: Some(Arc::new(LocalContent(folder.content.clone()))),
        runtime: options.engine.runtime().handle().clone(),
    };
    Worker::start(options, link).map_err(CommandError::store)
}

/// The folder's own contents need not travel.
struct LocalContent(Content);

impl ContentSource for LocalContent {
    fn read(&self, digest: &Digest) -> io::Result<Option<Vec<u8>>> {
        match self.0.get(digest) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(StoreError::NoContent(_)) => Ok(None),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

/// The version of what is stored.
pub(crate) const fn store_format() -> u32 {
    wfhost_checkpoint::FORMAT
}
