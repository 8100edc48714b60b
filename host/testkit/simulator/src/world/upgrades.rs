//! Somebody wants the run to go on with another version of its workflow.

use std::collections::BTreeMap;

use wfhost_workflow::Digest;
use wfhost_workflow::run::{Input, Upgrade};

use super::World;
use crate::node::plugins;

impl World {
    /// To a version that differs from the one that is durable, or to that one itself.
    pub(super) fn some_upgrade(&mut self) -> Input {
        let plan = self.plans[&self.ledger.digest()].changed(&mut self.random);
        let (text, definition) = (plan.text(), plan.definition());
        let digest = Digest::of(text.as_bytes());
        self.ledger.knows(digest, definition.clone());
        self.plans.insert(digest, plan);
        Input::Upgrade(Box::new(Upgrade {
            definition,
            text: text.into(),
            digest,
            plugins: plugins(),
            offers: BTreeMap::new(),
            origin: None,
        }))
    }
}
