//! Removing a run: marked first, then its journal in bounded batches, then the mark.

use std::ops::ControlFlow;

use wfhost_workflow::{Revision, RunId};

use super::{Journal, Writer, entry_hash};
use crate::Error;
use crate::format::seal;
use crate::key::{self, Key};
use crate::table::{Batch, Order, Table};

/// Entries that one batch removes.
const BATCH_ENTRIES_MAX: usize = 256;

impl<T: Table> Journal<T> {
    pub(super) fn remove_run(&self, writer: &mut Writer, run: RunId) -> Result<(), Error> {
        let head = self.head(writer, run)?;
        let Some(summary_hash) = head.summary_hash else {
            return Ok(());
        };
        let mut batch = Batch::default();
        let mut meta = writer.meta;
        meta.runs = meta.runs.saturating_sub(1);
        meta.subtract(summary_hash);
        batch.delete(Key::Summary(run).bytes());
        if let Some((_, hash)) = head.snapshot {
            meta.subtract(hash);
            batch.delete(Key::Snapshot(run).bytes());
        }
        let key = Key::Removing(run).bytes();
        let value = seal(&key, &[], true);
        meta.add(entry_hash(&key, &value));
        batch.put(key, value);
        self.apply(writer, batch, meta)?;
        writer.heads.remove(&run);
        if let Some((revision, _)) = head.snapshot {
            self.snapshots.remove(run, revision);
        }
        self.finish_removal(writer, run)
    }

    /// Goes on with every removal that a crash has interrupted.
    pub(crate) fn finish_removals(&self) -> Result<(), Error> {
        let mut runs = Vec::new();
        self.table.scan(key::removals(), Order::Ascending, &mut |key, _| {
            if let Some(Key::Removing(run)) = Key::parse(key) {
                runs.push(run);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let mut writer = self.writing()?;
        for run in runs {
            self.finish_removal(&mut writer, run)?;
        }
        Ok(())
    }

    fn finish_removal(&self, writer: &mut Writer, run: RunId) -> Result<(), Error> {
        loop {
            let mut batch = Batch::default();
            let mut meta = writer.meta;
            let mut entries = 0;
            let range = key::journal_from(run, Revision(0));
            self.table.scan(range, Order::Ascending, &mut |key, value| {
                meta.subtract(entry_hash(key, value));
                batch.delete(key.to_vec());
                entries += 1;
                Ok(if entries < BATCH_ENTRIES_MAX {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                })
            })?;
            let is_last = entries < BATCH_ENTRIES_MAX;
            if is_last {
                let key = Key::Removing(run).bytes();
                meta.subtract(entry_hash(&key, &seal(&key, &[], true)));
                batch.delete(key);
            }
            self.apply(writer, batch, meta)?;
            if is_last {
                return Ok(());
            }
        }
    }
}
