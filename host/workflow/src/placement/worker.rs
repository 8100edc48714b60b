//! One worker as placement sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::wanted::{Account, Joining, LABELS_MAX, Labels};
use crate::{AttemptId, Digest, MonotonicMs};

/// Components that a worker is remembered to hold: only a preference depends on them.
const COMPONENTS_MAX: usize = 1024;

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) slots: u32,
    pub(super) labels: Arc<Labels>,
    /// Leased attempts, and those that it was told to stop and has not yet said to have ended.
    pub(super) holds: BTreeMap<AttemptId, Held>,
    pub(super) heard_at: MonotonicMs,
    pub(super) draining: bool,
    components: Components,
}

/// An attempt at a worker.
#[derive(Debug)]
pub(super) struct Held {
    /// `None`: it was never this worker's here; it has it all the same, and takes a slot there.
    pub(super) account: Option<Account>,
    /// When the worker was last told to stop it.
    pub(super) told: Option<MonotonicMs>,
}

impl Worker {
    pub(super) fn new(now: MonotonicMs, joining: Joining) -> Self {
        let labels = joining.labels.into_iter().take(LABELS_MAX).collect();
        let mut components = Components::default();
        for digest in joining.components.into_iter().take(COMPONENTS_MAX) {
            components.insert(digest);
        }
        Self {
            slots: joining.slots,
            labels: Arc::new(labels),
            holds: BTreeMap::new(),
            heard_at: now,
            draining: false,
            components,
        }
    }

    pub(super) fn free(&self) -> u32 {
        if self.draining { 0 } else { self.slots.saturating_sub(self.holds.len() as u32) }
    }

    pub(super) fn meets(&self, requires: &Labels) -> bool {
        meets(&self.labels, requires)
    }

    /// How well it suits an attempt that it can take: one that is at most half full before one
    /// that is fuller, then one that holds the component, then the one with the most free slots.
    /// So a burst spreads over the workers, and a few attempts stay where their code is.
    pub(super) fn suits(&self, component: &Digest) -> (bool, bool, u32) {
        let free = self.free();
        (free >= self.slots.div_ceil(2), self.components.holds(component), free)
    }

    pub(super) fn take(&mut self, attempt: AttemptId, component: Digest, account: Account) {
        self.components.insert(component);
        self.holds.insert(attempt, Held { account: Some(account), told: None });
    }
}

impl Worker {
    pub(super) fn holds_component(&mut self, component: Digest) {
        self.components.insert(component);
    }

    /// It has an attempt that it shall stop.
    pub(super) fn stops(&mut self, now: MonotonicMs, attempt: AttemptId) {
        let unknown = || Held { account: None, told: None };
        self.holds.entry(attempt).or_insert_with(unknown).told = Some(now);
    }
}

/// Whether labels are all that is required.
pub(super) fn meets(labels: &Labels, requires: &Labels) -> bool {
    requires.iter().all(|(name, value)| labels.get(name) == Some(value))
}

/// The components that came last.
#[derive(Debug, Default)]
struct Components {
    known: BTreeMap<Digest, u64>,
    by_age: BTreeSet<(u64, Digest)>,
    uses: u64,
}

impl Components {
    fn holds(&self, digest: &Digest) -> bool {
        self.known.contains_key(digest)
    }

    fn insert(&mut self, digest: Digest) {
        self.uses += 1;
        if let Some(before) = self.known.insert(digest, self.uses) {
            self.by_age.remove(&(before, digest));
        }
        self.by_age.insert((self.uses, digest));
        if self.known.len() > COMPONENTS_MAX
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_components_are_remembered_and_those_in_use_longest() {
        let digest = |number: usize| Digest::of(&number.to_le_bytes());
        let mut components = Components::default();
        for number in 0..COMPONENTS_MAX {
            components.insert(digest(number));
        }
        components.insert(digest(0));
        components.insert(digest(COMPONENTS_MAX));
        assert!(components.holds(&digest(0)));
        assert!(!components.holds(&digest(1)));
        assert!(components.holds(&digest(COMPONENTS_MAX)));
        assert_eq!(components.known.len(), COMPONENTS_MAX);
        assert_eq!(components.by_age.len(), COMPONENTS_MAX);
    }
}
