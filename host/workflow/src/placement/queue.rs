//! What waits, in the order in which it goes: a worker with a free slot asks for the next.
//!
//! Attempts that nothing tells apart, of one workflow, priority, requirement and gate, are one
//! *flow*, first come, first served. Between flows the higher priority goes first, then the
//! workflow that has the fewest attempts at workers, then the one whose turn was longest ago. Of
//! the attempts that a worker is given, every [`OLDEST_EVERY`]th is the oldest that it can take
//! of those whose like (workflow, priority, requirement) are at no worker at all. So whatever has
//! `n` older ones before it is passed by at most `OLDEST_EVERY × (n + 1)` times while none of its
//! like is at a worker. A decision looks at the flow that begins each requirement, never at all
//! that wait.

mod demand;
mod gate;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use gate::Gate;

use super::wanted::{Account, Labels, Lane, Priority, Wanted};
use super::worker::meets;
use crate::{Digest, MonotonicMs, Name, WorkerId};

/// See the module: the share of a worker's slots that goes by age alone.
pub const OLDEST_EVERY: u64 = 8;

/// The same at a gate, where it costs more: until the oldest has gone, nothing else goes through.
pub const OLDEST_EVERY_AT_GATE: u64 = 32;

/// The order of arrival.
pub(super) type Arrival = u64;

#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: HashMap<Arrival, Waiting>,
    flows: HashMap<FlowId, Flow>,
    flow_ids: HashMap<FlowKey, FlowId>,
    requirements: BTreeMap<RequirementId, Requirement>,
    requirement_ids: HashMap<Arc<Labels>, RequirementId>,
    takers: BTreeMap<WorkerId, Taker>,
    shares: HashMap<Name, Share>,
    gates: HashMap<GateKey, Gate>,
    expiries: BTreeSet<(MonotonicMs, Arrival)>,
    /// Flows that have become ready, and for which there may be a free worker.
    opened: Vec<FlowId>,
    arrivals: u64,
    turns: u64,
    ids: u64,
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) wanted: Wanted,
    pub(super) since: MonotonicMs,
    flow: FlowId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FlowId(u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct RequirementId(u64);

/// A workflow's use of a component whose concurrency it limits.
pub(super) type GateKey = (Name, Digest);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct FlowKey {
    requirement: RequirementId,
    priority: Priority,
    workflow: Name,
    gate: Option<(Digest, u32)>,
}

impl FlowKey {
    fn gate(&self) -> Option<GateKey> {
        self.gate.map(|(component, _)| (self.workflow.clone(), component))
    }
}

#[derive(Debug)]
struct Flow {
    key: FlowKey,
    arrivals: BTreeSet<Arrival>,
    /// Where it is listed, while it is ready.
    listed: Option<Turn>,
}

/// The least goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    priority: Reverse<Priority>,
    held: u32,
    turn: u64,
    first: Arrival,
    flow: FlowId,
}

/// All flows that require the same.
#[derive(Debug)]
struct Requirement {
    requires: Arc<Labels>,
    flows: BTreeSet<FlowId>,
    /// Workers that meet it and take attempts.
    takers: BTreeSet<WorkerId>,
    by_turn: BTreeSet<Turn>,
    /// Of these, those of whose lane nothing is at a worker.
    by_age: BTreeSet<(Arrival, FlowId)>,
}

/// A worker that takes attempts.
#[derive(Debug)]
struct Taker {
    labels: Arc<Labels>,
    meets: BTreeSet<RequirementId>,
    picks: u64,
}

/// What a workflow has of the workers.
#[derive(Debug, Default)]
struct Share {
    held: u32,
    /// When it last had its turn.
    turn: u64,
    /// How many it has of each lane, if any.
    lanes: BTreeMap<Lane, u32>,
    flows: BTreeSet<FlowId>,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether nothing waits, and nothing is kept of what waited or was at workers.
    #[cfg(test)]
    pub(super) fn is_clean(&self) -> bool {
        self.waiting.is_empty()
            && self.flows.is_empty()
            && self.flow_ids.is_empty()
            && self.requirements.is_empty()
            && self.requirement_ids.is_empty()
            && self.shares.is_empty()
            && self.gates.is_empty()
            && self.expiries.is_empty()
            && self.takers.values().all(|taker| taker.meets.is_empty())
    }

    pub(super) fn get(&self, arrival: Arrival) -> Option<&Waiting> {
        self.waiting.get(&arrival)
    }

    pub(super) fn push(&mut self, now: MonotonicMs, wanted: Wanted) -> Arrival {
        self.arrivals += 1;
        let arrival = self.arrivals;
        if let Some(timeout) = wanted.queue_timeout {
            self.expiries.insert((now + timeout, arrival));
        }
        let flow = self.flow_of(&wanted);
        if let Some(flow) = self.flows.get_mut(&flow) {
            flow.arrivals.insert(arrival);
        }
        self.waiting.insert(arrival, Waiting { wanted, since: now, flow });
        self.refresh_with_gate(flow);
        arrival
    }

