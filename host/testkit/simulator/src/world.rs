//! Time passes from event to event; every message, commit and crash is one.

mod end;
mod upgrades;
mod workers;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

use wfhost_workflow::placement::{Decision, Joining};
use wfhost_workflow::run::{Change, Input, Record, Rejection, RunStatus, StateName};
use wfhost_workflow::{
    AttemptId, Definition, Digest, MonotonicMs, StepId, TaskId, TimestampMs, WorkerId,
};

use crate::coverage::Coverage;
use crate::fault::{Fault, Faults};
use crate::invariants::{Ledger, Violation};
use crate::node::{Direction, Message, Node, input_of};
use crate::store::Store;
use crate::worker::Worker;
use crate::workload::Plan;

/// A run that has not ended by then never will: faults are over long before.
const HORIZON_MS: u64 = 15 * 60 * 1000;

const TICK_MS: u64 = 100;
const WORKERS: u64 = 3;

/// What one simulated run was like.
#[derive(Debug)]
pub struct History {
    /// Which states met which inputs.
    pub coverage: Coverage,
    /// Tasks that were begun.
    pub tasks: usize,
    /// Faults that struck.
    pub faults: u32,
    /// Opportunities for a crash.
    pub crash_points: u32,
    /// Upgrades that were taken.
    pub upgraded: u32,
    /// Upgrades that were refused.
    pub refused: u32,
    /// How the run ended, and how long it took: the same for the same seed.
    pub end: (RunStatus, u64),
}

/// Runs one made-up workflow to its end.
///
/// # Errors
/// The first thing that must never happen and did.
pub fn simulate(seed: u64, faults: Faults) -> Result<History, Violation> {
    let mut random = fastrand::Rng::with_seed(seed);
    let plan = Plan::new(&mut random);
    let (digest, definition) = (Digest::of(plan.text().as_bytes()), plan.definition());
    let mut world = World {
        ledger: Ledger::new(digest, definition.clone()),
        definition,
        plans: [(digest, plan)].into(),
        upgrades_wanted: 0,
        upgrades_refused: 0,
        random,
        faults,
        seed,
        now_ms: 1_000_000,
        sequence: 0,
        queue: BinaryHeap::new(),
        events: BTreeMap::new(),
        node: None,
        epoch: 0,
        store: Store::default(),
        workers: Vec::new(),
        executions: 0,
        cancelled: false,
        adopts: false,
        retries_wanted: 0,
        retrying: None,
        coverage: Coverage::default(),
    };
    world.run()?;
    world.check_end()
}

struct World {
    /// What the run began with.
    definition: Arc<Definition>,
    /// Every version that was thought of.
    plans: BTreeMap<Digest, Plan>,
    /// How often somebody still wants to upgrade it.
    upgrades_wanted: u32,
    upgrades_refused: u32,
    random: fastrand::Rng,
    faults: Faults,
    seed: u64,
    now_ms: u64,
    sequence: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, Happening>,
    node: Option<Node>,
    /// Rises with each life of the coordinator: what was meant for an earlier one is dropped.
    epoch: u64,
    store: Store,
    ledger: Ledger,
    workers: Vec<Worker>,
    executions: u64,
    cancelled: bool,
    /// A coordinator that was started again waits for workers to claim what they run.
    adopts: bool,
    /// How often somebody lets the run go on if it fails.
    retries_wanted: u32,
    /// A retry is on its way to the store: how many were there before it.
    retrying: Option<u32>,
    coverage: Coverage,
}

#[derive(Debug)]
enum Happening {
    Tick { epoch: u64 },
    Committed { epoch: u64 },
    Message { direction: Direction, message: Message, epoch: u64 },
    Execution { worker: WorkerId, number: u64 },
    Beat { worker: WorkerId },
    Join { slots: u32 },
    Restart,
}

/// Why something was not carried through: the coordinator crashed in it, or an invariant broke.
enum Stop {
    Crashed,
    Violated(Violation),
}

impl From<Violation> for Stop {
    fn from(violation: Violation) -> Self {
        Self::Violated(violation)
    }
}

