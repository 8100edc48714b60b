//! Begins many runs again without flooding who runs them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde_json::json;
use wfhost_transport::client::{Answer, Request};
use wfhost_workflow::RunId;
use wfhost_workflow::run::RunStatus;

use crate::clock;
use crate::command::Context;
use crate::command::serving::Serving;
use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;
use crate::session::{Requests, unexpected};

/// So soon is Ctrl-C noticed, and another run begun where one has ended.
const WAIT_MS: u64 = 50;
/// How often a run is asked for again, because the process that serves was restarted.
const TRIES_MAX: u32 = 20;
const TRY_PAUSE: Duration = Duration::from_millis(250);

/// How fast.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// So many of the runs are open together.
    pub(super) at_once: usize,
    /// So many are begun in a second.
    pub(super) per_second: u32,
    /// Until all are over, also where another process runs them.
    pub(super) wait: bool,
}

impl Pace {
    fn interval(&self) -> Duration {
        Duration::from_secs(1) / self.per_second.max(1)
    }
}

/// Runs that are begun again, one after the other.
pub(super) struct Paced<'a> {
    serving: Serving<'a>,
    pace: Pace,
    total: usize,
    left: VecDeque<RunId>,
    open: VecDeque<RunId>,
    begun: Vec<RunId>,
    refused: Vec<(RunId, CommandError)>,
    succeeded: usize,
    failed: usize,
}

impl<'a> Paced<'a> {
    pub(super) fn new(serving: Serving<'a>, pace: Pace, runs: VecDeque<RunId>) -> Self {
        Self {
            serving,
            pace,
            total: runs.len(),
            left: runs,
            open: VecDeque::new(),
            begun: Vec::new(),
            refused: Vec::new(),
            succeeded: 0,
            failed: 0,
        }
    }

    /// Begins all, and waits for their ends where that is this process's.
    pub(super) fn retry(mut self, context: &Context) -> Result<ExitCode> {
        let wait = self.pace.wait || self.serving.session().is_local();
        let mut next_at = clock::instant();
        while !self.left.is_empty() || (wait && !self.open.is_empty()) {
            if self.serving.is_interrupted() {
                break;
            }
            if self.open.len() >= self.pace.at_once || self.left.is_empty() {
                self.reap(WAIT_MS)?;
                continue;
            }
            if !pause_until(next_at) {
                continue;
            }
            if let Some(run) = self.left.pop_front() {
                next_at = clock::instant() + self.pace.interval();
                self.begin(context, run)?;
            }
        }
        self.end(context)
    }

    fn begin(&mut self, context: &Context, run: RunId) -> Result<()> {
        match self.request(Request::Retry { run })? {
            Answer::Done => {
                self.open.push_back(run);
                self.begun.push(run);
                let (count, total) = (self.begun.len() + self.refused.len(), self.total);
                context.output.note(&format!("{count}/{total} retrying {run}"));
            }
            Answer::Refused(refusal) => {
                let error = CommandError::from(refusal);
                context.output.warn(&format!("{run} is not retried: {}", error.message()));
                self.refused.push((run, error));
            }
            other => return Err(unexpected(other)),
        }
        Ok(())
    }

    /// Takes those that are over off the list; waits for one of them.
    fn reap(&mut self, wait_ms: u64) -> Result<()> {
        let mut wait_ms = wait_ms;
        for _ in 0..self.open.len() {
            let Some(run) = self.open.pop_front() else { break };
            match self.request(Request::Await { run, wait_ms })? {
                Answer::Ended { status: RunStatus::Running, .. } => self.open.push_back(run),
                Answer::Ended { status: RunStatus::Succeeded, .. } => self.succeeded += 1,
                // Removed in the meantime, it is over too.
                Answer::Ended { .. } | Answer::Refused(_) => self.failed += 1,
                other => return Err(unexpected(other)),
            }
            wait_ms = 0;
        }
        Ok(())
    }

    /// To ask twice is to ask once; a process that serves may be restarted on the way.
    fn request(&mut self, request: Request) -> Result<Answer> {
        let session = self.serving.session();
        for _ in 0..TRIES_MAX {
            match session.request(request.clone()) {
                Err(error) if error.code == ExitCode::Unreachable && !session.is_local() => {
                    std::thread::sleep(TRY_PAUSE);
                    session.reopen()?;
                }
                result => return result,
            }
        }
        session.request(request)
    }

    fn end(mut self, context: &Context) -> Result<ExitCode> {
        self.reap(0)?;
        let interrupted = self.serving.is_interrupted();
        if context.output.is_json() {
            let ids = |runs: &[RunId]| runs.iter().map(RunId::to_string).collect::<Vec<_>>();
            context.output.json(&json!({
                "retried": ids(&self.begun),
                "refused": self.refused.iter().map(|(run, error)| json!({
                    "run": run.to_string(), "error": error.message(),
                })).collect::<Vec<_>>(),
                "left": ids(&Vec::from(self.left.clone())),
                "succeeded": self.succeeded,
                "failed": self.failed,
                "open": ids(&Vec::from(self.open.clone())),
            }))?;
        }
        context.output.note(&format!(
            "{} of {} runs retried: {} succeeded, {} failed again, {} open",
            self.begun.len(),
            self.total,
            self.succeeded,
            self.failed,
            self.open.len()
        ));
        let is_local = self.serving.is_local();
        self.serving.close();
        if interrupted {
            let hint = if is_local && !self.open.is_empty() {
                "`wfhost resume` goes on with those that are open, `wfhost runs retry --all` with the rest"
            } else {
                "`wfhost runs retry --all` goes on with the rest"
            };
            context.output.warn(&format!("interrupted\nhint: {hint}"));
            return Ok(ExitCode::Interrupted);
        }
        match self.refused.into_iter().next() {
            Some((_, error)) => Err(error.context("not every run was retried")),
            None if self.failed > 0 => Ok(ExitCode::RunFailed),
            None => Ok(ExitCode::Done),
        }
    }
}

/// Whether it is time; sleeps a little where it is not.
fn pause_until(at: Instant) -> bool {
    let left = at.saturating_duration_since(clock::instant());
    if left.is_zero() {
        return true;
    }
    std::thread::sleep(left.min(Duration::from_millis(WAIT_MS)));
    false
}