    pub(super) fn remove(&mut self, arrival: Arrival) -> Option<Waiting> {
        let waiting = self.waiting.remove(&arrival)?;
        if let Some(timeout) = waiting.wanted.queue_timeout {
            self.expiries.remove(&(waiting.since + timeout, arrival));
        }
        if let Some(flow) = self.flows.get_mut(&waiting.flow) {
            flow.arrivals.remove(&arrival);
        }
        self.refresh_with_gate(waiting.flow);
        Some(waiting)
    }

    /// The next whose queue timeout is over.
    pub(super) fn expired(&self, now: MonotonicMs) -> Option<Arrival> {
        self.expiries.first().filter(|(at, _)| *at <= now).map(|(_, arrival)| *arrival)
    }

    /// A worker takes attempts from now on.
    pub(super) fn add_taker(&mut self, worker: WorkerId, labels: Arc<Labels>) {
        self.remove_taker(worker);
        let mut taker = Taker { labels, meets: BTreeSet::new(), picks: 0 };
        let mut met = Vec::new();
        for (id, requirement) in &mut self.requirements {
            if meets(&taker.labels, &requirement.requires) {
                taker.meets.insert(*id);
                requirement.takers.insert(worker);
                met.push(*id);
            }
        }
        self.takers.insert(worker, taker);
        self.refresh_gates_of(&met);
    }

    /// A worker takes no more.
    pub(super) fn remove_taker(&mut self, worker: WorkerId) {
        let Some(taker) = self.takers.remove(&worker) else { return };
        let met: Vec<RequirementId> = taker.meets.into_iter().collect();
        for id in &met {
            if let Some(requirement) = self.requirements.get_mut(id) {
                requirement.takers.remove(&worker);
            }
        }
        self.refresh_gates_of(&met);
    }

    /// A worker has another id.
    pub(super) fn rename_taker(&mut self, from: WorkerId, to: WorkerId) {
        let Some(taker) = self.takers.remove(&from) else { return };
        for id in &taker.meets {
            if let Some(requirement) = self.requirements.get_mut(id) {
                requirement.takers.remove(&from);
                requirement.takers.insert(to);
            }
        }
        self.takers.insert(to, taker);
    }

    /// What goes next at a worker that takes attempts, if anything can.
    pub(super) fn pick(&mut self, worker: WorkerId) -> Option<Arrival> {
        let taker = self.takers.get_mut(&worker)?;
        let met = || taker.meets.iter().filter_map(|id| self.requirements.get(id));
        let by_age = (taker.picks + 1).is_multiple_of(OLDEST_EVERY);
        let oldest = met().filter_map(|requirement| requirement.by_age.first()).min();
        let arrival = match oldest {
            Some((arrival, _)) if by_age && !crate::sabotage::no_ageing() => *arrival,
            _ => met().filter_map(|requirement| requirement.by_turn.first()).min()?.first,
        };
        taker.picks += 1;
        Some(arrival)
    }

    /// The flows that have become ready since the last call, those first that go first.
    pub(super) fn take_opened(&mut self) -> Vec<FlowId> {
        let mut opened = std::mem::take(&mut self.opened);
        opened.retain(|id| self.flows.get(id).is_some_and(|flow| flow.listed.is_some()));
        opened.sort_by_key(|id| self.flows.get(id).and_then(|flow| flow.listed));
        opened.dedup();
        opened
    }

    /// The first of a flow, if it may go now.
    pub(super) fn ready_head(&self, flow: FlowId) -> Option<(Arrival, &Wanted)> {
        let first = self.flows.get(&flow)?.listed?.first;
        self.waiting.get(&first).map(|waiting| (first, &waiting.wanted))
    }

    /// An attempt is at a worker from now on.
    pub(super) fn took(&mut self, account: &Account) {
        self.turns += 1;
        let share = self.shares.entry(account.workflow.clone()).or_default();
        share.held += 1;
        share.turn = self.turns;
        *share.lanes.entry(account.lane.clone()).or_default() += 1;
        if let Some(component) = account.gated {
            let gate = self.gates.entry((account.workflow.clone(), component)).or_default();
            gate.held += 1;
            gate.passed += 1;
        }
        self.refresh_share(&account.workflow);
    }

    /// An attempt is no longer at a worker.
    pub(super) fn gave_back(&mut self, account: &Account) {
        if let Some(share) = self.shares.get_mut(&account.workflow) {
            share.held = share.held.saturating_sub(1);
            if let Some(held) = share.lanes.get_mut(&account.lane) {
                *held -= 1;
                if *held == 0 {
                    share.lanes.remove(&account.lane);
                }
            }
        }
        if let Some(component) = account.gated {
            let key = (account.workflow.clone(), component);
            if let Some(gate) = self.gates.get_mut(&key) {
                gate.held = gate.held.saturating_sub(1);
                if gate.is_unused() {
                    self.gates.remove(&key);
                }
            }
        }
        self.refresh_share(&account.workflow);
    }

