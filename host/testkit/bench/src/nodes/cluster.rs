//! `wfhost serve` and `wfhost worker`, started and ended.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use wfhost_transport::client::{Answer, Request, Start};
use wfhost_transport::keys::{KeyPair, PublicKey};
use wfhost_transport::{ClientLink, Coordinator, Curve, Endpoint, Hub, Target};
use wfhost_workflow::{Digest, Json, Limits, PinnedPlugin, RunId};

use crate::{clock, machine};

/// A bench that cannot start its processes has nothing to say.
const SET_UP: &str = "the bench's processes are set up";

/// More than any part of the bench starts at once, and a number of its own for each.
const KEYS: usize = 320;

const TIMEOUT: Duration = Duration::from_secs(150);

pub(super) struct Cluster {
    place: tempfile::TempDir,
    server: Child,
    address: Endpoint,
    key: PublicKey,
    client: KeyPair,
    hub: Hub,
    plugins: Vec<PinnedPlugin>,
    runs: AtomicU64,
}

/// Lines of a worker's log.
pub(super) type Compiled = Arc<Mutex<Vec<String>>>;

/// A process, killed where the bench ends first.
pub(super) struct Process(Child);

impl Process {
    /// As an operator ends it.
    pub(super) fn end(mut self) {
        let pid = Pid::from_child(&self.0);
        kill_process(pid, Signal::TERM).expect(SET_UP);
        self.0.wait().expect(SET_UP);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended.
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

fn program() -> PathBuf {
    let own = std::env::current_exe().expect(SET_UP);
    own.with_file_name("wfhost")
}

fn component(name: &str) -> Vec<u8> {
    wfhost_testkit::guest::content(name)
}

impl Cluster {
    /// A coordinator that commits with `sync`, and two components.
    pub(super) fn start() -> Self {
        let place = super::place();
        let mut list = String::new();
        for number in 0..KEYS {
            let pair = KeyPair::generate().expect(SET_UP);
            pair.write_new(&place.path().join(format!("{number}.key"))).expect(SET_UP);
            list.push_str(&format!("{}\n", pair.public()));
        }
        let client = KeyPair::generate().expect(SET_UP);
        std::fs::write(place.path().join("workers.keys"), list).expect(SET_UP);
        std::fs::write(place.path().join("clients.keys"), format!("{}\n", client.public()))
            .expect(SET_UP);
        let mut server = Command::new(program())
            .current_dir(place.path())
            .env("WFHOST_CACHE", place.path().join("cache"))
            .args(["serve", "--data", "data", "--output", "json"])
            .args(["--bind", "tcp://127.0.0.1:0", "--workers", "workers.keys"])
            .args(["--clients", "clients.keys", "--durability", "sync"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect(SET_UP);
        let mut line = String::new();
        let said = server.stdout.take().expect(SET_UP);
        BufReader::new(said).read_line(&mut line).expect(SET_UP);
        let said: serde_json::Value = serde_json::from_str(&line).expect(SET_UP);
        let text = |name: &str| said["addresses"][0][name].as_str().expect(SET_UP).to_owned();
        let mut cluster = Self {
            place,
            server,
            address: text("address").parse().expect(SET_UP),
            key: text("server_key").parse().expect(SET_UP),
            client,
            hub: Hub::new(),
            plugins: Vec::new(),
            runs: AtomicU64::new(0),
        };
        cluster.plugins = [("b", "bench-steps"), ("t", "timed-steps")]
            .map(|(alias, name)| cluster.plugin(alias, &component(name)))
            .into();
        cluster
    }

    fn plugin(&self, alias: &str, bytes: &[u8]) -> PinnedPlugin {
        PinnedPlugin {
            alias: alias.into(),
            digest: self.asker().put(bytes),
            dirs: Vec::new(),
            limits: Limits::default(),
            determinism: wfhost_workflow::Determinism::default(),
            plugin: None,
        }
    }

    pub(super) fn asker(&self) -> Asker {
        let curve = Some(Curve { own: self.client.clone(), server: self.key });
        let server = Coordinator { endpoint: self.address.clone(), curve };
        Asker(ClientLink::connect(&self.hub, Target::Server(server)).expect(SET_UP))
    }

    /// A worker that has joined, and what it says of components that it has compiled.
    pub(super) fn counted_worker(&self, number: usize, slots: u32) -> (Process, Compiled) {
        let compiled = Compiled::default();
        let heard = Arc::clone(&compiled);
        let listen = move |line: String| {
            if line.contains("compiled digest=") {
                heard.lock().expect("nobody panics with it").push(line);
            }
        };
        (self.worker_heard(number, slots, "wfhost_plugin::compile=debug", listen).0, compiled)
    }

    /// A worker that has joined, and when it said so, in nanoseconds since 1970.
    pub(super) fn worker(&self, number: usize, slots: u32) -> (Process, u128) {
        self.worker_heard(number, slots, "", drop)
    }

    fn worker_heard(
        &self,
        number: usize,
        slots: u32,
        log: &str,
        listen: impl FnMut(String) + Send + 'static,
    ) -> (Process, u128) {
        let data = self.place.path().join(format!("worker-{number}"));
        let mut child = Command::new(program())
            .current_dir(self.place.path())
            .env("WFHOST_CACHE", data.join("cache"))
            .env("WFHOST_LOG", log)
            .arg("worker")
            .arg("--data")
            .arg(&data)
            .args(["--join", &self.address.to_string(), "--server-key", &self.key.to_string()])
            .args(["--key", &format!("{number}.key"), "--slots", &slots.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect(SET_UP);
        let said = child.stderr.take().expect(SET_UP);
        let mut lines = BufReader::new(said).lines();
        let process = Process(child);
        while let Some(Ok(line)) = lines.next() {
            if line.contains("joined") {
                let joined = clock::wall_ns();
                // It goes on speaking, and its pipe must not fill.
                std::thread::spawn(move || lines.map_while(Result::ok).for_each(listen));
                return (process, joined);
            }
        }
        panic!("a worker did not join");
    }

    pub(super) fn workflow(&self, steps: &str) -> Digest {
        let text = format!(
            "workflow: bench\nversion: 1\nplugins: {{ b: ./b.wasm, t: ./t.wasm }}\n{steps}"
        );
        self.asker().put(text.as_bytes())
    }

    /// Starts a run; it is durable when this returns.
    pub(super) fn begin(&self, asker: &mut Asker, definition: Digest, input: &Json) -> RunId {
        let number = self.runs.fetch_add(1, Ordering::Relaxed);
        let run = RunId::new(clock::wall(), u128::from(number));
        let start = Start { run, definition, input: input.clone(), plugins: self.plugins.clone() };
        match asker.ask(&Request::Start(Box::new(start))) {
            Answer::Done => run,
            other => panic!("a run was not started: {other:?}"),
        }
    }

    /// What the coordinator has in memory.
    pub(super) fn memory_kb(&self) -> u64 {
        machine::of_a_process(self.server.id(), "status", "VmRSS")
    }

    pub(super) fn end(mut self) {
        let pid = Pid::from_child(&self.server);
        kill_process(pid, Signal::TERM).expect(SET_UP);
        self.server.wait().expect(SET_UP);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It may have ended.
        let _ended = self.server.kill();
        let _ended = self.server.wait();
    }
}

/// A client of the cluster.
pub(super) struct Asker(ClientLink);

impl Asker {
    pub(super) fn ask(&mut self, request: &Request) -> Answer {
        self.0.request(request, TIMEOUT).expect("the coordinator answers")
    }

    /// Sends a content.
    pub(super) fn put(&mut self, bytes: &[u8]) -> Digest {
        let (digest, total) = (Digest::of(bytes), bytes.len() as u64);
        let mut offset = 0;
        while offset < total {
            let rest = &bytes[offset as usize..];
            let part =
                rest[..rest.len().min(wfhost_transport::codec::CHUNK_BYTES as usize)].to_vec();
            match self.ask(&Request::Put { digest, offset, total, bytes: part }) {
                Answer::Received { next } => offset = next,
                other => panic!("a content was not taken: {other:?}"),
            }
        }
        digest
    }
}
