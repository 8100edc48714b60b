//! An open run goes on with another version of its workflow: what is done stays as it is, what is
//! yet to do is what the new version says.
//!
//! Steps are the same if they have the same name. Attempts of before never count afterwards:
//! positions may have moved, so whatever is tried from here on has a number above all of them.

mod carry;
mod objections;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use objections::{Standing, UpgradeProblem};

use super::event::{Event, Upgraded};
use super::state::{StepState, TaskState};
use super::{Pending, Rejection, Run};
use crate::definition::{Location, Offer};
use crate::{Attempt, Definition, Digest, Name, Origin, PinnedPlugin, StepId};

/// So often can one run be upgraded: it keeps what every version was.
pub const UPGRADES_MAX: usize = 100;

/// The version that a run is to go on with.
#[derive(Debug, Clone)]
pub struct Upgrade {
    /// What it is to run.
    pub definition: Arc<Definition>,
    /// The text that `definition` was read from: what is yet to do is checked against it.
    pub text: Arc<str>,
    /// Of `text`.
    pub digest: Digest,
    /// In the order of the definition's plugins.
    pub plugins: Vec<PinnedPlugin>,
    /// What the plugins say of themselves, by alias; those that are missing are not held against
    /// what they are given.
    pub offers: BTreeMap<Name, Offer>,
    /// The bundle that all of this is from. `None`: from files.
    pub origin: Option<Origin>,
}

impl Run {
    /// Whether the run can go on with this version.
    ///
    /// # Errors
    /// As [`Run::apply`] would reject it: with every reason that was found, at most a hundred.
    pub fn check_upgrade(&self, upgrade: &Upgrade) -> Result<(), Rejection> {
        if self.state.status.is_over() {
            return Err(Rejection::RunOver);
        }
        let mut pending = Pending::new(self.state.changed_at);
        self.upgraded_twin(&mut pending, upgrade).map(drop).map_err(Rejection::CannotUpgrade)
    }

    pub(super) fn upgraded(
        &mut self,
        change: &mut Pending,
        upgrade: &Upgrade,
    ) -> Result<(), Rejection> {
        let mut pending = Pending::new(change.now);
        *self = self.upgraded_twin(&mut pending, upgrade).map_err(Rejection::CannotUpgrade)?;
        *change = pending;
        Ok(())
    }

    /// The run as it would go on: one that would fail at once is refused.
    fn upgraded_twin(
        &self,
        change: &mut Pending,
        upgrade: &Upgrade,
    ) -> Result<Self, Vec<UpgradeProblem>> {
        let problems = self.objections(upgrade);
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut twin = self.twin();
        twin.go_over(change, upgrade);
        let problems = twin.other_lists();
        if !problems.is_empty() {
            return Err(problems);
        }
        twin.go_on_upgraded(change);
        match twin.error() {
            Some(message) if twin.status().is_over() => {
                Err(vec![UpgradeProblem::FailsAtOnce { message }])
            }
            Some(_) | None => Ok(twin),
        }
    }

    /// Withdraws what is under way, by its old name, and takes the new definition.
    fn go_over(&mut self, change: &mut Pending, upgrade: &Upgrade) {
        self.withdraw_all(change);
        let upgraded = Upgraded {
            version: upgrade.definition.version.clone(),
            definition: upgrade.digest,
            plugins: upgrade.plugins.clone(),
            origin: upgrade.origin.clone(),
            last_attempt: self.last_attempt(),
        };
        self.fold_upgraded(&upgraded, upgrade.definition.clone());
        change.events.push(Event::Upgraded(Box::new(upgraded)));
    }

    fn go_on_upgraded(&mut self, change: &mut Pending) {
        let under_way: Vec<_> = self.under_way().collect();
        for (task, attempt) in under_way {
            if self.state.status.is_over() {
                return;
            }
            self.schedule_next(change, task, attempt);
        }
        self.go_on_with_maps(change);
        if !self.state.status.is_over() {
            self.begin_ready_steps(change);
        }
    }

    /// Maps that have begun with another list than the new version gives.
    fn other_lists(&mut self) -> Vec<UpgradeProblem> {
        let open: Vec<StepId> = (0_u32..)
            .zip(&self.state.steps)
            .filter(|(_, state)| matches!(state, StepState::Mapping(_)))
            .map(|(position, _)| StepId(position))
            .collect();
        let mut problems = Vec::new();
        for step in open {
            if let Err(failure) = self.open_again(step) {
                let message = failure.message;
                problems.push(UpgradeProblem::OtherList { step: self.name_of(step), message });
            }
        }
        problems
    }

    /// The highest number that any attempt of this run has had. Every task that was ever tried
    /// is in the state, with its newest attempt.
    fn last_attempt(&self) -> Attempt {
        let of_step = |state: &StepState| match state {
            StepState::Waiting | StepState::Skipped { .. } => Attempt(0),
            StepState::Calling(calling) => calling.task.newest().unwrap_or(Attempt(0)),
            StepState::Mapping(mapping) => mapping.attempt,
            StepState::Done { span, .. } => span.attempt,
        };
        self.state.steps.iter().map(of_step).fold(self.state.attempt_floor, Attempt::max)
    }

    fn name_of(&self, step: StepId) -> Name {
        super::step_name(&self.definition, step)
    }

    /// Without what can be made again.
    fn twin(&self) -> Self {
        Self {
            definition: self.definition.clone(),
            facts: self.facts.clone(),
            state: self.state.clone(),
            unmet: self.unmet.clone(),
            timers: self.timers.clone(),
            opened: std::collections::HashMap::new(),
        }
    }
}

impl TaskState {
    /// The newest attempt.
    pub(super) const fn newest(&self) -> Option<Attempt> {
        match self {
            Self::NotBegun => None,
            Self::UnderWay { attempt, .. }
            | Self::Backoff { attempt, .. }
            | Self::Quarantined { attempt, .. }
            | Self::Failed { attempt }
            | Self::Done { attempt, .. } => Some(*attempt),
        }
    }
}
