//! What people see of a run.

use super::eras::MadeBy;
use super::event::{RunStatus, RunSummary};
use super::state::{StateName, Status, StepState, TaskState};
use super::{Input, Run};
use crate::definition::Step;
use crate::expression::StepOutputs;
use crate::{Attempt, Origin, StepId, TaskId, TimestampMs};

/// The longest error text in a summary: lists stay small whatever a guest says.
const SUMMARY_ERROR_BYTES_MAX: usize = 500;

/// One step as people see it.
#[derive(Debug, Clone)]
pub struct StepProgress<'a> {
    /// Which step.
    pub id: StepId,
    /// Its definition.
    pub step: &'a Step,
    /// Where it stands.
    pub standing: StepStanding,
    /// Of a map: items done and in all, once its list is known.
    pub items: Option<(u32, u32)>,
    /// The newest attempt, of a map the highest of its items; `None`: it has not begun.
    pub attempt: Option<Attempt>,
    /// Attempts that are wanted or under way.
    pub under_way: u32,
    /// When its first attempt was scheduled.
    pub started_at: Option<TimestampMs>,
    /// When it ended.
    pub ended_at: Option<TimestampMs>,
    /// The newest failure.
    pub error: Option<String>,
    /// When the next attempt is due.
    pub retry_at: Option<TimestampMs>,
    /// Of which versions what it has is; nothing before it begins.
    pub made_by: Vec<MadeBy>,
}

/// Where a step stands, as far as the run knows: a worker may not have begun yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepStanding {
    /// Its needs are not over.
    Waiting,
    /// An attempt is wanted or under way.
    UnderWay,
    /// Nothing is under way; another attempt is due later.
    Backoff,
    /// It, or an item of it, waits to be released: too many workers were lost with it.
    Quarantined,
    /// It has a result.
    Done,
    /// A `when` was false.
    Skipped,
    /// It ended the run.
    Failed,
    /// The run ended before it did.
    Stopped,
}

impl Run {
    /// What lists show.
    #[must_use]
    pub fn summary(&self) -> RunSummary {
        let started = self.state.started.as_ref();
        RunSummary {
            run: self.facts.id,
            workflow: self.facts.workflow.clone(),
            version: started.map_or_else(String::new, |started| started.version.clone()),
            definition: started
                .map_or_else(|| crate::Digest::from_bytes([0; 32]), |started| started.definition),
            status: self.status(),
            revision: self.state.revision,
            started_at: self.state.started_at,
            changed_at: self.state.changed_at,
            steps_done: self.state.over,
            steps_total: self.state.steps.len() as u32,
            error: self.error().map(|error| shorten(&error)),
            origin: self.origin().map(|origin| origin.digest),
            upgrades: self.state.former.len() as u32,
        }
    }

    /// The bundle version that it runs now; `None`: none, it was started from a file.
    #[must_use]
    pub fn origin(&self) -> Option<&Origin> {
        self.state.started.as_ref()?.origin.as_ref()
    }

