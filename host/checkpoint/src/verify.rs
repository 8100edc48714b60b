//! Reading everything once at open, so that damage is named before anything relies on it.
//!
//! The table's own word is not taken: each entry's checksum, the journals' continuity and the
//! checksum over all entries are looked at, and the mark says how far it must reach.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use wfhost_workflow::{Revision, RunId};

use crate::format::{self, Opened};
use crate::journal::{Assembly, Meta, PointedSnapshot, entry_hash, notes};
use crate::key::{self, Key};
use crate::mark::Found;
use crate::table::{Order, Table};
use crate::{Error, FORMAT, snapshots};

/// So many findings are named one by one.
const FINDINGS_MAX: usize = 8;

/// What a whole table holds.
#[derive(Debug)]
pub(crate) struct Verified {
    /// The store's own entry; `None` for an empty table.
    pub(crate) meta: Option<Meta>,
    /// The names of the snapshots that runs point to.
    pub(crate) snapshots: HashSet<String>,
    /// All keys and values.
    pub(crate) bytes: u64,
}

/// Reads all of `table` and compares it with `mark`.
pub(crate) fn verify(table: &dyn Table, mark: Found) -> Result<Verified, Error> {
    let mut scan = Scan::default();
    table.scan(key::everything(), Order::Ascending, &mut |key, value| {
        scan.entry(table, key, value)?;
        Ok(ControlFlow::Continue(()))
    })?;
    scan.conclude(mark);
    if scan.findings.is_empty() {
        let Scan { meta, snapshots, bytes, .. } = scan;
        return Ok(Verified { meta, snapshots, bytes });
    }
    let more = scan.findings.len().saturating_sub(FINDINGS_MAX);
    scan.findings.truncate(FINDINGS_MAX);
    if more > 0 {
        scan.findings.push(format!("and {more} more findings"));
    }
    Err(Error::damaged(table.file(), scan.findings.join("; ")))
}

#[derive(Default)]
struct Scan {
    meta: Option<Meta>,
    checksum: u128,
    entries: u64,
    bytes: u64,
    journal: Option<(RunId, Assembly)>,
    /// The last revision of each journal.
    journals: HashMap<RunId, Revision>,
    summaries: u64,
    /// Runs whose journal may be there in part.
    removing: HashSet<RunId>,
    snapshots: HashSet<String>,
    findings: Vec<String>,
}

impl Scan {
    fn entry(&mut self, table: &dyn Table, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.entries += 1;
        self.bytes += (key.len() + value.len()) as u64;
        let Some(parsed) = Key::parse(key) else {
            self.findings.push("it holds an unknown key".to_owned());
            return Ok(());
        };
        if parsed != Key::Meta {
            self.checksum = self.checksum.wrapping_add(entry_hash(key, value));
        }
        let opened = match format::open(key, value) {
            Ok(opened) => opened,
            Err(format::Unsealed::Version(found)) => return Err(newer(table, found.into())),
            Err(format::Unsealed::Checksum) => {
                self.findings.push(format!("{} has a wrong checksum", describe(parsed)));
                Opened { last: true, payload: &[] }
            }
        };
        if !matches!(parsed, Key::Journal { .. }) {
            self.end_journal();
        }
        match parsed {
            Key::Journal { run, revision, part } => self.record(run, revision, part, &opened),
            Key::Meta => match Meta::decode(opened.payload) {
                Ok((found, _)) if found > FORMAT => return Err(newer(table, found)),
                Ok((_, meta)) => self.meta = Some(meta),
                Err(why) => self.findings.push(format!("its own entry cannot be read: {why}")),
            },
            Key::Note(_) => {
                if let Err(why) = notes::check(parsed, opened.payload) {
                    self.findings.push(format!("a note cannot be read: {why}"));
                }
            }
            Key::Snapshot(run) => match PointedSnapshot::decode(opened.payload) {
                Ok(pointer) => {
                    self.snapshots.insert(snapshots::name(run, pointer.revision));
                }
                Err(why) => {
                    self.findings.push(format!("{} cannot be read: {why}", describe(parsed)));
                }
            },
            Key::Removing(run) => {
                self.removing.insert(run);
            }
            Key::Summary(run) => self.summary(run, opened.payload),
        }
        Ok(())
    }

