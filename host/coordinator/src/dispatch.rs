//! Between runs and workers: orders that are out, and what workers say.

mod outputs;
pub(crate) mod prefetch;
mod shown_workers;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use wfhost_checkpoint::crash_points;
use wfhost_transport::client::ShownLogLine;
use wfhost_transport::codec::CHUNK_BYTES;
use wfhost_transport::message::{
    COMPONENTS_MAX, Dispatch, FromWorker, Held, Hello, PROTOCOL, Payload, ToWorker, Token,
};
use wfhost_transport::{DecodeError, PeerKey, Seldom, SendError};
use wfhost_workflow::placement::{Decision, Joining, LEASE, Placement, Wanted};
use wfhost_workflow::run::{AttemptOutcome, Input, KvWrite, Order};
use wfhost_workflow::{
    Attempt, AttemptId, Digest, DurationMs, Failure, FailureKind, Json, MonotonicMs, RunId, TaskId,
    WorkerId,
};

use crate::commands::{Ended, ReplyTo};
use crate::deliveries::Deliveries;
use crate::event_loop::EventLoop;
use crate::orders::{Orders, Waiting};
use crate::queries::Query;
use crate::workers::{Known, Workers};

/// How often workers and coordinator hear of each other; a connection that is gone is noticed by
/// the next one, and the lease is fifteen times this.
const HEARTBEAT_MS: u64 = 200;

/// A worker that says it has more slots than this is not believed.
const SLOTS_MAX: u32 = 4096;

/// Lines that any worker can cause, as often as it likes.
static UNREADABLE: Seldom = Seldom::new(5);
static REFUSED: Seldom = Seldom::new(5);
static UNSENT: Seldom = Seldom::new(10);
static JOINED: Seldom = Seldom::new(20);
static SILENT: Seldom = Seldom::new(20);

/// Attempts that wait or are out, and the table that says where.
#[derive(Default)]
pub(crate) struct Dispatcher {
    placement: Placement,
    orders: Orders,
    pub(crate) workers: Workers,
    deliveries: Deliveries,
}

impl Dispatcher {
    /// Drops what waits or is out for a run, without telling anybody.
    pub(crate) fn forget_run(&mut self, now: MonotonicMs, run: RunId) {
        for attempt in self.orders.of_run(run) {
            // The worker finds its result refused.
            let _stop = self.placement.withdrawn(now, attempt);
            self.orders.forget(&attempt);
        }
    }
}

impl EventLoop {
    /// An attempt is durable and wants a worker; or its input was made again for the one that it
    /// is waiting for.
    pub(crate) fn dispatch(&mut self, id: RunId, order: Order) {
        let attempt = AttemptId { run: id, task: order.task, attempt: order.attempt };
        if self.dispatcher.orders.is_waiting(&attempt) {
            self.dispatcher.orders.forget(&attempt);
            if let Some(worker) = self.dispatcher.placement.holder(&attempt) {
                let sent = self.send_order(worker, attempt, order.input);
                let decisions = self.after(worker, attempt, sent);
                self.carry_out(decisions);
            }
            return;
        }
        let Some(wanted) = self.wanted(attempt) else { return };
        self.dispatcher.orders.wait(attempt, order.input);
        let decisions = self.dispatcher.placement.wanted(self.parts.clock.monotonic(), wanted);
        self.carry_out(decisions);
    }

