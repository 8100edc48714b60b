//! A store that takes its time, and may fail in either of the two ways.

use wfhost_workflow::run::Record;

/// What is durable, and what is on its way.
#[derive(Debug, Default)]
pub(crate) struct Store {
    durable: Vec<Record>,
    under_way: Vec<Record>,
    waiting: Vec<Record>,
}

impl Store {
    /// Hands a record over; `true`: the store was idle, and begins with a batch now.
    pub(crate) fn submit(&mut self, record: Record) -> bool {
        self.waiting.push(record);
        self.begin_batch()
    }

    /// Takes all that waits as the next batch, unless one is under way.
    pub(crate) fn begin_batch(&mut self) -> bool {
        if !self.under_way.is_empty() || self.waiting.is_empty() {
            return false;
        }
        self.under_way = std::mem::take(&mut self.waiting);
        true
    }

    /// The batch under way has become durable: gives its records.
    pub(crate) fn finish_batch(&mut self) -> Vec<Record> {
        let batch = std::mem::take(&mut self.under_way);
        self.durable.extend(batch.iter().cloned());
        batch
    }

    /// The process has ended: what was not durable is lost.
    pub(crate) fn drop_unfinished(&mut self) {
        self.under_way.clear();
        self.waiting.clear();
    }

    pub(crate) fn durable(&self) -> &[Record] {
        &self.durable
    }
}
