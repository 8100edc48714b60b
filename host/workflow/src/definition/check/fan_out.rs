//! How far a run can spread: tasks in all, and at once.

use super::super::{Location, StepKind};
use super::Check;
use crate::Name;
use crate::expression::ITEMS_MAX;

/// The largest that a run of a workflow can become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FanOut {
    /// Calls of functions in all, retries aside; `None`: a list has no bound.
    pub calls: Option<u64>,
    /// Calls at once, if there are slots for them; at most this many.
    pub at_once: u64,
    /// Lists without a bound, in the order of the steps; none is longer than a `map` accepts.
    pub unbounded: Vec<Unbounded>,
}

/// A `map` over a list whose schema does not bound it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unbounded {
    /// The step.
    pub step: Name,
    /// The list as the file names it.
    pub list: String,
    /// Where the step is defined.
    pub at: Location,
}

impl Check<'_> {
    pub(super) fn fan_out(&self) -> FanOut {
        let mut calls: Option<u64> = Some(0);
        let mut unbounded = Vec::new();
        let mut widths = Vec::with_capacity(self.steps.len());
        for (step, view) in self.definition.steps.iter().zip(&self.steps) {
            let (all, at_once) = match (&step.kind, view.items) {
                _ if view.never => (Some(0), 0),
                (StepKind::Call(_), _) => (Some(1), 1),
                (StepKind::Map(map), Some((_, max))) => {
                    let at_once = max.min(map.at_once.into());
                    if max == u64::MAX {
                        let list = map.items.shown();
                        unbounded.push(Unbounded { step: step.name.clone(), list, at: step.at });
                    }
                    ((max != u64::MAX).then_some(max.min(ITEMS_MAX as u64)), at_once)
                }
                (StepKind::Map(map), None) => (None, map.at_once.into()),
                (StepKind::Set(_) | StepKind::Parallel(_), _) => (Some(0), 0),
            };
            calls = calls.zip(all).map(|(calls, all)| calls.saturating_add(all));
            widths.push(at_once);
        }
        FanOut { calls, at_once: self.widest(&widths), unbounded }
    }

    /// The sum over chains of steps, of which one at a time can run, of each chain's widest:
    /// no set of steps that run at once has two of one chain.
    fn widest(&self, widths: &[u64]) -> u64 {
        let mut chains: Vec<u64> = Vec::new();
        // The chain of which a step is the last so far.
        let mut ends: Vec<Option<usize>> = Vec::with_capacity(widths.len());
        for (step, width) in self.definition.steps.iter().zip(widths) {
            let free = step.needs.iter().map(|need| need.position());
            let free = free.filter(|need| ends.get(*need).copied().flatten().is_some());
            let widest = free.max_by_key(|need| ends[*need].map_or(0, |chain| chains[chain]));
            let chain = match widest.and_then(|need| ends[need].take()) {
                Some(chain) => chain,
                None => {
                    chains.push(0);
                    chains.len() - 1
                }
            };
            chains[chain] = chains[chain].max(*width);
            ends.push(Some(chain));
        }
        chains.iter().fold(0, |sum, chain| sum.saturating_add(*chain))
    }
}