impl World {
    fn run(&mut self) -> Result<(), Violation> {
        for _ in 0..WORKERS {
            let slots = self.random.u32(1..4);
            self.join(slots);
        }
        self.retries_wanted = self.random.u32(..3);
        self.upgrades_wanted = self.random.u32(..4);
        self.adopts = self.random.bool();
        self.after(0, Happening::Restart);
        while !self.is_finished() {
            if self.ledger.ended()
                && self.node.is_some()
                && self.retrying != Some(self.ledger.retried())
            {
                self.leave_memory();
            }
            let Some(Reverse((at, key))) = self.queue.pop() else {
                return Err(Violation("nothing will happen any more".to_owned()));
            };
            self.now_ms = at;
            if at > 1_000_000 + HORIZON_MS {
                return Err(Violation("the run never ends".to_owned()));
            }
            let Some(happening) = self.events.remove(&key) else { continue };
            match self.happen(happening) {
                Ok(()) => {}
                Err(Stop::Crashed) => self.crash()?,
                Err(Stop::Violated(violation)) => return Err(violation),
            }
        }
        Ok(())
    }

    fn is_finished(&self) -> bool {
        let goes_on = self.ledger.failed() && self.ledger.retried() < self.retries_wanted;
        self.ledger.ended() && !goes_on
    }

