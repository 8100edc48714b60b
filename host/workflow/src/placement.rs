//! Which worker runs what, and until when it may: a pure table of workers, leases and waiting
//! attempts.
//!
//! Never sends anything and never asks for the time. Invariants: a worker holds at most as many
//! attempts as it has slots; an attempt waits, is leased, or is not here; a lease ends by a
//! result, by its deadline, by its worker's silence, or by being withdrawn, and only once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

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
    /// In the order of arrival.
    waiting: BTreeMap<u64, Wanted>,
    places: HashMap<AttemptId, Place>,
    deadlines: BTreeSet<(MonotonicMs, AttemptId)>,
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
}

/// An attempt that wants a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Which attempt.
    pub attempt: AttemptId,
    /// Wall clock that it may take on the worker.
    pub timeout: DurationMs,
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
    /// The attempt's worker is gone: tell the run that it is lost.
    Lost {
        /// What.
        attempt: AttemptId,
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

    /// A worker is there, with so many slots; whatever a former one of this id held is lost.
    pub fn joined(&mut self, now: MonotonicMs, worker: WorkerId, slots: u32) -> Vec<Decision> {
        let mut decisions = self.release(worker);
        let joined = Worker { slots, holds: BTreeMap::new(), heard_at: now, draining: false };
        self.workers.insert(worker, joined);
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
            self.waiting.insert(arrival, wanted);
            self.places.insert(wanted.attempt, Place::Waiting { arrival });
            self.assign(now, &mut decisions);
        }
        decisions
    }

    /// A worker says that an attempt ended there: its slot is free, its lease is over.
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
        if let Some(Place::Leased { worker: holder, deadline }) = self.places.get(&attempt).copied()
            && holder == worker
        {
            self.places.remove(&attempt);
            self.deadlines.remove(&(deadline, attempt));
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

    /// Whether time can change anything: there is a worker, or a lease.
    #[must_use]
    pub fn needs_ticks(&self) -> bool {
        !self.workers.is_empty() || !self.deadlines.is_empty()
    }

    /// A process that was stopped hears nobody: that is not the workers' silence.
    fn forgive_stall(&mut self, now: MonotonicMs) {
        if let Some(before) = self.ticked_at.replace(now)
            && now - before > STALL
        {
            for worker in self.workers.values_mut() {
                worker.heard_at = worker.heard_at.max(now);
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
                decisions.push(Decision::Lost { attempt });
            }
        }
        decisions
    }

    fn assign(&mut self, now: MonotonicMs, decisions: &mut Vec<Decision>) {
        while let Some((arrival, wanted)) = self.waiting.first_key_value() {
            let (arrival, wanted) = (*arrival, *wanted);
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
