//! The worker's thread: takes events one by one, never waits anywhere but in its link.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;
use wfhost_transport::message::{
    CANCELLED, Dispatch, FromWorker, Held, Hello, NO_SLOT, Outcome, PREFETCH_MAX, PROTOCOL,
    ToWorker, Token,
};
use wfhost_transport::{Error, WorkerEvent, WorkerLink};
use wfhost_workflow::{AttemptId, Digest, Failure, FailureKind};

use crate::attempt::{self, Surroundings};
use crate::clock;
use crate::content::{ContentSource, Contents};
use crate::end::End;
use crate::executor::Executor;
use crate::fetch::Fetches;
use crate::handle::{Ending, WorkerHandle};
use crate::hearing::{Hearing, Silence};
use crate::origin::{Origins, Trusting};
use crate::outbox::Outbox;
use crate::prefetch::Prefetches;
use crate::report::{Report, Reports};
use crate::sink::AttemptSink;
use crate::untaken::Untaken;

/// Log lines and progress are held back this long, so that an attempt sends at most ten of each a
/// second. The end of an attempt sends its last lines at once.
const FLUSH_EVERY: Duration = Duration::from_millis(100);

/// A coordinator cannot ask for more heartbeats than this.
const HEARTBEAT_MIN: Duration = Duration::from_millis(10);

/// A hello is not repeated sooner: it may take that long to be answered.
const HELLO_AGAIN: Duration = Duration::from_millis(500);

/// How often a link that is full is tried again.
const RETRY_EVERY: Duration = Duration::from_millis(5);

/// Heartbeats in a row that a coordinator in this process has not taken: it is gone.
const UNTAKEN_MAX: u32 = 20;

/// Why an attempt ends that a worker has when it is told to leave, and that has not begun.
const HANDED_BACK: &str = "its worker leaves, and it had not begun";

/// What a worker is made of.
pub struct Options {
    /// For people.
    pub name: String,
    /// Drawn anew by each process.
    pub instance: u64,
    /// What is said of this machine.
    pub labels: BTreeMap<String, String>,
    /// Attempts at once.
    pub slots: u32,
    /// This process, if it is one of the coordinator's own pool.
    pub managed: Option<u32>,
    /// A coordinator that is silent for so long is given up; `None`: it is waited for.
    pub leave_after: Option<Duration>,
    /// Where results wait that the coordinator has not taken, while it is away. `None`: in memory
    /// only, which is enough where it cannot be away.
    pub spool: Option<PathBuf>,
    /// Is told what happens to the link, on the worker's thread.
    pub told: Box<dyn Fn(News) + Send>,
    /// What runs them.
    pub executor: Arc<dyn Executor>,
    /// Contents of this machine, asked before the coordinator.
    pub content: Option<Arc<dyn ContentSource>>,
    /// Whose steps it runs.
    pub trust: Trusting,
    /// Where attempts run: a runtime with several threads, with timers.
    pub runtime: tokio::runtime::Handle,
}

/// What happens to a worker's link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// The coordinator has taken this worker.
    Joined,
    /// The coordinator was not heard of for as long as it holds leases.
    Silent,
}

