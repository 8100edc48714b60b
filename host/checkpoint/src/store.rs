//! The contract of a store, and the values that cross it.

use std::collections::HashSet;
use std::str::FromStr;

use wfhost_workflow::run::{Record, RunSummary};
use wfhost_workflow::{Digest, Revision, RunId};

use crate::Error;

/// Runs' journals and summaries, durable.
///
/// Every method blocks: never call one on an async thread. Any thread may call any method.
/// - **Atomic**: a call of [`commit`](Self::commit) is stored whole or not at all, whatever
///   happens meanwhile.
/// - **Durable**: what is returned to a reader, or acknowledged to a writer, survives what the
///   [`Durability`] promises. Readers never see a commit that is not yet acknowledged.
/// - **Fenced**: a run's revision rises by one with each commit; any other is refused.
/// - **Fail-stop**: after a commit that failed for any reason but its own content
///   ([`Error::Fenced`], [`Error::BatchTooLarge`], [`Error::TooLarge`],
///   [`Error::Contradiction`]) every call gives [`Error::Stopped`].
/// - **Never silent**: what was stored is given back as it was, or [`Error::Damaged`] is.
pub trait Store: Send + Sync {
    /// Stores `commits` as one batch, in order; several of one run are fine.
    ///
    /// # Errors
    /// [`Error::Fenced`] if a record's revision is not its run's stored one plus 1;
    /// [`Error::BatchTooLarge`] if all of them do not fit one batch (a single commit always
    /// does); in both cases nothing was written.
    fn commit(&self, commits: &[Commit]) -> Result<(), Error>;

    /// Whether anything of `run` was stored, acknowledged or not. Unlike every other reader it
    /// never waits for a commit that is on its way.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn knows(&self, run: RunId) -> Result<bool, Error>;

    /// The summary of `run`, if there is such a run.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn summary(&self, run: RunId) -> Result<Option<RunSummary>, Error>;

    /// At most `limit` summaries, the newest run first, of runs older than `before`.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn summaries(&self, before: Option<RunId>, limit: usize) -> Result<Vec<RunSummary>, Error>;

    /// At most `limit` runs whose id's text begins with `prefix` in any case, newest first;
    /// none for a text that begins no id, all for an empty one.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn find(&self, prefix: &str, limit: usize) -> Result<Vec<RunId>, Error>;

    /// At most `limit` records of `run` after revision `after`, in order.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn journal(&self, run: RunId, after: Revision, limit: usize) -> Result<Vec<Record>, Error>;

    /// All that is needed to go on with `run`, if there is such a run: its newest usable
    /// snapshot and the records after it, or all records. The three agree with each other.
    ///
    /// # Errors
    /// If the store cannot be read. A damaged snapshot is no error: it is passed over.
    fn load(&self, run: RunId) -> Result<Option<Stored>, Error>;

    /// Removes all that is stored of `run`; nothing to do if there is no such run. A removal
    /// that is interrupted is finished when the store is opened again; from its beginning on the
    /// run is in no answer. Contents stay until they are collected.
    ///
    /// # Errors
    /// If the store cannot be written.
    fn remove(&self, run: RunId) -> Result<(), Error>;

    /// Writes, replaces and removes notes, all or none of them. Nobody reads one before it is
    /// durable. What is written last holds: a store's notes have one writer.
    ///
    /// # Errors
    /// If the store cannot be written.
    fn write_notes(&self, writes: &[NoteWrite]) -> Result<(), Error>;

    /// All notes, in the order of their names.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn notes(&self) -> Result<Vec<Note>, Error>;

    /// Every content that something stored refers to: what [`crate::Content::collect`] keeps.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn references(&self) -> Result<HashSet<Digest>, Error>;
}

/// Bytes of a note's name.
pub const NOTE_NAME_BYTES_MAX: usize = 256;

/// Something that is kept besides runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Under which name.
    pub name: String,
    /// What it says, in its owner's encoding.
    pub bytes: Vec<u8>,
    /// Contents that it needs.
    pub references: Vec<Digest>,
}

/// A change of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteWrite {
    /// Its name, at most [`NOTE_NAME_BYTES_MAX`].
    pub name: String,
    /// What it says and the contents that it needs; `None`: it goes.
    pub value: Option<(Vec<u8>, Vec<Digest>)>,
}

/// One change of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The run.
    pub run: RunId,
    /// What is added to its journal.
    pub record: Record,
    /// What lists show after it; of the same run and revision.
    pub summary: RunSummary,
    /// The whole state after the record, now and then, so that loading stays short.
    pub snapshot: Option<Snapshot>,
}

impl Commit {
    /// About how many bytes this adds to a batch: values over 4 KiB leave only a reference.
    #[must_use]
    pub fn weight_bytes(&self) -> usize {
        crate::format::weight_bytes(self)
    }
}

/// A run's whole state, in its owner's encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The last revision that it includes.
    pub revision: Revision,
    /// The state.
    pub bytes: Vec<u8>,
}

/// What [`Store::load`] gives back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The run's summary.
    pub summary: RunSummary,
    /// The newest snapshot that can be read.
    pub snapshot: Option<Snapshot>,
    /// The records after the snapshot; all of them if there is none.
    pub records: Vec<Record>,
}

/// What an acknowledged commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Durability {
    /// A power cut: written and synced to the device.
    #[default]
    Sync,
    /// The end of the process (`kill -9`), not a power cut: handed to the operating system.
    Os,
    /// Neither: written when it suits. For tests and for runs that can be lost.
    None,
}

impl Durability {
    /// The word on the command line and beside every figure.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Os => "os",
            Self::None => "none",
        }
    }
}

/// A text that names no [`Durability`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no durability (sync, os or none)")]
pub struct UnknownDurability(pub String);

impl FromStr for Durability {
    type Err = UnknownDurability;

    fn from_str(text: &str) -> Result<Self, UnknownDurability> {
        [Self::Sync, Self::Os, Self::None]
            .into_iter()
            .find(|durability| durability.name() == text)
            .ok_or_else(|| UnknownDurability(text.to_owned()))
    }
}
