//! A whole wfhost in this process: store, coordinator, one worker, the real plugin host.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use wfhost_checkpoint::{Content, DataFolder, Durability, OpenOptions};
use wfhost_coordinator::{Coordinator, CoordinatorHandle, CoordinatorOptions, Recovery};
use wfhost_plugin::{HostOptions, PluginHost};
use wfhost_transport::client::{Answer, Request, Start, StepShown};
use wfhost_transport::{
    Coordinator as JoinedAt, Endpoint, Hub, ServerLink, ServerOptions, WorkerLink,
};
use wfhost_worker::{
    ContentSource, Directories, Options, PluginExecutor, Trusting, Worker, WorkerHandle,
};
use wfhost_workflow::run::RunStatus;
use wfhost_workflow::{Digest, Json, Limits, PinnedPlugin, RunId};

use crate::{clock, machine};

/// A bench that cannot set up its host has nothing to say.
const SET_UP: &str = "the bench's host is set up";

pub(crate) struct Host {
    pub(crate) coordinator: CoordinatorHandle,
    _runtime: tokio::runtime::Runtime,
    worker: Mutex<Option<WorkerHandle>>,
    plugin: PinnedPlugin,
    folder: DataFolder,
    _place: tempfile::TempDir,
    runs: AtomicU64,
}

struct Local(Content);

impl ContentSource for Local {
    fn read(&self, digest: &Digest) -> std::io::Result<Option<Vec<u8>>> {
        self.0.get(digest).map(Some).map_err(std::io::Error::other)
    }
}

impl Host {
    pub(crate) fn start(durability: Durability, slots: u32) -> Self {
        std::fs::create_dir_all(machine::host_folder()).expect(SET_UP);
        let place = tempfile::tempdir_in(machine::host_folder()).expect(SET_UP);
        let options = OpenOptions { durability, ..OpenOptions::default() };
        let folder = DataFolder::open(place.path(), &options).expect(SET_UP);
        let hub = Hub::new();
        let endpoint = Endpoint::inproc("workers");
        let (link, waker) = ServerLink::bind(&ServerOptions {
            hub: hub.clone(),
            workers: vec![endpoint.clone()],
            ..ServerOptions::default()
        })
        .expect(SET_UP);
        let coordinator = Coordinator::start(CoordinatorOptions {
            store: Arc::clone(&folder.store),
            content: folder.content.clone(),
            logs: place.path().join("logs"),
            link,
            waker,
            seed: 1,
            secret: [1; 32],
            recovery: Recovery::OnDemand,
            pool: None,
            deploys: Arc::default(),
        })
        .expect(SET_UP);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().build().expect(SET_UP);
        let plugins =
            PluginHost::new(HostOptions { slots, ..HostOptions::default() }).expect(SET_UP);
        let (worker_link, _waker) =
            WorkerLink::connect(&hub, JoinedAt::local(endpoint)).expect(SET_UP);
        let worker = Worker::start(
            Options {
                name: "bench".to_owned(),
                instance: 1,
                labels: std::collections::BTreeMap::new(),
                slots,
                managed: None,
                leave_after: None,
                spool: None,
                told: Box::new(|_| {}),
                executor: Arc::new(PluginExecutor::new(plugins, Directories::OfThisMachine)),
                content: Some(Arc::new(Local(folder.content.clone()))),
                trust: Trusting::default(),
                runtime: runtime.handle().clone(),
            },
            worker_link,
        )
        .expect(SET_UP);
        let component = wfhost_testkit::guest::content("bench-steps");
        let plugin = PinnedPlugin {
            alias: "b".into(),
            digest: folder.content.put(&component).expect(SET_UP),
            dirs: Vec::new(),
            limits: Limits::default(),
            determinism: wfhost_workflow::Determinism::default(),
            plugin: None,
        };
        Self {
            coordinator,
            _runtime: runtime,
            worker: Mutex::new(Some(worker)),
            plugin,
            folder,
            _place: place,
            runs: AtomicU64::new(0),
        }
    }

    pub(crate) fn workflow(&self, steps: &str) -> Digest {
        let text = format!("workflow: bench\nversion: 1\nplugins: {{ b: ./b.wasm }}\n{steps}");
        self.folder.content.put(text.as_bytes()).expect(SET_UP)
    }

    /// Starts a run; it is durable when this returns.
    pub(crate) fn begin(&self, definition: Digest, input: &Json) -> RunId {
        let number = self.runs.fetch_add(1, Ordering::Relaxed);
        let run = RunId::new(clock::wall(), u128::from(number));
        let start =
            Start { run, definition, input: input.clone(), plugins: vec![self.plugin.clone()] };
        match self.coordinator.request(Request::Start(Box::new(start))) {
            Answer::Done => run,
            other => panic!("a run was not started: {other:?}"),
        }
    }

    /// Runs a workflow to its end.
    pub(crate) fn run(&self, definition: Digest, input: &Json) {
        let run = self.begin(definition, input);
        match self.coordinator.request(Request::Await { run, wait_ms: 60_000 }) {
            Answer::Ended { status: RunStatus::Succeeded, .. } => {}
            other => panic!("a run did not succeed: {other:?}"),
        }
    }

    /// Returns once the run's only step has failed and waits.
    pub(crate) fn wait_for_backoff(&self, run: RunId) {
        let mut seen = 0;
        loop {
            let watch = Request::Watch { run, seen, wait_ms: 10_000 };
            let Answer::Run(view) = self.coordinator.request(watch) else {
                panic!("run {run} cannot be watched");
            };
            if view.steps.iter().all(|step| step.state == StepShown::Backoff) {
                return;
            }
            seen = view.tick;
        }
    }

    pub(crate) fn stop(self) {
        self.coordinator.stop(Duration::from_secs(10));
        if let Ok(Some(worker)) = self.worker.into_inner() {
            worker.stop();
            // It ends with the process at the latest.
            let _running = worker.join(Duration::from_secs(10));
        }
    }
}
