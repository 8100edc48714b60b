//! The store on a table: journals, summaries, pointers to snapshots, and a checksum over all.
//!
//! One writer at a time; readers see a batch only once it is acknowledged. The checksum is a
//! sum of hashes over all entries, kept in the batch that changes them, so that whatever the
//! table loses or invents is noticed when it is opened.

mod commit;
mod meta;
pub(crate) mod notes;
mod read;
mod remove;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use wfhost_workflow::run::{Record, RunSummary};
use wfhost_workflow::{Digest, Revision, RunId};

pub(crate) use meta::{Meta, PointedSnapshot, entry_hash};
pub(crate) use read::Assembly;

use crate::key::Key;
use crate::lock::FolderLock;
use crate::mark::Mark;
use crate::snapshots::Snapshots;
use crate::store::{Note, NoteWrite};
use crate::table::{Applied, Batch, MemoryTable, Table};
use crate::{Commit, Content, Error, Store, Stored, crash_points};

/// A store in memory, for tests and simulations; large values go to `content`.
#[must_use]
pub fn memory(content: Content) -> Arc<dyn Store> {
    Arc::new(Journal::new(MemoryTable::default(), content, Snapshots::memory(), Meta::default()))
}

/// A store on a table.
pub(crate) struct Journal<T: Table> {
    table: T,
    content: Content,
    snapshots: Snapshots,
    mark: Option<Mark>,
    writer: Mutex<Writer>,
    /// Held for writing while a batch is applied but not yet durable.
    visible: RwLock<()>,
    stopped: AtomicBool,
    /// After the table, so that it is freed last.
    _lock: Option<FolderLock>,
}

/// What the next batch builds on.
#[derive(Debug)]
struct Writer {
    meta: Meta,
    /// Of open runs that were committed to; others are looked up.
    heads: HashMap<RunId, Head>,
}

/// Where a run stands, with what its next commit replaces.
#[derive(Debug, Clone, Copy, Default)]
struct Head {
    revision: Revision,
    /// `None`: there is no such run yet.
    summary_hash: Option<u128>,
    snapshot: Option<(Revision, u128)>,
}

impl<T: Table> Journal<T> {
    pub(crate) fn new(table: T, content: Content, snapshots: Snapshots, meta: Meta) -> Self {
        Self {
            table,
            content,
            snapshots,
            mark: None,
            writer: Mutex::new(Writer { meta, heads: HashMap::new() }),
            visible: RwLock::new(()),
            stopped: AtomicBool::new(false),
            _lock: None,
        }
    }

    /// Keeps `mark` up with what is durable, and `lock` until the table is closed.
    pub(crate) fn with_mark(mut self, mark: Mark, lock: FolderLock) -> Self {
        self.mark = Some(mark);
        self._lock = Some(lock);
        self
    }

    fn usable(&self) -> Result<(), Error> {
        if self.stopped.load(Ordering::Acquire) { Err(Error::Stopped) } else { Ok(()) }
    }

    /// Nothing is read while a batch is on its way.
    fn reading(&self) -> Result<RwLockReadGuard<'_, ()>, Error> {
        let guard = self.visible.read().unwrap_or_else(PoisonError::into_inner);
        self.usable()?;
        Ok(guard)
    }

    fn writing(&self) -> Result<MutexGuard<'_, Writer>, Error> {
        let guard = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.usable()?;
        Ok(guard)
    }

    /// Runs what must not fail halfway: after an error nothing more is taken.
    fn or_stop<V>(&self, result: Result<V, Error>) -> Result<V, Error> {
        if result.is_err() {
            self.stopped.store(true, Ordering::Release);
        }
        result
    }

    /// Applies `batch` with `meta`, which tells of it; nobody reads meanwhile.
    fn apply(&self, writer: &mut Writer, mut batch: Batch, meta: Meta) -> Result<(), Error> {
        let meta = meta.next_batch();
        meta.put_into(&mut batch)?;
        crash_points::die_at("before-append");
        let visible = self.visible.write().unwrap_or_else(PoisonError::into_inner);
        let applied = self.or_stop(self.table.apply(&batch));
        drop(visible);
        writer.meta = meta;
        match applied? {
            Applied::Synced => self.advance_mark(meta),
            Applied::Unsynced => {}
        }
        Ok(())
    }

    fn advance_mark(&self, meta: Meta) {
        let Some(mark) = &self.mark else {
            return;
        };
        // The commits are durable; a mark that lags only notices less.
        if let Err(error) = mark.write(meta.progress()) {
            tracing::warn!(%error, "the mark lags");
        }
    }
}

impl<T: Table> Drop for Journal<T> {
    fn drop(&mut self) {
        if self.usable().is_err() {
            return;
        }
        let meta = self.writer.lock().unwrap_or_else(PoisonError::into_inner).meta;
        match self.table.settle() {
            Ok(()) => self.advance_mark(meta),
            Err(error) => tracing::error!(%error, "closing the store"),
        }
    }
}

impl<T: Table> Store for Journal<T> {
    fn commit(&self, commits: &[Commit]) -> Result<(), Error> {
        if commits.is_empty() {
            return Ok(());
        }
        let mut writer = self.writing()?;
        let plan = self.plan(&writer, commits)?;
        self.carry_out(&mut writer, plan, commits)
    }

    fn knows(&self, run: RunId) -> Result<bool, Error> {
        self.usable()?;
        Ok(self.table.get(&Key::Summary(run).bytes())?.is_some())
    }

    fn summary(&self, run: RunId) -> Result<Option<RunSummary>, Error> {
        let _reading = self.reading()?;
        self.read_summary(run)
    }

    fn summaries(&self, before: Option<RunId>, limit: usize) -> Result<Vec<RunSummary>, Error> {
        let _reading = self.reading()?;
        self.read_summaries(before, limit)
    }

    fn find(&self, prefix: &str, limit: usize) -> Result<Vec<RunId>, Error> {
        let _reading = self.reading()?;
        self.find_runs(prefix, limit)
    }

    fn journal(&self, run: RunId, after: Revision, limit: usize) -> Result<Vec<Record>, Error> {
        let _reading = self.reading()?;
        self.read_records(run, after, limit)
    }

    fn load(&self, run: RunId) -> Result<Option<Stored>, Error> {
        let _reading = self.reading()?;
        self.read_stored(run)
    }

    fn remove(&self, run: RunId) -> Result<(), Error> {
        let mut writer = self.writing()?;
        self.remove_run(&mut writer, run)
    }

    fn write_notes(&self, writes: &[NoteWrite]) -> Result<(), Error> {
        self.put_notes(writes)
    }

    fn notes(&self) -> Result<Vec<Note>, Error> {
        let _reading = self.reading()?;
        self.read_notes()
    }

    fn references(&self) -> Result<HashSet<Digest>, Error> {
        let runs = {
            let _reading = self.reading()?;
            self.find_runs("", usize::MAX)?
        };
        let mut found = HashSet::new();
        {
            let _reading = self.reading()?;
            self.note_references(&mut |digest| {
                found.insert(digest);
            })?;
        }
        for run in runs {
            let _reading = self.reading()?;
            self.collect_references(run, &mut found)?;
        }
        Ok(found)
    }
}
