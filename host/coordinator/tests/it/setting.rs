//! A coordinator to talk to, and a worker whose every word is the test's.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use wfhost_checkpoint::{Content, Store, memory};
use wfhost_coordinator::{
    Coordinator, CoordinatorHandle, CoordinatorOptions, DeployOptions, Recovery,
};
use wfhost_transport::client::{Answer, Request, RunView, Start};
use wfhost_transport::message::{
    Dispatch, FromWorker, Held, Hello, Outcome, PROTOCOL, Payload, ToWorker, Token,
};
use wfhost_transport::{
    Coordinator as JoinedAt, Endpoint, Hub, ServerLink, ServerOptions, WorkerEvent, WorkerLink,
};
use wfhost_workflow::run::{RunStatus, Upgrade};
use wfhost_workflow::{
    AttemptId, Definition, Digest, Json, Limits, PinnedPlugin, RunId, TimestampMs,
};

/// Nothing here takes this long unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Setting {
    pub(crate) coordinator: CoordinatorHandle,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) content: Content,
    hub: Hub,
    folder: tempfile::TempDir,
    deploys: Arc<DeployOptions>,
}

fn workers() -> Endpoint {
    Endpoint::inproc("workers")
}

impl Setting {
    pub(crate) fn new() -> Self {
        let content = Content::memory();
        Self::around(memory(content.clone()), content)
    }

    pub(crate) fn around(store: Arc<dyn Store>, content: Content) -> Self {
        Self::recovering(store, content, Recovery::OnDemand, Arc::default())
    }

    pub(crate) fn recovering(
        store: Arc<dyn Store>,
        content: Content,
        recovery: Recovery,
        deploys: Arc<DeployOptions>,
    ) -> Self {
        let hub = Hub::new();
        let folder = tempfile::tempdir().unwrap();
        let options = ServerOptions {
            hub: hub.clone(),
            workers: vec![workers()],
            ..ServerOptions::default()
        };
        let (link, waker) = ServerLink::bind(&options).unwrap();
        let coordinator = Coordinator::start(CoordinatorOptions {
            store: Arc::clone(&store),
            content: content.clone(),
            logs: folder.path().join("logs"),
            link,
            waker,
            seed: 7,
            secret: [3; 32],
            recovery,
            pool: None,
            deploys: Arc::clone(&deploys),
        })
        .unwrap();
        Self { coordinator, store, content, hub, folder, deploys }
    }

    /// Another life of the coordinator, with what is durable.
    pub(crate) fn restart(self) -> Self {
        assert!(self.coordinator.stop(PATIENCE));
        drop(self.folder);
        Self::recovering(self.store, self.content, Recovery::OnDemand, self.deploys)
    }

    /// Another life of one that serves workers which outlive it.
    pub(crate) fn restart_serving(self) -> Self {
        assert!(self.coordinator.stop(PATIENCE));
        drop(self.folder);
        Self::recovering(self.store, self.content, Recovery::All, self.deploys)
    }

    pub(crate) fn worker(&self, slots: u32) -> ScriptedWorker {
        let (link, _waker) = WorkerLink::connect(&self.hub, JoinedAt::local(workers())).unwrap();
        let mut worker = ScriptedWorker {
            link,
            seen: Vec::new(),
            tokens: HashMap::new(),
            instance: None,
            connection: 0,
            running: Vec::new(),
            components: Vec::new(),
        };
        worker.hello(PROTOCOL, slots);
        match worker.next("a welcome", |message| matches!(message, ToWorker::Welcome { .. })) {
            ToWorker::Welcome { protocol, .. } => assert_eq!(protocol, PROTOCOL),
            other => panic!("{other:?}"),
        }
        worker
    }

    /// The process of `before` on another connection, with these attempts.
    pub(crate) fn returned(
        &self,
        before: &ScriptedWorker,
        has: &[AttemptId],
        slots: u32,
    ) -> ScriptedWorker {
        let mut worker = self.stranger();
        worker.instance = before.instance;
        worker.connection = before.connection + 1;
        worker.tokens.clone_from(&before.tokens);
        let held = |attempt: &AttemptId| Held { attempt: *attempt, token: before.tokens[attempt] };
        worker.running = has.iter().map(held).collect();
        worker.hello(PROTOCOL, slots);
        worker.next("a welcome", |message| matches!(message, ToWorker::Welcome { .. }));
        worker
    }

