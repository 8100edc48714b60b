//! Starting, asking and stopping a coordinator.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wfhost_checkpoint::{Committer, CommitterOptions, Content, Store};
use wfhost_transport::client::{Answer, Refusal, Request};
use wfhost_transport::{ServerLink, Waker};
use wfhost_workflow::RunId;
use wfhost_workflow::run::Upgrade;

use crate::clock::Clock;
use crate::commands::{Command, Mailbox, ReplyTo};
use crate::definitions::Definitions;
use crate::deployed::{DeployOptions, Deployments};
use crate::evaluator;
use crate::event_loop::{EventLoop, Parts};
use crate::logs::LogWriter;
use crate::pool::{Pool, PoolView};
use crate::queries;
use crate::token::Tokens;

/// What a coordinator is made from.
pub struct CoordinatorOptions {
    /// The store of a folder whose lock the caller holds.
    pub store: Arc<dyn Store>,
    /// The content store of the same folder.
    pub content: Content,
    /// Where log files of runs go.
    pub logs: PathBuf,
    /// To workers and clients.
    pub link: ServerLink,
    /// Wakes `link`.
    pub waker: Waker,
    /// From which run seeds are drawn.
    pub seed: u64,
    /// The folder's secret, the same in each life of its coordinator: shows which attempts were
    /// handed out.
    pub secret: [u8; 32],
    /// Which runs are served from the start.
    pub recovery: Recovery,
    /// The local workers that this process keeps, if it does.
    pub pool: Option<Arc<dyn Pool>>,
    /// Whose bundles are deployed here.
    pub deploys: Arc<DeployOptions>,
}

/// What a coordinator does with runs that were open when a former one ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// Each is served when it is resumed: no worker outlives the coordinator, so what was under
    /// way is begun anew at once.
    OnDemand,
    /// All are served, and workers may still have what was under way.
    All,
}

/// Why a coordinator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder for log files, or a thread, could not be made.
    #[error("the coordinator could not be started")]
    Io(#[from] io::Error),
    /// What is deployed cannot be read.
    #[error("{0}")]
    Deployments(Refusal),
    /// The open runs cannot be read.
    #[error("the open runs cannot be served: {0}")]
    Recovery(Refusal),
}

/// The role that holds runs; see [`Coordinator::start`].
#[derive(Debug)]
pub struct Coordinator;

impl Coordinator {
    /// Starts the threads of a coordinator. It serves no run until one is started or resumed.
    ///
    /// # Errors
    /// If a thread or the folder for log files cannot be made.
    pub fn start(options: CoordinatorOptions) -> Result<CoordinatorHandle, StartError> {
        let (sender, receiver) = mpsc::channel();
        let mailbox = Mailbox { sender, waker: options.waker };
        let definitions = Arc::new(Definitions::default());
        let committed = mailbox.clone();
        let committer = Committer::start(
            options.store.clone(),
            CommitterOptions::default(),
            Box::new(move |result| {
                // An event loop that has ended waits for no commit.
                let _ended = committed.send(Command::Committed(result));
            }),
        )?;
        let sources = queries::Sources {
            store: options.store.clone(),
            content: options.content.clone(),
            logs: options.logs.clone(),
            definitions: definitions.clone(),
            deploys: options.deploys.clone(),
            count_open: options.recovery == Recovery::OnDemand,
        };
        let mut deployments =
            Deployments::read(&*options.store).map_err(StartError::Deployments)?;
        let mut unread = Vec::new();
        let open = match options.recovery {
            Recovery::OnDemand => Vec::new(),
            Recovery::All => {
                queries::open_runs(&sources, &mut unread).map_err(StartError::Recovery)?
            }
        };
        unread.iter().for_each(|summary| deployments.note_unserved(summary));
        let queries = queries::start(sources, mailbox.clone())?;
        match options.content.forget_incoming() {
            Ok(files) => tracing::debug!(files, "contents that were not sent to their end"),
            Err(error) => tracing::warn!(%error, "what was not sent to its end stays"),
        }
        let evaluator = evaluator::start(mailbox.clone())?;
        let logs = LogWriter::start(options.logs)?;
        let failure = Arc::new(OnceLock::new());
        let parts = Parts {
            store: options.store,
            content: options.content,
            committer,
            queries,
            evaluator,
            logs,
            definitions,
            link: options.link,
            commands: receiver,
            clock: Clock::new(),
            tokens: Tokens::new(options.secret),
            random: fastrand::Rng::with_seed(options.seed),
            failure: failure.clone(),
            pool: options.pool,
            deploys: options.deploys,
        };
        let thread = thread::Builder::new()
            .name("coordinator".to_owned())
            .stack_size(evaluator::STACK_BYTES)
            .spawn(move || {
                let mut event_loop = EventLoop::new(parts, deployments);
                event_loop.recover(open);
                event_loop.run();
            })?;
        let shared = Shared { mailbox, failure, thread: Mutex::new(Some(thread)) };
        Ok(CoordinatorHandle { shared: Arc::new(shared) })
    }
}