    fn record(&mut self, run: RunId, revision: Revision, part: u16, opened: &Opened<'_>) {
        if self.journal.as_ref().is_none_or(|(current, _)| *current != run) {
            self.end_journal();
            self.journal = Some((run, Assembly::new(Revision(1))));
        }
        let Some((_, assembly)) = &mut self.journal else {
            return;
        };
        if let Err(missing) = assembly.add(revision, part, opened) {
            self.findings.push(format!("of run {run}, {missing}"));
            assembly.skip_to_after(revision);
        }
    }

    fn end_journal(&mut self) {
        let Some((run, assembly)) = self.journal.take() else {
            return;
        };
        if assembly.is_open() {
            let revision = assembly.expected().0;
            self.findings.push(format!("of run {run}, record {revision} is incomplete"));
        }
        self.journals.insert(run, Revision(assembly.expected().0.saturating_sub(1)));
    }

    fn summary(&mut self, run: RunId, payload: &[u8]) {
        self.summaries += 1;
        let last = self.journals.remove(&run).unwrap_or_default();
        match format::decode_summary(run, payload) {
            Ok(summary) if summary.revision != last => self.findings.push(format!(
                "the journal of run {run} ends at record {}, not at {}",
                last.0, summary.revision.0
            )),
            Ok(_) => {}
            Err(why) => self.findings.push(format!("the summary of run {run}: {why}")),
        }
    }

    fn conclude(&mut self, mark: Found) {
        self.end_journal();
        let removing = std::mem::take(&mut self.removing);
        for run in removing {
            // Its first records may be gone already, and that is as it should be.
            self.journals.remove(&run);
            let of_run = format!("of run {run}, ");
            self.findings.retain(|finding| !finding.starts_with(&of_run));
        }
        for run in self.journals.keys() {
            self.findings.push(format!("run {run} has a journal and no summary"));
        }
        match self.meta {
            Some(meta) => self.conclude_with(meta, mark),
            None if self.entries > 0 => {
                self.findings.push("its own entry is missing".to_owned());
            }
            None => match mark {
                Found::Progress(marked) if marked.batches > 1 || marked.runs > 0 => {
                    self.findings.push(format!(
                        "it is empty, and {} runs in {} batches were acknowledged",
                        marked.runs, marked.batches
                    ));
                }
                Found::Progress(_) | Found::Missing => {}
                Found::Unreadable => self.findings.push("the mark beside it too".to_owned()),
            },
        }
    }

    fn conclude_with(&mut self, meta: Meta, mark: Found) {
        if meta.runs != self.summaries {
            self.findings.push(format!("it holds {} of {} runs", self.summaries, meta.runs));
        }
        if meta.checksum != self.checksum {
            self.findings.push("its entries are not those that were written".to_owned());
        }
        match mark {
            Found::Progress(marked) if marked.batches > meta.batches => {
                self.findings.push(format!(
                    "it ends at batch {} with {} runs, and batch {} with {} runs was acknowledged",
                    meta.batches, meta.runs, marked.batches, marked.runs
                ));
            }
            Found::Progress(_) => {}
            // Between the making of the store and of its mark nothing was acknowledged.
            Found::Missing if meta.batches <= 1 => {}
            Found::Missing => self.findings.push(
                "the file `mark` beside it is missing, so that it cannot be told whether its end \
                 is lost"
                    .to_owned(),
            ),
            Found::Unreadable => {
                self.findings.push("the file `mark` beside it cannot be read".to_owned());
            }
        }
    }
}

fn newer(table: &dyn Table, found: u32) -> Error {
    Error::NewerFormat { path: table.file().to_path_buf(), found, supported: FORMAT }
}

fn describe(key: Key) -> String {
    match key {
        Key::Journal { run, revision, .. } => format!("record {} of run {run}", revision.0),
        Key::Meta => "its own entry".to_owned(),
        Key::Note(_) => "a note".to_owned(),
        Key::Snapshot(run) => format!("the snapshot pointer of run {run}"),
        Key::Removing(run) => format!("the removal of run {run}"),
        Key::Summary(run) => format!("the summary of run {run}"),
    }
}
