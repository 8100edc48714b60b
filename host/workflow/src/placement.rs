//! Which worker runs what, and until when it may: a pure table of workers, leases and waiting
//! attempts.
//!
//! Never sends anything and never asks for the time. Invariants: a worker holds at most as many
//! attempts as it has slots; an attempt waits, is leased, or is not here; a lease ends by a
//! result, by its deadline, by its worker's silence, or by being withdrawn, and only once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::{AttemptId, Digest, DurationMs, MonotonicMs, Name, WorkerId};

/// A worker that was not heard of for this long has lost its leases (DESIGN.md, the wire).
pub const LEASE: DurationMs = DurationMs::from_secs(3);

/// A worker stops an attempt at its timeout; one that did not say so by this much later hangs.
pub const DEADLINE_GRACE: DurationMs = DurationMs::from_secs(2);

/// Between two requests to stop the same attempt.
pub const STOP_AGAIN: DurationMs = DurationMs::from_secs(2);

/// Ticks that come later than this say that this process did not run: nobody else is to blame.
const STALL: DurationMs = DurationMs::from_secs(1);

/// The workers, what they hold, and what waits for them.
#[derive(Debug, Default)]
pub struct Placement {
    workers: BTreeMap<WorkerId, Worker>,
    /// In the order of arrival.
    waiting: BTreeMap<u64, Wanted>,
    places: HashMap<AttemptId, Place>,
    deadlines: BTreeSet<(MonotonicMs, AttemptId)>,
    /// Until when a worker may still claim them.
    orphans: BTreeSet<(MonotonicMs, AttemptId)>,
    arrivals: u64,
    ticked_at: Option<MonotonicMs>,
}

#[derive(Debug)]
struct Worker {
    slots: u32,
    /// Leased attempts, and those that it was told to stop and has not yet said to have ended,
    /// with when it was told.
    holds: BTreeMap<AttemptId, Option<MonotonicMs>>,
    heard_at: MonotonicMs,
    draining: bool,
}

impl Worker {
    fn free(&self) -> u32 {
        if self.draining { 0 } else { self.slots.saturating_sub(self.holds.len() as u32) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Waiting { arrival: u64 },
    Leased { worker: WorkerId, deadline: MonotonicMs },
    Orphaned { until: MonotonicMs, timeout: DurationMs },
}

/// What a worker says of itself when it joins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Joining {
    /// Attempts at once.
    pub slots: u32,
    /// What steps may require.
    pub labels: BTreeMap<String, String>,
    /// Components that it has already.
    pub components: BTreeSet<Digest>,
    /// Attempts that it says it is running, and has proved to have been given: those that it may
    /// keep take their slots before anything new is assigned, and it is told to stop the others.
    pub running: Vec<AttemptId>,
}

/// What goes first where not everything can: a step's workflow decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Priority(i8);

impl Priority {
    /// The last to go.
    pub const MIN: i8 = -10;
    /// The first to go.
    pub const MAX: i8 = 10;

    /// From a number between [`Self::MIN`] and [`Self::MAX`].
    #[must_use]
    pub fn new(level: i64) -> Option<Self> {
        i8::try_from(level).ok().filter(|level| (Self::MIN..=Self::MAX).contains(level)).map(Self)
    }

    /// As the number.
    #[must_use]
    pub const fn level(self) -> i8 {
        self.0
    }
}

/// An attempt that wants a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which attempt.
    pub attempt: AttemptId,
    /// Wall clock that it may take on the worker.
    pub timeout: DurationMs,
    /// What it runs: workers that have it already are preferred.
    pub component: Digest,
    /// Whose attempt it is: workflows share the slots fairly.
    pub workflow: Name,
    /// Labels that its worker must have.
    pub requires: Arc<BTreeMap<String, String>>,
    /// What goes first.
    pub priority: Priority,
    /// At most so many attempts of its component may be at workers when it is given to one.
    pub concurrency: Option<u32>,
    /// How long it may wait for a worker; `None`: for ever.
    pub queue_timeout: Option<DurationMs>,
}

