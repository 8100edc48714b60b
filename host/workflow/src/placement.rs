//! Which worker runs what, and until when it may: a pure table of workers, leases and waiting
//! attempts.
//!
//! Never sends anything and never asks for the time. Invariants: a worker holds at most as many
//! attempts as it has slots, save those that it brought along; an attempt waits, is leased, is an
//! orphan, or is not here; a lease ends by a result, by its deadline, by its worker's silence, or
//! by being withdrawn, and only once; no attempt waits that a free slot could take.

mod queue;
pub mod scale;
mod wanted;
mod why;
mod worker;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

pub use queue::{OLDEST_EVERY, OLDEST_EVERY_AT_GATE};
pub use wanted::{
    Decision, Joining, LABEL_CHARS_MAX, LABELS_MAX, Labels, Priority, Wanted, is_label,
};
pub use why::{AHEAD_MAX, Why};

use queue::{Arrival, Queue};
use wanted::Account;
use worker::{Held, Worker};

use crate::{AttemptId, DurationMs, MonotonicMs, WorkerId};

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
    /// Those with a free slot.
    free: BTreeSet<WorkerId>,
    queue: Queue,
    places: HashMap<AttemptId, Place>,
    deadlines: BTreeSet<(MonotonicMs, AttemptId)>,
    /// Until when a worker may still claim them.
    orphans: BTreeSet<(MonotonicMs, AttemptId)>,
    ticked_at: Option<MonotonicMs>,
}

