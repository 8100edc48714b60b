//! What must hold of a run that has ended, as it is stored.

use wfhost_workflow::run::{AttemptOutcome, Input, Record, Run, RunStatus, Snapshot, Unreadable};
use wfhost_workflow::{Attempt, Failure, FailureKind, StepId, TaskId};

use super::{History, World};
use crate::invariants::Violation;

impl World {
    pub(super) fn check_end(mut self) -> Result<History, Violation> {
        let unreadable = |error| Violation(format!("the journal cannot be read: {error}"));
        let records = self.store.durable().to_vec();
        let mut whole = self.read(None, records.clone()).map_err(unreadable)?;
        self.check_snapshots(&whole, &records)?;
        self.check_output(&whole)?;
        let upgrade = self.some_upgrade();
        for input in
            [Input::Recover, Input::TimersDue, Input::Cancel { reason: "too late".to_owned() }]
                .into_iter()
                .chain([Input::Release { task: None }, upgrade])
                .chain((whole.status() != RunStatus::Failed).then_some(Input::Retry))
                .chain(self.late_results())
        {
            self.coverage.count(whole.state_name(&input), &input);
            if whole.apply(self.wall(), input).is_ok() {
                return Err(Violation("a run that is over has changed".to_owned()));
            }
        }
        Ok(History {
            tasks: self.ledger.tasks(),
            upgraded: self.ledger.upgraded(),
            refused: self.upgrades_refused,
            faults: self.faults.total(),
            crash_points: self.faults.crash_points(),
            end: (whole.status(), self.now_ms),
            coverage: self.coverage,
        })
    }

    fn read(&self, snapshot: Option<Snapshot>, records: Vec<Record>) -> Result<Run, Unreadable> {
        Run::restore(&mut |digest| self.ledger.version(digest), snapshot, records)
    }

    pub(super) fn late_results(&self) -> Vec<Input> {
        let (task, attempt) = (TaskId::of(StepId(0)), Attempt::FIRST);
        let failure = Failure::new(FailureKind::Host, "late", "made up");
        [
            AttemptOutcome::Succeeded { output: wfhost_workflow::Json::null(), kv: Vec::new() },
            AttemptOutcome::Failed(failure),
            AttemptOutcome::Lost { reason: "late".to_owned(), worker: None },
        ]
        .map(|outcome| Input::AttemptEnded { task, attempt, outcome })
        .into()
    }

    /// A snapshot anywhere in the journal, with what follows it, is the whole journal.
    pub(super) fn check_snapshots(
        &mut self,
        whole: &Run,
        records: &[Record],
    ) -> Result<(), Violation> {
        let unreadable = |error| Violation(format!("a snapshot cannot be read: {error}"));
        let cut = self.random.usize(1..=records.len());
        let (before, after) = records.split_at(cut);
        let early = self.read(None, before.to_vec()).map_err(unreadable)?.snapshot();
        let bytes = early.to_bytes();
        let read = Snapshot::from_bytes(&bytes).map_err(unreadable)?;
        let joined = self.read(Some(read), after.to_vec()).map_err(unreadable)?;
        if joined.snapshot() != whole.snapshot() {
            return Err(Violation(format!("a snapshot after {cut} records gives another run")));
        }
        Ok(())
    }

    /// The workflow's output is the result that was stored for its last step.
    pub(super) fn check_output(&self, whole: &Run) -> Result<(), Violation> {
        let Some(output) = whole.output() else { return Ok(()) };
        let last = whole
            .definition()
            .steps
            .iter()
            .rposition(|step| step.name.chars().skip(1).all(|letter| letter.is_ascii_digit()));
        let stored = last.and_then(|last| self.ledger.result_of(StepId(last as u32)));
        match stored {
            Some(stored) if !output.as_str().contains(stored.as_str()) => {
                Err(Violation(format!("the output {output} lacks {stored}")))
            }
            _ => Ok(()),
        }
    }
}