/// What placement decides; the caller carries it out in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a decision must be carried out"]
pub enum Decision {
    /// Send the attempt to the worker.
    Assign {
        /// To whom.
        worker: WorkerId,
        /// What.
        attempt: AttemptId,
    },
    /// Tell the worker to stop; the attempt is no longer leased.
    Stop {
        /// Whom.
        worker: WorkerId,
        /// What.
        attempt: AttemptId,
    },
    /// The attempt's worker is gone, or nobody has claimed it: tell the run that it is lost.
    Lost {
        /// What.
        attempt: AttemptId,
        /// Who held it and is gone; `None`: it was an orphan.
        worker: Option<WorkerId>,
    },
    /// The attempt's worker hangs: tell the run that it timed out.
    TimedOut {
        /// What.
        attempt: AttemptId,
    },
    /// The worker was silent for too long and is forgotten; it may say hello again.
    Forget {
        /// Whom.
        worker: WorkerId,
    },
}

impl Placement {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A worker is there; whatever a former one of this id held is lost.
    pub fn joined(
        &mut self,
        now: MonotonicMs,
        worker: WorkerId,
        joining: Joining,
    ) -> Vec<Decision> {
        let mut decisions = self.release(worker);
        let slots = joining.slots;
        let joined = Worker { slots, holds: BTreeMap::new(), heard_at: now, draining: false };
        self.workers.insert(worker, joined);
        for attempt in joining.running {
            if !self.adopted(now, worker, attempt) {
                decisions.push(Decision::Stop { worker, attempt });
            }
        }
        self.assign(now, &mut decisions);
        decisions
    }

    /// The coordinator was restarted: the attempt may still be at a worker, and is lost at `until`
    /// if nobody has claimed it. One that is already here is left where it is.
    pub fn orphaned(&mut self, _now: MonotonicMs, wanted: Wanted, until: MonotonicMs) {
        if self.places.contains_key(&wanted.attempt) {
            return;
        }
        let place = Place::Orphaned { until, timeout: wanted.timeout };
        self.places.insert(wanted.attempt, place);
        self.orphans.insert((until, wanted.attempt));
    }

    /// A worker says that it is running an attempt: `true`: it holds it, now or since before;
    /// `false`: it is not its, tell it to stop.
    pub fn adopted(&mut self, now: MonotonicMs, worker: WorkerId, attempt: AttemptId) -> bool {
        match (self.places.get(&attempt).copied(), self.workers.get_mut(&worker)) {
            (Some(Place::Leased { worker: holder, .. }), _) => holder == worker,
            (Some(Place::Orphaned { until, timeout }), Some(adopter)) => {
                self.orphans.remove(&(until, attempt));
                adopter.holds.insert(attempt, None);
                // How long it has been running is not known.
                let deadline = now + timeout + DEADLINE_GRACE;
                self.deadlines.insert((deadline, attempt));
                self.places.insert(attempt, Place::Leased { worker, deadline });
                true
            }
            (Some(Place::Orphaned { .. } | Place::Waiting { .. }) | None, _) => false,
        }
    }

    /// The same worker process is on a new connection: what it held, its slots and whether it
    /// drains move there. Nothing moves from a worker that is not known.
    pub fn moved(&mut self, now: MonotonicMs, from: WorkerId, to: WorkerId) -> Vec<Decision> {
        let Some(mut worker) = self.workers.remove(&from) else { return Vec::new() };
        let mut decisions = self.release(to);
        worker.heard_at = now;
        for attempt in worker.holds.keys() {
            if let Some(Place::Leased { worker: holder, .. }) = self.places.get_mut(attempt)
                && *holder == from
            {
                *holder = to;
            }
        }
        self.workers.insert(to, worker);
        self.assign(now, &mut decisions);
        decisions
    }

    /// Something came from a worker; `false`: it is not known and must say hello first.
    pub fn heard(&mut self, now: MonotonicMs, worker: WorkerId) -> bool {
        match self.workers.get_mut(&worker) {
            Some(worker) => {
                worker.heard_at = now;
                true
            }
            None => false,
        }
    }

    /// An attempt waits for its turn at its worker, at most so long: it may take that longer.
    pub fn waits(&mut self, worker: WorkerId, attempt: AttemptId, at_most: DurationMs) {
        if let Some(Place::Leased { worker: holder, deadline }) = self.places.get_mut(&attempt)
            && *holder == worker
        {
            self.deadlines.remove(&(*deadline, attempt));
            *deadline = *deadline + at_most;
            self.deadlines.insert((*deadline, attempt));
        }
    }

