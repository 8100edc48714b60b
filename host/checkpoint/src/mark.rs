//! The mark: how far the store had come, kept outside of it, so that a store that has lost
//! its end is noticed.
//!
//! Written after the commits that it tells of are durable, and not synced itself: it may lag
//! behind the store and never leads. Two slots are written in turn, so that a torn write
//! leaves the other.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::{Durability, Error, files};

const MAGIC: &[u8; 8] = b"wfmark1\n";
const SLOT_BYTES: usize = 32;
/// Slots lie in different sectors.
const SLOT_DISTANCE: usize = 4096;

/// How far the store had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Progress {
    /// How many batches it had taken.
    pub(crate) batches: u64,
    /// How many runs it had.
    pub(crate) runs: u64,
}

/// The mark file, open.
#[derive(Debug)]
pub(crate) struct Mark {
    path: PathBuf,
    file: File,
}

/// What the mark file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// There is no such file.
    Missing,
    /// No slot can be read.
    Unreadable,
    /// The newest slot.
    Progress(Progress),
}

/// Reads the mark without changing anything.
pub(crate) fn read(path: &Path) -> Result<Found, Error> {
    let Some(bytes) = files::read(path)? else {
        return Ok(Found::Missing);
    };
    let slots = [0, SLOT_DISTANCE];
    let newest = slots
        .into_iter()
        .filter_map(|at| bytes.get(at..)?.first_chunk::<SLOT_BYTES>())
        .filter_map(parse)
        .max();
    Ok(newest.map_or(Found::Unreadable, Found::Progress))
}

impl Mark {
    /// Opens the mark for writing; a new one says `progress` and is durable when this returns.
    pub(crate) fn open(
        path: PathBuf,
        progress: Progress,
        durability: Durability,
    ) -> Result<Self, Error> {
        if !path.exists() {
            Self::make(&path, progress, durability)?;
        }
        let file = OpenOptions::new()
            .write(true)
            .open(&path)
            .map_err(|source| Error::io("open", &path, source))?;
        Ok(Self { path, file })
    }

    /// Renamed into place when it is whole: a mark without a slot would count as damage.
    fn make(path: &Path, progress: Progress, durability: Durability) -> Result<(), Error> {
        let mut bytes = vec![0; slot_at(progress)];
        bytes.extend(slot(progress));
        let temporary = path.with_extension("new");
        files::remove_file(&temporary)?;
        files::write_new(&temporary, &bytes, durability)?;
        files::rename(&temporary, path)?;
        path.parent().map_or(Ok(()), |folder| files::sync(folder, durability))
    }

    /// Says that the store has come to `progress`; call it only when that is durable.
    pub(crate) fn write(&self, progress: Progress) -> Result<(), Error> {
        self.file
            .write_all_at(&slot(progress), slot_at(progress) as u64)
            .map_err(|source| Error::io("write", &self.path, source))
    }
}

/// Where in the file a slot stands.
const fn slot_at(progress: Progress) -> usize {
    if progress.batches.is_multiple_of(2) { 0 } else { SLOT_DISTANCE }
}

fn slot(progress: Progress) -> [u8; SLOT_BYTES] {
    let mut slot = [0; SLOT_BYTES];
    slot[..8].copy_from_slice(MAGIC);
    slot[8..16].copy_from_slice(&progress.batches.to_le_bytes());
    slot[16..24].copy_from_slice(&progress.runs.to_le_bytes());
    let crc = crc32fast::hash(&slot[..24]);
    slot[24..28].copy_from_slice(&crc.to_le_bytes());
    slot
}

fn parse(slot: &[u8; SLOT_BYTES]) -> Option<Progress> {
    let number = |at: usize| slot[at..].first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes));
    let crc = slot[24..].first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes))?;
    let whole = slot.starts_with(MAGIC) && crc32fast::hash(&slot[..24]) == crc;
    whole.then_some(Progress { batches: number(8)?, runs: number(16)? })
}

/// Whether a slot that can be read from `bytes` is written as it was; for the fuzzer.
pub(crate) fn is_same_when_read(bytes: &[u8]) -> bool {
    let read = bytes.first_chunk::<SLOT_BYTES>().and_then(parse);
    let number = |at: usize| {
        let eight = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>());
        eight.map_or(0, |eight| u64::from_le_bytes(*eight))
    };
    let made = Progress { batches: number(0), runs: number(8) };
    read.is_none_or(|read| parse(&slot(read)) == Some(read)) && parse(&slot(made)) == Some(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_whole_slot_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mark");
        assert_eq!(read(&path).unwrap(), Found::Missing);
        let progress = |batches| Progress { batches, runs: 3 };
        let mark = Mark::open(path.clone(), progress(7), Durability::Sync).unwrap();
        assert_eq!(read(&path).unwrap(), Found::Progress(progress(7)));
        mark.write(progress(8)).unwrap();
        assert_eq!(read(&path).unwrap(), Found::Progress(progress(8)));
        // A torn write of the newest leaves the one before.
        mark.file.write_all_at(&[0xff], 20).unwrap();
        assert_eq!(read(&path).unwrap(), Found::Progress(progress(7)));
        mark.file.set_len(10).unwrap();
        assert_eq!(read(&path).unwrap(), Found::Unreadable);
    }
}
