//! A coordinator and workers as real processes, over TCP with keys, and the history of what they
//! do: made for one row, checked at its end.

mod finish;
mod load;
mod worker;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wfhost_transport::keys::{KeyPair, PublicKey};
use wfhost_transport::{Coordinator, Curve, Endpoint, Target};

pub(crate) use load::{Handle, Load, Watcher};
pub(crate) use worker::WorkerOptions;

use crate::client::Client;
use crate::clock;
use crate::failure::{Doing as _, Result};
use crate::history::{Apart, History};
use crate::process::Process;
use crate::tools::Tools;

/// How a coordinator is started.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServeOptions {
    /// Crash points, as the crate `fail` reads them; with the program that has them.
    pub(crate) failpoints: Option<String>,
    /// Its limit on open files.
    pub(crate) descriptors: Option<u64>,
    /// Where it listens; by default a free port of this machine.
    pub(crate) host: Option<String>,
}

/// One coordinator, its workers, and what is known of both.
pub(crate) struct Cluster<'t> {
    tools: &'t Tools,
    folder: tempfile::TempDir,
    pub(crate) server: Option<Process>,
    address: Option<String>,
    server_key: KeyPair,
    client_key: KeyPair,
    workers: BTreeMap<String, worker::Worker>,
    /// Lives of each worker's key.
    lives: BTreeMap<String, u32>,
    history: Arc<Mutex<History>>,
    pub(crate) random: fastrand::Rng,
}

/// For a coordinator to serve, and for a worker to join: on a busy machine.
pub(super) const READY_MAX: Duration = Duration::from_secs(60);

impl<'t> Cluster<'t> {
    /// Folders and keys; nothing runs yet.
    pub(crate) fn new(tools: &'t Tools) -> Result<Self> {
        let folder = tempfile::tempdir().doing("make a folder")?;
        std::fs::create_dir_all(folder.path().join("marks")).doing("make a folder")?;
        std::fs::create_dir_all(&tools.cache).doing("make the cache")?;
        let key = || KeyPair::generate().doing("make a key");
        let (server_key, client_key) = (key()?, key()?);
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(path("data")).doing("make a folder")?;
        server_key.write_new(&path("server.key")).doing("write a key")?;
        client_key.write_new(&path("client.key")).doing("write a key")?;
        let cluster = Self {
            tools,
            folder,
            server: None,
            address: None,
            server_key,
            client_key,
            workers: BTreeMap::new(),
            lives: BTreeMap::new(),
            history: Arc::default(),
            random: fastrand::Rng::with_seed(tools.seed),
        };
        cluster.list_keys("clients.keys", &[cluster.client_key.public()])?;
        cluster.list_keys("workers.keys", &[])?;
        Ok(cluster)
    }