    /// A worker takes no more.
    pub fn draining(&mut self, worker: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.draining = true;
        }
    }

    /// A worker is gone, by its own word or because its link is.
    pub fn gone(&mut self, now: MonotonicMs, worker: WorkerId) -> Vec<Decision> {
        let mut decisions = self.release(worker);
        self.assign(now, &mut decisions);
        decisions
    }

    /// An attempt wants a worker. One that is already here is left where it is.
    pub fn wanted(&mut self, now: MonotonicMs, wanted: Wanted) -> Vec<Decision> {
        let mut decisions = Vec::new();
        if !self.places.contains_key(&wanted.attempt) {
            let arrival = self.arrivals;
            self.arrivals += 1;
            self.places.insert(wanted.attempt, Place::Waiting { arrival });
            self.waiting.insert(arrival, wanted);
            self.assign(now, &mut decisions);
        }
        decisions
    }

    /// A worker says that an attempt ended there: its slot is free, its lease is over. An orphan
    /// may end at any worker: that it was given it is for the caller to check.
    pub fn ended(
        &mut self,
        now: MonotonicMs,
        worker: WorkerId,
        attempt: AttemptId,
    ) -> Vec<Decision> {
        let mut decisions = Vec::new();
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.holds.remove(&attempt);
        }
        match self.places.get(&attempt).copied() {
            Some(Place::Leased { worker: holder, deadline }) if holder == worker => {
                self.places.remove(&attempt);
                self.deadlines.remove(&(deadline, attempt));
            }
            Some(Place::Orphaned { until, .. }) => {
                self.places.remove(&attempt);
                self.orphans.remove(&(until, attempt));
            }
            Some(Place::Leased { .. } | Place::Waiting { .. }) | None => {}
        }
        self.assign(now, &mut decisions);
        decisions
    }

    /// An attempt's result no longer matters.
    pub fn withdrawn(&mut self, now: MonotonicMs, attempt: AttemptId) -> Vec<Decision> {
        match self.places.remove(&attempt) {
            None => Vec::new(),
            Some(Place::Waiting { arrival }) => {
                self.waiting.remove(&arrival);
                Vec::new()
            }
            Some(Place::Orphaned { until, .. }) => {
                self.orphans.remove(&(until, attempt));
                Vec::new()
            }
            Some(Place::Leased { worker, deadline }) => {
                self.deadlines.remove(&(deadline, attempt));
                if let Some(told) =
                    self.workers.get_mut(&worker).and_then(|worker| worker.holds.get_mut(&attempt))
                {
                    *told = Some(now);
                }
                vec![Decision::Stop { worker, attempt }]
            }
        }
    }

    /// Time has passed. Call it about every 100 ms, after what arrived has been taken in.
    pub fn tick(&mut self, now: MonotonicMs) -> Vec<Decision> {
        self.forgive_stall(now);
        let mut decisions = Vec::new();
        let silent: Vec<WorkerId> = self
            .workers
            .iter()
            .filter(|(_, worker)| now - worker.heard_at > LEASE)
            .map(|(id, _)| *id)
            .collect();
        for worker in silent {
            if crate::sabotage::no_redispatch() {
                self.workers.remove(&worker);
                continue;
            }
            decisions.push(Decision::Forget { worker });
            decisions.extend(self.release(worker));
        }
        while let Some((deadline, attempt)) = self.deadlines.first().copied() {
            if deadline > now || crate::sabotage::no_timeout() {
                break;
            }
            decisions.extend(self.withdrawn(now, attempt));
            decisions.push(Decision::TimedOut { attempt });
        }
        self.lose_orphans(now, &mut decisions);
        self.stop_again(now, &mut decisions);
        self.assign(now, &mut decisions);
        decisions
    }

    /// The attempts that wait for a slot.
    #[must_use]
    pub fn waiting_count(&self) -> usize {
        self.waiting.len()
    }

    /// Whether an attempt is at a worker, not only waiting for one.
    #[must_use]
    pub fn is_leased(&self, attempt: &AttemptId) -> bool {
        matches!(self.places.get(attempt), Some(Place::Leased { .. }))
    }

    /// Who holds an attempt.
    #[must_use]
    pub fn holder(&self, attempt: &AttemptId) -> Option<WorkerId> {
        match self.places.get(attempt) {
            Some(Place::Leased { worker, .. }) => Some(*worker),
            Some(Place::Waiting { .. } | Place::Orphaned { .. }) | None => None,
        }
    }

    /// What a worker holds, in order; not what it was told to stop.
    pub fn held_by(&self, worker: WorkerId) -> impl Iterator<Item = AttemptId> {
        let holds = self.workers.get(&worker).map(|worker| &worker.holds);
        let leased = |(attempt, told): (&AttemptId, &Option<_>)| told.is_none().then_some(*attempt);
        holds.into_iter().flatten().filter_map(leased)
    }

    /// Whether time can change anything: there is a worker, a lease or an orphan.
    #[must_use]
    pub fn needs_ticks(&self) -> bool {
        !self.workers.is_empty() || !self.deadlines.is_empty() || !self.orphans.is_empty()
    }

    fn lose_orphans(&mut self, now: MonotonicMs, decisions: &mut Vec<Decision>) {
        while let Some((until, attempt)) = self.orphans.first().copied() {
            if until > now {
                break;
            }
            self.orphans.pop_first();
            self.places.remove(&attempt);
            decisions.push(Decision::Lost { attempt, worker: None });
        }
    }

    /// A process that was stopped hears nobody: that is not the workers' silence.
    fn forgive_stall(&mut self, now: MonotonicMs) {
        if let Some(before) = self.ticked_at.replace(now)
            && now - before > STALL
        {
            for worker in self.workers.values_mut() {
                worker.heard_at = worker.heard_at.max(now);
            }
            self.keep_orphans(now + LEASE);
        }
    }

    /// Nobody could claim them meanwhile.
    fn keep_orphans(&mut self, at_least: MonotonicMs) {
        while let Some((until, attempt)) = self.orphans.first().copied() {
            if until >= at_least {
                break;
            }
            self.orphans.pop_first();
            self.orphans.insert((at_least, attempt));
            if let Some(Place::Orphaned { until, .. }) = self.places.get_mut(&attempt) {
                *until = at_least;
            }
        }
    }

    /// Until a worker says that a stopped attempt ended, its slot is taken: word may get lost.
    fn stop_again(&mut self, now: MonotonicMs, decisions: &mut Vec<Decision>) {
        for (id, worker) in &mut self.workers {
            for (attempt, told) in &mut worker.holds {
                if let Some(at) = told
                    && now - *at >= STOP_AGAIN
                {
                    *at = now;
                    decisions.push(Decision::Stop { worker: *id, attempt: *attempt });
                }
            }
        }
    }

    /// Forgets a worker; what it held is lost.
    fn release(&mut self, worker: WorkerId) -> Vec<Decision> {
        let Some(gone) = self.workers.remove(&worker) else { return Vec::new() };
        let mut decisions = Vec::new();
        for attempt in gone.holds.into_keys() {
            if let Some(Place::Leased { worker: holder, deadline }) =
                self.places.get(&attempt).copied()
                && holder == worker
            {
                self.places.remove(&attempt);
                self.deadlines.remove(&(deadline, attempt));
                decisions.push(Decision::Lost { attempt, worker: Some(worker) });
            }
        }
        decisions
    }

    fn assign(&mut self, now: MonotonicMs, decisions: &mut Vec<Decision>) {
        while let Some((arrival, wanted)) = self.waiting.first_key_value() {
            let (arrival, wanted) = (*arrival, wanted.clone());
            let freest = self
                .workers
                .iter_mut()
                .filter(|(_, worker)| worker.free() > 0)
                .max_by_key(|(id, worker)| (worker.free(), std::cmp::Reverse(**id)));
            let Some((id, worker)) = freest else { return };
            self.waiting.remove(&arrival);
            worker.holds.insert(wanted.attempt, None);
            let deadline = now + wanted.timeout + DEADLINE_GRACE;
            self.deadlines.insert((deadline, wanted.attempt));
            self.places.insert(wanted.attempt, Place::Leased { worker: *id, deadline });
            decisions.push(Decision::Assign { worker: *id, attempt: wanted.attempt });
        }
    }
}

#[cfg(test)]
mod tests;
