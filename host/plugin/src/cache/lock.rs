//! One process compiles, the others wait for it: a lock file a component and engine.
//!
//! The system frees a lock whose holder has died, however it died.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FlockOperation;

use super::folder::LOCKS;
use super::{Cache, NativeId};
use crate::clock;

const PAUSE: Duration = Duration::from_millis(20);

/// Held until dropped.
pub(crate) struct Turn {
    path: PathBuf,
    _file: File,
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Still locked, so that nobody else takes the name for theirs; see `is_there`.
        let _ignored = fs::remove_file(&self.path);
    }
}

impl Cache {
    /// Waits until nobody else compiles this. `None` if that takes longer than `patience` or
    /// cannot be found out: then it is compiled twice, which is no harm.
    pub(crate) fn turn(&self, id: &NativeId, patience: Duration) -> Option<Turn> {
        let path = self.part(LOCKS).join(id.name());
        let until = clock::now().checked_add(patience)?;
        loop {
            match take(&path) {
                Ok(Some(file)) => return Some(Turn { path, _file: file }),
                Ok(None) if clock::now() < until => std::thread::sleep(PAUSE),
                Ok(None) => {
                    tracing::warn!("another process has compiled the same component for too long");
                    return None;
                }
                Err(error) => {
                    tracing::debug!(%error, "no lock in the cache");
                    return None;
                }
            }
        }
    }
}

fn take(path: &Path) -> std::io::Result<Option<File>> {
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) if is_there(path, &file) => Ok(Some(file)),
        Ok(()) | Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether the name still means this file: its last holder may have removed it meanwhile.
fn is_there(path: &Path, file: &File) -> bool {
    match (fs::metadata(path), file.metadata()) {
        (Ok(named), Ok(held)) => (named.dev(), named.ino()) == (held.dev(), held.ino()),
        _ => false,
    }
}
