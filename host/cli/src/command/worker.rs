//! `wfhost worker`: takes steps from a coordinator.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use wfhost_transport::keys::{KeyPair, PublicKey};
use wfhost_transport::{Coordinator, Curve, Endpoint, Hub, WorkerLink};
use wfhost_worker::{
    ComponentFolder, ContentSource, Directories, Ending, News, Options, PluginExecutor, Worker,
    WorkerHandle,
};
use wfhost_workflow::{AllowedDir, DurationMs};

use super::keygen::key_error;
use super::{Context, SandboxArgs};
use crate::engine::{Engine, EngineSetup, default_slots};
use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::pool::Membership;
use crate::session::content_of;
use crate::trust_file::TrustArgs;
use crate::{allowed_dir, clock, run_id, sanitise};

/// Between two looks at signals.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// It is looked less often whether the data folder is still there.
const LOOKS_AT_MEMBERSHIP: u64 = 20;

/// For what is under way, once the worker is asked to leave.
const DRAIN_LIMIT: Duration = Duration::from_secs(60 * 60);

/// Take steps from a coordinator and run them in sandboxes
#[derive(Debug, Args)]
#[command(after_help = "\
The coordinator says how to join when it starts. The key is this worker: each worker has its own,
made with `wfhost keygen`, and its public half is in the coordinator's list. A directory that steps
are given as `@NAME` in a workflow is the one that --dir names here. Ctrl-C or SIGTERM lets the
worker finish what it runs and leave; a second one ends it at once, and its steps run elsewhere.
Results that the coordinator could not take are kept in the data folder and delivered later. What
it has and has not begun goes back and runs elsewhere, which costs the step none of its retries.

Examples:
  wfhost worker --join tcp://coordinator:7411 --server-key 3f0c… --key node1.key
  wfhost worker --join tcp://10.0.0.5:7411 --server-key @server.pub --key node1.key --slots 8 --label gpu=true --dir in=/data:ro")]
pub(crate) struct WorkerArgs {
    /// The coordinator's address
    #[arg(long, value_name = "ADDRESS")]
    join: Endpoint,
    /// The public half of the coordinator's key: 64 digits, or @FILE
    #[arg(long, value_name = "KEY", env = "WFHOST_SERVER_KEY", hide_env_values = true)]
    server_key: Option<ServerKey>,
    /// The file with this worker's key
    #[arg(long, value_name = "FILE", env = "WFHOST_KEY", hide_env_values = true)]
    key: Option<PathBuf>,
    /// Steps at once, at most [default: the number of processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    slots: Option<u32>,
    /// What steps may require of their worker, such as gpu=true
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// A directory that steps may be given as @NAME, to read unless `:rw` is added
    #[arg(long = "dir", value_name = "NAME=PATH[:ro|rw]", value_parser = directory)]
    dirs: Vec<(String, AllowedDir)>,
    /// How people call it [default: the machine's name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Leave when the coordinator was silent for so long, such as 10m [default: wait for it]
    #[arg(long, value_name = "SPAN", value_parser = clock::parse_span)]
    leave_after: Option<DurationMs>,
    /// Where the workers of a pool register that `serve` keeps
    #[arg(long, hide = true, value_name = "DIR", requires_all = ["pool_setup", "name"])]
    pool: Option<PathBuf>,
    /// How `serve` tells workers apart that it started otherwise
    #[arg(long, hide = true, value_name = "TEXT")]
    pool_setup: Option<String>,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    sandbox: SandboxArgs,
}

/// A key on the command line or in a file.
#[derive(Debug, Clone)]
pub(crate) struct ServerKey(pub(crate) PublicKey);

impl std::str::FromStr for ServerKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(path) = text.strip_prefix('@') else {
            return text.parse().map(Self).map_err(|error| format!("{error}"));
        };
        let keys = wfhost_transport::keys::read_list(Path::new(path)).map_err(|e| e.to_string())?;
        match keys.into_keys().collect::<Vec<_>>().as_slice() {
            [key] => Ok(Self(*key)),
            other => Err(format!("{path} holds {} keys, and one is needed", other.len())),
        }
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err("a label is NAME=VALUE".to_owned()),
    }
}

fn directory(text: &str) -> Result<(String, AllowedDir), String> {
    let (name, path) = text.split_once('=').ok_or("a directory is NAME=PATH")?;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(fits) {
        return Err("the name has letters, digits, `-` and `_`".to_owned());
    }
    allowed_dir::parse(path).map(|dir| (name.to_owned(), dir))
}