/// The worker's thread cannot be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the worker's thread")]
pub struct StartError(#[source] io::Error);

/// A worker: its thread's state.
pub struct Worker {
    name: String,
    instance: u64,
    connection: u64,
    labels: BTreeMap<String, String>,
    slots: u32,
    managed: Option<u32>,
    leave_after: Option<Duration>,
    runtime: tokio::runtime::Handle,
    link: WorkerLink,
    outbox: Outbox,
    surroundings: Surroundings,
    inbox: Receiver<Report>,
    running: HashMap<AttemptId, Running>,
    /// Ends that the coordinator has not taken.
    untaken: Untaken,
    coordinator: Hearing,
    news: Box<dyn Fn(News) + Send>,
    noted: Vec<AttemptId>,
    flush_at: Option<Instant>,
    fetches: Fetches,
    prefetches: Prefetches,
    heartbeat: Option<Heartbeat>,
    /// When it said who it is, until it is welcomed.
    hello_at: Option<Instant>,
    draining: bool,
    ending: Option<Ending>,
}

struct Running {
    token: Token,
    sink: Arc<AttemptSink>,
    abort: AbortHandle,
}

struct Heartbeat {
    every: Duration,
    next_at: Instant,
    untaken: u32,
}

impl Worker {
    /// Starts the worker's thread, which says hello to the coordinator.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(options: Options, link: WorkerLink) -> Result<WorkerHandle, StartError> {
        let (reports, inbox) = Reports::new(link.waker());
        let (ended, ending) = channel();
        let worker = Self {
            name: options.name,
            instance: options.instance,
            connection: 0,
            labels: options.labels,
            slots: options.slots,
            managed: options.managed,
            leave_after: options.leave_after,
            runtime: options.runtime,
            link,
            outbox: Outbox::default(),
            surroundings: Surroundings {
                executor: options.executor,
                contents: Contents::new(options.content, reports.clone()),
                origins: Arc::new(Origins::new(options.trust)),
                reports: reports.clone(),
            },
            inbox,
            running: HashMap::new(),
            untaken: Untaken::new(options.spool),
            coordinator: Hearing::new(clock::now()),
            news: options.told,
            noted: Vec::new(),
            flush_at: None,
            fetches: Fetches::default(),
            prefetches: Prefetches::default(),
            heartbeat: None,
            hello_at: None,
            draining: false,
            ending: None,
        };
        std::thread::Builder::new()
            .name("wfhost-worker".to_owned())
            .spawn(move || worker.run(&ended))
            .map_err(StartError)?;
        Ok(WorkerHandle::new(reports, ending))
    }

    fn run(mut self, ended: &Sender<Ending>) {
        self.hello(clock::now());
        let mut events = Vec::new();
        let ending = loop {
            if let Err(error) = self.turn(&mut events) {
                break Ending::LinkFailed(error);
            }
            if let Some(ending) = self.ending.take() {
                break ending;
            }
        };
        for running in self.running.values() {
            running.abort.abort();
        }
        self.prefetches.give_up();
        self.outbox.send(&mut self.link, FromWorker::Goodbye);
        // The link goes first: whoever waits for the end may bind or drop what it was made from.
        drop(self);
        // Nobody waits for the end.
        let _dropped = ended.send(ending);
    }

    /// Waits once and handles everything that is there.
    fn turn(&mut self, events: &mut Vec<WorkerEvent>) -> Result<(), Error> {
        let timeout = self.next_at().map(|at| at.saturating_duration_since(clock::now()));
        self.link.poll(timeout, events)?;
        let now = clock::now();
        for event in events.drain(..) {
            match event {
                WorkerEvent::Message(message) => {
                    self.coordinator.heard(now);
                    self.told(message, now);
                }
                WorkerEvent::BadMessage(error) => {
                    tracing::error!(%error, "the coordinator sent what is no message");
                }
                WorkerEvent::Woken => {}
            }
        }
        while let Ok(report) = self.inbox.try_recv() {
            self.reported(report, now);
        }
        self.outbox.retry(&mut self.link);
        while let Some(part) = self.fetches.next() {
            let (digest, offset, len) = (part.digest, part.offset, part.len);
            self.outbox.send(&mut self.link, FromWorker::Fetch { digest, offset, len });
        }
        self.timers(now);
        self.look_for_coordinator(now)?;
        if self.draining && self.running.is_empty() && self.is_delivered() {
            self.ending.get_or_insert(Ending::Drained);
        }
        Ok(())
    }

    /// Whether the coordinator has what this worker has done, or will get it from its next life.
    fn is_delivered(&self) -> bool {
        let kept = self.coordinator.is_away() && self.untaken.is_stored();
        self.outbox.is_empty() && (self.untaken.is_empty() || kept)
    }

    fn next_at(&self) -> Option<Instant> {
        let retry_at = (!self.outbox.is_empty()).then(|| clock::now() + RETRY_EVERY);
        let heartbeat_at = self.heartbeat.as_ref().map(|heartbeat| heartbeat.next_at);
        let silence_at = (!self.link.is_inproc()).then(|| self.coordinator.due_at());
        let away = self.coordinator.is_away();
        let expiry = if away { None } else { self.fetches.expires_at() };
        [self.flush_at, heartbeat_at, retry_at, expiry, silence_at].into_iter().flatten().min()
    }

    fn told(&mut self, message: ToWorker, now: Instant) {
        match message {
            ToWorker::Welcome { protocol, heartbeat_ms } => {
                self.welcome(protocol, heartbeat_ms, now);
            }
            ToWorker::Refused { reason } => self.ending = Some(Ending::Refused(reason)),
            ToWorker::Dispatch(dispatch) => self.dispatched(dispatch),
            ToWorker::Cancel { attempt, token } => self.cancelled(attempt, token),
            ToWorker::Chunk { digest, offset, total, bytes } => {
                self.fetches.chunk(digest, offset, total, &bytes, now);
            }
            ToWorker::Taken { attempt } => self.untaken.taken(&attempt),
            ToWorker::Fetch { attempt, offset, len } => {
                let part = self.untaken.part(attempt, offset, len);
                self.outbox.send(&mut self.link, part);
            }
            ToWorker::Prefetch { components } => self.prefetch(&components),
            ToWorker::Heartbeat => {}
            ToWorker::Drain => self.drain(),
            // It asks for each message that it had from a stranger: one hello answers them all.
            ToWorker::Identify if self.said_hello(now) => {}
            ToWorker::Identify => self.hello(now),
        }
    }

    fn reported(&mut self, report: Report, now: Instant) {
        match report {
            Report::Ended { attempt, end } => self.ended(attempt, end),
            Report::Waiting { attempt, at_most_ms } => {
                self.outbox.send(&mut self.link, FromWorker::Waiting { attempt, at_most_ms });
            }
            Report::Noted(attempt) => {
                self.noted.push(attempt);
                self.flush_at.get_or_insert(now + FLUSH_EVERY);
            }
            Report::Fetch { digest, bytes_max, reply } => {
                self.fetches.want(digest, bytes_max, reply, now);
            }
            Report::Prefetched { component, error } => {
                self.prefetches.ended(component);
                self.prefetched(component, error);
                self.prefetches.begin(&self.runtime, &self.surroundings);
            }
            Report::Drain if self.draining => {}
            Report::Drain => {
                self.outbox.send(&mut self.link, FromWorker::Draining);
                self.drain();
            }
            Report::Stop => self.ending = Some(Ending::Stopped),
        }
    }

    /// Finishes what has begun; the rest can begin elsewhere.
    fn drain(&mut self) {
        self.draining = true;
        self.prefetches.give_up();
        for running in self.running.values() {
            if running.sink.hand_back() {
                running.abort.abort();
            }
        }
    }

    /// Whether a hello is on its way.
    fn said_hello(&self, now: Instant) -> bool {
        self.hello_at.is_some_and(|at| now.saturating_duration_since(at) < HELLO_AGAIN)
    }

    fn hello(&mut self, now: Instant) {
        self.hello_at = Some(now);
        let held = |(attempt, running): (&AttemptId, &Running)| Held {
            attempt: *attempt,
            token: running.token,
        };
        let hello = Hello {
            protocol: PROTOCOL,
            name: self.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance: self.instance,
            connection: self.connection,
            slots: self.slots,
            labels: self.labels.clone(),
            components: self.surroundings.contents.components(),
            running: self.running.iter().map(held).chain(self.untaken.held()).collect(),
            managed: self.managed,
        };
        self.outbox.send(&mut self.link, FromWorker::Hello(Box::new(hello)));
    }

    /// A coordinator elsewhere that is silent may be cut off without this end having been told:
    /// what was sent is lost, what is done is kept, and another connection is tried.
    fn look_for_coordinator(&mut self, now: Instant) -> Result<(), Error> {
        if self.link.is_inproc() || self.coordinator.look(now) == Silence::Short {
            return Ok(());
        }
        let coordinator = &self.link.coordinator().endpoint;
        tracing::info!(%coordinator, "the coordinator is silent; connecting again");
        (self.news)(News::Silent);
        self.heartbeat = None;
        self.untaken.store();
        if self.leave_after.is_some_and(|limit| self.coordinator.silent_for(now) >= limit) {
            self.ending.get_or_insert(Ending::CoordinatorGone);
            return Ok(());
        }
        self.outbox.clear();
        self.link.reconnect()?;
        self.connection += 1;
        self.hello(now);
        Ok(())
    }

    fn welcome(&mut self, protocol: u16, heartbeat_ms: u64, now: Instant) {
        if protocol != PROTOCOL {
            let reason =
                format!("the coordinator speaks protocol {protocol}, this worker {PROTOCOL}");
            self.ending = Some(Ending::Refused(reason));
            return;
        }
        self.hello_at = None;
        let every = Duration::from_millis(heartbeat_ms).max(HEARTBEAT_MIN);
        self.heartbeat = Some(Heartbeat { every, next_at: now + every, untaken: 0 });
        (self.news)(News::Joined);
        if self.draining {
            self.outbox.send(&mut self.link, FromWorker::Draining);
        }
        self.fetches.reconnected(now);
        for message in self.untaken.messages() {
            self.outbox.send(&mut self.link, message);
        }
    }

    fn dispatched(&mut self, dispatch: Box<Dispatch>) {
        let attempt = dispatch.attempt;
        if self.running.contains_key(&attempt) {
            tracing::warn!(?attempt, "an attempt was dispatched twice; it is run once");
            return;
        }
        if self.draining || self.running.len() >= self.slots as usize {
            let (token, outcome) = (dispatch.token, Outcome::Failed(self.not_taken()));
            self.outbox.send(&mut self.link, FromWorker::Ended { attempt, token, outcome });
            return;
        }
        let token = dispatch.token;
        let sink = Arc::new(AttemptSink::new(attempt, self.surroundings.reports.clone()));
        let task = attempt::task(&self.surroundings, dispatch, Arc::clone(&sink));
        let abort = self.runtime.spawn(task).abort_handle();
        self.running.insert(attempt, Running { token, sink, abort });
    }

    /// What is ready is said at once; the rest in its turn.
    fn prefetch(&mut self, components: &[Digest]) {
        if self.draining {
            return;
        }
        for component in components.iter().take(PREFETCH_MAX) {
            if self.surroundings.executor.is_ready(component) {
                self.prefetched(*component, None);
            } else {
                self.prefetches.want(*component);
            }
        }
        self.prefetches.begin(&self.runtime, &self.surroundings);
    }

    /// A coordinator that does not read asks again.
    fn prefetched(&mut self, component: Digest, error: Option<String>) {
        if let Some(error) = &error {
            tracing::warn!(%component, %error, "a component could not be made ready before it is wanted");
        }
        self.outbox.offer(&mut self.link, &FromWorker::Prefetched { component, error });
    }

    fn not_taken(&self) -> Failure {
        let message = if self.draining {
            HANDED_BACK.to_owned()
        } else {
            format!("all {} slots of the worker are taken", self.slots)
        };
        Failure::new(FailureKind::Host, NO_SLOT, message)
    }

    fn cancelled(&mut self, attempt: AttemptId, token: Token) {
        if let Some(running) = self.running.get(&attempt) {
            return running.abort.abort();
        }
        // Its end may have got lost: the coordinator keeps the slot until it hears of it.
        let message = self.untaken.message(&attempt).unwrap_or_else(|| {
            let failure = Failure::new(FailureKind::Host, CANCELLED, "the attempt is not running");
            let outcome = Outcome::Failed(failure);
            FromWorker::Ended { attempt, token, outcome }
        });
        self.outbox.send(&mut self.link, message);
    }

    fn ended(&mut self, attempt: AttemptId, end: End) {
        let Some(running) = self.running.remove(&attempt) else { return };
        self.flush(attempt, &running.sink);
        let end = if running.sink.is_handed_back() { End::failed(self.not_taken()) } else { end };
        let message = end.message(attempt, running.token);
        self.untaken.keep(attempt, running.token, end);
        if self.coordinator.is_away() {
            return self.untaken.store();
        }
        self.outbox.send(&mut self.link, message);
    }

    fn timers(&mut self, now: Instant) {
        if self.flush_at.is_some_and(|at| now >= at) {
            self.flush_at = None;
            for attempt in std::mem::take(&mut self.noted) {
                if let Some(running) = self.running.get(&attempt) {
                    let sink = Arc::clone(&running.sink);
                    self.flush(attempt, &sink);
                }
            }
        }
        // A coordinator that is away sends nothing: what was begun goes on when it is back.
        if !self.coordinator.is_away() {
            self.fetches.expire(now);
        }
        self.beat(now);
    }

    /// Sends what the sink holds. Lines that the coordinator does not take are dropped.
    fn flush(&mut self, attempt: AttemptId, sink: &AttemptSink) {
        let (lines, progress) = sink.take();
        if !lines.is_empty() {
            let count = lines.len();
            if !self.outbox.offer(&mut self.link, &FromWorker::Log { attempt, lines }) {
                sink.lost(count);
            }
        }
        if let Some(progress) = progress {
            self.outbox.offer(&mut self.link, &FromWorker::Progress { attempt, progress });
        }
    }

    fn beat(&mut self, now: Instant) {
        let Some(heartbeat) = &mut self.heartbeat else { return };
        if now < heartbeat.next_at {
            return;
        }
        heartbeat.next_at = now + heartbeat.every;
        if self.outbox.offer(&mut self.link, &FromWorker::Heartbeat) {
            heartbeat.untaken = 0;
            return;
        }
        heartbeat.untaken += 1;
        // A coordinator elsewhere may come back; one in this process does not.
        if heartbeat.untaken >= UNTAKEN_MAX && self.link.is_inproc() {
            self.ending.get_or_insert(Ending::CoordinatorGone);
        }
    }
}
