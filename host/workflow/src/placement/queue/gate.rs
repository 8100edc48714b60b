//! A workflow lets only so many attempts of a plugin be under way at once.

use std::collections::BTreeSet;

use super::{Arrival, FlowId, OLDEST_EVERY_AT_GATE, Queue};

/// What is counted of a workflow's use of a component.
#[derive(Debug, Default)]
pub(super) struct Gate {
    pub(super) held: u32,
    /// How many have gone through.
    pub(super) passed: u64,
    pub(super) flows: BTreeSet<FlowId>,
}

impl Gate {
    pub(super) fn is_unused(&self) -> bool {
        self.held == 0 && self.flows.is_empty()
    }
}

impl Queue {
    /// Whether a flow's concurrency lets another attempt begin.
    pub(super) fn is_open(&self, id: FlowId) -> bool {
        let Some(flow) = self.flows.get(&id) else { return false };
        let (Some((_, max)), Some(key)) = (flow.key.gate, flow.key.gate()) else { return true };
        let Some(gate) = self.gates.get(&key) else { return true };
        if gate.held >= max {
            return false;
        }
        let by_age = (gate.passed + 1).is_multiple_of(OLDEST_EVERY_AT_GATE);
        !by_age || self.oldest_at(gate).is_none_or(|(_, oldest)| oldest == id)
    }

    /// The flow with the oldest attempt that some worker could take.
    fn oldest_at(&self, gate: &Gate) -> Option<(Arrival, FlowId)> {
        let first = |id: &FlowId| {
            let flow = self.flows.get(id)?;
            let takers = &self.requirements.get(&flow.key.requirement)?.takers;
            (!takers.is_empty()).then_some((*flow.arrivals.first()?, *id))
        };
        gate.flows.iter().filter_map(first).min()
    }

    /// Why an attempt's concurrency keeps it: how many are under way, and how many may be.
    pub(in super::super) fn kept_at_gate(&self, arrival: Arrival) -> Option<(u32, u32)> {
        let flow = self.flows.get(&self.waiting.get(&arrival)?.flow)?;
        let (_, max) = flow.key.gate?;
        let held = self.gates.get(&flow.key.gate()?)?.held;
        (held >= max).then_some((held, max))
    }

    /// How many that require the same go before an attempt as things stand: older ones of its own
    /// flow, and all of a higher priority; counted as far as `most`.
    pub(in super::super) fn ahead(&self, arrival: Arrival, most: usize) -> usize {
        let Some(waiting) = self.waiting.get(&arrival) else { return 0 };
        let Some(flow) = self.flows.get(&waiting.flow) else { return 0 };
        let older = flow.arrivals.range(..arrival).take(most).count();
        let Some(requirement) = self.requirements.get(&flow.key.requirement) else { return older };
        let higher = requirement
            .by_turn
            .iter()
            .take_while(|turn| turn.priority.0 > flow.key.priority)
            .filter_map(|turn| self.flows.get(&turn.flow))
            .map(|flow| flow.arrivals.len());
        (older + higher.take(most).sum::<usize>()).min(most)
    }
}
