//! Making one batch of several commits.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use wfhost_workflow::{Digest, Revision, RunId};

use super::{Head, Journal, Meta, PointedSnapshot, Writer, entry_hash};
use crate::format::{self, seal};
use crate::key::Key;
use crate::table::{Batch, Table};
use crate::{Commit, Error, Snapshot};

/// Below sled's segment of 512 KiB, with room for what it adds: a batch that spans segments
/// could find one of them reused before the sync.
const BATCH_BYTES_MAX: usize = 384 << 10;

/// A batch that is ready to be written, and what goes with it.
pub(super) struct Plan<'a> {
    batch: Batch,
    meta: Meta,
    heads: HashMap<RunId, Head>,
    large: Vec<(Digest, Cow<'a, [u8]>)>,
    snapshots: HashMap<RunId, &'a Snapshot>,
    /// Snapshots that nothing will name any more.
    replaced: Vec<(RunId, Revision)>,
}

impl<T: Table> Journal<T> {
    /// Decides everything about `commits` and writes nothing.
    pub(super) fn plan<'a>(
        &self,
        writer: &Writer,
        commits: &'a [Commit],
    ) -> Result<Plan<'a>, Error> {
        let mut plan = Plan {
            batch: Batch::default(),
            meta: writer.meta,
            heads: HashMap::with_capacity(commits.len()),
            large: Vec::new(),
            snapshots: HashMap::new(),
            replaced: Vec::new(),
        };
        let mut last = HashMap::with_capacity(commits.len());
        for commit in commits {
            if let Entry::Vacant(head) = plan.heads.entry(commit.run) {
                head.insert(self.head(writer, commit.run)?);
            }
            plan.add_record(commit)?;
            last.insert(commit.run, commit);
        }
        for commit in last.into_values() {
            plan.add_summary(commit)?;
        }
        plan.add_snapshots()?;
        if plan.batch.bytes() > BATCH_BYTES_MAX && commits.len() > 1 {
            return Err(Error::BatchTooLarge { bytes: plan.batch.bytes(), max: BATCH_BYTES_MAX });
        }
        Ok(plan)
    }

    /// Writes what `plan` says: files first, then the batch that refers to them.
    pub(super) fn carry_out(
        &self,
        writer: &mut Writer,
        plan: Plan<'_>,
        commits: &[Commit],
    ) -> Result<(), Error> {
        self.or_stop(self.write_files(&plan))?;
        let Plan { batch, meta, heads, replaced, .. } = plan;
        self.apply(writer, batch, meta)?;
        for (run, revision) in replaced {
            self.snapshots.remove(run, revision);
        }
        writer.heads.extend(heads);
        for commit in commits {
            if commit.summary.status.is_over() {
                writer.heads.remove(&commit.run);
            }
        }
        Ok(())
    }

    fn write_files(&self, plan: &Plan<'_>) -> Result<(), Error> {
        self.content.put_all(&plan.large)?;
        for (run, snapshot) in &plan.snapshots {
            self.snapshots.put(*run, snapshot)?;
        }
        if plan.snapshots.is_empty() { Ok(()) } else { self.snapshots.settle() }
    }

    /// Where `run` stands: remembered, or read.
    pub(super) fn head(&self, writer: &Writer, run: RunId) -> Result<Head, Error> {
        if let Some(head) = writer.heads.get(&run) {
            return Ok(*head);
        }
        let key = Key::Summary(run).bytes();
        let Some(value) = self.table.get(&key)? else {
            return Ok(Head::default());
        };
        let summary_hash = Some(entry_hash(&key, &value));
        let revision = self.summary_of(run, &key, &value)?.revision;
        let key = Key::Snapshot(run).bytes();
        let snapshot = match self.table.get(&key)? {
            Some(value) => {
                let pointer = self.pointer_of(run, &key, &value)?;
                Some((pointer.revision, entry_hash(&key, &value)))
            }
            None => None,
        };
        Ok(Head { revision, summary_hash, snapshot })
    }
}

impl<'a> Plan<'a> {
    fn add_record(&mut self, commit: &'a Commit) -> Result<(), Error> {
        let Commit { run, record, summary, snapshot } = commit;
        let run = *run;
        let head = self.heads.entry(run).or_default();
        if record.revision != head.revision.next() {
            return Err(Error::Fenced { run, stored: head.revision, offered: record.revision });
        }
        let what = match snapshot {
            _ if summary.run != run => Some("its summary is of another run"),
            _ if summary.revision != record.revision => Some("its summary is of another revision"),
            Some(snapshot) if snapshot.revision != record.revision => {
                Some("its snapshot is of another revision")
            }
            Some(_) | None => None,
        };
        if let Some(what) = what {
            return Err(Error::Contradiction { run, what });
        }
        head.revision = record.revision;
        let encoded = format::encode_record(run, record)?;
        let last = encoded.parts.len().saturating_sub(1);
        for (part, payload) in encoded.parts.iter().enumerate() {
            let number = u16::try_from(part).map_err(|_| Error::TooLarge {
                run,
                what: "a record",
                bytes: encoded.parts.iter().map(Vec::len).sum(),
                max: usize::from(u16::MAX),
            })?;
            let key = Key::Journal { run, revision: record.revision, part: number }.bytes();
            self.put(key, payload, part == last);
        }
        self.large.extend(encoded.large.0);
        if let Some(snapshot) = snapshot {
            self.snapshots.insert(run, snapshot);
        }
        Ok(())
    }

    fn add_summary(&mut self, commit: &Commit) -> Result<(), Error> {
        let run = commit.run;
        let payload = format::encode_summary(&commit.summary)?;
        let hash = self.put(Key::Summary(run).bytes(), &payload, true);
        let head = self.heads.entry(run).or_default();
        match head.summary_hash.replace(hash) {
            Some(old) => self.meta.subtract(old),
            None => self.meta.runs += 1,
        }
        Ok(())
    }

    fn add_snapshots(&mut self) -> Result<(), Error> {
        for (run, snapshot) in self.snapshots.clone() {
            let digest = Digest::of(&snapshot.bytes);
            let pointer = PointedSnapshot { revision: snapshot.revision, digest };
            let hash = self.put(Key::Snapshot(run).bytes(), &pointer.encode(run)?, true);
            let head = self.heads.entry(run).or_default();
            if let Some((revision, old)) = head.snapshot.replace((snapshot.revision, hash)) {
                self.meta.subtract(old);
                self.replaced.push((run, revision));
            }
        }
        Ok(())
    }

    /// Adds an entry and its share of the checksum.
    fn put(&mut self, key: Vec<u8>, payload: &[u8], last: bool) -> u128 {
        let value = seal(&key, payload, last);
        let hash = entry_hash(&key, &value);
        self.meta.add(hash);
        self.batch.put(key, value);
        hash
    }
}
