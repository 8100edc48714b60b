//! What waits that more workers of a kind could take.

use super::super::scale::Demand;
use super::{FlowId, Labels, Queue};
use crate::MonotonicMs;
use crate::placement::worker::meets;

impl Queue {
    /// What a worker with these labels could take if there were one more; of what a limit on
    /// concurrency holds back, nothing. Looks at each flow, not at all that wait.
    pub(in super::super) fn demand(&self, now: MonotonicMs, labels: &Labels) -> Demand {
        let met = self.requirements.values().filter(|it| meets(labels, &it.requires));
        let flows = met.flat_map(|requirement| &requirement.flows);
        flows.fold(Demand::default(), |sum, flow| {
            let Some(of_flow) = self.demand_of(now, *flow) else { return sum };
            Demand {
                waiting: sum.waiting.saturating_add(of_flow.waiting),
                oldest: sum.oldest.max(of_flow.oldest),
            }
        })
    }

    fn demand_of(&self, now: MonotonicMs, id: FlowId) -> Option<Demand> {
        let flow = self.flows.get(&id)?;
        let mut waiting = flow.arrivals.len() as u64;
        if let Some((_, max)) = flow.key.gate {
            let held = self.gates.get(&flow.key.gate()?).map_or(0, |gate| gate.held);
            waiting = waiting.min(u64::from(max.saturating_sub(held)));
        }
        let first = self.waiting.get(flow.arrivals.first()?)?;
        (waiting > 0).then(|| Demand { waiting, oldest: now - first.since })
    }
}
