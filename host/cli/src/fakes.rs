//! For unit tests: a coordinator that gives prepared answers, and values to show.

use std::collections::{BTreeMap, VecDeque};

use wfhost_transport::client::{
    Answer, Request, RunView, ShownAttempt, ShownRun, ShownStatus, ShownWorker, StepShown,
    StepView, WorkerCounts, WorkerState,
};
use wfhost_workflow::run::{RunStatus, RunSummary};
use wfhost_workflow::{Digest, Revision, RunId, TimestampMs};

use crate::error::{CommandError, Result};
use crate::session::Requests;

/// Gives its answers in order and remembers what it was asked.
pub(crate) struct Fake {
    answers: VecDeque<Answer>,
    asked: Vec<Request>,
}

impl Fake {
    pub(crate) fn answering(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self { answers: answers.into_iter().collect(), asked: Vec::new() }
    }

    pub(crate) fn asked(&self) -> &[Request] {
        &self.asked
    }
}

impl Requests for Fake {
    fn request(&mut self, request: Request) -> Result<Answer> {
        self.asked.push(request);
        self.answers.pop_front().ok_or_else(|| CommandError::unreachable("no answer is left"))
    }
}

/// 2026-11-23T13:24:00Z.
pub(crate) const NOON: TimestampMs = TimestampMs(1_795_440_240_000);

pub(crate) fn run_named(workflow: &str, random: u128) -> ShownRun {
    ShownRun {
        summary: RunSummary {
            run: RunId::new(NOON, random),
            workflow: workflow.into(),
            version: "1".to_owned(),
            definition: Digest::of(b""),
            status: RunStatus::Running,
            revision: Revision(3),
            started_at: NOON,
            changed_at: TimestampMs(NOON.0 + 2_500),
            steps_done: 1,
            steps_total: 3,
            error: None,
            origin: None,
            upgrades: 0,
        },
        status: ShownStatus::Running,
    }
}

pub(crate) fn step(name: &str, state: StepShown) -> StepView {
    StepView {
        name: name.to_owned(),
        kind: "call".to_owned(),
        state,
        items: None,
        attempt: 1,
        running: 0,
        started_at: Some(NOON),
        ended_at: None,
        error: None,
        retry_at: None,
        progress: None,
        workers: Vec::new(),
        why: None,
        made_by: Vec::new(),
    }
}

/// A worker with one attempt.
pub(crate) fn worker(id: &str, name: &str) -> ShownWorker {
    ShownWorker {
        id: id.to_owned(),
        name: name.to_owned(),
        key: None,
        managed: None,
        version: "1.0.0".to_owned(),
        slots: 4,
        busy: 1,
        labels: BTreeMap::new(),
        state: WorkerState::Ready,
        joined_at: NOON,
        heard_ms_ago: 120,
        running: vec![ShownAttempt {
            run: RunId::new(NOON, 1),
            workflow: "brief".to_owned(),
            step: "fetch".to_owned(),
            index: Some(2),
            attempt: 3,
        }],
        counts: WorkerCounts { done: 7, ..WorkerCounts::default() },
    }
}

pub(crate) fn view(tick: u64, status: ShownStatus, steps: Vec<StepView>) -> RunView {
    let mut run = run_named("brief", 1);
    run.status = status;
    run.summary.status = match status {
        ShownStatus::Running | ShownStatus::Interrupted => RunStatus::Running,
        ShownStatus::Succeeded => RunStatus::Succeeded,
        ShownStatus::Failed => RunStatus::Failed,
        ShownStatus::Cancelled => RunStatus::Cancelled,
    };
    RunView {
        tick,
        run,
        steps,
        input: None,
        output: None,
        plugins: Vec::new(),
        versions: Vec::new(),
    }
}