    fn flow_of(&mut self, wanted: &Wanted) -> FlowId {
        let requirement = self.requirement_of(&wanted.requires);
        let key = FlowKey {
            requirement,
            priority: wanted.priority,
            workflow: wanted.workflow.clone(),
            gate: wanted.concurrency.map(|max| (wanted.component, max)),
        };
        if let Some(id) = self.flow_ids.get(&key) {
            return *id;
        }
        self.ids += 1;
        let id = FlowId(self.ids);
        if let Some(requirement) = self.requirements.get_mut(&requirement) {
            requirement.flows.insert(id);
        }
        self.shares.entry(key.workflow.clone()).or_default().flows.insert(id);
        if let Some(gate) = key.gate() {
            self.gates.entry(gate).or_default().flows.insert(id);
        }
        self.flow_ids.insert(key.clone(), id);
        self.flows.insert(id, Flow { key, arrivals: BTreeSet::new(), listed: None });
        id
    }

    fn requirement_of(&mut self, requires: &Arc<Labels>) -> RequirementId {
        if let Some(id) = self.requirement_ids.get(requires) {
            return *id;
        }
        self.ids += 1;
        let id = RequirementId(self.ids);
        let mut takers = BTreeSet::new();
        for (worker, taker) in &mut self.takers {
            if meets(&taker.labels, requires) {
                taker.meets.insert(id);
                takers.insert(*worker);
            }
        }
        let requirement = Requirement {
            requires: requires.clone(),
            flows: BTreeSet::new(),
            takers,
            by_turn: BTreeSet::new(),
            by_age: BTreeSet::new(),
        };
        self.requirements.insert(id, requirement);
        self.requirement_ids.insert(requires.clone(), id);
        id
    }

    /// A flow's beginning has changed, and with it whose turn it may be at its gate.
    fn refresh_with_gate(&mut self, id: FlowId) {
        let gate = self.flows.get(&id).and_then(|flow| flow.key.gate());
        match gate.and_then(|key| self.gates.get(&key)) {
            Some(gate) => {
                for flow in gate.flows.clone() {
                    self.refresh(flow);
                }
            }
            None => self.refresh(id),
        }
    }

    fn refresh_gates_of(&mut self, requirements: &[RequirementId]) {
        let flows: Vec<FlowId> = requirements
            .iter()
            .filter_map(|id| self.requirements.get(id))
            .flat_map(|requirement| requirement.flows.iter().copied())
            .filter(|id| self.flows.get(id).is_some_and(|flow| flow.key.gate.is_some()))
            .collect();
        for flow in flows {
            self.refresh_with_gate(flow);
        }
    }

    fn refresh_share(&mut self, workflow: &Name) {
        let Some(share) = self.shares.get(workflow) else { return };
        if share.flows.is_empty() {
            if share.held == 0 {
                self.shares.remove(workflow);
            }
            return;
        }
        for flow in share.flows.clone() {
            self.refresh(flow);
        }
    }

    /// Lists a flow where it belongs now, or drops it if nothing is left of it.
    fn refresh(&mut self, id: FlowId) {
        let open = self.is_open(id);
        let Some(flow) = self.flows.get_mut(&id) else { return };
        let Some(requirement) = self.requirements.get_mut(&flow.key.requirement) else { return };
        let before = flow.listed.take();
        if let Some(turn) = before {
            requirement.by_turn.remove(&turn);
            requirement.by_age.remove(&(turn.first, id));
        }
        match flow.arrivals.first() {
            Some(first) if open => {
                let share = self.shares.get(&flow.key.workflow);
                let turn = Turn {
                    priority: Reverse(flow.key.priority),
                    held: share.map_or(0, |share| share.held),
                    turn: share.map_or(0, |share| share.turn),
                    first: *first,
                    flow: id,
                };
                let lane = (flow.key.priority, requirement.requires.clone());
                flow.listed = Some(turn);
                requirement.by_turn.insert(turn);
                if share.is_none_or(|share| !share.lanes.contains_key(&lane)) {
                    requirement.by_age.insert((*first, id));
                }
                if before.is_none() {
                    self.opened.push(id);
                }
            }
            Some(_) => {}
            None => self.drop_flow(id),
        }
    }

    fn drop_flow(&mut self, id: FlowId) {
        let Some(Flow { key, .. }) = self.flows.remove(&id) else { return };
        self.flow_ids.remove(&key);
        if let Some(share) = self.shares.get_mut(&key.workflow) {
            share.flows.remove(&id);
            if share.flows.is_empty() && share.held == 0 {
                self.shares.remove(&key.workflow);
            }
        }
        if let Some(gate_key) = key.gate()
            && let Some(gate) = self.gates.get_mut(&gate_key)
        {
            gate.flows.remove(&id);
            if gate.is_unused() {
                self.gates.remove(&gate_key);
            }
        }
        let Some(requirement) = self.requirements.get_mut(&key.requirement) else { return };
        requirement.flows.remove(&id);
        if requirement.flows.is_empty()
            && let Some(gone) = self.requirements.remove(&key.requirement)
        {
            self.requirement_ids.remove(&gone.requires);
            for worker in gone.takers {
                if let Some(taker) = self.takers.get_mut(&worker) {
                    taker.meets.remove(&key.requirement);
                }
            }
        }
    }
}
