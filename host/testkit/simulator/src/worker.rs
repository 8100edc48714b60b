//! A worker: takes attempts, answers after a while or never, says that it lives.

use std::collections::BTreeMap;

use wfhost_workflow::{Attempt, Name, TaskId, WorkerId};

use crate::node::Message;

/// Between two signs of life, in milliseconds.
pub(crate) const HEARTBEAT_MS: u64 = 500;

/// One worker process.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) slots: u32,
    pub(crate) alive: bool,
    /// What it executes, each execution by a number of its own: a message that arrives twice is
    /// executed twice.
    pub(crate) executions: BTreeMap<u64, (Name, TaskId, Attempt)>,
}

impl Worker {
    pub(crate) const fn new(id: WorkerId, slots: u32) -> Self {
        Self { id, slots, alive: true, executions: BTreeMap::new() }
    }

    /// What it says of itself.
    pub(crate) fn hello(&self) -> Message {
        Message::Hello { slots: self.slots, running: self.running().collect() }
    }

    fn running(&self) -> impl Iterator<Item = (TaskId, Attempt)> {
        self.executions.values().map(|(_, task, attempt)| (*task, *attempt))
    }

    /// Ends the executions of an attempt.
    pub(crate) fn stop(&mut self, task: TaskId, attempt: Attempt) {
        self.executions.retain(|_, (_, its, number)| (*its, *number) != (task, attempt));
    }
}
