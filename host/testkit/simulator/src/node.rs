//! The coordinator's process, as far as it decides: one run, its placement, and what is stored.
//!
//! The same order of things as in the real event loop: apply, store, and act when it is durable.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use wfhost_workflow::placement::{Decision, LEASE, Placement, Priority, Wanted};
use wfhost_workflow::run::{
    AttemptOutcome, Change, Effect, Input, Record, Run, RunStarted, Unreadable,
};
use wfhost_workflow::{
    Attempt, AttemptId, Definition, Digest, Failure, FailureKind, Json, MonotonicMs, Name,
    PinnedPlugin, Revision, RunId, TaskId, TimestampMs, WorkerId,
};

use crate::invariants::Ledger;

/// What lives in the process, and ends with it.
pub(crate) struct Node {
    pub(crate) run: Run,
    pub(crate) placement: Placement,
    pub(crate) orders: HashMap<AttemptId, Json>,
    /// Effects that wait for their record to be durable.
    pub(crate) pending: VecDeque<(Revision, Vec<Effect>)>,
}

impl Node {
    pub(crate) fn start(
        digest: Digest,
        definition: Arc<Definition>,
        seed: u64,
        now: TimestampMs,
    ) -> (Self, Change) {
        let started = RunStarted {
            run: RunId::new(now, u128::from(seed)),
            workflow: definition.name.clone(),
            version: definition.version.clone(),
            definition: digest,
            input: Json::from_trusted(format!("{{\"seed\":{seed}}}")),
            plugins: plugins(),
            seed,
            origin: None,
        };
        let (run, change) = Run::start(definition, started, now);
        (Self::around(run), change)
    }

    pub(crate) fn restore(ledger: &Ledger, records: &[Record]) -> Result<Self, Unreadable> {
        let mut find = |digest: &Digest| ledger.version(digest);
        Run::restore(&mut find, None, records.to_vec()).map(Self::around)
    }

    fn around(run: Run) -> Self {
        Self { run, placement: Placement::new(), orders: HashMap::new(), pending: VecDeque::new() }
    }

    pub(crate) fn attempt_id(&self, task: TaskId, attempt: Attempt) -> AttemptId {
        AttemptId { run: self.run.id(), task, attempt }
    }

    /// Whether an attempt is of the version that the run has now.
    pub(crate) fn is_current(&self, attempt: Attempt) -> bool {
        attempt > self.run.attempt_floor()
    }

    /// The step at the position that a task has now.
    pub(crate) fn step_of(&self, task: TaskId) -> Option<Name> {
        let step = self.run.definition().steps.get(task.step.position())?;
        Some(step.name.clone())
    }

    fn wanted(&self, attempt: AttemptId) -> Wanted {
        let definition = self.run.definition();
        Wanted {
            attempt,
            timeout: definition.steps[attempt.task.step.position()].timeout,
            component: Digest::of(b"p"),
            workflow: definition.name.clone(),
            requires: Arc::default(),
            priority: Priority::default(),
            concurrency: None,
            queue_timeout: None,
        }
    }

    /// What was under way in a former life may still be at a worker.
    pub(crate) fn await_claims(&mut self, now: MonotonicMs) {
        let under_way: Vec<_> = self.run.under_way().collect();
        for (task, attempt) in under_way {
            let wanted = self.wanted(self.attempt_id(task, attempt));
            self.placement.orphaned(now, wanted, now + LEASE);
        }
    }

    /// Carries out one effect as far as it stays in the process.
    pub(crate) fn act(&mut self, now: MonotonicMs, effect: Effect) -> Vec<Decision> {
        match effect {
            Effect::Dispatch(order) => {
                let attempt = self.attempt_id(order.task, order.attempt);
                if !self.is_current(order.attempt) {
                    return Vec::new();
                }
                let wanted = self.wanted(attempt);
                self.orders.insert(attempt, order.input);
                self.placement.wanted(now, wanted)
            }
            Effect::Withdraw { task, attempt } => {
                let attempt = self.attempt_id(task, attempt);
                self.orders.remove(&attempt);
                self.placement.withdrawn(now, attempt)
            }
            Effect::Ended(_) => Vec::new(),
        }
    }
}

/// The only plugin of every workflow here.
pub(crate) fn plugins() -> Vec<PinnedPlugin> {
    vec![PinnedPlugin {
        alias: "p".into(),
        digest: Digest::of(b"p"),
        dirs: Vec::new(),
        limits: wfhost_workflow::Limits::default(),
        determinism: wfhost_workflow::Determinism::default(),
        plugin: None,
    }]
}

/// What a decision means to the run, if anything.
pub(crate) fn input_of(decision: &Decision) -> Option<Input> {
    let (attempt, outcome) = match *decision {
        Decision::Lost { attempt, worker } => {
            let worker = worker.map(|worker| format!("worker {}", worker.0));
            (attempt, AttemptOutcome::Lost { reason: "made up".to_owned(), worker })
        }
        Decision::TimedOut { attempt } => {
            let failure = Failure::new(FailureKind::Timeout, "timeout", "made up");
            (attempt, AttemptOutcome::Failed(failure))
        }
        Decision::QueueTimedOut { attempt, .. } => {
            let failure = Failure::new(FailureKind::Timeout, "queue-timeout", "made up");
            (attempt, AttemptOutcome::Failed(failure))
        }
        Decision::Assign { .. } | Decision::Stop { .. } | Decision::Forget { .. } => return None,
    };
    Some(Input::AttemptEnded { task: attempt.task, attempt: attempt.attempt, outcome })
}

/// A message between a worker and the coordinator.
#[derive(Debug, Clone)]
pub(crate) enum Message {
    /// With what it says it is running.
    Hello {
        slots: u32,
        running: Vec<(TaskId, Attempt)>,
    },
    Heartbeat,
    Gone,
    Ended {
        task: TaskId,
        attempt: Attempt,
        outcome: AttemptOutcome,
    },
    Dispatch {
        step: Name,
        task: TaskId,
        attempt: Attempt,
    },
    Cancel {
        task: TaskId,
        attempt: Attempt,
    },
    Rejoin,
}

/// To or from which worker.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Direction {
    ToWorker(WorkerId),
    FromWorker(WorkerId),
}
