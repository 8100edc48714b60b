//! What clients are told about workers, and what they can do to them.

use std::collections::{BTreeMap, BTreeSet};

use wfhost_transport::PeerKey;
use wfhost_transport::client::{
    Answer, Refusal, RunView, ShownAttempt, ShownWorker, StepView, WorkerCounts, WorkerState,
};
use wfhost_transport::message::ToWorker;
use wfhost_workflow::placement::Labels;
use wfhost_workflow::{AttemptId, DurationMs, RunId, StepId, TaskId, TimestampMs, WorkerId};

use crate::commands::ReplyTo;
use crate::event_loop::EventLoop;
use crate::pool::{PoolView, PoolWorker};
use crate::runs::Slot;
use crate::workers::Connected;

/// Several heartbeats: a worker that is heard of less often may be gone.
const SILENT: DurationMs = DurationMs(1_000);

/// Attempts that are listed of one worker; the rest is counted.
const RUNNING_MAX: usize = 1_000;

/// Workers that are named at one step.
const NAMED_MAX: usize = 8;

/// Enough of an id to tell workers apart.
const SHORT_CHARS: usize = 12;

/// The worker that is part of a process that runs steps itself.
pub(crate) const EMBEDDED: &str = "embedded";

impl EventLoop {
    pub(crate) fn shown_workers(&self) -> Answer {
        let workers = self.dispatcher.workers.iter();
        let mut shown: Vec<_> = workers.map(|(id, it)| self.shown_worker(id, it)).collect();
        shown.sort_by(|a, b| a.id.cmp(&b.id));
        Answer::Workers(shown)
    }

    fn shown_worker(&self, worker: WorkerId, it: &Connected) -> ShownWorker {
        let (now, wall) = (self.parts.clock.monotonic(), self.parts.clock.now());
        let heard = now - it.heard_at;
        let state = match it.draining {
            true => WorkerState::Draining,
            false if heard > SILENT => WorkerState::Silent,
            false => WorkerState::Ready,
        };
        let held: Vec<AttemptId> = self.dispatcher.placement.held_by(worker).collect();
        let key = match it.key {
            PeerKey::Local => None,
            PeerKey::Key(key) => Some(key.to_string()),
        };
        ShownWorker {
            id: id_of(it),
            name: it.name.clone(),
            key,
            managed: it.managed,
            version: it.version.clone(),
            slots: it.slots,
            busy: u32::try_from(held.len()).unwrap_or(u32::MAX),
            labels: it.labels.clone(),
            state,
            joined_at: TimestampMs(wall.0.saturating_sub((now - it.joined_at).0)),
            heard_ms_ago: heard.0,
            running: held
                .into_iter()
                .filter_map(|attempt| self.shown_attempt(attempt))
                .take(RUNNING_MAX)
                .collect(),
            counts: WorkerCounts {
                done: it.counts.done,
                failed: it.counts.failed,
                late_refused: it.counts.late,
                forged: it.counts.forged,
            },
        }
    }

    /// What a pool of local workers goes by.
    pub(crate) fn pool_view(&self) -> PoolView {
        let now = self.parts.clock.monotonic();
        let placement = &self.dispatcher.placement;
        let managed = self.dispatcher.workers.iter().filter_map(|(id, it)| {
            Some(PoolWorker {
                pid: it.managed?,
                id: id_of(it),
                name: it.name.clone(),
                busy: u32::try_from(placement.held_by(id).count()).unwrap_or(u32::MAX),
                draining: it.draining,
            })
        });
        let workers = managed.collect();
        PoolView { demand: placement.demand(now, &Labels::new()), workers }
    }

    /// Nothing of a run that has just ended.
    fn shown_attempt(&self, attempt: AttemptId) -> Option<ShownAttempt> {
        let definition = &self.runs.get(attempt.run)?.definition;
        let step = definition.steps.get(attempt.task.step.position())?;
        Some(ShownAttempt {
            run: attempt.run,
            workflow: definition.name.to_string(),
            step: step.name.to_string(),
            index: attempt.task.index,
            attempt: attempt.attempt.0,
        })
    }