    /// What a worker needs to run an attempt.
    fn order(&self, attempt: AttemptId, token: Token, input: Payload) -> Option<Box<Dispatch>> {
        let slot = self.runs.get(attempt.run).filter(|slot| slot.is_current(attempt.attempt))?;
        let definition = &slot.definition;
        let step = definition.steps.get(attempt.task.step.position())?;
        let call = step.kind.call()?;
        let plugin = slot.plugin(call.plugin)?;
        Some(Box::new(Dispatch {
            attempt,
            token,
            workflow: definition.name.clone(),
            step: step.name.clone(),
            plugin: Some(plugin.alias.clone()),
            component: plugin.digest,
            origin: self.origin_of(attempt.run),
            function: call.function.clone(),
            input,
            timeout_ms: step.timeout.0,
            idempotency_key: idempotency_key(attempt.run, &step.name, attempt.task),
            trace_parent: None,
            limits: plugin.limits,
            determinism: plugin.determinism,
            dirs: plugin.dirs.clone(),
            kv: kv_of(slot.kv()),
        }))
    }

    /// What placement has to know of an attempt.
    fn wanted(&self, attempt: AttemptId) -> Option<Wanted> {
        let slot = self.runs.get(attempt.run).filter(|slot| slot.is_current(attempt.attempt))?;
        let definition = &slot.definition;
        let step = definition.steps.get(attempt.task.step.position())?;
        let call = step.kind.call()?;
        let plugin = slot.plugin(call.plugin)?;
        Some(Wanted {
            attempt,
            timeout: step.timeout,
            component: plugin.digest,
            workflow: definition.name.clone(),
            requires: step.requires.clone(),
            priority: definition.priority,
            concurrency: definition.plugins.get(call.plugin).and_then(|plugin| plugin.concurrency),
            queue_timeout: step.queue_timeout,
        })
    }

    /// An attempt's result no longer matters.
    pub(crate) fn withdraw(&mut self, run: RunId, task: TaskId, attempt: Attempt) {
        let attempt = AttemptId { run, task, attempt };
        let now = self.parts.clock.monotonic();
        let decisions = self.dispatcher.placement.withdrawn(now, attempt);
        self.release(attempt);
        self.carry_out(decisions);
    }

    pub(crate) fn worker_message(&mut self, worker: WorkerId, key: PeerKey, message: FromWorker) {
        let now = self.parts.clock.monotonic();
        if let FromWorker::Hello(hello) = message {
            return self.welcome(worker, key, *hello);
        }
        let known = self.dispatcher.workers.get_mut(worker).filter(|known| known.key == key);
        let Some(known) = known.filter(|_| self.dispatcher.placement.heard(now, worker)) else {
            tracing::debug!(?worker, "a message from a worker that has not said hello");
            return self.send(worker, &ToWorker::Identify);
        };
        known.heard_at = now;
        match message {
            FromWorker::Hello(_) | FromWorker::Heartbeat => {}
            FromWorker::Ended { attempt, token, outcome } => {
                if self.parts.tokens.is(token, attempt, key) {
                    self.outcome(worker, attempt, outcome);
                } else {
                    self.forged(worker, attempt, token);
                }
            }
            // Of what it holds only: nobody writes into the log of somebody else's attempt.
            FromWorker::Log { attempt, .. } | FromWorker::Progress { attempt, .. }
                if self.dispatcher.placement.holder(&attempt) != Some(worker) => {}
            FromWorker::Log { attempt, lines } => self.log(attempt, lines),
            FromWorker::Progress { attempt, progress } => {
                if let Some(slot) = self.runs.get_mut(attempt.run)
                    && slot.live.leased.get(&attempt.task) == Some(&attempt.attempt)
                {
                    slot.live.progress.insert(attempt.task, progress);
                    slot.tick += 1;
                }
            }
            FromWorker::Waiting { attempt, at_most_ms } => {
                self.dispatcher.placement.waits(worker, attempt, DurationMs(at_most_ms));
            }
            FromWorker::Fetch { digest, offset, len } => self.fetch(worker, digest, offset, len),
            FromWorker::Chunk { attempt, offset, total, bytes } => {
                self.output_part(worker, attempt, (offset, total, &bytes));
            }
            FromWorker::Prefetched { component, error } => {
                self.prefetched(worker, component, error);
            }
            FromWorker::Draining => {
                known.draining = true;
                self.dispatcher.placement.draining(worker);
            }
            FromWorker::Goodbye => self.worker_dismissed(worker),
        }
    }

