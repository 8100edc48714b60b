//! The data folder, held by this process: coordinator and, for runs, a worker.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use wfhost_bundle::catalogue::KEEP_LAST;
use wfhost_checkpoint::{Content, DataFolder, Error as StoreError, OpenOptions};
use wfhost_coordinator::{
    Coordinator, CoordinatorHandle, CoordinatorOptions, DeployOptions, Pool, Recovery,
};
use wfhost_transport::client::{Answer, Request};
use wfhost_transport::{
    Bind, Coordinator as Joined, Endpoint, Hub, KeyFiles, ServerLink, ServerOptions, WorkerLink,
};
use wfhost_worker::{
    ContentSource, Directories, Options as WorkerOptions, PluginExecutor, Worker, WorkerHandle,
};
use wfhost_workflow::{Digest, OperatorLimits};

use super::{Holder, OpenError, Purpose, Requests};
use crate::data_folder::DataDir;
use crate::engine::Engine;
use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;
use crate::run_id;
use crate::trust_file::TrustArgs;

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
    /// Whose bundles they may be of.
    pub(crate) trust: TrustArgs,
    /// What bundles may be given, and how many versions are kept.
    pub(crate) bundles: BundleOptions,
    /// Who else may join; `None`: nobody, and runs are served when they are resumed.
    pub(crate) network: Option<Network>,
}

/// What deployed bundles may have.
#[derive(Debug, Clone)]
pub(crate) struct BundleOptions {
    /// What they may be given; `None`: what `policy.toml` in the data folder says.
    pub(crate) policy: Option<PathBuf>,
    /// The most that their plugins may use.
    pub(crate) limits: OperatorLimits,
    /// Versions of each that stay.
    pub(crate) keep_last: usize,
}

impl Default for BundleOptions {
    fn default() -> Self {
        Self { policy: None, limits: OperatorLimits::default(), keep_last: KEEP_LAST }
    }
}

/// Where others connect, and who may.
#[derive(Clone)]
pub(crate) struct Network {
    pub(crate) binds: Vec<Bind>,
    pub(crate) keys: KeyFiles,
    /// The local workers that this process keeps.
    pub(crate) pool: Option<Arc<dyn Pool>>,
}

/// Coordinator and worker in this process. Fields are dropped in this order: the folder last.
pub(crate) struct Local {
    worker: Option<WorkerHandle>,
    coordinator: CoordinatorHandle,
    addresses: Vec<String>,
    local_workers: Option<Endpoint>,
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
                return Err(OpenError::Held(Holder { pid, command, address: None }));
            }
            Err(error) => {
                let what = format!("could not open the data folder {}", data.path().display());
                return Err(OpenError::Failed(CommandError::from(error).context(what)));
            }
        };
        Self::start(folder, data, purpose).map_err(OpenError::Failed)
    }

    fn start(folder: DataFolder, data: &DataDir, purpose: &Purpose) -> Result<Self> {
        let hub = Hub::new();
        let workers = Endpoint::inproc("workers");
        let control = match purpose {
            // Nobody should hand a run to a command that is about to end.
            Purpose::Ask | Purpose::Reach => None,
            Purpose::Serve(_) => Some(folder.path.clone()),
        };
        let network = match purpose {
            Purpose::Ask | Purpose::Reach => None,
            Purpose::Serve(options) => options.network.clone(),
        };
        let recovery = if network.is_some() { Recovery::All } else { Recovery::OnDemand };
        let local_workers = network.is_some();
        let (network, keys, pool) =
            network.map_or_else(Default::default, |it| (it.binds, it.keys, it.pool));
        let (link, waker) = ServerLink::bind(&ServerOptions {
            hub: hub.clone(),
            workers: vec![workers.clone()],
            control,
            local_workers,
            network,
            keys,
        })
        .map_err(cannot_listen)?;
        let addresses = link.addresses();
        let local_workers = link.local_workers().cloned();
        let coordinator = Coordinator::start(CoordinatorOptions {
            store: Arc::clone(&folder.store),
            content: folder.content.clone(),
            logs: folder.path.join("logs"),
            link,
            waker,
            seed: u64::from_le_bytes(run_id::random()?),
            secret: match purpose {
                // Nothing is handed out, and who only asks leaves the folder as it was.
                Purpose::Ask | Purpose::Reach => run_id::random()?,
                Purpose::Serve(_) => secret(&folder.path)?,
            },
            recovery,
            pool,
            deploys: Arc::new(deploy_options(data, purpose)?),
        })
        .map_err(CommandError::store)?;
        let worker = match purpose {
            Purpose::Ask | Purpose::Reach => None,
            Purpose::Serve(options) if options.slots == 0 => None,
            Purpose::Serve(options) => {
                Some(start_worker(&folder, data, options, (&hub, &workers))?)
            }
        };
        Ok(Self { worker, coordinator, addresses, local_workers, hub, folder })
    }

    pub(crate) fn store(&self, contents: &[(Digest, &[u8])]) -> Result<()> {
        for (_, content) in contents {
            self.folder.content.put(content)?;
        }
        Ok(())
    }

    /// Where others connect, with the ports that were free where any was asked for.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.addresses.clone()
    }

    /// Where workers of this user join, if this process serves others.
    pub(crate) const fn local_workers(&self) -> Option<&Endpoint> {
        self.local_workers.as_ref()
    }

    /// Who decides here.
    pub(crate) fn coordinator(&self) -> CoordinatorHandle {
        self.coordinator.clone()
    }

    /// Why the store failed, if it has.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.coordinator.failure()
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