    pub(crate) fn drain_worker(&mut self, id: &str, reply: ReplyTo) {
        let answer = match self.worker_called(id) {
            Ok(worker) => {
                self.dispatcher.placement.draining(worker);
                if let Some(it) = self.dispatcher.workers.get_mut(worker) {
                    it.draining = true;
                }
                self.send(worker, &ToWorker::Drain);
                Answer::Done
            }
            Err(refusal) => Answer::Refused(refusal),
        };
        self.reply(reply, answer);
    }

    pub(crate) fn remove_worker(&mut self, id: &str, reply: ReplyTo) {
        let answer = match self.worker_called(id) {
            Ok(worker) => {
                let reason = "it was removed by an operator".to_owned();
                self.send(worker, &ToWorker::Refused { reason });
                self.worker_gone(worker);
                Answer::Done
            }
            Err(refusal) => Answer::Refused(refusal),
        };
        self.reply(reply, answer);
    }

    fn worker_called(&self, id: &str) -> Result<WorkerId, Refusal> {
        let found = self.dispatcher.workers.iter().find(|(_, it)| id_of(it) == id);
        let (worker, it) =
            found.ok_or_else(|| Refusal::NotFound(format!("there is no worker {id}")))?;
        if it.key == PeerKey::Local && it.name == EMBEDDED {
            let reason = "it is part of the process that serves, and ends with it";
            return Err(Refusal::WrongState(format!("worker {id}: {reason}")));
        }
        Ok(worker)
    }

    /// Adds to a view where its steps are, or why they are nowhere.
    pub(crate) fn tell_whereabouts(&self, view: &mut RunView) {
        let id = view.run.summary.run;
        let Some(slot) = self.runs.get(id) else { return };
        let (waiting, quarantined) = (waiting(slot, id), quarantined(slot));
        for (position, step) in view.steps.iter_mut().enumerate() {
            let Ok(position) = u32::try_from(position) else { return };
            let position = StepId(position);
            step.why = waiting
                .get(&position)
                .and_then(|attempt| self.dispatcher.placement.why(attempt))
                .map(|why| why.to_string())
                .or_else(|| quarantined.get(&position).cloned());
            self.tell_workers(step, slot, id, position);
        }
    }

    fn tell_workers(&self, step: &mut StepView, slot: &Slot, run: RunId, position: StepId) {
        let tasks = TaskId::of(position)..=TaskId::item(position, u32::MAX);
        let holders: BTreeSet<WorkerId> = slot
            .live
            .leased
            .range(tasks)
            .filter_map(|(task, attempt)| {
                let attempt = AttemptId { run, task: *task, attempt: *attempt };
                self.dispatcher.placement.holder(&attempt)
            })
            .collect();
        let known = holders.into_iter().filter_map(|worker| self.dispatcher.workers.get(worker));
        step.workers = known.take(NAMED_MAX).map(called).collect();
    }
}

/// The first attempt of each step that is under way and at no worker.
fn waiting(slot: &Slot, run: RunId) -> BTreeMap<StepId, AttemptId> {
    let mut first = BTreeMap::new();
    let under_way = slot.run().into_iter().flat_map(wfhost_workflow::run::Run::under_way);
    for (task, attempt) in under_way {
        if slot.live.leased.get(&task) != Some(&attempt) {
            first.entry(task.step).or_insert(AttemptId { run, task, attempt });
        }
    }
    first
}

/// Why quarantined steps do not go on.
fn quarantined(slot: &Slot) -> BTreeMap<StepId, String> {
    let kept = slot.run().into_iter().flat_map(wfhost_workflow::run::Run::quarantined);
    let why = kept.map(|(task, workers)| {
        let workers = workers.into_iter().take(NAMED_MAX).collect::<Vec<_>>().join(", ");
        let why = format!(
            "its attempts were the last of workers {workers}: `runs release` lets it go on"
        );
        (task.step, why)
    });
    why.collect()
}

/// What commands call it.
pub(super) fn id_of(it: &Connected) -> String {
    match it.key {
        PeerKey::Key(key) => key.to_string(),
        PeerKey::Local => format!("local-{:016x}", it.instance),
    }
}

/// `node1 (3f0c52aa91d4)`.
fn called(it: &Connected) -> String {
    let id = id_of(it);
    let digits = id.strip_prefix("local-").unwrap_or(&id);
    format!("{} ({})", it.name, digits.get(..SHORT_CHARS).unwrap_or(digits))
}
