//! Why a run cannot go on with another version.

use std::collections::HashMap;

use super::carry::places;
use super::{Location, Run, StepState, UPGRADES_MAX, Upgrade};
use crate::definition::{PROBLEMS_MAX, Rest, Severity, Step};
use crate::typing::Type;
use crate::{Digest, Json, Name};

/// Results that are larger are not looked into: of what they hold nothing is known then.
const RESULT_BYTES_MAX: usize = 256 << 10;

/// Nor are more than these together, the first ones aside.
const RESULTS_BYTES_MAX: usize = 4 << 20;

/// One reason, in words for people.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum UpgradeProblem {
    /// It is another workflow.
    #[error("the run is of workflow `{run}`, and this is `{found}`")]
    OtherWorkflow {
        /// What the run is of.
        run: Name,
        /// What it was to become.
        found: Name,
    },
    /// What was pinned is not what the definition names.
    #[error("the plugins are not those of the workflow: `{found}` instead of `{wanted}`")]
    OtherPlugins {
        /// The definition's, in its order.
        wanted: String,
        /// Those that were given.
        found: String,
    },
    /// The text is not that of the definition.
    #[error("the workflow's text is not the one that its digest names")]
    OtherText,
    /// [`UPGRADES_MAX`].
    #[error("the run was upgraded {UPGRADES_MAX} times, which is the most")]
    TooOften,
    /// The new version wants another input.
    #[error("the run's input does not fit the new version: {message}")]
    Input {
        /// What is wrong with it.
        message: String,
    },
    /// A step that has begun is no longer there.
    #[error("step `{step}` {standing}, and the new version has no step of this name")]
    StepGone {
        /// Which step.
        step: Name,
        /// How far it is.
        standing: Standing,
    },
    /// A step that has begun does something else.
    #[error("step `{step}` {standing} as a `{was}`, and in the new version it is a `{is}`")]
    OtherKind {
        /// Which step.
        step: Name,
        /// How far it is.
        standing: Standing,
        /// Its kind in the run.
        was: &'static str,
        /// Its kind in the new version.
        is: &'static str,
    },
    /// A step that has begun would have had to wait.
    #[error(
        "step `{step}` {standing}, and in the new version it needs step `{need}`, which is not over"
    )]
    NeedsMore {
        /// Which step.
        step: Name,
        /// How far it is.
        standing: Standing,
        /// What is not over.
        need: Name,
    },
    /// A map that has begun would go over other items.
    #[error("step `{step}` has begun with its list, and the new version gives another: {message}")]
    OtherList {
        /// Which step.
        step: Name,
        /// What is wrong with it.
        message: String,
    },
    /// What is yet to do does not fit what is there.
    #[error("line {} of the new version{}: {message}", .at.line, of_step(.step.as_ref()))]
    Unfit {
        /// Where the file says so.
        at: Location,
        /// Which step.
        step: Option<Name>,
        /// What is wrong, with a hint if there is one.
        message: String,
    },
    /// An expression that is evaluated at once has no value.
    #[error("the run would fail at once: {message}")]
    FailsAtOnce {
        /// Why.
        message: String,
    },
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// It has attempts under way, waiting or kept.
    Begun,
    /// It has a result.
    Done,
    /// Its `when` was false.
    Skipped,
}

impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Begun => "has begun",
            Self::Done => "is done",
            Self::Skipped => "was skipped",
        })
    }
}

fn of_step(step: Option<&Name>) -> String {
    step.map_or_else(String::new, |step| format!(", step `{step}`"))
}

impl Run {
    /// Whatever can be said without trying.
    pub(super) fn objections(&self, upgrade: &Upgrade) -> Vec<UpgradeProblem> {
        let mut problems = self.objections_to_the_whole(upgrade);
        if problems.is_empty() {
            problems.extend(self.objections_to_steps(upgrade));
        }
        if problems.is_empty() {
            problems.extend(self.objections_to_the_rest(upgrade));
        }
        problems.truncate(PROBLEMS_MAX);
        problems
    }

