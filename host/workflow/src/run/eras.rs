//! Which versions a run has had, and of which of them its results are.

use serde::{Deserialize, Serialize};

use super::Run;
use super::state::StepState;
use crate::{Digest, Origin, PinnedPlugin, Revision, StepId};

/// What a run was made from for a part of its life: from its start, or from an upgrade, to the
/// next upgrade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Era {
    /// The workflow's version.
    pub version: String,
    /// Of the workflow file's text.
    pub definition: Digest,
    /// In the order of that definition's plugins.
    pub plugins: Vec<PinnedPlugin>,
    /// The bundle that it came from.
    pub origin: Option<Origin>,
    /// The first record of it.
    pub since: Revision,
}

/// Where a step's result, or a part of it, came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeBy {
    /// Position in [`Run::eras`].
    pub era: u32,
    /// Position in that era's plugins; `None`: no plugin was called.
    pub plugin: Option<u32>,
    /// Of a `map`, how many items; 0 otherwise.
    pub items: u32,
}

/// What a step has of eras that are over.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Made {
    /// It was over when the last of them ended.
    pub(super) over: bool,
    pub(super) by: Vec<MadeBy>,
}

impl Run {
    /// Where what a step has, or is about to have, came from; nothing for one that has not begun.
    #[must_use]
    pub fn made_by(&self, step: StepId) -> Vec<MadeBy> {
        let Some(state) = self.state.steps.get(step.position()) else { return Vec::new() };
        let era = self.state.former.len() as u32;
        let mut made = self.made_at_the_end_of(era, step, state);
        let begun = matches!(state, StepState::Calling(_) | StepState::Mapping(_));
        if begun && made.by.last().is_none_or(|last| last.era != era) {
            made.by.push(MadeBy { era, plugin: self.plugin_position(step), items: 0 });
        }
        made.by
    }

    /// What a step has if the era of this number, which is the run's now, ended here.
    pub(super) fn made_at_the_end_of(&self, era: u32, step: StepId, state: &StepState) -> Made {
        let mut made = self.state.past.get(&step).cloned().unwrap_or_default();
        let (over, items) = match state {
            StepState::Waiting | StepState::Calling(_) => return made,
            StepState::Mapping(mapping) if mapping.done == 0 => return made,
            StepState::Mapping(mapping) => (false, mapping.done),
            StepState::Done { span, .. } => (true, span.items),
            StepState::Skipped { .. } => (true, 0),
        };
        let items = made.by.iter().fold(items, |left, by| left.saturating_sub(by.items));
        let plugin = match state {
            StepState::Skipped { .. } => None,
            _ => self.plugin_position(step),
        };
        // Of a map whose last item came before, nothing is left for this one.
        if !made.over && (items > 0 || over && made.by.is_empty()) {
            made.by.push(MadeBy { era, plugin, items });
        }
        made.over = over;
        made
    }

    fn plugin_position(&self, step: StepId) -> Option<u32> {
        let call = self.definition.steps.get(step.position())?.kind.call()?;
        u32::try_from(call.plugin).ok()
    }
}
