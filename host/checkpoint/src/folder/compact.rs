//! Writing a store anew that is mostly superseded records.
//!
//! The copy is made beside, verified, and takes the store's place in one step: a crash leaves
//! the one or the other, whole.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{OpenOptions, open_table, sync_store};
use crate::key;
use crate::mark::Found;
use crate::table::{Applied, Batch, Order, SledTable, Table as _};
use crate::verify::verify;
use crate::{Durability, Error, crash_points, files};

/// A file this many times as large as what is in it is worth writing anew.
const SUPERSEDED_MIN: u64 = 4;
const BATCH_BYTES: usize = 256 << 10;

/// The same table, in a smaller file where that pays.
pub(super) fn compact(
    table: SledTable,
    store: &Path,
    live_bytes: u64,
    options: &OpenOptions,
) -> Result<SledTable, Error> {
    let bytes = table.file().metadata().map_or(0, |metadata| metadata.len());
    let is_worth = bytes > options.compact_bytes_min && bytes / SUPERSEDED_MIN > live_bytes;
    if !is_worth && !crash_points::is_hit("compact") {
        return Ok(table);
    }
    let copy = store.with_file_name("store.compact");
    // Of an earlier start that ended halfway.
    let _ignored = fs::remove_dir_all(&copy);
    let exchanged = write_copy(&table, &copy, options).and_then(|()| {
        crash_points::die_at("in-compaction");
        renameat_with(CWD, &copy, CWD, store, RenameFlags::EXCHANGE)
            .map_err(|error| Error::io("exchange", &copy, error.into()))
    });
    if let Err(error) = exchanged {
        tracing::warn!(%error, "the store stays as large as it is");
        let _ignored = fs::remove_dir_all(&copy);
        return Ok(table);
    }
    crash_points::die_at("in-compaction");
    if let Some(folder) = store.parent() {
        files::sync(folder, options.durability)?;
    }
    drop(table);
    crash_points::die_at("in-compaction");
    if let Err(error) = fs::remove_dir_all(&copy) {
        tracing::warn!(%error, "the store's larger form stays behind");
    }
    let table = open_table(store, options)?;
    sync_store(store, options.durability)?;
    Ok(table)
}

/// Writes all of `table` to a new one in `folder`, durable and verified.
fn write_copy(table: &SledTable, folder: &Path, options: &OpenOptions) -> Result<(), Error> {
    files::make_private_folder(folder)?;
    let unsynced = OpenOptions { durability: Durability::None, ..options.clone() };
    let copy = open_table(folder, &unsynced)?;
    let apply = |batch: &Batch| match copy.apply(batch)? {
        Applied::Synced | Applied::Unsynced => Ok(()),
    };
    let mut batch = Batch::default();
    table.scan(key::everything(), Order::Ascending, &mut |key, value| {
        batch.put(key.to_vec(), value.to_vec());
        if batch.bytes() >= BATCH_BYTES {
            apply(&std::mem::take(&mut batch))?;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    apply(&batch)?;
    crash_points::die_at("in-compaction");
    copy.settle()?;
    sync_store(folder, options.durability)?;
    // The mark was asked about the table itself.
    verify(&copy, Found::Progress(crate::mark::Progress::default())).map(|_verified| ())
}
