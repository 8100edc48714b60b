//! Reading entries back.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::Path;

use wfhost_workflow::run::{Record, RunSummary};
use wfhost_workflow::{Digest, Revision, RunId};

use super::{Journal, PointedSnapshot};
use crate::format::{self, Unreadable, Unsealed};
use crate::key::{self, Key};
use crate::table::{Order, Table};
use crate::{Error, FORMAT, Stored};

/// What is called with each record's payload.
type VisitRecord<'a> = &'a mut dyn FnMut(Revision, &[u8]) -> Result<ControlFlow<()>, Error>;

/// Puts the parts of records together as they come in order.
#[derive(Debug)]
pub(crate) struct Assembly {
    expected: Revision,
    part: u16,
    payload: Vec<u8>,
}

impl Assembly {
    /// Expects the first part of `first`.
    pub(crate) const fn new(first: Revision) -> Self {
        Self { expected: first, part: 0, payload: Vec::new() }
    }

    /// The revision that is expected next, or under way.
    pub(crate) const fn expected(&self) -> Revision {
        self.expected
    }

    /// Whether a record has begun and not ended.
    pub(crate) const fn is_open(&self) -> bool {
        self.part > 0
    }

    /// Takes the next part; the record's payload if it was the last.
    ///
    /// An error says what is missing.
    pub(crate) fn add(
        &mut self,
        revision: Revision,
        part: u16,
        opened: &format::Opened<'_>,
    ) -> Result<Option<Vec<u8>>, String> {
        if revision != self.expected || part != self.part {
            return Err(self.missing_before(revision));
        }
        self.payload.extend_from_slice(opened.payload);
        if opened.last {
            self.expected = revision.next();
            self.part = 0;
            return Ok(Some(std::mem::take(&mut self.payload)));
        }
        self.part += 1;
        Ok(None)
    }

    fn missing_before(&self, found: Revision) -> String {
        let first = self.expected.0;
        match found.0.checked_sub(1) {
            Some(last) if last > first => format!("records {first} to {last} are missing"),
            _ => format!("record {first} is missing or incomplete"),
        }
    }

    /// Expects what follows `revision`, whatever came before.
    pub(crate) fn skip_to_after(&mut self, revision: Revision) {
        *self = Self::new(revision.next());
    }
}

/// What to say of an entry that cannot be opened.
pub(crate) fn unsealed(file: &Path, what: &str, why: &Unsealed) -> Error {
    match why {
        Unsealed::Checksum => Error::damaged(file, format!("{what} has a wrong checksum")),
        Unsealed::Version(found) => Error::NewerFormat {
            path: file.to_path_buf(),
            found: u32::from(*found),
            supported: FORMAT,
        },
    }
}

impl<T: Table> Journal<T> {
    pub(super) fn read_summary(&self, run: RunId) -> Result<Option<RunSummary>, Error> {
        let key = Key::Summary(run).bytes();
        match self.table.get(&key)? {
            Some(value) => self.summary_of(run, &key, &value).map(Some),
            None => Ok(None),
        }
    }

