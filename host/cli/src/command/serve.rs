//! `wfhost serve`: the coordinator of many machines.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use wfhost_transport::keys::KeyPair;
use wfhost_transport::{Bind, Endpoint, KeyFiles};

use super::Context;
use super::keygen::key_error;
use super::serving::ServeArgs;
use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;
use crate::interrupt::Interrupt;
use crate::pool::{
    ChildCommand, Desk, ORPHAN_LIMIT, Pool, PoolArgs, PoolSettings, PoolSetup, Remote,
};
use crate::session::{Local, Network, Purpose, Session};
use crate::trust_file::TrustArgs;

/// For the workers of this machine to finish what they run, when this process is told to stop.
const DRAIN_LIMIT: Duration = Duration::from_secs(60);

/// The same when nobody can take their results any more.
const DRAIN_LIMIT_FAILED: Duration = Duration::from_secs(1);

/// For attempts to be given up and the store to be closed.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// How often it is looked whether to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Hold a data folder and hand its steps to workers
#[derive(Debug, Args)]
#[command(after_help = "\
Workers join with `wfhost worker`, commands reach the coordinator through the data folder or with
`--server`. Over the network everything is encrypted, and everybody is their key: workers and
clients have lists of their own, which are read again when they change. A key that is taken off is
not listened to from then on. Open runs go on, also those of a process that was killed.

Workers of this machine are started and watched by this process: one, where nobody else could run
a step; as many as the options above or `wfhost workers scale` say. One that ends is replaced,
with pauses that grow if that happens again and again. When wfhost is replaced on disk they are
replaced too, one by one, each when its successor is there. They outlive a coordinator that is
killed, and are counted again by the one that is started next; without one they leave after two
minutes. Ctrl-C or SIGTERM lets them finish, for a minute at most.

The coordinator's own key is made at the first start, in the data folder; who connects has to know
its public half. To change it without a pause, bind a second address with a new key, let workers
and clients join there, then leave the first one out.

Examples:
  wfhost serve --data ./data --bind tcp://0.0.0.0:7411 --workers workers.keys --clients clients.keys
  wfhost serve --data ./data --workers-min 1 --workers-max 8 --worker-slots 4
  wfhost serve --bind tcp://0.0.0.0:7411 --bind tcp://0.0.0.0:7412=new.key --workers workers.keys")]
pub(crate) struct ServeCommandArgs {
    /// Where workers and clients connect, such as tcp://0.0.0.0:7411; with `=FILE`, by another key
    #[arg(long, value_name = "ADDRESS[=FILE]")]
    bind: Vec<BindArg>,
    /// The coordinator's own key [default: server.key in the data folder, made when it is missing]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The keys of workers: a file with a public key a line
    #[arg(long, value_name = "FILE")]
    workers: Option<PathBuf>,
    /// The keys of clients
    #[arg(long, value_name = "FILE")]
    clients: Option<PathBuf>,
    /// Encrypt nothing and ask nobody for a key; only on addresses that no other machine reaches
    #[arg(long, conflicts_with_all = ["key", "workers", "clients"])]
    insecure: bool,
    #[command(flatten)]
    serve: ServeArgs,
    #[command(flatten)]
    pool: PoolArgs,
    #[command(flatten)]
    trust: TrustArgs,
    /// What deployed bundles may be given, read at each deploy and start [default: policy.toml in the data folder, if it is there]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

/// `ADDRESS` or `ADDRESS=FILE`.
#[derive(Debug, Clone)]
struct BindArg {
    endpoint: Endpoint,
    key: Option<PathBuf>,
}

impl std::str::FromStr for BindArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, key) = match text.split_once('=') {
            Some((address, key)) => (address, Some(PathBuf::from(key))),
            None => (text, None),
        };
        let endpoint: Endpoint = address.parse().map_err(|error| format!("{error}"))?;
        match endpoint {
            Endpoint::Tcp(_) => Ok(Self { endpoint, key }),
            Endpoint::Ipc(_) | Endpoint::Inproc(_) => Err("only tcp:// addresses".to_owned()),
        }
    }
}