impl WorkerArgs {
    pub(crate) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        let interrupt = Interrupt::listen()?;
        let member = self.membership()?;
        let (coordinator, own) = self.coordinator()?;
        let slots = self.slots.or(context.config.pool.slots).unwrap_or_else(default_slots);
        let setup = EngineSetup::new(slots, &context.config).with(&self.sandbox, &context.config);
        let engine = Engine::new(setup, &context.output)?;
        let hub = Hub::new();
        let (link, _waker) = WorkerLink::connect(&hub, coordinator).map_err(|error| {
            let error = CommandError::new(ExitCode::Usage, error);
            error.hint(
                "`--server-key` and `--key` say who both ends are; see `wfhost worker --help`",
            )
        })?;
        let name = self.name.clone().unwrap_or_else(machine_name);
        let options = self.options(context, &engine, slots, &name, own)?;
        context.output.note(&format!("worker {} joins {}", sanitise::line(&name), self.join));
        let worker = Worker::start(options, link).map_err(CommandError::store)?;
        let ending = wait(&interrupt, worker, member.as_ref(), &context.output);
        hub.close(Duration::from_secs(1));
        ended(ending)
    }

    /// What need not be asked for: what this machine had before, or what the coordinator has, where
    /// the data folder is its.
    fn content(&self, context: &Context) -> Result<Arc<dyn ContentSource>> {
        let data = context.data.path();
        if self.pool.is_some() {
            return content_of(data);
        }
        let folder = ComponentFolder::open(data.join("worker/components")).map_err(|error| {
            CommandError::store(error).context("could not make the folder for components")
        })?;
        Ok(Arc::new(folder))
    }

    /// Known to whoever serves the data folder, for as long as this process lives.
    fn membership(&self) -> Result<Option<Membership>> {
        let (Some(folder), Some(setup), Some(name)) = (&self.pool, &self.pool_setup, &self.name)
        else {
            return Ok(None);
        };
        let member = Membership::enter(folder, name, setup).map_err(|error| {
            CommandError::store(error).context("could not register as a worker of the pool")
        })?;
        Ok(Some(member))
    }

    /// Where the coordinator is, and who this worker is to it.
    fn coordinator(&self) -> Result<(Coordinator, Option<PublicKey>)> {
        let endpoint = self.join.clone();
        match (&self.server_key, &self.key) {
            (Some(server), Some(path)) => {
                let own = KeyPair::read(path).map_err(key_error)?;
                let public = own.public();
                let curve = Curve { own, server: server.0 };
                Ok((Coordinator { endpoint, curve: Some(curve) }, Some(public)))
            }
            (None, None) if endpoint.is_loopback() => Ok((Coordinator::local(endpoint), None)),
            _ => Err(CommandError::usage(format!("joining {endpoint} takes two keys"))
                .hint(
                    "`--server-key` is the coordinator's public half, which it says when it starts",
                )
                .hint("`--key FILE` is this worker's, made with `wfhost keygen --out FILE`")),
        }
    }

    fn options(
        &self,
        context: &Context,
        engine: &Engine,
        slots: u32,
        name: &str,
        own: Option<PublicKey>,
    ) -> Result<Options> {
        let trust = self.trust.trusting(&context.data)?;
        let dirs: BTreeMap<_, _> = self.dirs.iter().cloned().collect();
        let directories = match &self.join {
            Endpoint::Tcp(_) => Directories::Named(dirs),
            Endpoint::Ipc(_) | Endpoint::Inproc(_) => Directories::OfThisMachine,
        };
        // Results belong to a key: another worker of this folder must not offer them.
        let spool = own.map(|own| context.data.path().join("worker").join(own.short()));
        let (output, join, public) = (context.output.clone(), self.join.clone(), own);
        let managed = self.pool.is_some().then(std::process::id);
        Ok(Options {
            name: name.to_owned(),
            instance: u64::from_le_bytes(run_id::random()?),
            labels: self.labels.iter().cloned().collect(),
            slots,
            managed,
            leave_after: self.leave_after.map(DurationMs::to_std),
            spool: spool.map(|folder| folder.join("ends")),
            told: match managed {
                // Who keeps it knows.
                Some(_) => Box::new(|_| {}),
                None => Box::new(move |news| tell(&output, &join, public, news)),
            },
            executor: Arc::new(PluginExecutor::new(engine.host().clone(), directories)),
            content: Some(self.content(context)?),
            trust,
            runtime: engine.runtime().handle().clone(),
        })
    }
}

fn tell(output: &Output, join: &Endpoint, own: Option<PublicKey>, news: News) {
    match (news, own) {
        (News::Joined, _) => output.note(&format!("joined {join}")),
        (News::Silent, Some(own)) => output.warn(&format!(
            "no answer from {join}; trying again. Is it there, is --server-key its key, and is \
             {own} in its list of workers?"
        )),
        (News::Silent, None) => output.warn(&format!("no answer from {join}; trying again")),
    }
}

/// Until the worker has ended by itself, or was asked to.
fn wait(
    interrupt: &Interrupt,
    worker: WorkerHandle,
    member: Option<&Membership>,
    output: &Output,
) -> Ending {
    let mut worker = worker;
    let mut looks = 0_u64;
    while !interrupt.is_asked() {
        looks += 1;
        if looks.is_multiple_of(LOOKS_AT_MEMBERSHIP) && member.is_some_and(Membership::is_void) {
            break;
        }
        worker = match worker.join(LOOK_EVERY) {
            Ok(ending) => return ending,
            Err(still) => still.0,
        };
    }
    output.note("finishing what is under way (Ctrl-C again stops at once)");
    worker.drain();
    match worker.join(DRAIN_LIMIT) {
        Ok(ending) => ending,
        Err(_still) => Ending::Stopped,
    }
}

fn ended(ending: Ending) -> Result<ExitCode> {
    match ending {
        Ending::Drained | Ending::Stopped => Ok(ExitCode::Done),
        Ending::Refused(reason) => Err(CommandError::new(
            ExitCode::Denied,
            anyhow::Error::msg(format!(
                "the coordinator refuses this worker: {}",
                sanitise::line(&reason)
            )),
        )),
        Ending::CoordinatorGone => Err(CommandError::unreachable("the coordinator is gone")),
        Ending::LinkFailed(error) => Err(CommandError::new(ExitCode::Unreachable, error)),
        Ending::Panicked => Err(CommandError::store(anyhow::Error::msg("the worker failed"))),
    }
}

/// A name for people: a machine without one has another way to be told apart.
fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "worker".to_owned() } else { name.trim().to_owned() }
}
