//! Values by their SHA-256: `content/ab/abcd…`, one file each, verified whenever read.
//!
//! A content is whole and durable before its digest is given out. Equal contents are one
//! file. Nothing refers to a file from here, so [`Content::collect`] is told what to keep.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wfhost_workflow::Digest;

use crate::{Durability, Error};

mod folder;
mod incoming;

use folder::Folder;
pub use incoming::Incoming;

/// Files by content; a cheap handle.
#[derive(Debug, Clone)]
pub struct Content(Arc<Place>);

#[derive(Debug)]
enum Place {
    Folder(Folder),
    Memory(Mutex<HashMap<Digest, Arc<[u8]>>>),
}

/// What [`Content::collect`] removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Collected {
    /// How many files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Content {
    /// Contents of `folder`, which is made if it is missing.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn open(folder: impl Into<PathBuf>, durability: Durability) -> Result<Self, Error> {
        Ok(Self(Arc::new(Place::Folder(Folder::open(folder.into(), durability)?))))
    }

    /// Contents that live as long as the last handle.
    #[must_use]
    pub fn memory() -> Self {
        Self(Arc::new(Place::Memory(Mutex::default())))
    }

    /// Stores `bytes` and returns their digest, once they are as safe as the durability says.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, Error> {
        let digest = Digest::of(bytes);
        self.put_all(&[(digest, Cow::Borrowed(bytes))])?;
        Ok(digest)
    }

    /// Stores several contents, whose digests are known, with as few syncs as possible.
    pub(crate) fn put_all(&self, contents: &[(Digest, Cow<'_, [u8]>)]) -> Result<(), Error> {
        match &*self.0 {
            Place::Folder(folder) => folder.put_all(contents),
            Place::Memory(map) => {
                let mut map = lock(map);
                for (digest, bytes) in contents {
                    map.entry(*digest).or_insert_with(|| Arc::from(bytes.as_ref()));
                }
                Ok(())
            }
        }
    }

    /// The content, verified.
    ///
    /// # Errors
    /// [`Error::NoContent`] if it is not stored, [`Error::Damaged`] if its file holds something
    /// else.
    pub fn get(&self, digest: &Digest) -> Result<Vec<u8>, Error> {
        match &*self.0 {
            Place::Folder(folder) => folder.get(digest),
            Place::Memory(map) => {
                lock(map).get(digest).map(|bytes| bytes.to_vec()).ok_or(Error::NoContent(*digest))
            }
        }
    }

    /// The content's file, whether it is there or not; `None` in memory.
    ///
    /// What is read from it is not verified. It is never changed, only removed.
    #[must_use]
    pub fn path(&self, digest: &Digest) -> Option<PathBuf> {
        match &*self.0 {
            Place::Folder(folder) => Some(folder.path(digest)),
            Place::Memory(_) => None,
        }
    }

    /// The content's length in bytes, without reading it; `None` if it is not stored.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn len(&self, digest: &Digest) -> Result<Option<u64>, Error> {
        match &*self.0 {
            Place::Folder(folder) => folder.len(digest),
            Place::Memory(map) => Ok(lock(map).get(digest).map(|bytes| bytes.len() as u64)),
        }
    }

    /// Whether the content is stored, without reading it.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn contains(&self, digest: &Digest) -> Result<bool, Error> {
        Ok(self.len(digest)?.is_some())
    }

    /// Whether the content is stored and whole; then it is as young as one that was just put, and
    /// as safe. Reads it, unless this process did before.
    ///
    /// # Errors
    /// If the folder cannot be read or synced.
    pub fn renew(&self, digest: &Digest) -> Result<bool, Error> {
        match &*self.0 {
            Place::Folder(folder) => folder.renew_if_whole(digest),
            Place::Memory(map) => Ok(lock(map).contains_key(digest)),
        }
    }

    /// Begins a content that comes in parts: `total` bytes with this digest.
    ///
    /// # Errors
    /// If its file cannot be made.
    pub fn incoming(&self, digest: Digest, total: u64) -> Result<Incoming, Error> {
        Incoming::begin(self.clone(), digest, total)
    }

    /// Removes what was incoming in processes that have ended; the caller holds the folder's lock
    /// and has nothing incoming itself.
    ///
    /// # Errors
    /// If a file cannot be removed.
    pub fn forget_incoming(&self) -> Result<u64, Error> {
        match &*self.0 {
            Place::Folder(folder) => folder.forget_incoming(),
            Place::Memory(_) => Ok(0),
        }
    }

    /// Removes every content that is not in `keep` and was last put longer than `age_min` ago.
    ///
    /// Safe while others put: a put renews the age, also of a content that is there already. So
    /// `age_min` must be longer than it takes from a put to the commit that refers to it.
    ///
    /// # Errors
    /// If a file cannot be removed; those before it are.
    pub fn collect(&self, keep: &HashSet<Digest>, age_min: Duration) -> Result<Collected, Error> {
        match &*self.0 {
            Place::Folder(folder) => folder.collect(keep, age_min),
            // Ages are not known here, and memory goes with the process.
            Place::Memory(_) => Ok(Collected::default()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
