//! Many workflows that want the same few workers: what placement promises, counted.
//!
//! Workers come, go and drain; attempts of every priority, requirement and concurrency come and
//! go without an end. After each decision the promises are checked: labels, slots and gates
//! hold; nothing that may go waits beside a free slot that it could take; and nothing is passed
//! by more often than its place in the order of arrival allows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wfhost_workflow::placement::{
    Decision, Joining, Labels, OLDEST_EVERY, OLDEST_EVERY_AT_GATE, Placement, Priority, Wanted,
};
use wfhost_workflow::{
    Attempt, AttemptId, Digest, DurationMs, MonotonicMs, Name, RunId, StepId, TaskId, WorkerId,
};

use crate::invariants::Violation;

/// Attempts that come in one history.
const ATTEMPTS: u32 = 1500;

/// What one history was like.
#[derive(Debug, Default)]
pub struct CrowdHistory {
    /// Attempts that were given to a worker.
    pub assigned: u32,
    /// The most that waited at once.
    pub waiting_max: usize,
    /// The most often that something was passed by.
    pub passed_max: u64,
}

struct Crowd {
    random: fastrand::Rng,
    placement: Placement,
    now: u64,
    next: u32,
    workers: BTreeMap<WorkerId, Worker>,
    waiting: BTreeMap<AttemptId, Waiting>,
    held: BTreeMap<AttemptId, (WorkerId, Wanted)>,
    history: CrowdHistory,
}

struct Worker {
    slots: usize,
    labels: Labels,
    draining: bool,
}

struct Waiting {
    wanted: Wanted,
    /// How many waited already when it came; at its gate: how many of those want the same gate.
    before: u64,
    /// How often each worker that fits took something else.
    passed: BTreeMap<WorkerId, u64>,
    /// How often its gate let something else through.
    passed_at_gate: u64,
}

/// Runs one made-up history until nothing waits any more.
///
/// # Errors
/// The first promise that was broken.
pub fn simulate_crowd(seed: u64) -> Result<CrowdHistory, Violation> {
    let mut crowd = Crowd {
        random: fastrand::Rng::with_seed(seed),
        placement: Placement::new(),
        now: 0,
        next: 0,
        workers: BTreeMap::new(),
        waiting: BTreeMap::new(),
        held: BTreeMap::new(),
        history: CrowdHistory::default(),
    };
    for number in 0..3 {
        crowd.join(number)?;
    }
    while crowd.next < ATTEMPTS || !crowd.waiting.is_empty() || !crowd.held.is_empty() {
        crowd.step()?;
        if crowd.now > 2_000_000 {
            let left = crowd.waiting.len();
            return Err(Violation(format!("{left} attempts never get a worker")));
        }
    }
    Ok(crowd.history)
}

impl Crowd {
    fn step(&mut self) -> Result<(), Violation> {
        self.now += 10;
        match self.random.u8(..100) {
            // More comes than can go, as long as anything comes.
            0..55 if self.next < ATTEMPTS => self.want(),
            0..95 => self.end(),
            95..97 => {
                let number = self.random.u64(..4);
                self.join(number)
            }
            97 => self.drain(),
            98 => self.leave(),
            _ => self.withdraw(),
        }?;
        self.check_idle()
    }

    fn at(&self) -> MonotonicMs {
        MonotonicMs(self.now)
    }

    fn want(&mut self) -> Result<(), Violation> {
        self.next += 1;
        let attempt = AttemptId {
            run: RunId::from_bytes([1; 16]),
            task: TaskId::item(StepId(0), self.next),
            attempt: Attempt::FIRST,
        };
        let requires: Labels = match self.random.u8(..10) {
            0 => [("gpu", "true")].as_slice(),
            1 => &[("near", "x")],
            2 => &[("gpu", "true"), ("near", "x")],
            _ => &[],
        }
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
        // The urgent come all the time: by priority alone, others would never go.
        let level = [10, 10, 10, 10, 0, -10][self.random.usize(..6)];
        let workflow: Name = format!("w{}", self.random.u8(..4)).into();
        let wanted = Wanted {
            attempt,
            timeout: DurationMs(u64::from(u32::MAX)),
            component: Digest::of(&[self.random.u8(..3)]),
            workflow,
            requires: Arc::new(requires),
            priority: Priority::new(level).unwrap_or_default(),
            concurrency: (self.random.u8(..5) == 0).then(|| self.random.u32(1..3)),
            queue_timeout: None,
        };
        let before = self.waiting.values().filter(|waiting| same_gate(&waiting.wanted, &wanted));
        let before = if wanted.concurrency.is_some() { before.count() } else { self.waiting.len() };
        let waiting = Waiting {
            wanted: wanted.clone(),
            before: before as u64,
            passed: BTreeMap::new(),
            passed_at_gate: 0,
        };
        self.waiting.insert(attempt, waiting);
        let decisions = self.placement.wanted(self.at(), wanted);
        self.carry_out(decisions)
    }