    pub(crate) fn stranger(&self) -> ScriptedWorker {
        let (link, _waker) = WorkerLink::connect(&self.hub, JoinedAt::local(workers())).unwrap();
        ScriptedWorker {
            link,
            seen: Vec::new(),
            tokens: HashMap::new(),
            instance: None,
            connection: 0,
            running: Vec::new(),
            components: Vec::new(),
        }
    }

    pub(crate) fn ask(&self, request: Request) -> Answer {
        self.coordinator.request(request)
    }

    /// Another version of what [`Self::start_of`] starts.
    pub(crate) fn version(&self, steps: &str) -> Upgrade {
        let text = format!("workflow: w\nversion: 2\nplugins: {{ p: ./p.wasm }}\n{steps}");
        Upgrade {
            definition: Arc::new(Definition::parse(&text).unwrap()),
            digest: self.content.put(text.as_bytes()).unwrap(),
            text: text.into(),
            plugins: self.start_of(0, steps, "null").plugins,
            offers: Default::default(),
            origin: None,
        }
    }

    pub(crate) fn start_of(&self, number: u128, steps: &str, input: &str) -> Start {
        let text = format!("workflow: w\nversion: 1\nplugins: {{ p: ./p.wasm }}\n{steps}");
        Start {
            run: RunId::new(TimestampMs(1_700_000_000_000), number),
            definition: self.content.put(text.as_bytes()).unwrap(),
            input: Json::parse(input).unwrap(),
            plugins: vec![PinnedPlugin {
                alias: "p".into(),
                digest: self.component(),
                dirs: Vec::new(),
                limits: Limits::default(),
                determinism: wfhost_workflow::Determinism::default(),
                plugin: None,
            }],
        }
    }

    pub(crate) fn component(&self) -> Digest {
        self.content.put(b"a component").unwrap()
    }

    pub(crate) fn start(&self, number: u128, steps: &str, input: &str) -> RunId {
        let start = self.start_of(number, steps, input);
        let run = start.run;
        assert_eq!(self.ask(Request::Start(Box::new(start))), Answer::Done);
        run
    }