    pub(crate) const fn tools(&self) -> &'t Tools {
        self.tools
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces a list of keys as an editor does.
    pub(crate) fn list_keys(&self, name: &str, keys: &[PublicKey]) -> Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        let text: String = keys.iter().map(|key| format!("{key} someone\n")).collect();
        let new = self.path("keys.new");
        std::fs::write(&new, text).doing("write a list of keys")?;
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&new, private).doing("write a list of keys")?;
        std::fs::rename(&new, self.path(name)).doing("write a list of keys")
    }

    /// The program with this row's folders.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        self.surround(&mut command);
        command
    }

    fn surround(&self, command: &mut Command) {
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TZ", "UTC")
            .env("WFHOST_CACHE", &self.tools.cache);
    }

    /// Starts the coordinator, where it was before if it was; gives the time until it said that it
    /// serves.
    pub(crate) fn serve(&mut self, options: &ServeOptions) -> Result<Duration> {
        let began = clock::now();
        let mut process = self.begin_server(options)?;
        let line = process.line()?;
        self.address = Some(address_in(&line)?);
        self.server = Some(process);
        Ok(began.elapsed())
    }

    /// Starts the coordinator and waits until it ends by itself, at most `limit`: then it is
    /// killed. Its exit code; `None`: by a signal.
    pub(crate) fn serve_to_end(
        &mut self,
        options: &ServeOptions,
        limit: Duration,
    ) -> Result<Option<i32>> {
        let mut process = self.begin_server(options)?;
        // It may end before it serves.
        let ended = clock::until(limit, || process.has_ended().then_some(())).is_some();
        let code = if ended { process.end(limit)? } else { None };
        self.server = Some(process);
        self.kill_server()?;
        Ok(code)
    }

    fn begin_server(&self, options: &ServeOptions) -> Result<Process> {
        let crashing = options.failpoints.is_some();
        let program = if crashing { &self.tools.crashing } else { &self.tools.wfhost };
        let mut command = match options.descriptors {
            Some(limit) => {
                let mut command = self.command(Path::new("prlimit"));
                command.arg(format!("--nofile={limit}:{limit}")).arg(program);
                command
            }
            None => self.command(program),
        };
        if let Some(points) = &options.failpoints {
            command.env("FAILPOINTS", points);
        }
        let host = options.host.as_deref().unwrap_or("127.0.0.1");
        let bind = self.address.clone().unwrap_or_else(|| format!("tcp://{host}:0"));
        command.args(["serve", "-v", "--output", "json", "--data", "data", "--bind", &bind]);
        command.args(["--key", "server.key", "--workers", "workers.keys"]);
        command.args(["--clients", "clients.keys"]);
        Process::start(&mut command, &self.path("serve.log"))
    }

    pub(crate) fn server(&mut self) -> Result<&mut Process> {
        self.server.as_mut().doing("use the coordinator")
    }

    /// All that the coordinators have said so far.
    pub(crate) fn server_log(&self) -> String {
        std::fs::read_to_string(self.path("serve.log")).unwrap_or_default()
    }

    /// `kill -9` of the coordinator, if it has not ended by itself.
    pub(crate) fn kill_server(&mut self) -> Result<()> {
        let mut server = self.server.take().doing("kill the coordinator")?;
        if !server.has_ended() {
            server.kill()?;
        }
        // From its next start on, workers that do not come back in time have lost what they had.
        self.apart(None);
        Ok(())
    }

    /// From now on a worker (`None`: every one) may lose its leases without knowing.
    pub(crate) fn apart(&self, process: Option<&str>) {
        let apart = Apart { process: process.map(str::to_owned), from_ns: clock::wall_ns() };
        self.history().apart.push(apart);
    }

    pub(crate) fn address(&self) -> Result<String> {
        self.address.clone().doing("know the address")
    }

    pub(crate) const fn server_key(&self) -> PublicKey {
        self.server_key.public()
    }

    /// Whoever asks with this key.
    pub(crate) fn target_of(&self, own: KeyPair) -> Result<Target> {
        let endpoint: Endpoint = self.address()?.parse().doing("read the address")?;
        let curve = Some(Curve { own, server: self.server_key.public() });
        Ok(Target::Server(Coordinator { endpoint, curve }))
    }

    pub(crate) const fn client_key(&self) -> &KeyPair {
        &self.client_key
    }

    pub(crate) fn client(&self) -> Result<Client> {
        Ok(Client::new(self.target_of(self.client_key.clone())?))
    }

    /// What other threads start and watch runs with.
    pub(crate) fn handle(&self) -> Result<Handle> {
        Ok(Handle {
            target: self.target_of(self.client_key.clone())?,
            history: Arc::clone(&self.history),
            component: self.tools.component.clone().into(),
            digest: self.tools.digest,
            seed: self.tools.seed,
        })
    }
}

/// Of what the coordinator says when it serves.
fn address_in(line: &str) -> Result<String> {
    let said: serde_json::Value =
        serde_json::from_str(line).doing(format_args!("read `{line}`"))?;
    let address = said["addresses"][0]["address"].as_str().doing("read the address")?;
    Ok(address.to_owned())
}