#[derive(Debug)]
enum Place {
    Waiting { arrival: Arrival },
    Leased { worker: WorkerId, deadline: MonotonicMs },
    Orphaned { until: MonotonicMs, timeout: DurationMs, account: Account },
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
        mut joining: Joining,
    ) -> Vec<Decision> {
        let mut decisions = self.release(worker);
        let running = std::mem::take(&mut joining.running);
        let joined = Worker::new(now, joining);
        self.queue.add_taker(worker, joined.labels.clone());
        self.workers.insert(worker, joined);
        for attempt in running {
            if !self.adopted(now, worker, attempt) {
                decisions.push(self.stop_unknown(now, worker, attempt));
            }
        }
        self.fill(now, worker, &mut decisions);
        decisions
    }

    /// The coordinator was restarted: the attempt may still be at a worker, and is lost at `until`
    /// if nobody has claimed it. One that is already here is left where it is.
    pub fn orphaned(&mut self, now: MonotonicMs, wanted: Wanted, until: MonotonicMs) {
        if self.places.contains_key(&wanted.attempt) {
            return;
        }
        let (attempt, timeout, until) = (wanted.attempt, wanted.timeout, until.max(now));
        let account = wanted.into_account();
        self.queue.took(&account);
        self.places.insert(attempt, Place::Orphaned { until, timeout, account });
        self.orphans.insert((until, attempt));
    }

    /// A worker says that it is running an attempt: `true`: it holds it, now or since before;
    /// `false`: it is not its, tell it to stop.
    pub fn adopted(&mut self, now: MonotonicMs, worker: WorkerId, attempt: AttemptId) -> bool {
        if let Some(Place::Leased { worker: holder, .. }) = self.places.get(&attempt) {
            return *holder == worker;
        }
        let Some(adopter) = self.workers.get_mut(&worker) else { return false };
        let Some(Place::Orphaned { until, timeout, account }) = self.places.get(&attempt) else {
            return false;
        };
        self.orphans.remove(&(*until, attempt));
        // How long it has been running is not known.
        let deadline = now + *timeout + DEADLINE_GRACE;
        let account = Some(account.clone());
        adopter.holds.insert(attempt, Held { account, told: None });
        self.deadlines.insert((deadline, attempt));
        self.places.insert(attempt, Place::Leased { worker, deadline });
        self.count_free(worker);
        true
    }

    /// The same worker process is on a new connection: what it held, its slots and whether it
    /// drains move there. Nothing moves from a worker that is not known.
    pub fn moved(&mut self, now: MonotonicMs, from: WorkerId, to: WorkerId) -> Vec<Decision> {
        if from == to || !self.workers.contains_key(&from) {
            return Vec::new();
        }
        let mut decisions = self.release(to);
        let Some(mut worker) = self.workers.remove(&from) else { return decisions };
        worker.heard_at = now;
        for attempt in worker.holds.keys() {
            if let Some(Place::Leased { worker: holder, .. }) = self.places.get_mut(attempt)
                && *holder == from
            {
                *holder = to;
            }
        }
        self.queue.rename_taker(from, to);
        self.workers.insert(to, worker);
        self.count_free(from);
        self.fill(now, to, &mut decisions);
        decisions
    }

    /// A worker that was there before says what it has. What it holds here and has not never
    /// reached it: lost. What it has and does not hold here, it is told to stop.
    pub fn reconciled(
        &mut self,
        now: MonotonicMs,
        worker: WorkerId,
        has: &BTreeSet<AttemptId>,
    ) -> Vec<Decision> {
        let Some(known) = self.workers.get_mut(&worker) else { return Vec::new() };
        known.heard_at = now;
        let missing: Vec<AttemptId> =
            known.holds.keys().filter(|attempt| !has.contains(attempt)).copied().collect();
        let mut decisions = Vec::new();
        for attempt in missing {
            let leased = self.holder(&attempt) == Some(worker);
            decisions.extend(self.ended(now, worker, attempt));
            if leased {
                // The worker lives: it is not the step that ended it.
                decisions.push(Decision::Lost { attempt, worker: None });
            }
        }
        for attempt in has {
            if !self.adopted(now, worker, *attempt) {
                decisions.push(self.stop_unknown(now, worker, *attempt));
            }
        }
        decisions
    }

    /// A worker has what is not its: until it has stopped, that takes a slot there.
    fn stop_unknown(&mut self, now: MonotonicMs, worker: WorkerId, attempt: AttemptId) -> Decision {
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.stops(now, attempt);
        }
        self.count_free(worker);
        Decision::Stop { worker, attempt }
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

    /// An attempt has ended at its worker, and its end is on the way: it may take as long as that
    /// takes, while the worker is heard of.
    pub fn delivers(&mut self, worker: WorkerId, attempt: AttemptId) {
        if let Some(Place::Leased { worker: holder, deadline }) = self.places.get_mut(&attempt)
            && *holder == worker
        {
            self.deadlines.remove(&(*deadline, attempt));
            *deadline = MonotonicMs(u64::MAX);
            self.deadlines.insert((*deadline, attempt));
        }
    }

    /// A worker holds a component that it was told to have ready.
    pub fn prefetched(&mut self, worker: WorkerId, component: crate::Digest) {
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.holds_component(component);
        }
    }

    /// A worker takes no more.
    pub fn draining(&mut self, id: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.draining = true;
        }
        self.queue.remove_taker(id);
        self.count_free(id);
    }

    /// A worker is gone, by its own word or because its link is.
    pub fn gone(&mut self, now: MonotonicMs, worker: WorkerId) -> Vec<Decision> {
        let mut decisions = self.release(worker);
        self.place_opened(now, &mut decisions);
        decisions
    }

    /// An attempt wants a worker. One that is already here is left where it is.
    pub fn wanted(&mut self, now: MonotonicMs, wanted: Wanted) -> Vec<Decision> {
        let mut decisions = Vec::new();
        if self.places.contains_key(&wanted.attempt) {
            return decisions;
        }
        // Whatever waits cannot be taken by a worker that is free.
        if wanted.concurrency.is_none()
            && let Some(worker) = self.best_worker(&wanted)
        {
            self.lease(now, worker, wanted, &mut decisions);
        } else {
            let attempt = wanted.attempt;
            let arrival = self.queue.push(now, wanted);
            self.places.insert(attempt, Place::Waiting { arrival });
            self.place_opened(now, &mut decisions);
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
        if let Some(held) =
            self.workers.get_mut(&worker).and_then(|worker| worker.holds.remove(&attempt))
        {
            if let Some(account) = &held.account {
                self.queue.gave_back(account);
            }
            self.count_free(worker);
        }
        match self.places.get(&attempt) {
            Some(Place::Leased { worker: holder, deadline }) if *holder == worker => {
                self.deadlines.remove(&(*deadline, attempt));
                self.places.remove(&attempt);
            }
            Some(Place::Orphaned { until, account, .. }) => {
                self.orphans.remove(&(*until, attempt));
                self.queue.gave_back(account);
                self.places.remove(&attempt);
            }
            Some(Place::Leased { .. } | Place::Waiting { .. }) | None => {}
        }
        self.fill(now, worker, &mut decisions);
        decisions
    }

    /// An attempt's result no longer matters.
    pub fn withdrawn(&mut self, now: MonotonicMs, attempt: AttemptId) -> Vec<Decision> {
        let mut decisions = Vec::new();
        match self.places.remove(&attempt) {
            None => {}
            Some(Place::Waiting { arrival }) => {
                self.queue.remove(arrival);
            }
            Some(Place::Orphaned { until, account, .. }) => {
                self.orphans.remove(&(until, attempt));
                self.queue.gave_back(&account);
            }
            Some(Place::Leased { worker, deadline }) => {
                self.deadlines.remove(&(deadline, attempt));
                if let Some(held) =
                    self.workers.get_mut(&worker).and_then(|worker| worker.holds.get_mut(&attempt))
                {
                    held.told = Some(now);
                }
                decisions.push(Decision::Stop { worker, attempt });
            }
        }
        self.place_opened(now, &mut decisions);
        decisions
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
                self.remove_worker(worker);
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
        self.expire(now, &mut decisions);
        self.stop_again(now, &mut decisions);
        self.place_opened(now, &mut decisions);
        decisions
    }

    /// The attempts that wait for a slot.
    #[must_use]
    pub fn waiting_count(&self) -> usize {
        self.queue.len()
    }

    /// What waits that one more worker with these labels could take.
    #[must_use]
    pub fn demand(&self, now: MonotonicMs, labels: &Labels) -> scale::Demand {
        self.queue.demand(now, labels)
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
        let leased = |(attempt, held): (&AttemptId, &Held)| held.told.is_none().then_some(*attempt);
        holds.into_iter().flatten().filter_map(leased)
    }

    /// Whether time can change anything: there is a worker, a lease, an orphan, or what waits.
    #[must_use]
    pub fn needs_ticks(&self) -> bool {
        !(self.workers.is_empty()
            && self.deadlines.is_empty()
            && self.orphans.is_empty()
            && self.queue.is_empty())
    }

    fn lose_orphans(&mut self, now: MonotonicMs, decisions: &mut Vec<Decision>) {
        while let Some((until, attempt)) = self.orphans.first().copied() {
            if until > now {
                break;
            }
            self.orphans.pop_first();
            if let Some(Place::Orphaned { account, .. }) = self.places.remove(&attempt) {
                self.queue.gave_back(&account);
            }
            decisions.push(Decision::Lost { attempt, worker: None });
        }
    }

    fn expire(&mut self, now: MonotonicMs, decisions: &mut Vec<Decision>) {
        while let Some(arrival) = self.queue.expired(now) {
            let why = self.why_waiting(arrival).unwrap_or(Why::NoWorker);
            let Some(waiting) = self.queue.remove(arrival) else { break };
            let attempt = waiting.wanted.attempt;
            self.places.remove(&attempt);
            let waited = now - waiting.since;
            decisions.push(Decision::QueueTimedOut { attempt, waited, why });
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
            for (attempt, held) in &mut worker.holds {
                if let Some(at) = &mut held.told
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
        let Some(gone) = self.remove_worker(worker) else { return Vec::new() };
        let mut decisions = Vec::new();
        for (attempt, held) in gone.holds {
            if let Some(account) = &held.account {
                self.queue.gave_back(account);
            }
            if let Some(Place::Leased { worker: holder, deadline }) = self.places.get(&attempt)
                && *holder == worker
            {
                self.deadlines.remove(&(*deadline, attempt));
                self.places.remove(&attempt);
                decisions.push(Decision::Lost { attempt, worker: Some(worker) });
            }
        }
        decisions
    }

    fn remove_worker(&mut self, worker: WorkerId) -> Option<Worker> {
        self.free.remove(&worker);
        self.queue.remove_taker(worker);
        self.workers.remove(&worker)
    }

    fn count_free(&mut self, id: WorkerId) {
        if self.workers.get(&id).is_some_and(|worker| worker.free() > 0) {
            self.free.insert(id);
        } else {
            self.free.remove(&id);
        }
    }

    /// Gives a worker what goes next while it has free slots, and others what may go besides.
    fn fill(&mut self, now: MonotonicMs, worker: WorkerId, decisions: &mut Vec<Decision>) {
        self.count_free(worker);
        while self.free.contains(&worker)
            && let Some(arrival) = self.queue.pick(worker)
            && let Some(waiting) = self.queue.remove(arrival)
        {
            self.lease(now, worker, waiting.wanted, decisions);
        }
        self.place_opened(now, decisions);
    }

    /// Looks for workers for what could not go before and can now.
    fn place_opened(&mut self, now: MonotonicMs, decisions: &mut Vec<Decision>) {
        loop {
            let opened = self.queue.take_opened();
            if opened.is_empty() {
                return;
            }
            for flow in opened {
                while let Some((arrival, wanted)) = self.queue.ready_head(flow)
                    && let Some(worker) = self.best_worker(wanted)
                    && let Some(waiting) = self.queue.remove(arrival)
                {
                    self.lease(now, worker, waiting.wanted, decisions);
                }
            }
        }
    }

    /// The worker that suits an attempt best, of those with a free slot.
    fn best_worker(&self, wanted: &Wanted) -> Option<WorkerId> {
        let can = |id: &WorkerId| {
            let worker = self.workers.get(id).filter(|worker| worker.meets(&wanted.requires))?;
            Some((worker.suits(&wanted.component), Reverse(*id)))
        };
        self.free.iter().filter_map(can).max().map(|(_, Reverse(id))| id)
    }

    fn lease(
        &mut self,
        now: MonotonicMs,
        id: WorkerId,
        wanted: Wanted,
        decisions: &mut Vec<Decision>,
    ) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let (attempt, component) = (wanted.attempt, wanted.component);
        let deadline = now + wanted.timeout + DEADLINE_GRACE;
        let account = wanted.into_account();
        self.queue.took(&account);
        worker.take(attempt, component, account);
        self.deadlines.insert((deadline, attempt));
        self.places.insert(attempt, Place::Leased { worker: id, deadline });
        self.count_free(id);
        decisions.push(Decision::Assign { worker: id, attempt });
    }
}

#[cfg(test)]
mod order_tests;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
