//! The thread that keeps as many workers as are wanted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use wfhost_coordinator::{CoordinatorHandle, PoolView};
use wfhost_transport::client::{Answer, Request, ShownMember, ShownPool};
use wfhost_workflow::placement::scale::{Bounds, Demand, HEALTHY, Load, Restarts, Rules, Scaler};
use wfhost_workflow::{DurationMs, MonotonicMs};

use super::member::{ChildCommand, End, Member};
use super::plan::{Plan, Seen, plan};
use super::program::Program;
use super::registry::{Entry, Registry};
use super::{Desk, FOLDER, Order, PoolSetup};
use crate::clock;
use crate::error::{CommandError, Result};
use crate::output::Output;
use crate::run_id;

/// Between two looks at the workers.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The same where there are none and none are wanted.
const LOOK_SELDOM: Duration = Duration::from_secs(1);

/// Between two looks at the program on disk.
const PROGRAM_EVERY: DurationMs = DurationMs(500);

/// A worker that is not there as a worker for so long hangs, and is ended.
const JOIN_LIMIT: DurationMs = DurationMs::from_secs(30);

/// Looks that are further apart say that this process did not run.
const STALL: DurationMs = DurationMs::from_secs(5);

/// For ended processes to be gone.
const KILL_LIMIT: DurationMs = DurationMs::from_secs(5);

/// What the pool's thread owns.
pub(super) struct Supervisor {
    command: ChildCommand,
    registry: Registry,
    program: Program,
    program_at: MonotonicMs,
    looked_at: MonotonicMs,
    rules: Rules,
    scaler: Scaler,
    restarts: Restarts,
    last_failure: Option<String>,
    /// In the order in which they were started.
    members: Vec<Member>,
    coordinator: CoordinatorHandle,
    output: Output,
    orders: Receiver<Order>,
    desk: Arc<Desk>,
    stopping: Option<Stopping>,
}

/// Every worker is told to leave.
struct Stopping {
    /// When those are ended that are still there.
    kill_at: MonotonicMs,
    killed: bool,
}

impl Supervisor {
    pub(super) fn new(setup: PoolSetup) -> Result<Self> {
        let failed = |error| CommandError::store(error).context("could not start the pool");
        let PoolSetup { settings, command, folder, coordinator, output, desk, orders } = setup;
        let registry = Registry::open(folder.join(FOLDER)).map_err(failed)?;
        let program = Program::of_this_process().map_err(failed)?;
        let now = clock::monotonic();
        let mut supervisor = Self {
            command,
            registry,
            program,
            program_at: now,
            looked_at: now,
            rules: settings.rules,
            scaler: Scaler::new(settings.bounds, settings.rules, 0),
            restarts: Restarts::default(),
            last_failure: None,
            members: Vec::new(),
            coordinator,
            output,
            orders: orders.0,
            desk,
            stopping: None,
        };
        let living = supervisor.registry.living();
        supervisor.find_members(now, &living);
        let present = u32::try_from(supervisor.members.len()).unwrap_or(u32::MAX);
        supervisor.scaler = Scaler::new(settings.bounds, settings.rules, present);
        Ok(supervisor)
    }