    pub(crate) fn ended(&self, run: RunId) -> (RunStatus, Option<String>, Option<String>) {
        match self.ask(Request::Await { run, wait_ms: PATIENCE.as_millis() as u64 }) {
            Answer::Ended { status, output, error } => {
                (status, output.map(|output| output.to_string()), error)
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn view(&self, run: RunId) -> RunView {
        match self.ask(Request::Show { run }) {
            Answer::Run(view) => *view,
            other => panic!("{other:?}"),
        }
    }

    /// Follows the run's view until it is as wanted.
    pub(crate) fn view_when(&self, run: RunId, wanted: impl Fn(&RunView) -> bool) -> RunView {
        let (started, mut seen) = (Instant::now(), 0);
        loop {
            assert!(started.elapsed() < PATIENCE, "the view never becomes as wanted");
            match self.ask(Request::Watch { run, seen, wait_ms: 1000 }) {
                Answer::Run(view) if wanted(&view) => return *view,
                Answer::Run(view) => seen = view.tick,
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) fn events(&self, run: RunId) -> Vec<String> {
        match self.ask(Request::Events { run, after: Default::default(), limit: 500 }) {
            Answer::Events { events, next: None } => {
                events.into_iter().map(|event| event.event).collect()
            }
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) struct ScriptedWorker {
    link: WorkerLink,
    seen: Vec<ToWorker>,
    pub(crate) tokens: HashMap<AttemptId, Token>,
    /// Of its process; drawn with the first hello.
    pub(crate) instance: Option<u64>,
    /// Which of its process's connections it is.
    pub(crate) connection: u64,
    /// What it says it has.
    pub(crate) running: Vec<Held>,
    /// What it says it holds ready.
    pub(crate) components: Vec<Digest>,
}

impl ScriptedWorker {
    pub(crate) fn hello(&mut self, protocol: u16, slots: u32) {
        let name = "scripted".to_owned();
        static INSTANCES: AtomicU64 = AtomicU64::new(1);
        let instance =
            *self.instance.get_or_insert_with(|| INSTANCES.fetch_add(1, Ordering::Relaxed));
        let (running, connection) = (self.running.clone(), self.connection);
        let components = self.components.clone();
        let hello = Hello {
            protocol,
            name,
            slots,
            instance,
            connection,
            running,
            components,
            ..Hello::default()
        };
        self.say(&FromWorker::Hello(Box::new(hello)));
    }

    pub(crate) fn say(&mut self, message: &FromWorker) {
        self.link.send(message).unwrap();
    }

    /// The next message of a kind; others but heartbeats are kept for later.
    #[track_caller]
    pub(crate) fn next(&mut self, what: &str, is: impl Fn(&ToWorker) -> bool) -> ToWorker {
        let started = Instant::now();
        loop {
            if let Some(at) = self.seen.iter().position(&is) {
                return self.seen.remove(at);
            }
            assert!(started.elapsed() < PATIENCE, "{what} never came; there is {:?}", self.seen);
            self.take_in();
        }
    }

    fn take_in(&mut self) {
        let mut events = Vec::new();
        self.link.poll(Some(Duration::from_millis(100)), &mut events).unwrap();
        self.say(&FromWorker::Heartbeat);
        for event in events {
            match event {
                WorkerEvent::Message(ToWorker::Heartbeat) | WorkerEvent::Woken => {}
                WorkerEvent::Message(message) => {
                    if let ToWorker::Dispatch(dispatch) = &message {
                        self.tokens.insert(dispatch.attempt, dispatch.token);
                    }
                    self.seen.push(message);
                }
                WorkerEvent::BadMessage(error) => panic!("{error}"),
            }
        }
    }

    /// Waits until the coordinator says that it lives.
    pub(crate) fn heartbeat(&mut self) {
        let mut events = Vec::new();
        let started = Instant::now();
        loop {
            self.link.poll(Some(Duration::from_millis(100)), &mut events).unwrap();
            self.say(&FromWorker::Heartbeat);
            let mut beats = false;
            for event in events.drain(..) {
                match event {
                    WorkerEvent::Message(ToWorker::Heartbeat) => beats = true,
                    WorkerEvent::Message(message) => self.seen.push(message),
                    WorkerEvent::Woken | WorkerEvent::BadMessage(_) => {}
                }
            }
            if beats {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "no heartbeat came");
        }
    }

    #[track_caller]
    pub(crate) fn dispatch(&mut self) -> Dispatch {
        match self.next("a dispatch", |message| matches!(message, ToWorker::Dispatch(_))) {
            ToWorker::Dispatch(dispatch) => *dispatch,
            other => panic!("{other:?}"),
        }
    }

    /// A dispatch that is there already, or comes soon.
    pub(crate) fn dispatched(&mut self) -> Option<Dispatch> {
        self.take_in();
        let at = self.seen.iter().position(|message| matches!(message, ToWorker::Dispatch(_)))?;
        match self.seen.remove(at) {
            ToWorker::Dispatch(dispatch) => Some(*dispatch),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn cancel(&mut self) -> AttemptId {
        match self.next("a cancel", |message| matches!(message, ToWorker::Cancel { .. })) {
            ToWorker::Cancel { attempt, .. } => attempt,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn succeed(&mut self, attempt: AttemptId, output: &str) {
        let output = Payload::Inline(Json::parse(output).unwrap());
        let outcome = Outcome::Succeeded { output, kv: Vec::new() };
        self.end(attempt, outcome);
    }

    pub(crate) fn end(&mut self, attempt: AttemptId, outcome: Outcome) {
        let token = self.tokens.get(&attempt).copied().unwrap_or_default();
        self.say(&FromWorker::Ended { attempt, token, outcome });
    }

    /// Whether anything but heartbeats and answers came since; for what must not happen, after
    /// something that comes later has happened.
    pub(crate) fn unread(&self) -> Vec<&ToWorker> {
        let answers = |message: &&ToWorker| !matches!(message, ToWorker::Taken { .. });
        self.seen.iter().filter(answers).collect()
    }
}