    /// Why it ended without a result.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        match &self.state.status {
            Status::Running | Status::Succeeded { .. } => None,
            Status::Failed { task: Some(task), failure } => {
                let name = super::step_name(&self.definition, task.step);
                let index = task.index.map_or_else(String::new, |index| format!("[{index}]"));
                Some(format!("step `{name}{index}` failed: {failure}"))
            }
            Status::Failed { task: None, failure } => Some(failure.to_string()),
            Status::Cancelled { reason } => Some(format!("cancelled: {reason}")),
        }
    }

    /// Every step, in the order of the definition.
    pub fn progress(&self) -> impl Iterator<Item = StepProgress<'_>> {
        let steps = self.definition.steps.iter().zip(&self.state.steps);
        (0_u32..)
            .zip(steps)
            .map(|(position, (step, state))| self.step_progress(StepId(position), step, state))
    }

    fn step_progress<'a>(&self, id: StepId, step: &'a Step, state: &StepState) -> StepProgress<'a> {
        let mut progress = StepProgress {
            id,
            step,
            standing: StepStanding::Waiting,
            items: None,
            attempt: None,
            under_way: 0,
            started_at: None,
            ended_at: None,
            error: None,
            retry_at: None,
            made_by: self.made_by(id),
        };
        match state {
            StepState::Waiting => {
                if self.status().is_over() {
                    progress.standing = StepStanding::Stopped;
                }
            }
            StepState::Calling(calling) => {
                progress.started_at = Some(calling.started_at);
                progress.error = calling.failure.as_ref().map(ToString::to_string);
                self.describe_quarantine(&mut progress);
                self.describe_open(&mut progress, std::slice::from_ref(&calling.task));
            }
            StepState::Mapping(mapping) => {
                progress.started_at = Some(mapping.started_at);
                progress.error = mapping.failure.as_ref().map(ToString::to_string);
                self.describe_quarantine(&mut progress);
                self.describe_open(&mut progress, &mapping.tasks[..mapping.next as usize]);
                progress.items = Some((mapping.done, mapping.tasks.len() as u32));
                progress.attempt = Some(mapping.attempt);
            }
            StepState::Done { span, .. } => {
                progress.standing = StepStanding::Done;
                progress.started_at = Some(span.from);
                progress.ended_at = Some(span.to);
                progress.attempt = Some(span.attempt);
                progress.items = (span.items > 0).then_some((span.items, span.items));
            }
            StepState::Skipped { at } => {
                progress.standing = StepStanding::Skipped;
                progress.ended_at = Some(*at);
            }
        }
        progress
    }

    /// In the place of its newest failure: this is what somebody has to do something about.
    fn describe_quarantine(&self, progress: &mut StepProgress<'_>) {
        let range = TaskId::of(progress.id)..=TaskId::item(progress.id, u32::MAX);
        let kept =
            |task: &TaskId| matches!(self.state.task(*task), Some(TaskState::Quarantined { .. }));
        let mut kept = self.state.deaths.range(range).filter(|(task, _)| kept(task));
        let Some((first, workers)) = kept.next() else { return };
        let more = kept.count();
        let item = first.index.map_or_else(String::new, |index| format!("item {index} is "));
        let others = if more == 0 { String::new() } else { format!(", and {more} more items") };
        let workers: Vec<&str> = workers.iter().map(String::as_str).collect();
        progress.error = Some(format!(
            "{item}quarantined: {} workers were lost with it ({}){others}",
            workers.len(),
            workers.join(", ")
        ));
    }

    fn describe_open(&self, progress: &mut StepProgress<'_>, tasks: &[TaskState]) {
        let mut failed = false;
        let mut quarantined = false;
        for task in tasks {
            match task {
                TaskState::UnderWay { attempt, .. } => {
                    progress.under_way += 1;
                    progress.attempt = progress.attempt.max(Some(*attempt));
                }
                TaskState::Backoff { attempt, until, .. } => {
                    progress.attempt = progress.attempt.max(Some(*attempt));
                    progress.retry_at =
                        Some(progress.retry_at.map_or(*until, |earlier| earlier.min(*until)));
                }
                TaskState::Quarantined { attempt, .. } => {
                    quarantined = true;
                    progress.attempt = progress.attempt.max(Some(*attempt));
                }
                TaskState::Failed { attempt } => {
                    failed = true;
                    progress.attempt = progress.attempt.max(Some(*attempt));
                }
                TaskState::NotBegun | TaskState::Done { .. } => {}
            }
        }
        progress.standing = if failed {
            StepStanding::Failed
        } else if self.status().is_over() {
            StepStanding::Stopped
        } else if quarantined {
            StepStanding::Quarantined
        } else if progress.under_way > 0 || progress.retry_at.is_none() {
            StepStanding::UnderWay
        } else {
            StepStanding::Backoff
        };
        if failed || self.status().is_over() {
            progress.ended_at = Some(self.state.changed_at);
            progress.under_way = 0;
            progress.retry_at = None;
        }
    }

    /// A step's result: of a step that is done or skipped.
    #[must_use]
    pub fn step_output(&self, name: &str) -> Option<crate::Json> {
        let position = self.definition.steps.iter().position(|step| &*step.name == name)?;
        StepOutputs::output(self, StepId(position as u32))
    }

    /// Where the run, or the task that the input names, stands before the input is applied.
    #[must_use]
    pub fn state_name(&self, input: &Input) -> StateName {
        match (self.status(), input) {
            (RunStatus::Failed, Input::Retry) => return StateName::RunFailed,
            (RunStatus::Running, _) => {}
            (RunStatus::Succeeded | RunStatus::Failed | RunStatus::Cancelled, _) => {
                return StateName::RunOver;
            }
        }
        let (task, attempt) = match input {
            Input::AttemptEnded { task, attempt, .. } => (task, Some(attempt)),
            Input::Release { task: Some(task) } => (task, None),
            Input::Recover
            | Input::TimersDue
            | Input::Cancel { .. }
            | Input::Release { task: None }
            | Input::Retry
            | Input::Upgrade(_) => return self.busiest(),
        };
        match self.state.task(*task) {
            Some(TaskState::UnderWay { attempt: current, .. })
                if attempt.is_none_or(|attempt| attempt == current) =>
            {
                StateName::UnderWay
            }
            Some(TaskState::UnderWay { .. }) => StateName::UnderWayOther,
            Some(TaskState::Backoff { .. }) => StateName::Backoff,
            Some(TaskState::Quarantined { .. }) => StateName::Quarantined,
            Some(TaskState::Done { .. }) => StateName::Done,
            Some(TaskState::NotBegun | TaskState::Failed { .. }) => StateName::NotBegun,
            None => match self.state.steps.get(task.step.position()) {
                Some(StepState::Done { .. } | StepState::Skipped { .. }) => StateName::Done,
                _ => StateName::NotBegun,
            },
        }
    }

    fn busiest(&self) -> StateName {
        let mut name = StateName::Quiet;
        for (_, task) in self.tasks() {
            match task {
                TaskState::UnderWay { .. } => return StateName::UnderWay,
                TaskState::Backoff { .. } => name = StateName::Backoff,
                TaskState::Quarantined { .. } if name == StateName::Quiet => {
                    name = StateName::Quarantined;
                }
                TaskState::Quarantined { .. }
                | TaskState::NotBegun
                | TaskState::Failed { .. }
                | TaskState::Done { .. } => {}
            }
        }
        name
    }
}

fn shorten(text: &str) -> String {
    let end = text.floor_char_boundary(SUMMARY_ERROR_BYTES_MAX);
    if end == text.len() { text.to_owned() } else { format!("{}…", &text[..end]) }
}