/// A pool has its workers to look after.
const POOL_VIEW_LIMIT: Duration = Duration::from_millis(500);

/// Asks a coordinator of this process; cheap to clone.
#[derive(Clone)]
pub struct CoordinatorHandle {
    shared: Arc<Shared>,
}

struct Shared {
    mailbox: Mailbox,
    /// Why the store failed, once it has.
    failure: Arc<OnceLock<String>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl CoordinatorHandle {
    /// Asks, and waits for the answer: as long as the request says, or as the store takes.
    #[must_use]
    pub fn request(&self, request: Request) -> Answer {
        self.asked(|reply| Command::Request(request, reply))
    }

    /// Lets an open run go on with another version of its workflow, or says why it cannot. All
    /// that the upgrade names by digest must be in the content store.
    #[must_use]
    pub fn upgrade(&self, run: RunId, upgrade: Upgrade) -> Answer {
        self.asked(|reply| Command::Upgrade(run, Box::new(upgrade), reply))
    }

    fn asked(&self, ask: impl FnOnce(ReplyTo) -> Command) -> Answer {
        let (sender, receiver) = mpsc::sync_channel(1);
        let command = ask(ReplyTo::Local(sender));
        if self.shared.mailbox.send(command).is_err() {
            return Answer::Refused(self.refusal());
        }
        receiver.recv().unwrap_or_else(|_| Answer::Refused(self.refusal()))
    }

    /// What this process's pool goes by; `None`: the coordinator has ended, or is busy with
    /// something that takes long.
    #[must_use]
    pub fn pool_view(&self) -> Option<PoolView> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.shared.mailbox.send(Command::Pool(sender)).ok()?;
        receiver.recv_timeout(POOL_VIEW_LIMIT).ok()
    }

    /// Why the store failed, if it has: the coordinator has stopped then.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.shared.failure.get().map(String::as_str)
    }

    /// Stores what is being stored, gives up what is under way (it is resumable), and ends.
    /// Returns whether it ended within `limit`.
    pub fn stop(&self, limit: Duration) -> bool {
        // If the loop has ended already, there is nobody to tell.
        let _ended = self.shared.mailbox.send(Command::Stop);
        let thread = self.shared.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return true };
        let (done, waiting) = mpsc::sync_channel(1);
        let joiner = thread::Builder::new().name("stopping".to_owned()).spawn(move || {
            let ended = thread.join().is_ok();
            // Nobody waits any more after the limit.
            let _late = done.try_send(ended);
        });
        joiner.is_ok() && waiting.recv_timeout(limit).unwrap_or(false)
    }

    fn refusal(&self) -> Refusal {
        match self.shared.failure.get() {
            Some(failure) => Refusal::Store(failure.clone()),
            None => Refusal::Unavailable("the coordinator is stopping".to_owned()),
        }
    }
}
