//! How a run's state goes over to another definition: by the names of its steps.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::{Run, StepState, TaskState, Upgraded};
use crate::definition::Step;
use crate::run::Unreadable;
use crate::run::eras::Era;
use crate::{Attempt, Definition, Name, Revision, StepId, TaskId};

/// Workers that were lost, by task.
type Deaths = BTreeMap<TaskId, BTreeSet<String>>;

impl Run {
    /// Takes another definition. Steps that have not begun are forgotten, all others go where
    /// their names are. Failures and lost workers of before no longer count, except where they
    /// keep a task quarantined.
    pub(in crate::run) fn fold_upgraded(
        &mut self,
        upgraded: &Upgraded,
        definition: Arc<Definition>,
    ) {
        let places = places(&definition);
        self.close_era(&places);
        let former = std::mem::replace(&mut self.definition, definition);
        let states = std::mem::take(&mut self.state.steps);
        let former_deaths = std::mem::take(&mut self.state.deaths);
        self.state.fit(self.definition.steps.len());
        for (old, (step, mut state)) in (0_u32..).zip(former.steps.iter().zip(states)) {
            let Some(new) = places.get(&step.name).copied() else { continue };
            forget_failures(&mut state);
            let deaths = &mut self.state.deaths;
            carry_deaths(&former_deaths, StepId(old), new, &state, deaths);
            if let Some(place) = self.state.steps.get_mut(new.position()) {
                *place = state;
            }
        }
        let over = |state: &&StepState| {
            matches!(state, StepState::Done { .. } | StepState::Skipped { .. })
        };
        self.state.over = self.state.steps.iter().filter(over).count() as u32;
        self.state.attempt_floor = upgraded.last_attempt;
        if let Some(started) = &mut self.state.started {
            started.version.clone_from(&upgraded.version);
            started.definition = upgraded.definition;
            started.plugins.clone_from(&upgraded.plugins);
            started.origin.clone_from(&upgraded.origin);
        }
        self.opened.clear();
        self.rebuild();
    }

    /// Whether an upgrade that was read back can belong to this run as it is now.
    pub(in crate::run) fn check_upgrade_fits(
        &self,
        upgraded: &Upgraded,
        definition: &Definition,
    ) -> Result<(), Unreadable> {
        let places = places(definition);
        let is_kept = |(step, state): (&Step, &StepState)| {
            let new = places.get(&step.name).and_then(|new| definition.steps.get(new.position()));
            *state == StepState::Waiting
                || new.is_some_and(|new| new.kind.name() == step.kind.name())
        };
        let fits = self.state.started.is_some()
            && !self.state.status.is_over()
            && upgraded.plugins.len() == definition.plugins.len()
            && upgraded.last_attempt >= self.last_attempt()
            && self.definition.steps.iter().zip(&self.state.steps).all(is_kept);
        if fits { Ok(()) } else { Err(Unreadable::Misfit) }
    }

    /// Keeps what the version was that ends here, and which steps have results of it.
    fn close_era(&mut self, places: &HashMap<Name, StepId>) {
        let Some(era) = self.era() else { return };
        let number = self.state.former.len() as u32;
        let mut past = BTreeMap::new();
        let steps = self.definition.steps.iter().zip(&self.state.steps);
        for (position, (step, state)) in (0_u32..).zip(steps) {
            let made = self.made_at_the_end_of(number, StepId(position), state);
            if let (Some(new), false) = (places.get(&step.name), made.by.is_empty()) {
                past.insert(*new, made);
            }
        }
        self.state.past = past;
        self.state.former.push(era);
        self.state.since = self.state.revision.next();
    }

    /// The number of a task's first attempt.
    pub(in crate::run) fn first_attempt(&self) -> Attempt {
        self.attempt_after(Attempt(0))
    }

    /// The number of the attempt after `attempt`: above all that were used before an upgrade.
    pub(in crate::run) fn attempt_after(&self, attempt: Attempt) -> Attempt {
        if crate::sabotage::no_attempt_floor() {
            return attempt.next();
        }
        attempt.max(self.state.attempt_floor).next()
    }

    fn era(&self) -> Option<Era> {
        let started = self.state.started.as_ref()?;
        Some(Era {
            version: started.version.clone(),
            definition: started.definition,
            plugins: started.plugins.clone(),
            origin: started.origin.clone(),
            since: self.state.since.max(Revision(1)),
        })
    }

    /// All versions that the run has had, the one that it has now last.
    #[must_use]
    pub fn eras(&self) -> Vec<Era> {
        self.state.former.iter().cloned().chain(self.era()).collect()
    }
}

/// Where each step of a definition is.
pub(super) fn places(definition: &Definition) -> HashMap<Name, StepId> {
    (0_u32..).zip(&definition.steps).map(|(at, step)| (step.name.clone(), StepId(at))).collect()
}

fn carry_deaths(former: &Deaths, old: StepId, new: StepId, state: &StepState, deaths: &mut Deaths) {
    let is_kept = |task: &TaskId| {
        let state = match (state, task.index) {
            (StepState::Calling(calling), None) => Some(&calling.task),
            (StepState::Mapping(mapping), Some(index)) => mapping.tasks.get(index as usize),
            _ => None,
        };
        matches!(state, Some(TaskState::Quarantined { .. }))
    };
    let range = TaskId::of(old)..=TaskId::item(old, u32::MAX);
    let kept = former.range(range).filter(|(task, _)| is_kept(task));
    deaths.extend(kept.map(|(task, workers)| (TaskId { step: new, ..*task }, workers.clone())));
}

/// The new version has all its attempts.
fn forget_failures(state: &mut StepState) {
    let tasks = match state {
        StepState::Calling(calling) => std::slice::from_mut(&mut calling.task),
        StepState::Mapping(mapping) => &mut mapping.tasks[..],
        StepState::Waiting | StepState::Done { .. } | StepState::Skipped { .. } => &mut [],
    };
    for task in tasks {
        match task {
            TaskState::UnderWay { failures, .. }
            | TaskState::Backoff { failures, .. }
            | TaskState::Quarantined { failures, .. } => *failures = 0,
            TaskState::NotBegun | TaskState::Failed { .. } | TaskState::Done { .. } => {}
        }
    }
}