    fn objections_to_the_whole(&self, upgrade: &Upgrade) -> Vec<UpgradeProblem> {
        let definition = &upgrade.definition;
        let mut problems = Vec::new();
        if definition.name != self.facts.workflow {
            let (run, found) = (self.facts.workflow.clone(), definition.name.clone());
            problems.push(UpgradeProblem::OtherWorkflow { run, found });
        }
        if Digest::of(upgrade.text.as_bytes()) != upgrade.digest {
            problems.push(UpgradeProblem::OtherText);
        }
        let wanted = definition.plugins.iter().map(|plugin| &plugin.alias);
        let found = upgrade.plugins.iter().map(|plugin| &plugin.alias);
        if !wanted.clone().eq(found.clone()) {
            let (wanted, found) = (listed(wanted), listed(found));
            problems.push(UpgradeProblem::OtherPlugins { wanted, found });
        }
        if self.state.former.len() >= UPGRADES_MAX {
            problems.push(UpgradeProblem::TooOften);
        }
        if let Some(schema) = &definition.input
            && let Err(messages) = schema.check(&self.input())
        {
            problems.push(UpgradeProblem::Input { message: messages.join("; ") });
        }
        problems
    }

    /// What has begun must be there, and need nothing that is not over.
    fn objections_to_steps(&self, upgrade: &Upgrade) -> Vec<UpgradeProblem> {
        let definition = &upgrade.definition;
        let places = places(definition);
        let standings: HashMap<&Name, Standing> =
            self.begun_steps().map(|(s, _, at)| (&s.name, at)).collect();
        let is_over =
            |name: &Name| matches!(standings.get(name), Some(Standing::Done | Standing::Skipped));
        let mut problems = Vec::new();
        for (step, _, standing) in self.begun_steps() {
            let name = || step.name.clone();
            let new = places.get(&step.name).and_then(|new| definition.steps.get(new.position()));
            let Some(new) = new else {
                problems.push(UpgradeProblem::StepGone { step: name(), standing });
                continue;
            };
            let (was, is) = (step.kind.name(), new.kind.name());
            if was != is {
                problems.push(UpgradeProblem::OtherKind { step: name(), standing, was, is });
            }
            let needs = new.needs.iter().filter_map(|need| definition.steps.get(need.position()));
            for need in needs.filter(|need| !is_over(&need.name)) {
                let need = need.name.clone();
                problems.push(UpgradeProblem::NeedsMore { step: name(), standing, need });
            }
        }
        problems
    }

    /// Every step of the run that has begun.
    fn begun_steps(&self) -> impl Iterator<Item = (&Step, &StepState, Standing)> {
        self.definition.steps.iter().zip(&self.state.steps).filter_map(|(step, state)| {
            let standing = match state {
                StepState::Waiting => return None,
                StepState::Calling(_) | StepState::Mapping(_) => Standing::Begun,
                StepState::Done { .. } => Standing::Done,
                StepState::Skipped { .. } => Standing::Skipped,
            };
            Some((step, state, standing))
        })
    }

    /// Types of what is yet to do, with the values of what is over.
    fn objections_to_the_rest(&self, upgrade: &Upgrade) -> Vec<UpgradeProblem> {
        let places = places(&upgrade.definition);
        let mut left = RESULTS_BYTES_MAX;
        let mut type_of = |value: &Json| {
            let bytes = value.len_bytes();
            if bytes > left.min(RESULT_BYTES_MAX) {
                return Type::Unknown;
            }
            left -= bytes;
            Type::of_value(&value.to_value())
        };
        let mut rest = Rest { input: type_of(&self.input()), ..Rest::default() };
        for (step, state, _) in self.begun_steps() {
            let Some(new) = places.get(&step.name).copied() else { continue };
            match state {
                StepState::Done { output, .. } => {
                    rest.over.insert(new, type_of(output));
                }
                StepState::Skipped { .. } => {
                    rest.over.insert(new, Type::null());
                }
                StepState::Waiting | StepState::Calling(_) | StepState::Mapping(_) => {
                    rest.begun.insert(new);
                }
            }
        }
        let checked = crate::definition::check_rest(&upgrade.text, &upgrade.offers, &rest);
        let errors = checked.into_iter().filter(|problem| problem.severity == Severity::Error);
        errors
            .map(|problem| {
                let message = match problem.hint {
                    Some(hint) => format!("{} ({hint})", problem.message),
                    None => problem.message,
                };
                let step = step_at(&upgrade.definition.steps, problem.at);
                UpgradeProblem::Unfit { at: problem.at, step, message }
            })
            .collect()
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a Name>) -> String {
    names.map(|name| &**name).collect::<Vec<_>>().join(", ")
}

/// The step in whose lines a place is: the last that begins before it.
fn step_at(steps: &[Step], at: Location) -> Option<Name> {
    let before = steps.iter().filter(|step| step.at <= at);
    before.max_by_key(|step| step.at).map(|step| step.name.clone())
}
