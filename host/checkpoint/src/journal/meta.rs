//! The store's own entry, and pointers to snapshots.

use serde::{Deserialize, Serialize};
use wfhost_workflow::{Digest, Revision, RunId};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128_with_seed};

use crate::format::{self, Unreadable};
use crate::key::Key;
use crate::mark::Progress;
use crate::table::Batch;
use crate::{Error, FORMAT};

/// What the store knows of itself; rewritten with every batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Meta {
    /// How many batches there have been.
    pub(crate) batches: u64,
    /// How many runs there are.
    pub(crate) runs: u64,
    /// The sum of the hashes of all other entries, modulo 2^128.
    pub(crate) checksum: u128,
}

#[derive(Serialize, Deserialize)]
struct StoredMeta {
    format: u32,
    batches: u64,
    runs: u64,
    #[serde(with = "serde_bytes")]
    checksum: [u8; 16],
}

impl Meta {
    pub(crate) const fn next_batch(self) -> Self {
        Self { batches: self.batches + 1, ..self }
    }

    pub(crate) const fn progress(self) -> Progress {
        Progress { batches: self.batches, runs: self.runs }
    }

    /// Counts an entry in.
    pub(crate) const fn add(&mut self, hash: u128) {
        self.checksum = self.checksum.wrapping_add(hash);
    }

    /// Counts an entry out.
    pub(crate) const fn subtract(&mut self, hash: u128) {
        self.checksum = self.checksum.wrapping_sub(hash);
    }

    pub(crate) fn put_into(self, batch: &mut Batch) -> Result<(), Error> {
        let payload = self.payload()?;
        let key = Key::Meta.bytes();
        let value = format::seal(&key, &payload, true);
        batch.put(key, value);
        Ok(())
    }

    /// The inverse of [`Self::decode`].
    pub(crate) fn payload(self) -> Result<Vec<u8>, Error> {
        let stored = StoredMeta {
            format: FORMAT,
            batches: self.batches,
            runs: self.runs,
            checksum: self.checksum.to_be_bytes(),
        };
        format::encode(RunId::from_bytes([0; 16]), &stored)
    }

    /// The entry's payload, with the format that it was written in.
    pub(crate) fn decode(payload: &[u8]) -> Result<(u32, Self), Unreadable> {
        let StoredMeta { format, batches, runs, checksum } = format::decode(payload)?;
        Ok((format, Self { batches, runs, checksum: u128::from_be_bytes(checksum) }))
    }
}

/// An entry's part of the checksum.
pub(crate) fn entry_hash(key: &[u8], value: &[u8]) -> u128 {
    xxh3_128_with_seed(value, xxh3_64(key))
}

/// Where a run's newest snapshot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PointedSnapshot {
    pub(crate) revision: Revision,
    pub(crate) digest: Digest,
}

#[derive(Serialize, Deserialize)]
struct StoredPointer {
    revision: u64,
    #[serde(with = "serde_bytes")]
    digest: [u8; 32],
}

impl PointedSnapshot {
    pub(crate) fn encode(self, run: RunId) -> Result<Vec<u8>, Error> {
        let digest = *self.digest.as_bytes();
        format::encode(run, &StoredPointer { revision: self.revision.0, digest })
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, Unreadable> {
        let StoredPointer { revision, digest } = format::decode(payload)?;
        Ok(Self { revision: Revision(revision), digest: Digest::from_bytes(digest) })
    }
}