impl ServeCommandArgs {
    pub(crate) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        let interrupt = Interrupt::listen()?;
        let settings = self.pool.settings(&context.config, self.remote())?;
        // Said at once: workers that are started later would only end.
        self.trust.policy(&context.data)?;
        context.data.create()?;
        let (desk, orders) = Desk::new();
        let network = self.network(context, desk.clone())?;
        let public: Vec<_> =
            network.binds.iter().map(|bind| bind.key.as_ref().map(KeyPair::public)).collect();
        let engine = self.serve.engine(context)?;
        let mut options =
            self.serve.options(&engine, &context.config, self.trust.clone(), Some(network));
        options.bundles.policy.clone_from(&self.policy);
        let purpose = Purpose::Serve(options);
        let session = Session::open(&context.data, &purpose)?;
        let Some(local) = session.local() else {
            let holder = session.holder().map_or(0, |holder| holder.pid);
            session.close_at_once();
            return Err(CommandError::unreachable(format!(
                "process {holder} holds the data folder {}",
                context.data.path().display()
            ))
            .hint("end that process, or use another data folder with `--data PATH`"));
        };
        let command = self.worker_command(context, &settings, local)?;
        say_ready(context, &local.addresses(), &public, &settings)?;
        let pool = Pool::start(PoolSetup {
            settings,
            command,
            folder: context.data.path().to_owned(),
            coordinator: local.coordinator(),
            output: context.output.clone(),
            desk: Arc::clone(&desk),
            orders,
        })?;
        interrupt.before_leaving(move || desk.kill());
        while !interrupt.is_asked() && local.failure().is_none() {
            std::thread::sleep(LOOK_EVERY);
        }
        let failure = local.failure().map(str::to_owned);
        context
            .output
            .note("stopping (Ctrl-C again stops at once); open runs go on when it serves again");
        pool.stop(if failure.is_some() { DRAIN_LIMIT_FAILED } else { DRAIN_LIMIT });
        session.close(STOP_LIMIT);
        match failure {
            Some(failure) => Err(CommandError::store(anyhow::Error::msg(failure))),
            None => Ok(ExitCode::Done),
        }
    }

    /// Whether others are expected to run the steps.
    const fn remote(&self) -> Remote {
        if self.workers.is_some() || self.insecure || self.serve.has_slots() {
            Remote::Expected
        } else {
            Remote::Nobody
        }
    }

    fn worker_command(
        &self,
        context: &Context,
        settings: &PoolSettings,
        local: &Local,
    ) -> Result<ChildCommand> {
        let join = local.local_workers().ok_or_else(|| {
            CommandError::store(anyhow::Error::msg("there is no socket for local workers"))
        })?;
        let leave_after = format!("{}s", ORPHAN_LIMIT.as_secs());
        let own = [
            "worker".to_owned(),
            "--join".to_owned(),
            join.to_string(),
            "--slots".to_owned(),
            settings.rules.slots.to_string(),
            "--leave-after".to_owned(),
            leave_after,
        ];
        let mut arguments: Vec<OsString> = own.into_iter().map(OsString::from).collect();
        arguments.extend(context.alike.iter().cloned());
        arguments.extend(self.serve.sandbox().arguments());
        arguments.extend(self.trust.arguments());
        Ok(ChildCommand { arguments })
    }

    fn network(&self, context: &Context, pool: Arc<Desk>) -> Result<Network> {
        let own = |path: &Path| KeyPair::read(path).map_err(key_error);
        let mut binds = Vec::new();
        for BindArg { endpoint, key } in &self.bind {
            let key = match (key, &self.key) {
                _ if self.insecure => None,
                (Some(path), _) | (None, Some(path)) => Some(own(path)?),
                (None, None) => Some(made_key(&context.data.path().join("server.key"))?),
            };
            binds.push(Bind { endpoint: endpoint.clone(), key });
        }
        if self.insecure {
            context.output.warn("--insecure: nothing is encrypted, and every program of this machine may take steps and start runs");
        } else if !binds.is_empty() && self.workers.is_none() && self.clients.is_none() {
            return Err(CommandError::usage("nobody could connect: there is neither a list of workers nor one of clients")
                .hint("`wfhost keygen --out node1.key >> workers.keys` makes a key and a list; then `--workers workers.keys`"));
        }
        let keys = KeyFiles { workers: self.workers.clone(), clients: self.clients.clone() };
        Ok(Network { binds, keys, pool: Some(pool) })
    }
}

/// The key of this folder's coordinator.
fn made_key(path: &Path) -> Result<KeyPair> {
    if !path.exists() {
        let pair = KeyPair::generate().map_err(key_error)?;
        pair.write_new(path).map_err(key_error)?;
    }
    KeyPair::read(path).map_err(key_error)
}

fn say_ready(
    context: &Context,
    addresses: &[String],
    keys: &[Option<wfhost_transport::keys::PublicKey>],
    pool: &PoolSettings,
) -> Result<()> {
    let output = &context.output;
    let data = context.data.path();
    if output.is_json() {
        let binds: Vec<_> = addresses
            .iter()
            .zip(keys)
            .map(|(address, key)| json!({ "address": address, "server_key": key.map(|key| key.to_string()) }))
            .collect();
        let (min, max, slots) = (pool.bounds.min(), pool.bounds.max(), pool.rules.slots);
        let workers = json!({ "min": min, "max": max, "slots": slots });
        let pid = std::process::id();
        return output
            .json(&json!({ "data": data, "pid": pid, "addresses": binds, "workers": workers }));
    }
    output.note(&format!("serving {}: {}", data.display(), pool.shown()));
    for (address, key) in addresses.iter().zip(keys) {
        match key {
            Some(key) => output.note(&format!(
                "workers join with: wfhost worker --join {address} --server-key {key} --key FILE"
            )),
            None => output.note(&format!("workers join with: wfhost worker --join {address}")),
        }
    }
    Ok(())
}