    pub(crate) fn bad_worker(&mut self, worker: WorkerId, error: &DecodeError) {
        if let Some(left_out) = UNREADABLE.may() {
            tracing::warn!(?worker, %error, left_out, "a worker sent what cannot be read");
        }
        if let DecodeError::Protocol(protocol) = error {
            self.refuse_protocol(worker, *protocol);
        }
    }

    fn refuse_protocol(&mut self, worker: WorkerId, protocol: u16) {
        let reason = format!("this coordinator speaks protocol {PROTOCOL}, the worker {protocol}");
        if let Some(left_out) = REFUSED.may() {
            tracing::warn!(?worker, left_out, "{reason}");
        }
        self.send(worker, &ToWorker::Refused { reason });
    }

    /// Workers whose keys were taken off the list are no longer workers.
    pub(crate) fn keys_changed(&mut self) {
        let link = &self.parts.link;
        let workers = self.dispatcher.workers.iter();
        let revoked = workers.filter(|(_, it)| !link.is_worker(it.key)).map(|(id, _)| id);
        for worker in revoked.collect::<Vec<_>>() {
            tracing::warn!(?worker, "a worker's key was taken off the list");
            let reason = "its key was taken off the coordinator's list of workers".to_owned();
            self.send(worker, &ToWorker::Refused { reason });
            self.worker_dismissed(worker);
        }
    }

    /// Looks at leases, and lets workers know that this process lives.
    pub(crate) fn tick_workers(&mut self, now: MonotonicMs) {
        let decisions = self.dispatcher.placement.tick(now);
        self.carry_out(decisions);
        for worker in self.dispatcher.workers.due(now, HEARTBEAT_MS) {
            self.send(worker, &ToWorker::Heartbeat);
        }
        self.give_up_silent_outputs(now);
    }

    fn welcome(&mut self, worker: WorkerId, key: PeerKey, hello: Hello) {
        if hello.protocol != PROTOCOL {
            return self.refuse_protocol(worker, hello.protocol);
        }
        if let Some(reason) = Workers::objection(&hello) {
            if let Some(left_out) = REFUSED.may() {
                tracing::warn!(?worker, left_out, "a worker is refused: {reason}");
            }
            return self.send(worker, &ToWorker::Refused { reason });
        }
        if self.dispatcher.workers.known(worker, key, &hello) == Known::Over {
            tracing::debug!(?worker, name = %hello.name, "a hello that was late");
            return;
        }
        if let Some(left_out) = JOINED.may() {
            let (name, slots) = (&hello.name, hello.slots);
            tracing::info!(?worker, %name, slots, left_out, "worker joined");
        }
        self.send(worker, &ToWorker::Welcome { protocol: PROTOCOL, heartbeat_ms: HEARTBEAT_MS });
        let tokens = &self.parts.tokens;
        let (given, never): (Vec<Held>, Vec<Held>) = hello
            .running
            .iter()
            .copied()
            .partition(|held| tokens.is(held.token, held.attempt, key));
        let has: BTreeSet<AttemptId> = given.into_iter().map(|held| held.attempt).collect();
        for held in never {
            // Without the attempt's token: that would be the proof it lacks.
            let (attempt, token) = (held.attempt, Token::default());
            self.send(worker, &ToWorker::Cancel { attempt, token });
        }
        let now = self.parts.clock.monotonic();
        let decisions = self.admit(now, worker, key, hello, &has);
        for attempt in has {
            if self.dispatcher.placement.holder(&attempt) == Some(worker)
                && let Some(slot) = self.runs.get_mut(attempt.run)
                && slot.is_current(attempt.attempt)
            {
                slot.live.leased.insert(attempt.task, attempt.attempt);
                slot.tick += 1;
            }
        }
        self.carry_out(decisions);
    }