    /// A run that has ended is no longer served; that it is to go on, somebody says later.
    fn leave_memory(&mut self) {
        self.node = None;
        self.epoch += 1;
        self.store.drop_unfinished();
        let pause = self.random.u64(1..5000);
        self.after(pause, Happening::Restart);
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Stop> {
        match happening {
            Happening::Tick { epoch } if epoch == self.epoch => self.tick(),
            Happening::Committed { epoch } if epoch == self.epoch => self.committed(),
            Happening::Message { direction: Direction::ToWorker(worker), message, .. } => {
                self.at_worker(worker, &message);
                Ok(())
            }
            Happening::Message { direction: Direction::FromWorker(worker), message, epoch }
                if epoch == self.epoch =>
            {
                self.at_coordinator(worker, message)
            }
            Happening::Tick { .. } | Happening::Committed { .. } | Happening::Message { .. } => {
                Ok(())
            }
            Happening::Execution { worker, number } => {
                self.execution_ends(worker, number);
                Ok(())
            }
            Happening::Beat { worker } => {
                self.beat(worker);
                Ok(())
            }
            Happening::Join { slots } => {
                self.join(slots);
                Ok(())
            }
            Happening::Restart => self.restart(),
        }
    }

    // The coordinator's side.

    fn restart(&mut self) -> Result<(), Stop> {
        self.epoch += 1;
        self.after(TICK_MS, Happening::Tick { epoch: self.epoch });
        for worker in 0..self.workers.len() {
            if self.workers[worker].alive {
                let (id, hello) = (self.workers[worker].id, self.workers[worker].hello());
                self.send(Direction::FromWorker(id), &hello);
            }
        }
        if self.store.durable().is_empty() {
            let definition = self.definition.clone();
            let digest = self.ledger.digest();
            let (node, change) = Node::start(digest, definition, self.seed, self.wall());
            self.node = Some(node);
            return self.store_change(change);
        }
        let node = Node::restore(&self.ledger, self.store.durable())
            .map_err(|error| Violation(format!("what is durable cannot be read: {error}")))?;
        let has_failed = self.ledger.failed();
        self.node = Some(node);
        if has_failed {
            self.retrying = Some(self.ledger.retried());
            return self.take(Input::Retry);
        }
        if self.adopts {
            let now = self.monotonic();
            if let Some(node) = &mut self.node {
                node.await_claims(now);
            }
            return Ok(());
        }
        self.take(Input::Recover)
    }

    fn crash(&mut self) -> Result<(), Violation> {
        self.node = None;
        self.retrying = None;
        self.epoch += 1;
        // What is on its way to the disk may or may not get there.
        if self.random.bool() {
            self.finish_batch()?;
        }
        self.store.drop_unfinished();
        let pause = self.random.u64(1..600);
        self.after(pause, Happening::Restart);
        Ok(())
    }

    fn crash_point(&mut self) -> Result<(), Stop> {
        if self.faults.strikes(Fault::Crash, &mut self.random) {
            return Err(Stop::Crashed);
        }
        Ok(())
    }

    fn take(&mut self, input: Input) -> Result<(), Stop> {
        self.crash_point()?;
        let now = self.wall();
        let Some(node) = &mut self.node else { return Ok(()) };
        self.coverage.count(node.run.state_name(&input), &input);
        match node.run.apply(now, input) {
            Ok(change) => self.store_change(change),
            Err(Rejection::CannotUpgrade(_)) => {
                self.upgrades_refused += 1;
                Ok(())
            }
            Err(_) => Ok(()),
        }
    }

    fn store_change(&mut self, change: Change) -> Result<(), Stop> {
        self.crash_point()?;
        let Some(node) = &mut self.node else { return Ok(()) };
        let Some(record) = change.record else {
            return self.act(change.effects);
        };
        node.pending.push_back((record.revision, change.effects));
        if self.store.submit(record) {
            self.begin_sync();
        }
        self.crash_point()
    }

    fn begin_sync(&mut self) {
        let wait = self.random.u64(1..4);
        self.after(wait, Happening::Committed { epoch: self.epoch });
    }

    fn committed(&mut self) -> Result<(), Stop> {
        if self.faults.strikes(Fault::StoreFails, &mut self.random) {
            // Fail-stop: the process ends and nothing of the batch is durable.
            self.store.drop_unfinished();
            return Err(Stop::Crashed);
        }
        let batch = self.finish_batch()?;
        if self.faults.strikes(Fault::StoredButFailed, &mut self.random) {
            return Err(Stop::Crashed);
        }
        self.crash_point()?;
        if self.store.begin_batch() {
            self.begin_sync();
        }
        for record in batch {
            let Some(node) = &mut self.node else { return Ok(()) };
            if node.pending.front().is_some_and(|(revision, _)| *revision == record.revision)
                && let Some((_, effects)) = node.pending.pop_front()
            {
                self.act(effects)?;
            }
        }
        Ok(())
    }

    fn finish_batch(&mut self) -> Result<Vec<Record>, Violation> {
        let batch = self.store.finish_batch();
        for record in &batch {
            self.ledger.append(record)?;
        }
        Ok(batch)
    }

    fn act(&mut self, effects: Vec<wfhost_workflow::run::Effect>) -> Result<(), Stop> {
        for effect in effects {
            self.crash_point()?;
            let now = self.monotonic();
            let Some(node) = &mut self.node else { return Ok(()) };
            let decisions = node.act(now, effect);
            self.carry_out(decisions)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, decisions: Vec<Decision>) -> Result<(), Stop> {
        for decision in decisions {
            match decision {
                Decision::Assign { worker, attempt } => {
                    let (task, attempt) = (attempt.task, attempt.attempt);
                    let node = self.node.as_ref().filter(|node| node.is_current(attempt));
                    let Some(step) = node.and_then(|node| node.step_of(task)) else { continue };
                    self.ledger.check_dispatch(&step, task, attempt)?;
                    let dispatch = Message::Dispatch { step, task, attempt };
                    self.send(Direction::ToWorker(worker), &dispatch);
                }
                Decision::Stop { worker, attempt } => {
                    let (task, attempt) = (attempt.task, attempt.attempt);
                    self.send(Direction::ToWorker(worker), &Message::Cancel { task, attempt });
                }
                Decision::Forget { .. } => {}
                Decision::Lost { .. }
                | Decision::TimedOut { .. }
                | Decision::QueueTimedOut { .. } => {
                    if let Some(input) = input_of(&decision) {
                        self.take(input)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn tick(&mut self) -> Result<(), Stop> {
        self.after(TICK_MS, Happening::Tick { epoch: self.epoch });
        let (wall, monotonic) = (self.wall(), self.monotonic());
        let Some(node) = &mut self.node else { return Ok(()) };
        let due = node.run.next_timer().is_some_and(|at| at <= wall);
        let decisions = node.placement.tick(monotonic);
        self.carry_out(decisions)?;
        // A tick too many now and then: timers may fire for nothing.
        if due || self.random.u8(..) < 8 {
            self.take(Input::TimersDue)?;
        }
        self.operate()?;
        if !self.cancelled && self.faults.strikes(Fault::Cancel, &mut self.random) {
            self.cancelled = true;
            self.take(Input::Cancel { reason: "made up".to_owned() })?;
        }
        Ok(())
    }

    /// Somebody looks after the run, and now and then does what makes no sense.
    fn operate(&mut self) -> Result<(), Stop> {
        let Some(node) = &self.node else { return Ok(()) };
        let quarantined = node.run.quarantined().next().map(|(task, _)| task);
        if let Some(task) = quarantined
            && self.random.u8(..) < 20
        {
            let task = match self.random.u8(..3) {
                0 => Some(task),
                // As people name it: the step, and so all of its items.
                1 => Some(TaskId::of(task.step)),
                _ => None,
            };
            return self.take(Input::Release { task });
        }
        if self.random.u16(..) < 300 {
            let task = if self.random.bool() { self.notable_task() } else { self.any_task() };
            self.take(Input::Release { task: Some(task) })?;
            self.take(Input::Retry)?;
        }
        if self.upgrades_wanted > 0 && self.random.u8(..) < 12 {
            self.upgrades_wanted -= 1;
            let upgrade = self.some_upgrade();
            self.take(upgrade)?;
        }
        Ok(())
    }

    fn any_task(&mut self) -> TaskId {
        let node = self.node.as_ref();
        let steps = node.map_or(&self.definition, |node| node.run.definition()).steps.len();
        let step = StepId(self.random.u32(..steps as u32));
        let index = self.random.bool().then(|| self.random.u32(..9));
        TaskId { step, index }
    }

    /// One in backoff or quarantined, if one is found soon.
    fn notable_task(&mut self) -> TaskId {
        for _ in 0..20 {
            let task = self.any_task();
            let state = self
                .node
                .as_ref()
                .map(|node| node.run.state_name(&Input::Release { task: Some(task) }));
            if matches!(state, Some(StateName::Backoff | StateName::Quarantined)) {
                return task;
            }
        }
        self.any_task()
    }

    fn at_coordinator(&mut self, worker: WorkerId, message: Message) -> Result<(), Stop> {
        let now = self.monotonic();
        let Some(node) = &mut self.node else { return Ok(()) };
        let decisions = match message {
            Message::Hello { slots, running } => {
                let running: BTreeSet<AttemptId> = running
                    .into_iter()
                    .map(|(task, attempt)| node.attempt_id(task, attempt))
                    .collect();
                let running = running.into_iter().collect();
                let joining = Joining { slots, running, ..Joining::default() };
                node.placement.joined(now, worker, joining)
            }
            Message::Gone => node.placement.gone(now, worker),
            Message::Heartbeat | Message::Ended { .. } if !node.placement.heard(now, worker) => {
                self.send(Direction::ToWorker(worker), &Message::Rejoin);
                Vec::new()
            }
            Message::Ended { task, attempt, outcome } => {
                let id = node.attempt_id(task, attempt);
                node.orders.remove(&id);
                let decisions = node.placement.ended(now, worker, id);
                self.carry_out(decisions)?;
                return self.take(Input::AttemptEnded { task, attempt, outcome });
            }
            Message::Heartbeat
            | Message::Dispatch { .. }
            | Message::Cancel { .. }
            | Message::Rejoin => Vec::new(),
        };
        self.carry_out(decisions)
    }

    // The network and the clock.

    fn send(&mut self, direction: Direction, message: &Message) {
        let dependable = matches!(message, Message::Hello { .. } | Message::Gone);
        if !dependable && self.faults.strikes(Fault::Lost, &mut self.random) {
            return;
        }
        let doubled = !dependable && self.faults.strikes(Fault::Doubled, &mut self.random);
        for _ in 0..=u32::from(doubled) {
            let mut wait = 1;
            if !dependable && self.faults.strikes(Fault::Reordered, &mut self.random) {
                wait += self.random.u64(..120);
            }
            if !dependable && self.faults.strikes(Fault::Late, &mut self.random) {
                wait += self.random.u64(2000..8000);
            }
            let happening =
                Happening::Message { direction, message: message.clone(), epoch: self.epoch };
            self.after(wait, happening);
        }
    }

    fn after(&mut self, wait_ms: u64, happening: Happening) {
        self.sequence += 1;
        self.queue.push(Reverse((self.now_ms + wait_ms, self.sequence)));
        self.events.insert(self.sequence, happening);
    }

    const fn wall(&self) -> TimestampMs {
        TimestampMs(self.now_ms)
    }

    const fn monotonic(&self) -> MonotonicMs {
        MonotonicMs(self.now_ms)
    }
}