    fn end(&mut self) -> Result<(), Violation> {
        let Some(attempt) = self.any_held() else { return Ok(()) };
        let Some((worker, _)) = self.held.remove(&attempt) else { return Ok(()) };
        let decisions = self.placement.ended(self.at(), worker, attempt);
        self.carry_out(decisions)
    }

    fn any_held(&mut self) -> Option<AttemptId> {
        let held: Vec<AttemptId> = self.held.keys().copied().collect();
        self.random.choice(&held).copied()
    }

    fn withdraw(&mut self) -> Result<(), Violation> {
        let waiting: Vec<AttemptId> = self.waiting.keys().copied().collect();
        let Some(attempt) = self.random.choice(&waiting).copied() else { return Ok(()) };
        self.waiting.remove(&attempt);
        let decisions = self.placement.withdrawn(self.at(), attempt);
        self.carry_out(decisions)
    }

    /// A worker joins, in the place of a former one of its number if there is one. The first has
    /// every label, so that everything can go somewhere.
    fn join(&mut self, number: u64) -> Result<(), Violation> {
        let worker = WorkerId(number);
        let mut labels = Labels::new();
        if number == 0 || self.random.bool() {
            labels.insert("gpu".to_owned(), "true".to_owned());
        }
        if number == 0 || self.random.bool() {
            labels.insert("near".to_owned(), "x".to_owned());
        }
        let slots = self.random.u32(1..4);
        let joining = Joining { slots, labels: labels.clone(), ..Joining::default() };
        let decisions = self.placement.joined(self.at(), worker, joining);
        self.forget(worker);
        let joined = Worker { slots: slots as usize, labels, draining: false };
        self.workers.insert(worker, joined);
        self.carry_out(decisions)
    }

    fn drain(&mut self) -> Result<(), Violation> {
        let worker = WorkerId(self.random.u64(1..4));
        if let Some(known) = self.workers.get_mut(&worker) {
            known.draining = true;
            self.placement.draining(worker);
        }
        Ok(())
    }

    fn leave(&mut self) -> Result<(), Violation> {
        let worker = WorkerId(self.random.u64(1..4));
        let decisions = self.placement.gone(self.at(), worker);
        self.forget(worker);
        self.carry_out(decisions)
    }

    fn forget(&mut self, worker: WorkerId) {
        self.workers.remove(&worker);
        self.held.retain(|_, (holder, _)| *holder != worker);
        for waiting in self.waiting.values_mut() {
            waiting.passed.remove(&worker);
        }
    }

    fn carry_out(&mut self, decisions: Vec<Decision>) -> Result<(), Violation> {
        for decision in decisions {
            match decision {
                Decision::Assign { worker, attempt } => self.assigned(worker, attempt)?,
                Decision::TimedOut { .. }
                | Decision::QueueTimedOut { .. }
                | Decision::Forget { .. } => {
                    return Err(Violation(format!("{decision:?} out of nothing")));
                }
                // What a worker held that is gone was forgotten with it.
                Decision::Lost { .. } | Decision::Stop { .. } => {}
            }
        }
        self.history.waiting_max = self.history.waiting_max.max(self.waiting.len());
        Ok(())
    }

