//! Workers: each has a key, and each of its processes a name and a folder for its marks.

use std::path::Path;

use rustix::process::Signal;
use wfhost_transport::keys::{KeyPair, PublicKey};

use super::{Cluster, READY_MAX};
use crate::clock;
use crate::failure::{Doing as _, Result};
use crate::history::Execution;
use crate::marks;
use crate::process::Process;

/// How a worker is started.
#[derive(Debug, Clone)]
pub(crate) struct WorkerOptions {
    pub(crate) slots: u32,
    pub(crate) label: Option<String>,
    /// The network namespace that it lives in.
    pub(crate) namespace: Option<String>,
    /// Where it joins, if not where the coordinator listens.
    pub(crate) join: Option<String>,
}

impl WorkerOptions {
    pub(crate) const fn slots(slots: u32) -> Self {
        Self { slots, label: None, namespace: None, join: None }
    }
}

/// One process.
pub(super) struct Worker {
    pub(super) process: Process,
    pub(super) name: String,
}

impl Cluster<'_> {
    /// Makes a key, puts it on the list, and gives its public half.
    pub(crate) fn new_worker_key(&mut self, key: &str) -> Result<PublicKey> {
        let pair = KeyPair::generate().doing("make a key")?;
        pair.write_new(&self.path(&format!("{key}.key"))).doing("write a key")?;
        self.lives.insert(key.to_owned(), 0);
        let mut keys = Vec::new();
        for name in self.lives.keys() {
            let path = self.path(&format!("{name}.key"));
            keys.push(KeyPair::read(&path).doing("read a key")?.public());
        }
        self.list_keys("workers.keys", &keys)?;
        // A coordinator that runs looks at its lists now and then.
        Ok(pair.public())
    }

    /// Starts the worker's next process and waits until it has joined; gives its name.
    pub(crate) fn worker(&mut self, key: &str, options: &WorkerOptions) -> Result<String> {
        let name = self.begin_worker(key, options)?;
        self.joined(key, 1)?;
        Ok(name)
    }

    /// As [`Self::worker`], without waiting.
    pub(crate) fn begin_worker(&mut self, key: &str, options: &WorkerOptions) -> Result<String> {
        if !self.lives.contains_key(key) {
            self.new_worker_key(key)?;
        }
        let life = self.lives.entry(key.to_owned()).or_default();
        *life += 1;
        let name = format!("{key}-{life}");
        let folder = self.path("marks").join(&name);
        std::fs::create_dir_all(&folder).doing("make a folder")?;
        let program = self.tools.wfhost.clone();
        let mut command = match &options.namespace {
            Some(namespace) => {
                let mut command = self.command(Path::new("ip"));
                command.args(["netns", "exec", namespace]).arg(program);
                command
            }
            None => self.command(&program),
        };
        let join = options.join.clone().map_or_else(|| self.address(), Ok)?;
        let (server_key, slots) = (self.server_key().to_string(), options.slots.to_string());
        command.args(["worker", "-v", "--data", key, "--name", &name, "--slots", &slots]);
        command.args(["--join", &join, "--server-key", &server_key]);
        command.arg("--key").arg(format!("{key}.key"));
        command.arg("--dir").arg(format!("marks={}:rw", folder.display()));
        if let Some(label) = &options.label {
            command.args(["--label", label]);
        }
        let log = self.path(&format!("{name}.log"));
        let process = Process::start(&mut command, &log)?;
        self.workers.insert(key.to_owned(), Worker { process, name: name.clone() });
        Ok(name)
    }

    /// Waits until the worker has said so often that it has joined.
    pub(crate) fn joined(&mut self, key: &str, times: usize) -> Result<()> {
        self.worker_process(key)?.wait_for("joined tcp", times, READY_MAX)
    }

    pub(crate) fn worker_process(&mut self, key: &str) -> Result<&mut Process> {
        let worker = self.workers.get_mut(key).doing(format_args!("use worker {key}"))?;
        Ok(&mut worker.process)
    }

    /// `kill -9`; gives the time just before it.
    pub(crate) fn kill_worker(&mut self, key: &str) -> Result<u64> {
        let mut worker = self.workers.remove(key).doing(format_args!("kill worker {key}"))?;
        let at = clock::wall_ns();
        worker.process.kill()?;
        self.history().ended_ns.insert(worker.name, clock::wall_ns());
        Ok(at)
    }

    pub(crate) fn signal_worker(&mut self, key: &str, signal: Signal) -> Result<()> {
        self.worker_process(key)?.signal(signal)
    }

    /// Waits for a worker that was asked to leave.
    pub(crate) fn worker_left(&mut self, key: &str) -> Result<Option<i32>> {
        let mut worker = self.workers.remove(key).doing(format_args!("end worker {key}"))?;
        let code = worker.process.end(READY_MAX)?;
        self.history().ended_ns.insert(worker.name, clock::wall_ns());
        Ok(code)
    }

    /// What a process has begun so far.
    pub(crate) fn executions_of(&self, process: &str) -> Result<Vec<Execution>> {
        marks::of_process(&self.path("marks").join(process), process)
    }

    /// What a process has under way now.
    pub(crate) fn under_way(&self, process: &str) -> Result<Vec<Execution>> {
        let mut executions = self.executions_of(process)?;
        executions.retain(|execution| execution.end_ns.is_none());
        Ok(executions)
    }

    pub(crate) fn executions(&self) -> Result<Vec<Execution>> {
        marks::read(&self.path("marks"))
    }
}