    pub(super) fn run(mut self) {
        loop {
            let now = clock::monotonic();
            self.look(now);
            if self.is_over(now) {
                return;
            }
            match self.orders.recv_timeout(self.pause()) {
                Ok(order) => self.ordered(order),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn pause(&self) -> Duration {
        if self.is_unused() { LOOK_SELDOM } else { LOOK_EVERY }
    }

    fn is_unused(&self) -> bool {
        self.members.is_empty() && self.scaler.bounds().max() == 0
    }

    fn ordered(&mut self, order: Order) {
        match order {
            Order::Scale(workers) => {
                self.scaler.set_bounds(Bounds::exactly(workers));
                self.restarts.forget();
            }
            Order::Stop(limit) => {
                let limit = DurationMs(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
                let kill_at = clock::monotonic() + limit;
                self.stopping = Some(Stopping { kill_at, killed: false });
                for position in 0..self.members.len() {
                    self.let_leave(position);
                }
            }
        }
    }

    fn look(&mut self, now: MonotonicMs) {
        self.forgive_stall(now);
        let living = self.registry.living();
        self.find_members(now, &living);
        self.bury(now, &living);
        let view = if self.is_unused() { None } else { self.coordinator.pool_view() };
        if let Some(view) = &view {
            self.match_with(view, now);
        }
        if self.stopping.is_none() {
            self.look_at_program(now);
            self.end_hanging(now);
            self.follow_demand(view, now);
            self.carry_out(now);
        }
        self.show(now);
    }

    /// A process that was stopped sees nobody: that is not the workers' silence.
    fn forgive_stall(&mut self, now: MonotonicMs) {
        if now - self.looked_at > STALL {
            for member in &mut self.members {
                member.seen_at = now;
            }
        }
        self.looked_at = now;
    }

    /// Whether all have left, or are given up.
    fn is_over(&mut self, now: MonotonicMs) -> bool {
        let Some(stopping) = &mut self.stopping else { return false };
        if self.members.is_empty() {
            return true;
        }
        if now < stopping.kill_at {
            return false;
        }
        if !std::mem::replace(&mut stopping.killed, true) {
            let count = self.members.len();
            self.output.warn(&format!("{count} workers did not leave in time and are ended"));
            self.members.iter().for_each(Member::kill);
        }
        now - stopping.kill_at > KILL_LIMIT
    }

    /// Takes in those that another life of this process has started.
    fn find_members(&mut self, now: MonotonicMs, living: &[(String, Entry)]) {
        for (name, entry) in living {
            if self.members.iter().any(|member| member.pid == entry.pid) {
                continue;
            }
            self.output.note(&format!("worker {name} (process {}) is still there", entry.pid));
            let member = Member::adopted(name.clone(), entry.pid, entry.setup.clone(), now);
            self.members.push(member);
            if self.stopping.is_some() {
                self.let_leave(self.members.len() - 1);
            }
        }
    }

    /// Takes out those that have ended.
    fn bury(&mut self, now: MonotonicMs, living: &[(String, Entry)]) {
        let registered: Vec<u32> = living.iter().map(|(_, entry)| entry.pid).collect();
        let mut position = 0;
        while let Some(member) = self.members.get_mut(position) {
            let Some(end) = member.ended(registered.contains(&member.pid)) else {
                position += 1;
                continue;
            };
            let member = self.members.remove(position);
            self.registry.forget(&member.name);
            let told = member.leaving || self.stopping.is_some();
            match end {
                End::Left => tracing::info!(worker = member.name, "a worker has left"),
                End::Failed(how) if told => {
                    tracing::info!(
                        worker = member.name,
                        how,
                        "a worker that was leaving has ended"
                    );
                }
                End::Failed(how) => self.failed(now, &member.name, now - member.started_at, &how),
            }
        }
    }

    fn failed(&mut self, now: MonotonicMs, name: &str, lived: DurationMs, how: &str) {
        let pause = self.restarts.failed(now, lived, random_share());
        let times = match self.restarts.failures() {
            0 | 1 => String::new(),
            failures => format!(", failure {failures} in a row"),
        };
        let what = format!("worker {name} ended after {}: {how}", clock::span(lived));
        let next = clock::span(pause);
        self.output.warn(&format!("{what}{times}; the next may start in {next}"));
        self.last_failure = Some(what);
    }

    fn match_with(&mut self, view: &PoolView, now: MonotonicMs) {
        let there: BTreeMap<u32, _> =
            view.workers.iter().map(|worker| (worker.pid, worker)).collect();
        for member in &mut self.members {
            let worker = there.get(&member.pid).filter(|worker| worker.name == member.name);
            let Some(worker) = worker else {
                member.joined_at = None;
                member.worker_id = None;
                member.busy = 0;
                continue;
            };
            member.joined_at.get_or_insert(now);
            member.seen_at = now;
            member.busy = worker.busy;
            member.worker_id = Some(worker.id.clone());
            if member.leaving && !worker.draining {
                // It was told on a connection that is gone.
                let again = Request::DrainWorker { worker: worker.id.clone() };
                let _refused_later = self.coordinator.request(again);
            }
            // By an operator: another one takes its place.
            member.leaving |= worker.draining;
        }
        self.forget_failures(now);
    }

    /// A worker as it would be started now has been there for long enough.
    fn forget_failures(&mut self, now: MonotonicMs) {
        if self.restarts.failures() == 0 || self.restarts.pause(now) > DurationMs(0) {
            return;
        }
        let setup = self.command.setup(self.program.tag());
        let is_healthy = |member: &Member| {
            let joined_at = member.joined_at.filter(|_| !member.leaving && member.setup == setup);
            joined_at.is_some_and(|at| now - at >= HEALTHY)
        };
        if self.members.iter().any(is_healthy) {
            self.restarts.forget();
        }
    }

    fn look_at_program(&mut self, now: MonotonicMs) {
        if now - self.program_at < PROGRAM_EVERY {
            return;
        }
        self.program_at = now;
        if self.program.look(now) {
            self.restarts.forget();
            self.output.note("wfhost was replaced on disk: workers are replaced one by one");
        }
    }

    fn end_hanging(&mut self, now: MonotonicMs) {
        for member in &self.members {
            if now - member.seen_at > JOIN_LIMIT {
                tracing::warn!(worker = member.name, "a worker hangs, and is ended");
                member.kill();
            }
        }
    }

    fn follow_demand(&mut self, view: Option<PoolView>, now: MonotonicMs) {
        let Some(view) = view else { return };
        let taking = || self.members.iter().filter(|it| it.joined_at.is_some() && !it.leaving);
        let load = Load {
            demand: view.demand,
            busy: taking().map(|member| u64::from(member.busy)).sum(),
            workers: u32::try_from(taking().count()).unwrap_or(u32::MAX),
        };
        let before = self.scaler.wanted();
        let wanted = self.scaler.decide(now, load);
        if wanted != before {
            let Demand { waiting, oldest } = load.demand;
            tracing::info!(before, wanted, waiting, oldest = %oldest, busy = load.busy, "workers");
        }
    }

    fn carry_out(&mut self, now: MonotonicMs) {
        let to_start = self.program.to_start();
        let may_start = to_start.is_some() && self.restarts.pause(now) == DurationMs(0);
        let setup = self.command.setup(self.program.tag());
        let seen: Vec<Seen> = self.members.iter().map(|member| member.seen(&setup)).collect();
        let Plan { start, leave } = plan(self.scaler.wanted(), &seen, may_start);
        for position in leave {
            self.let_leave(position);
        }
        for _ in 0..start {
            if !self.start_one(now, &setup) {
                return;
            }
        }
    }

    /// Lets a worker finish and leave. One that has joined is asked to, not signalled: where the
    /// whole control group is stopped it has had its signal, and the second means at once.
    fn let_leave(&mut self, position: usize) {
        let Some(member) = self.members.get_mut(position).filter(|it| !it.leaving) else { return };
        member.leaving = true;
        let asked = member
            .worker_id
            .clone()
            .map(|worker| self.coordinator.request(Request::DrainWorker { worker }));
        if asked != Some(Answer::Done) {
            member.terminate();
        }
    }

    fn start_one(&mut self, now: MonotonicMs, setup: &str) -> bool {
        let Some((program, _)) = self.program.to_start() else { return false };
        let name = self.free_name();
        self.registry.forget(&name);
        match self.command.start(program, &name, self.registry.folder(), setup) {
            Ok(child) => {
                tracing::info!(worker = name, pid = child.id(), "a worker is started");
                self.members.push(Member::child(name, child, setup.to_owned(), now));
                true
            }
            Err(error) => {
                self.failed(now, &name, DurationMs(0), &format!("it cannot be started: {error}"));
                false
            }
        }
    }

    /// The first number that nobody has.
    fn free_name(&self) -> String {
        let names = (1_u32..).map(|number| format!("pool-{number}"));
        let is_free = |name: &String| self.members.iter().all(|member| member.name != *name);
        let mut free = names.filter(is_free);
        free.next().unwrap_or_default()
    }

    fn show(&self, now: MonotonicMs) {
        let setup = self.command.setup(self.program.tag());
        let member = |member: &Member| ShownMember {
            name: member.name.clone(),
            pid: member.pid,
            state: member.state(),
            outdated: member.setup != setup,
        };
        let mut members: Vec<_> = self.members.iter().map(member).collect();
        members.sort_by(|a, b| (a.name.len(), &a.name).cmp(&(b.name.len(), &b.name)));
        let bounds = self.scaler.bounds();
        self.desk.show(ShownPool {
            min: bounds.min(),
            max: bounds.max(),
            wanted: self.scaler.wanted(),
            slots: self.rules.slots,
            members,
            failures: self.restarts.failures(),
            pause_ms: self.restarts.pause(now).0,
            last_failure: self.last_failure.clone(),
        });
    }
}

/// From 0 to 1.
fn random_share() -> f64 {
    // Without randomness all wait equally long, which is no fault.
    run_id::random::<4>()
        .map_or(1.0, |bytes| f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
}
