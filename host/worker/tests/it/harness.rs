//! A coordinator that does what a test says, and an executor that does what a function's name says.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use wfhost_transport::message::{
    Dispatch, FromWorker, Held, Hello, LogLevel, Outcome, PROTOCOL, Payload, ToWorker, Token,
};
use wfhost_transport::{
    Coordinator, Endpoint, Hub, ServerEvent, ServerLink, ServerOptions, WorkerLink,
};
use wfhost_worker::{
    Completion, ContentSource, Ending, Executor, FnExecutor, Job, Options, Trusting, Worker,
    WorkerHandle,
};
use wfhost_workflow::run::KvWrite;
use wfhost_workflow::{
    Attempt, AttemptId, Digest, Failure, FailureKind, Json, Limits, RunId, StepId, TaskId, WorkerId,
};

/// Far above what a loaded machine needs; a passing test never waits for it.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

pub(crate) const HEARTBEAT_MS: u64 = 20;

#[expect(clippy::disallowed_methods, reason = "a test's own limit")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

pub(crate) struct World {
    /// Ended first: the worker leaves before its runtime does.
    pub(crate) worker: Option<WorkerHandle>,
    pub(crate) server: ServerLink,
    pub(crate) id: WorkerId,
    /// What the coordinator has.
    pub(crate) contents: HashMap<Digest, Vec<u8>>,
    /// Every part that was asked for.
    pub(crate) fetched: Vec<(Digest, u64, u32)>,
    pub(crate) heartbeats: u32,
    /// What its hello named.
    pub(crate) components: Vec<Digest>,
    events: Vec<ServerEvent>,
    _runtime: Runtime,
    _folder: tempfile::TempDir,
}

pub(crate) struct Setting {
    pub(crate) slots: u32,
    pub(crate) over_ipc: bool,
    pub(crate) content: Option<Arc<dyn ContentSource>>,
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) trust: Trusting,
}

impl Default for Setting {
    fn default() -> Self {
        let executor = Arc::new(FnExecutor(execute));
        Self { slots: 4, over_ipc: false, content: None, executor, trust: Trusting::default() }
    }
}

/// Contents "on this machine".
#[derive(Default)]
pub(crate) struct Local(pub(crate) Mutex<HashMap<Digest, Vec<u8>>>);

impl ContentSource for Local {
    fn read(&self, digest: &Digest) -> std::io::Result<Option<Vec<u8>>> {
        Ok(self.0.lock().unwrap().get(digest).cloned())
    }
}

/// What every dispatch carries.
pub(crate) const TOKEN: Token = Token([5; 16]);

const INSTANCE: u64 = 77;

pub(crate) fn hello(slots: u32, running: Vec<Held>) -> FromWorker {
    FromWorker::Hello(Box::new(Hello {
        protocol: PROTOCOL,
        name: "tested".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        instance: INSTANCE,
        slots,
        running,
        ..Hello::default()
    }))
}

impl World {
    pub(crate) fn new(setting: Setting) -> Self {
        let mut world = Self::unwelcomed(setting);
        world.welcome();
        world
    }

    pub(crate) fn welcome(&mut self) {
        self.tell(&ToWorker::Welcome { protocol: PROTOCOL, heartbeat_ms: HEARTBEAT_MS });
    }