    pub(super) fn read_summaries(
        &self,
        before: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<RunSummary>, Error> {
        let last = match before.map(|run| u128::from_be_bytes(run.to_bytes()).checked_sub(1)) {
            Some(Some(last)) => last,
            Some(None) => return Ok(Vec::new()),
            None => u128::MAX,
        };
        let mut found = Vec::new();
        self.visit_runs(RunId::from_bytes([0; 16]), run_id(last), limit, |run, key, value| {
            found.push(self.summary_of(run, key, value)?);
            Ok(())
        })?;
        Ok(found)
    }

    pub(super) fn find_runs(&self, prefix: &str, limit: usize) -> Result<Vec<RunId>, Error> {
        let Some((first, last)) = key::runs_with_prefix(prefix) else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        self.visit_runs(first, last, limit, |run, _, _| {
            found.push(run);
            Ok(())
        })?;
        Ok(found)
    }

    /// Visits at most `limit` summaries, the newest first.
    fn visit_runs(
        &self,
        first: RunId,
        last: RunId,
        limit: usize,
        mut visit: impl FnMut(RunId, &[u8], &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut left = limit;
        self.table.scan(key::summaries(first, last), Order::Descending, &mut |key, value| {
            let (Some(rest), Some(Key::Summary(run))) = (left.checked_sub(1), Key::parse(key))
            else {
                return Ok(ControlFlow::Break(()));
            };
            left = rest;
            visit(run, key, value)?;
            Ok(ControlFlow::Continue(()))
        })
    }

    pub(super) fn read_records(
        &self,
        run: RunId,
        after: Revision,
        limit: usize,
    ) -> Result<Vec<Record>, Error> {
        let mut records = Vec::new();
        if limit == 0 || after.0 == u64::MAX {
            return Ok(records);
        }
        self.visit_records(run, after.next(), &mut |revision, payload| {
            let record = format::decode_record(revision, payload, &|digest| self.fetch(digest))
                .map_err(|why| self.unreadable(run, revision, why))?;
            records.push(record);
            Ok(if records.len() < limit {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        })?;
        Ok(records)
    }

    /// Visits the payloads of `run`'s records from `first` on.
    fn visit_records(
        &self,
        run: RunId,
        first: Revision,
        visit: VisitRecord<'_>,
    ) -> Result<(), Error> {
        // A journal's first record is 1; `after` may be 0.
        let mut assembly = Assembly::new(first.max(Revision(1)));
        let range = key::journal_from(run, first);
        self.table.scan(range, Order::Ascending, &mut |key, value| {
            let Some(Key::Journal { revision, part, .. }) = Key::parse(key) else {
                return Err(Error::damaged(self.table.file(), "it holds an unknown key"));
            };
            let what = || format!("record {} of run {run}", revision.0);
            let opened = format::open(key, value)
                .map_err(|why| unsealed(self.table.file(), &what(), &why))?;
            let payload = assembly.add(revision, part, &opened).map_err(|missing| {
                Error::damaged(self.table.file(), format!("of run {run}, {missing}"))
            })?;
            match payload {
                Some(payload) => visit(revision, &payload),
                None => Ok(ControlFlow::Continue(())),
            }
        })
    }

    pub(super) fn read_stored(&self, run: RunId) -> Result<Option<Stored>, Error> {
        let Some(summary) = self.read_summary(run)? else {
            return Ok(None);
        };
        let key = Key::Snapshot(run).bytes();
        let pointer = match self.table.get(&key)? {
            Some(value) => Some(self.pointer_of(run, &key, &value)?),
            None => None,
        };
        let snapshot = pointer.and_then(|PointedSnapshot { revision, digest }| {
            let snapshot = self.snapshots.get(run, revision, &digest);
            if snapshot.is_none() {
                tracing::warn!(%run, revision = revision.0, "snapshot unusable: reading all records");
            }
            snapshot
        });
        let after = snapshot.as_ref().map_or(Revision(0), |snapshot| snapshot.revision);
        let records = self.read_records(run, after, usize::MAX)?;
        let last = records.last().map_or(after, |record| record.revision);
        if last != summary.revision {
            let what = format!(
                "the journal of run {run} ends at record {}, not at {}",
                last.0, summary.revision.0
            );
            return Err(Error::damaged(self.table.file(), what));
        }
        Ok(Some(Stored { summary, snapshot, records }))
    }

    pub(super) fn collect_references(
        &self,
        run: RunId,
        found: &mut HashSet<Digest>,
    ) -> Result<(), Error> {
        if let Some(summary) = self.read_summary(run)? {
            found.insert(summary.definition);
        }
        self.visit_records(run, Revision(1), &mut |revision, payload| {
            format::record_references(payload, &|digest| self.fetch(digest), &mut |digest| {
                found.insert(digest);
            })
            .map_err(|why| self.unreadable(run, revision, why))?;
            Ok(ControlFlow::Continue(()))
        })
    }

    /// A content that a record refers to: it must be there.
    fn fetch(&self, digest: &Digest) -> Result<Vec<u8>, Error> {
        self.content.get(digest).map_err(|error| match (error, self.content.path(digest)) {
            (Error::NoContent(_), Some(path)) => Error::damaged(&path, "it is missing"),
            (error, _) => error,
        })
    }

    fn unreadable(&self, run: RunId, revision: Revision, why: Unreadable) -> Error {
        match why {
            Unreadable::Content(error) => error,
            Unreadable::Form(why) => {
                let what = format!("record {} of run {run} cannot be read: {why}", revision.0);
                Error::damaged(self.table.file(), what)
            }
        }
    }

    pub(super) fn summary_of(
        &self,
        run: RunId,
        key: &[u8],
        value: &[u8],
    ) -> Result<RunSummary, Error> {
        let what = || format!("the summary of run {run}");
        let opened =
            format::open(key, value).map_err(|why| unsealed(self.table.file(), &what(), &why))?;
        format::decode_summary(run, opened.payload)
            .map_err(|why| Error::damaged(self.table.file(), format!("{}: {why}", what())))
    }

    pub(super) fn pointer_of(
        &self,
        run: RunId,
        key: &[u8],
        value: &[u8],
    ) -> Result<PointedSnapshot, Error> {
        let what = || format!("the snapshot pointer of run {run}");
        let opened =
            format::open(key, value).map_err(|why| unsealed(self.table.file(), &what(), &why))?;
        PointedSnapshot::decode(opened.payload)
            .map_err(|why| Error::damaged(self.table.file(), format!("{}: {why}", what())))
    }
}

const fn run_id(number: u128) -> RunId {
    RunId::from_bytes(number.to_be_bytes())
}