    /// Puts a worker that says hello into both tables, whatever it was before.
    fn admit(
        &mut self,
        now: MonotonicMs,
        worker: WorkerId,
        key: PeerKey,
        hello: Hello,
        has: &BTreeSet<AttemptId>,
    ) -> Vec<Decision> {
        let known = self.dispatcher.workers.known(worker, key, &hello);
        let mut decisions = Vec::new();
        match known {
            // Nothing gets lost on a connection that stands, and what is on its way to the worker
            // is not in its hello.
            Known::Again if self.dispatcher.placement.heard(now, worker) => return Vec::new(),
            // What it said there was late: it has said hello elsewhere since.
            Known::Over => return Vec::new(),
            Known::Again => {}
            Known::Moved(from) => {
                self.dispatcher.deliveries.gone(from);
                self.dispatcher.workers.moved(from, worker);
                decisions.extend(self.dispatcher.placement.moved(now, from, worker));
            }
            Known::Successor(before) => {
                let reason = "another worker has joined with its key".to_owned();
                self.send(before, &ToWorker::Refused { reason });
                self.worker_gone(before);
            }
            Known::New => {}
        }
        let placement = &mut self.dispatcher.placement;
        if placement.heard(now, worker) {
            decisions.extend(placement.reconciled(now, worker, has));
        } else {
            let joining = Joining {
                slots: hello.slots.min(SLOTS_MAX),
                labels: hello.labels.clone(),
                components: hello.components.iter().take(COMPONENTS_MAX).copied().collect(),
                running: has.iter().copied().collect(),
            };
            decisions.extend(placement.joined(now, worker, joining));
        }
        self.dispatcher.workers.join(now, worker, key, hello);
        decisions
    }

    /// An attempt of a former life of this coordinator, which some worker may still have.
    pub(crate) fn orphan(&mut self, now: MonotonicMs, attempt: AttemptId) {
        if let Some(wanted) = self.wanted(attempt) {
            self.dispatcher.placement.orphaned(now, wanted, now + LEASE);
        }
    }

    /// The end of an attempt did not count.
    pub(crate) fn note_late(&mut self, reply: &ReplyTo) {
        if let ReplyTo::Taken(worker, attempt, _) = reply
            && let Some(worker) = self.dispatcher.workers.get_mut(*worker)
        {
            worker.note_late(*attempt);
        }
    }

    /// The end of an attempt counted.
    pub(crate) fn note_counted(&mut self, reply: &ReplyTo) {
        if let ReplyTo::Taken(worker, _, ended) = reply
            && let Some(worker) = self.dispatcher.workers.get_mut(*worker)
        {
            match ended {
                Ended::Done => worker.counts.done += 1,
                Ended::Failed => worker.counts.failed += 1,
                Ended::Lost => {}
            }
        }
    }

    /// A worker left by its own word or by ours.
    fn worker_dismissed(&mut self, worker: WorkerId) {
        let _gone = self.dispatcher.workers.dismiss(worker);
        self.dispatcher.deliveries.gone(worker);
        let decisions = self.dispatcher.placement.gone(self.parts.clock.monotonic(), worker);
        self.carry_out(decisions);
    }

    fn worker_gone(&mut self, worker: WorkerId) {
        let _gone = self.dispatcher.workers.remove(worker);
        self.dispatcher.deliveries.gone(worker);
        let decisions = self.dispatcher.placement.gone(self.parts.clock.monotonic(), worker);
        self.carry_out(decisions);
    }

    /// A worker ends what it was not given: nothing here changes, and it may forget it. It may be
    /// honest, and this folder another one than it was.
    fn forged(&mut self, worker: WorkerId, attempt: AttemptId, token: Token) {
        self.send(worker, &ToWorker::Taken { attempt });
        // So it answers a `Cancel` of what it said it has, and was never given.
        if token == Token::default() {
            return;
        }
        let Some(known) = self.dispatcher.workers.get_mut(worker) else { return };
        known.counts.forged += 1;
        if known.counts.forged.is_power_of_two() {
            let count = known.counts.forged;
            tracing::warn!(
                ?worker,
                ?attempt,
                count,
                "a worker ends attempts that it was not given"
            );
        }
    }