    /// Has had the hello and not answered it.
    pub(crate) fn unwelcomed(setting: Setting) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = if setting.over_ipc {
            Endpoint::ipc(folder.path().join("w.sock"))
        } else {
            Endpoint::inproc("workers")
        };
        let hub = Hub::new();
        let options = ServerOptions {
            hub: hub.clone(),
            workers: vec![endpoint.clone()],
            ..ServerOptions::default()
        };
        let (server, _) = ServerLink::bind(&options).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let (link, _) = WorkerLink::connect(&hub, Coordinator::local(endpoint)).unwrap();
        let options = Options {
            name: "tested".to_owned(),
            instance: INSTANCE,
            labels: BTreeMap::new(),
            slots: setting.slots,
            managed: None,
            leave_after: None,
            spool: None,
            told: Box::new(|_| {}),
            executor: setting.executor,
            content: setting.content,
            trust: setting.trust,
            runtime: runtime.handle().clone(),
        };
        let worker = Worker::start(options, link).unwrap();
        let mut world = Self {
            worker: Some(worker),
            server,
            id: WorkerId(0),
            contents: HashMap::new(),
            fetched: Vec::new(),
            heartbeats: 0,
            components: Vec::new(),
            events: Vec::new(),
            _runtime: runtime,
            _folder: folder,
        };
        let mut said = world.next();
        if let FromWorker::Hello(said) = &mut said {
            world.components = std::mem::take(&mut said.components);
        }
        assert_eq!(said, hello(setting.slots, Vec::new()));
        world
    }

    pub(crate) fn tell(&mut self, message: &ToWorker) {
        self.server.send_worker(self.id, message).unwrap();
    }

    pub(crate) fn dispatch(&mut self, number: u32, function: &str, input: &str) -> AttemptId {
        self.dispatch_with(number, function, |dispatch| {
            dispatch.input = Payload::Inline(Json::parse(input).unwrap());
        })
    }

    pub(crate) fn dispatch_with(
        &mut self,
        number: u32,
        function: &str,
        change: impl FnOnce(&mut Dispatch),
    ) -> AttemptId {
        let attempt = attempt(number);
        let mut dispatch = Dispatch {
            plugin: None,
            attempt,
            token: TOKEN,
            workflow: "w".into(),
            step: "s".into(),
            component: Digest::of(b"component"),
            origin: None,
            function: function.to_owned(),
            input: Payload::Inline(Json::null()),
            timeout_ms: 30_000,
            idempotency_key: "key".to_owned(),
            trace_parent: None,
            limits: Limits::default(),
            determinism: wfhost_workflow::Determinism::default(),
            dirs: Vec::new(),
            kv: Vec::new(),
        };
        change(&mut dispatch);
        self.tell(&ToWorker::Dispatch(Box::new(dispatch)));
        attempt
    }

    /// What the worker says next, heartbeats and fetches aside: these are counted and answered.
    pub(crate) fn next(&mut self) -> FromWorker {
        let deadline = now() + LIMIT;
        loop {
            while !self.events.is_empty() {
                match self.events.remove(0) {
                    ServerEvent::Worker(id, _, message) => {
                        self.id = id;
                        if let Some(message) = self.handle(message) {
                            return message;
                        }
                    }
                    other => panic!("{other:?}"),
                }
            }
            let left = deadline.saturating_duration_since(now());
            assert!(!left.is_zero(), "the worker says nothing");
            self.server.poll(Some(left), &mut self.events).unwrap();
        }
    }

    fn handle(&mut self, message: FromWorker) -> Option<FromWorker> {
        match message {
            FromWorker::Heartbeat => self.heartbeats += 1,
            FromWorker::Fetch { digest, offset, len } => {
                self.fetched.push((digest, offset, len));
                let content = self.contents.get(&digest).cloned().unwrap_or_default();
                let total = content.len() as u64;
                let part = content.into_iter().skip(offset as usize).take(len as usize).collect();
                self.tell(&ToWorker::Chunk { digest, offset, total, bytes: part });
            }
            FromWorker::Ended { attempt, token, outcome } => {
                let known = [TOKEN, Token::default()].contains(&token);
                assert!(known, "an end without the token of its dispatch");
                let by_reference = matches!(
                    &outcome,
                    Outcome::Succeeded { output: Payload::Reference { .. }, .. }
                );
                if !by_reference {
                    self.tell(&ToWorker::Taken { attempt });
                }
                return Some(FromWorker::Ended { attempt, token, outcome });
            }
            other => return Some(other),
        }
        None
    }

    /// The end of this attempt, which is what the worker says next.
    pub(crate) fn end_of(&mut self, attempt: AttemptId) -> Outcome {
        match self.next() {
            FromWorker::Ended { attempt: of, outcome, .. } if of == attempt => outcome,
            other => panic!("{other:?}"),
        }
    }

    /// As [`Self::end_of`], for one that fails.
    pub(crate) fn failure_of(&mut self, attempt: AttemptId) -> Failure {
        match self.end_of(attempt) {
            Outcome::Failed(failure) => failure,
            other @ Outcome::Succeeded { .. } => panic!("{other:?}"),
        }
    }

    /// A part of the output of an attempt: how long it is, and the bytes.
    pub(crate) fn part(&mut self, attempt: AttemptId, offset: u64, len: u32) -> (u64, Vec<u8>) {
        self.tell(&ToWorker::Fetch { attempt, offset, len });
        match self.next() {
            FromWorker::Chunk { attempt: of, offset: at, total, bytes } => {
                assert_eq!((of, at), (attempt, offset));
                (total, bytes)
            }
            other => panic!("{other:?}"),
        }
    }

    /// An attempt that runs until it is told otherwise, and has begun.
    pub(crate) fn waiting(&mut self, number: u32) -> AttemptId {
        let attempt = self.dispatch(number, "wait", "null");
        match self.next() {
            FromWorker::Log { attempt: of, lines } if of == attempt => {
                assert_eq!(lines[0].message, "begun");
            }
            other => panic!("{other:?}"),
        }
        attempt
    }

    pub(crate) fn join(&mut self) -> Ending {
        self.worker.take().unwrap().join(LIMIT).unwrap()
    }
}

pub(crate) fn attempt(number: u32) -> AttemptId {
    AttemptId {
        run: RunId::from_bytes([7; 16]),
        task: TaskId::item(StepId(1), number),
        attempt: Attempt::FIRST,
    }
}

pub(crate) fn succeeded(output: &str) -> Outcome {
    let output = Payload::Inline(Json::parse(output).unwrap());
    Outcome::Succeeded { output, kv: Vec::new() }
}

pub(crate) async fn execute(job: Job) -> Result<Completion, Failure> {
    let done = |output: Json| Ok(Completion { output, kv: Vec::new() });
    match job.dispatch.function.as_str() {
        "echo" => done(job.input),
        "length" => done(Json::from_value(&job.input.len_bytes().into())),
        "component" => {
            let component = job.component().await?;
            done(Json::from_value(&component.len().into()))
        }
        "wait" => {
            job.sink.log(LogLevel::Info, "begun".to_owned(), Vec::new());
            std::future::pending().await
        }
        "panic" => panic!("on purpose"),
        "log" => {
            let lines = job.input.to_value().as_u64().unwrap();
            for line in 0..lines {
                let fields = vec![("line".to_owned(), line.to_string())];
                job.sink.log(LogLevel::Warn, format!("line {line}"), fields);
            }
            done(job.input)
        }
        "progress" => {
            for step in 0..=1000 {
                job.sink.progress(step, 1000, format!("step {step}"));
            }
            std::future::pending().await
        }
        "waits" => {
            job.sink.waits(Duration::from_millis(1500));
            std::future::pending().await
        }
        "large" => {
            let bytes = job.input.to_value().as_u64().unwrap();
            done(Json::from_value(&"x".repeat(bytes as usize).into()))
        }
        "writes" => {
            let bytes = job.input.to_value().as_u64().unwrap();
            let write = KvWrite { key: "k".to_owned(), value: Some(vec![0; bytes as usize]) };
            Ok(Completion { output: Json::null(), kv: vec![write] })
        }
        other => Err(Failure::new(FailureKind::Permanent, other, "as asked")),
    }
}