/// What is deployed by a command that serves nobody is held to the same lists.
fn deploy_options(data: &DataDir, purpose: &Purpose) -> Result<DeployOptions> {
    let (trust, bundles) = match purpose {
        Purpose::Ask | Purpose::Reach => (TrustArgs::default(), BundleOptions::default()),
        Purpose::Serve(options) => (options.trust.clone(), options.bundles.clone()),
    };
    Ok(DeployOptions {
        trust: trust.policy(data)?,
        policy: Some(bundles.policy.unwrap_or_else(|| data.path().join("policy.toml"))),
        limits: bundles.limits,
        keep_last: bundles.keep_last,
    })
}

fn start_worker(
    folder: &DataFolder,
    data: &DataDir,
    options: &ServeOptions,
    (hub, at): (&Hub, &Endpoint),
) -> Result<WorkerHandle> {
    let at = Joined::local(at.clone());
    let (link, _waker) = WorkerLink::connect(hub, at).map_err(CommandError::store)?;
    let executor = PluginExecutor::new(options.engine.host().clone(), Directories::OfThisMachine);
    let options = WorkerOptions {
        name: "embedded".to_owned(),
        instance: u64::from_le_bytes(run_id::random()?),
        labels: BTreeMap::new(),
        slots: options.slots,
        managed: None,
        leave_after: None,
        spool: None,
        told: Box::new(|_| {}),
        executor: Arc::new(executor),
        content: Some(Arc::new(LocalContent(folder.content.clone()))),
        trust: options.trust.trusting(data)?,
        runtime: options.engine.runtime().handle().clone(),
    };
    Worker::start(options, link).map_err(CommandError::store)
}

/// What is known to this folder's coordinators alone; made when it is missing.
fn secret(folder: &Path) -> Result<[u8; 32]> {
    let path = folder.join("secret");
    let failed = |error| {
        CommandError::store(error).context(format!("could not use the secret {}", path.display()))
    };
    match fs::read(&path) {
        Ok(bytes) => match bytes.as_slice().try_into() {
            Ok(secret) => return Ok(secret),
            // A process that was killed here: nothing was handed out by half a secret.
            Err(_) => fs::remove_file(&path).map_err(failed)?,
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let secret = run_id::random()?;
    let new = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    new.and_then(|mut file| file.write_all(&secret).and_then(|()| file.sync_all()))
        .map_err(failed)?;
    Ok(secret)
}

/// An address or a list of keys is the command line's, a folder the store's.
fn cannot_listen(error: wfhost_transport::Error) -> CommandError {
    use wfhost_transport::Error;
    let code = match &error {
        Error::Bind { .. } | Error::Keys(_) | Error::Insecure { .. } | Error::NoCurve { .. } => {
            ExitCode::Usage
        }
        _ => ExitCode::Store,
    };
    let insecure = matches!(error, Error::Insecure { .. });
    let error = CommandError::new(code, error);
    if insecure {
        error.hint("without --insecure the address has a key, and so have those who connect")
    } else {
        error
    }
}

/// The folder's own contents need not travel.
struct LocalContent(Content);

/// What a worker of this data folder's own pool reads in the place of asking for it.
pub(crate) fn content_of(data: &Path) -> Result<Arc<dyn ContentSource>> {
    let content = Content::open(data.join("content"), Durability::None.into())?;
    Ok(Arc::new(LocalContent(content)))
}

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
