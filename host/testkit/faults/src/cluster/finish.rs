//! The end of a row: everything is read back, twice, and checked.

use std::time::Duration;

use rustix::process::Signal;
use wfhost_workflow::RunId;

use super::{Cluster, READY_MAX};
use crate::checker::{self, Violation};
use crate::clock;
use crate::failure::{Failure, Result};
use crate::history::History;
use crate::report::{Outcome, err};
use crate::store;

/// What the checker says.
pub(crate) struct Verdict {
    pub(crate) runs: usize,
    pub(crate) executions: usize,
    pub(crate) violations: Vec<Violation>,
}

impl Verdict {
    pub(crate) fn add_to(&self, outcome: &mut Outcome) {
        outcome.invariants(self.runs, self.executions, &self.violations);
    }
}

impl Cluster<'_> {
    /// Waits until these runs are over.
    pub(crate) fn wait_over(&self, runs: &[RunId], limit: Duration) -> Result<()> {
        let mut client = self.client()?;
        let began = clock::now();
        for run in runs {
            while client.view(*run)?.status == "running" {
                if began.elapsed() > limit {
                    let view = client.view(*run)?;
                    return Err(Failure::new(format!("run {run} does not end: {view:?}")));
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        Ok(())
    }

    /// Waits until no run is open, at most `limit`; those that still are, the checker names.
    pub(crate) fn wait_all_over(&self, limit: Duration) -> Result<bool> {
        let mut client = self.client()?;
        let began = clock::now();
        loop {
            let open = crate::client::counted(&client.list()?).running;
            if open == 0 || began.elapsed() > limit {
                return Ok(open == 0);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Faults have stopped: everything ends within `limit`, then all processes do, then the checker
    /// looks.
    pub(crate) fn finish(mut self, limit: Duration) -> Result<Verdict> {
        self.wait_all_over(limit)?;
        self.read_back()?;
        self.stop()?;
        let stored = store::read(&self.path("data"))?;
        let executions = self.executions()?;
        let mut history = std::mem::take(&mut *self.history());
        history.stored = stored;
        history.executions = executions;
        let History { executions, removed, .. } = &mut history;
        executions.retain(|execution| !removed.contains(&execution.run));
        let violations = checker::check(&history);
        if !violations.is_empty() {
            let folder = self.folder.path().display().to_string();
            self.folder.disable_cleanup(true);
            err(&format!("    all that is left of it is in {folder}\n"));
        }
        Ok(Verdict { runs: history.told.len(), executions: history.executions.len(), violations })
    }

    fn read_back(&self) -> Result<()> {
        let mut client = self.client()?;
        let handle = self.handle()?;
        handle.count(&mut client)?;
        let mut runs: Vec<RunId> = self.history().wanted.keys().copied().collect();
        // Whoever is there and was not wanted is found too.
        runs.extend(client.list()?.into_iter().map(|run| run.summary.run));
        runs.sort_unstable();
        runs.dedup();
        for run in runs {
            let Some(journal) = client.journal(run)? else { continue };
            let view = client.view(run)?;
            let mut history = self.history();
            history.told.insert(run, journal);
            history.views.insert(run, view);
        }
        Ok(())
    }

    /// Everybody ends as an operator ends them.
    fn stop(&mut self) -> Result<()> {
        let keys: Vec<String> = self.workers.keys().cloned().collect();
        for key in &keys {
            // A worker that was refused has ended already.
            let _ended = self.signal_worker(key, Signal::CONT);
            let _ended = self.signal_worker(key, Signal::TERM);
        }
        for key in &keys {
            let _code = self.worker_left(key)?;
        }
        if let Some(mut server) = self.server.take() {
            server.signal(Signal::TERM)?;
            let _code = server.end(READY_MAX)?;
        }
        Ok(())
    }
}
