//! A step whose workers die of it: kept from more workers until somebody releases it.

use super::event::Event;
use super::state::TaskState;
use super::{Pending, Rejection, Run};
use crate::{Attempt, TaskId};

/// Bytes of a worker's name in a run's journal: a key is 64 digits.
const WORKER_BYTES_MAX: usize = 128;

impl Run {
    /// An attempt's worker is gone. Workers that may have died of it are counted, each once.
    pub(super) fn lost(
        &mut self,
        change: &mut Pending,
        task: TaskId,
        attempt: Attempt,
        reason: String,
        worker: Option<String>,
    ) {
        let worker = worker.map(|mut name| {
            name.truncate(name.floor_char_boundary(WORKER_BYTES_MAX));
            name
        });
        self.push(change, Event::AttemptLost { task, attempt, reason, worker });
        match self.state.deaths.get(&task) {
            Some(workers)
                if workers.len() >= self.definition.poison_after as usize
                    && !crate::sabotage::no_quarantine() =>
            {
                let workers = workers.iter().cloned().collect();
                self.push(change, Event::StepQuarantined { task, attempt, workers });
            }
            _ => self.schedule_next(change, task, attempt),
        }
    }

    pub(super) fn released(
        &mut self,
        change: &mut Pending,
        wanted: Option<TaskId>,
    ) -> Result<(), Rejection> {
        let is_wanted = |task: TaskId| {
            wanted.is_none_or(|wanted| task == wanted || TaskId::of(task.step) == wanted)
        };
        let released: Vec<(TaskId, Attempt)> = self
            .tasks()
            .filter(|(task, _)| is_wanted(*task))
            .filter_map(|(task, state)| match state {
                TaskState::Quarantined { attempt, .. } => Some((task, *attempt)),
                TaskState::NotBegun
                | TaskState::UnderWay { .. }
                | TaskState::Backoff { .. }
                | TaskState::Failed { .. }
                | TaskState::Done { .. } => None,
            })
            .collect();
        if released.is_empty() {
            return Err(Rejection::NotQuarantined);
        }
        for (task, attempt) in released {
            if self.state.status.is_over() {
                break;
            }
            self.push(change, Event::StepReleased { task });
            self.schedule_next(change, task, attempt);
        }
        Ok(())
    }

    /// The tasks that are quarantined, and the workers that went with their attempts.
    pub fn quarantined(&self) -> impl Iterator<Item = (TaskId, Vec<&str>)> {
        self.tasks().filter_map(|(task, state)| match state {
            TaskState::Quarantined { .. } => {
                let workers = self.state.deaths.get(&task);
                Some((task, workers.into_iter().flatten().map(String::as_str).collect()))
            }
            TaskState::NotBegun
            | TaskState::UnderWay { .. }
            | TaskState::Backoff { .. }
            | TaskState::Failed { .. }
            | TaskState::Done { .. } => None,
        })
    }
}