    fn end(&mut self, attempt: AttemptId, outcome: AttemptOutcome) {
        let AttemptId { run, task, attempt } = attempt;
        self.take(run, Input::AttemptEnded { task, attempt, outcome }, None);
    }

    /// Forgets an attempt that no worker has to run any more.
    fn release(&mut self, attempt: AttemptId) {
        self.dispatcher.orders.forget(&attempt);
        if let Some(slot) = self.runs.get_mut(attempt.run)
            && slot.live.leased.get(&attempt.task) == Some(&attempt.attempt)
        {
            slot.live.leased.remove(&attempt.task);
            slot.live.progress.remove(&attempt.task);
            slot.tick += 1;
        }
    }

    fn carry_out(&mut self, decisions: Vec<Decision>) {
        let mut decisions = VecDeque::from(decisions);
        while let Some(decision) = decisions.pop_front() {
            match decision {
                Decision::Assign { worker, attempt } => {
                    let sent = self.assign(worker, attempt);
                    decisions.extend(self.after(worker, attempt, sent));
                }
                Decision::Stop { worker, attempt } => {
                    let key = self.dispatcher.workers.get(worker).map(|worker| worker.key);
                    if let Some(key) = key {
                        let token = self.parts.tokens.of(attempt, key);
                        self.send(worker, &ToWorker::Cancel { attempt, token });
                    }
                }
                Decision::Forget { worker } => {
                    if let Some(left_out) = SILENT.may() {
                        tracing::warn!(?worker, left_out, "a worker was silent for too long");
                    }
                    let _gone = self.dispatcher.workers.remove(worker);
                    self.dispatcher.deliveries.gone(worker);
                }
                Decision::Lost { attempt, worker } => {
                    self.release(attempt);
                    let reason = "its worker is gone".to_owned();
                    let worker = worker.and_then(|worker| self.dispatcher.workers.former(worker));
                    self.end(attempt, AttemptOutcome::Lost { reason, worker });
                }
                Decision::QueueTimedOut { attempt, waited, why } => {
                    self.release(attempt);
                    let message = format!("no worker took it in {waited}: {why}");
                    let failure = Failure::new(FailureKind::Timeout, "queue-timeout", message);
                    self.end(attempt, AttemptOutcome::Failed(failure));
                }
                Decision::TimedOut { attempt } => {
                    self.release(attempt);
                    let failure = Failure::new(
                        FailureKind::Timeout,
                        "timeout",
                        "the worker did not stop the attempt at its timeout",
                    );
                    self.end(attempt, AttemptOutcome::Failed(failure));
                }
            }
        }
    }

    /// Sends what waits for this worker, or has its input made first.
    fn assign(&mut self, worker: WorkerId, attempt: AttemptId) -> Sent {
        match self.dispatcher.orders.take(&attempt) {
            Waiting::No => Sent::Done,
            Waiting::Here(input) => self.send_order(worker, attempt, input),
            Waiting::Gone => {
                self.make_order(attempt);
                Sent::Done
            }
        }
    }

