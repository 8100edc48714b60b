//! A table in memory: for tests and simulations.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{PoisonError, RwLock};

use super::{Applied, Batch, Order, Table, Visit};
use crate::Error;
use crate::key::KeyRange;

#[derive(Debug, Default)]
pub(crate) struct MemoryTable {
    entries: RwLock<BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl Table for MemoryTable {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.entries.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }

    fn scan(&self, range: KeyRange, order: Order, visit: Visit<'_>) -> Result<(), Error> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let mut entries = entries.range(range);
        loop {
            let entry = match order {
                Order::Ascending => entries.next(),
                Order::Descending => entries.next_back(),
            };
            let Some((key, value)) = entry else {
                return Ok(());
            };
            if let ControlFlow::Break(()) = visit(key, value)? {
                return Ok(());
            }
        }
    }

    fn apply(&self, batch: &Batch) -> Result<Applied, Error> {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in &batch.changes {
            match value {
                Some(value) => entries.insert(key.clone(), value.clone()),
                None => entries.remove(key),
            };
        }
        Ok(Applied::Unsynced)
    }

    fn settle(&self) -> Result<(), Error> {
        Ok(())
    }

    fn file(&self) -> &Path {
        Path::new("memory")
    }
}
