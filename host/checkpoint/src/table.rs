//! A sorted map from keys to small values, changed in atomic batches: what a store is made on.

mod memory;
mod sled_table;

use std::ops::ControlFlow;
use std::path::Path;

pub(crate) use memory::MemoryTable;
pub(crate) use sled_table::{SledOptions, SledTable};

use crate::Error;
use crate::key::KeyRange;

/// What is called with each entry of a scan.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, Error>;

/// A sorted map. All of it blocks.
pub(crate) trait Table: Send + Sync {
    /// The value under `key`.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error>;

    /// Visits the entries of `range` in order, until told to break.
    fn scan(&self, range: KeyRange, order: Order, visit: Visit<'_>) -> Result<(), Error>;

    /// Applies `batch` whole or not at all, as durable as the table was opened for.
    fn apply(&self, batch: &Batch) -> Result<Applied, Error>;

    /// Makes everything durable, whatever the table was opened for.
    fn settle(&self) -> Result<(), Error>;

    /// The file to name when something is wrong.
    fn file(&self) -> &Path;
}

/// The order of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Ascending,
    Descending,
}

/// What an applied batch is safe from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Applied {
    /// A power cut.
    Synced,
    /// Less than that.
    Unsynced,
}

/// Changes that belong together; each key at most once.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    bytes: usize,
}

impl Batch {
    /// Sets `key`.
    pub(crate) fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.bytes += key.len() + value.len() + ENTRY_OVERHEAD_BYTES;
        self.changes.push((key, Some(value)));
    }

    /// Removes `key`.
    pub(crate) fn delete(&mut self, key: Vec<u8>) {
        self.bytes += key.len() + ENTRY_OVERHEAD_BYTES;
        self.changes.push((key, None));
    }

    /// About what it takes in the log.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }
}

/// What a table adds around each entry, roughly.
const ENTRY_OVERHEAD_BYTES: usize = 48;
