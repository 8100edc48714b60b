//! Workers as JSON for scripts and in words for people.

use serde_json::{Value, json};
use wfhost_transport::client::{ShownAttempt, ShownWorker, WorkerState};

use crate::clock;
use crate::output::Tone;

/// Enough of an id to tell workers apart.
const SHORT_CHARS: usize = 12;

pub(crate) fn short(id: &str) -> &str {
    id.get(..SHORT_CHARS).unwrap_or(id)
}

/// The word in tables and JSON.
pub(crate) const fn state_name(state: WorkerState) -> &'static str {
    match state {
        WorkerState::Ready => "ready",
        WorkerState::Draining => "draining",
        WorkerState::Silent => "silent",
    }
}

pub(crate) const fn state_tone(state: WorkerState) -> Tone {
    match state {
        WorkerState::Ready => Tone::Good,
        WorkerState::Draining => Tone::Warn,
        WorkerState::Silent => Tone::Bad,
    }
}

/// The colour of a state's word.
pub(crate) fn tone_of_state(word: &str) -> Option<Tone> {
    [WorkerState::Ready, WorkerState::Draining, WorkerState::Silent]
        .into_iter()
        .find(|state| state_name(*state) == word)
        .map(state_tone)
}

/// `gpu=true, zone=a`.
pub(crate) fn labels(worker: &ShownWorker) -> String {
    let labels = worker.labels.iter().map(|(name, value)| format!("{name}={value}"));
    labels.collect::<Vec<_>>().join(", ")
}

/// A line of `workers list --output json`.
pub(crate) fn json(worker: &ShownWorker) -> Value {
    let counts = worker.counts;
    json!({
        "worker": worker.id,
        "name": worker.name,
        "key": worker.key,
        "version": worker.version,
        "state": state_name(worker.state),
        "slots": worker.slots,
        "busy": worker.busy,
        "labels": worker.labels,
        "joined_at": clock::rfc3339(worker.joined_at),
        "heard_ms_ago": worker.heard_ms_ago,
        "attempts": {
            "done": counts.done,
            "failed": counts.failed,
            "late_refused": counts.late_refused,
            "forged": counts.forged,
        },
        "running": worker.running.iter().map(attempt_json).collect::<Vec<_>>(),
    })
}

fn attempt_json(attempt: &ShownAttempt) -> Value {
    json!({
        "run": attempt.run.to_string(),
        "workflow": attempt.workflow,
        "step": attempt.step,
        "index": attempt.index,
        "attempt": attempt.attempt,
    })
}