    fn assigned(&mut self, worker: WorkerId, attempt: AttemptId) -> Result<(), Violation> {
        let Some(Waiting { wanted, .. }) = self.waiting.remove(&attempt) else {
            return Err(Violation(format!("{attempt:?} is assigned and did not wait")));
        };
        if !self.can_take(worker, &wanted) {
            return Err(Violation(format!("{worker:?} cannot take {wanted:?}")));
        }
        self.held.insert(attempt, (worker, wanted.clone()));
        self.history.assigned += 1;
        let held: BTreeSet<_> = self.held.values().map(|(_, held)| lane(held)).collect();
        let takers: BTreeSet<WorkerId> =
            self.workers.iter().filter(|(_, known)| !known.draining).map(|(id, _)| *id).collect();
        for (other, waiting) in &mut self.waiting {
            let fits = |id: &WorkerId| {
                takers.contains(id)
                    && self.workers.get(id).is_some_and(|known| meets(known, &waiting.wanted))
            };
            if waiting.wanted.concurrency.is_none()
                && fits(&worker)
                && !held.contains(&lane(&waiting.wanted))
            {
                let passed = waiting.passed.entry(worker).or_default();
                *passed += 1;
                self.history.passed_max = self.history.passed_max.max(*passed);
                if *passed > OLDEST_EVERY * (waiting.before + 1) {
                    let what = format!("{other:?} with {} before it", waiting.before);
                    return Err(Violation(format!("{what} was passed by {passed} times")));
                }
            }
            if same_gate(&waiting.wanted, &wanted) && takers.iter().any(fits) {
                waiting.passed_at_gate += 1;
                let passed = waiting.passed_at_gate;
                if passed > OLDEST_EVERY_AT_GATE * (waiting.before + 1) {
                    let what = format!("{other:?} with {} before it", waiting.before);
                    return Err(Violation(format!(
                        "{what} was passed by {passed} times at its gate"
                    )));
                }
            }
        }
        Ok(())
    }

    fn can_take(&self, worker: WorkerId, wanted: &Wanted) -> bool {
        let Some(known) = self.workers.get(&worker) else { return false };
        let holds = self.held.values().filter(|(holder, _)| *holder == worker).count();
        let through = self.held.values().filter(|(_, held)| same_gate(held, wanted)).count();
        !known.draining
            && holds < known.slots
            && meets(known, wanted)
            && wanted.concurrency.is_none_or(|max| through < max as usize)
    }

    /// Nothing without a gate waits beside a slot that it could take.
    fn check_idle(&self) -> Result<(), Violation> {
        for waiting in self.waiting.values().filter(|waiting| waiting.wanted.concurrency.is_none())
        {
            if let Some(worker) =
                self.workers.keys().find(|worker| self.can_take(**worker, &waiting.wanted))
            {
                let what = &waiting.wanted;
                return Err(Violation(format!("{what:?} waits although {worker:?} could take it")));
            }
        }
        Ok(())
    }
}

fn meets(worker: &Worker, wanted: &Wanted) -> bool {
    wanted.requires.iter().all(|(name, value)| worker.labels.get(name) == Some(value))
}

/// What must be at no worker for its age to count.
fn lane(wanted: &Wanted) -> (Name, Priority, Arc<Labels>) {
    (wanted.workflow.clone(), wanted.priority, wanted.requires.clone())
}

fn same_gate(one: &Wanted, other: &Wanted) -> bool {
    one.concurrency.is_some()
        && other.concurrency.is_some()
        && one.workflow == other.workflow
        && one.component == other.component
}

/// How long each of some workflows had slots, in sum: each has `attempts` waiting from the start,
/// which take as long as its number says, and it ends when so many have ended of all together.
#[must_use]
pub fn shares(lengths_ms: &[u64], slots: u32, attempts: u32) -> Vec<u64> {
    let mut placement = Placement::new();
    let worker = WorkerId(0);
    for number in 0..attempts {
        for (workflow, _) in (0_u32..).zip(lengths_ms) {
            let decisions = placement.wanted(MonotonicMs(0), plain(workflow, number));
            debug_assert_eq!(decisions, []);
        }
    }
    let joining = Joining { slots, ..Joining::default() };
    let mut decisions = placement.joined(MonotonicMs(0), worker, joining);
    let mut running: BTreeSet<(u64, AttemptId)> = BTreeSet::new();
    let mut busy = vec![0; lengths_ms.len()];
    let mut now = 0;
    for _ in 0..attempts {
        for decision in std::mem::take(&mut decisions) {
            if let Decision::Assign { attempt, .. } = decision {
                let length = lengths_ms[attempt.task.step.position()];
                busy[attempt.task.step.position()] += length;
                running.insert((now + length, attempt));
            }
        }
        if let Some((at, attempt)) = running.pop_first() {
            now = at;
            decisions = placement.ended(MonotonicMs(now), worker, attempt);
        }
    }
    busy
}

fn plain(workflow: u32, number: u32) -> Wanted {
    Wanted {
        attempt: AttemptId {
            run: RunId::from_bytes([1; 16]),
            task: TaskId::item(StepId(workflow), number),
            attempt: Attempt::FIRST,
        },
        timeout: DurationMs(u64::from(u32::MAX)),
        component: Digest::of(b"c"),
        workflow: format!("w{workflow}").into(),
        requires: Arc::default(),
        priority: Priority::default(),
        concurrency: None,
        queue_timeout: None,
    }
}
