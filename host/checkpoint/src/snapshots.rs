//! Snapshots as files of their own: `snapshots/<run>.<revision>`, replaced as the run goes on.
//!
//! A snapshot only shortens loading: one that is missing or damaged is passed over, since the
//! journal has everything.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use wfhost_workflow::{Digest, Revision, RunId};

use crate::{Durability, Error, Snapshot, crash_points, files};

/// Where snapshots are kept.
#[derive(Debug)]
pub(crate) enum Snapshots {
    Folder { root: PathBuf, durability: Durability },
    Memory(Mutex<HashMap<(RunId, Revision), Vec<u8>>>),
}

impl Snapshots {
    pub(crate) fn open(root: PathBuf, durability: Durability) -> Result<Self, Error> {
        files::make_private_folder(&root)?;
        Ok(Self::Folder { root, durability })
    }

    pub(crate) fn memory() -> Self {
        Self::Memory(Mutex::default())
    }

    /// Stores a snapshot; [`Self::settle`] makes its name durable.
    pub(crate) fn put(&self, run: RunId, snapshot: &Snapshot) -> Result<Digest, Error> {
        match self {
            Self::Folder { root, durability } => {
                let path = root.join(name(run, snapshot.revision));
                let temporary = path.with_extension("tmp");
                files::write_new(&temporary, &snapshot.bytes, *durability)?;
                crash_points::die_at("in-snapshot");
                files::rename(&temporary, &path)?;
                crash_points::die_at("in-snapshot");
            }
            Self::Memory(map) => {
                map.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert((run, snapshot.revision), snapshot.bytes.clone());
            }
        }
        Ok(Digest::of(&snapshot.bytes))
    }

    pub(crate) fn settle(&self) -> Result<(), Error> {
        match self {
            Self::Folder { root, durability } => files::sync(root, *durability),
            Self::Memory(_) => Ok(()),
        }
    }

    /// The snapshot, if it is there and is what was stored.
    pub(crate) fn get(&self, run: RunId, revision: Revision, digest: &Digest) -> Option<Snapshot> {
        let bytes = match self {
            Self::Folder { root, .. } => {
                files::read(&root.join(name(run, revision))).ok().flatten()?
            }
            Self::Memory(map) => {
                map.lock().unwrap_or_else(PoisonError::into_inner).get(&(run, revision))?.clone()
            }
        };
        (Digest::of(&bytes) == *digest).then_some(Snapshot { revision, bytes })
    }

    /// Removes a snapshot that nothing names any more; a failure only leaves a file behind.
    pub(crate) fn remove(&self, run: RunId, revision: Revision) {
        match self {
            Self::Folder { root, .. } => {
                if let Err(error) = files::remove_file(&root.join(name(run, revision))) {
                    tracing::warn!(%run, %error, "an old snapshot stays behind");
                }
            }
            Self::Memory(map) => {
                map.lock().unwrap_or_else(PoisonError::into_inner).remove(&(run, revision));
            }
        }
    }

    /// Removes every file that `is_current` does not claim: what a crash has left behind.
    pub(crate) fn sweep(&self, is_current: &dyn Fn(&str) -> bool) -> Result<(), Error> {
        let Self::Folder { root, .. } = self else {
            return Ok(());
        };
        for file in files::entries(root)? {
            if !file.file_name().to_str().is_some_and(is_current) {
                files::remove_file(&file.path())?;
            }
        }
        Ok(())
    }
}

/// The file's name.
pub(crate) fn name(run: RunId, revision: Revision) -> String {
    format!("{run}.{}", revision.0)
}