    fn send_order(&mut self, worker: WorkerId, attempt: AttemptId, input: Json) -> Sent {
        let Some(key) = self.dispatcher.workers.get(worker).map(|worker| worker.key) else {
            return Sent::WorkerGone;
        };
        let token = self.parts.tokens.of(attempt, key);
        let input = self.dispatcher.orders.sent(attempt, input);
        let Some(order) = self.order(attempt, token, input) else { return Sent::Done };
        match self.parts.link.send_worker(worker, &ToWorker::Dispatch(order)) {
            Ok(()) => {
                crash_points::die_at("after-dispatch");
                if let Some(slot) = self.runs.get_mut(attempt.run) {
                    slot.live.leased.insert(attempt.task, attempt.attempt);
                    slot.tick += 1;
                }
                Sent::Done
            }
            Err(SendError::Message(error)) => Sent::TooLarge(error.to_string()),
            Err(error) => {
                if let Some(left_out) = UNSENT.may() {
                    tracing::warn!(?worker, %error, left_out, "an attempt could not be sent");
                }
                Sent::WorkerGone
            }
        }
    }

    /// What follows from how the sending went.
    fn after(&mut self, worker: WorkerId, attempt: AttemptId, sent: Sent) -> Vec<Decision> {
        let now = self.parts.clock.monotonic();
        match sent {
            Sent::Done => Vec::new(),
            Sent::WorkerGone => {
                let _gone = self.dispatcher.workers.remove(worker);
                self.dispatcher.deliveries.gone(worker);
                self.dispatcher.placement.gone(now, worker)
            }
            Sent::TooLarge(error) => {
                let failure = Failure::new(FailureKind::Limit, "message-bytes", error);
                self.release(attempt);
                let decisions = self.dispatcher.placement.ended(now, worker, attempt);
                self.end(attempt, AttemptOutcome::Failed(failure));
                decisions
            }
        }
    }

    pub(crate) fn send(&mut self, worker: WorkerId, message: &ToWorker) {
        match self.parts.link.send_worker(worker, message) {
            Ok(()) => {}
            Err(SendError::Gone) => self.worker_gone(worker),
            Err(error) => {
                if let Some(left_out) = UNSENT.may() {
                    tracing::warn!(?worker, %error, left_out, "a message could not be sent");
                }
            }
        }
    }

    fn fetch(&mut self, worker: WorkerId, digest: Digest, offset: u64, len: u32) {
        let len = len.min(CHUNK_BYTES);
        match self.dispatcher.orders.input(&digest) {
            Some(input) => {
                let (total, bytes) = part_of(input.as_str().as_bytes(), offset, len);
                self.send(worker, &ToWorker::Chunk { digest, offset, total, bytes });
            }
            None => self.ask(Query::Chunk { digest, offset, len }, ReplyTo::Worker(worker)),
        }
    }

    fn log(&mut self, attempt: AttemptId, lines: Vec<wfhost_transport::message::LogLine>) {
        let slot = self.runs.get(attempt.run).filter(|slot| slot.is_current(attempt.attempt));
        let Some(slot) = slot else { return };
        let Some(step) = slot.definition.steps.get(attempt.task.step.position()) else { return };
        let lines = lines
            .into_iter()
            .map(|line| ShownLogLine {
                step: step.name.to_string(),
                index: attempt.task.index,
                attempt: attempt.attempt.0,
                line,
            })
            .collect();
        self.parts.logs.write(attempt.run, lines);
    }
}

/// What became of an order.
enum Sent {
    Done,
    WorkerGone,
    /// No worker can be sent it: it holds more than a message may.
    TooLarge(String),
}

fn part_of(content: &[u8], offset: u64, len: u32) -> (u64, Vec<u8>) {
    let total = content.len() as u64;
    let from = offset.min(total) as usize;
    let to = (offset.saturating_add(u64::from(len))).min(total) as usize;
    (total, content[from..to].to_vec())
}

/// The same for every attempt of a task, and for no other task.
fn idempotency_key(run: RunId, step: &str, task: TaskId) -> String {
    match task.index {
        Some(index) => format!("{run}/{step}/{index}"),
        None => format!("{run}/{step}"),
    }
}

fn kv_of(kv: &BTreeMap<String, Vec<u8>>) -> Vec<KvWrite> {
    kv.iter().map(|(key, value)| KvWrite { key: key.clone(), value: Some(value.clone()) }).collect()
}
