//! A folder in which an entry is written before it is renamed into place.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::FlockOperation;

use super::folder::TMP;
use super::key::random_name;
use super::{Cache, CacheError};
use crate::clock;

/// A draft is a matter of a second; this is for one whose owner has not locked it yet.
const YOUNG: Duration = Duration::from_mins(2);

/// Removed when dropped, unless it was renamed. Its lock tells others that its owner lives.
pub(super) struct Draft {
    path: PathBuf,
    _lock: File,
}

impl Draft {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn write(&self, name: &str, mode: u32, content: &[u8]) -> Result<(), CacheError> {
        let path = self.path.join(name);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&path)
            .and_then(|mut file| file.write_all(content))
            .map_err(CacheError::io("write", &path))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // It is gone, where it was renamed; what stays otherwise is removed later.
        let _ignored = fs::remove_dir_all(&self.path);
    }
}

impl Cache {
    pub(super) fn draft(&self) -> Result<Draft, CacheError> {
        let folder = self.part(TMP);
        let name = random_name().map_err(CacheError::io("write", &folder))?;
        let path = folder.join(name);
        let made = fs::create_dir(&path).and_then(|()| {
            let lock = File::open(&path)?;
            rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
            Ok(lock)
        });
        let lock = made.map_err(CacheError::io("write", &path))?;
        Ok(Draft { path, _lock: lock })
    }

    /// Takes something out of the cache at once, and then apart.
    pub(super) fn discard(&self, path: &Path) -> Result<(), CacheError> {
        let draft = self.draft()?;
        fs::rename(path, draft.path().join("discarded")).map_err(CacheError::io("remove", path))
    }

    /// Removes what crashes left behind.
    pub(super) fn remove_leftovers(&self) {
        let Ok(drafts) = fs::read_dir(self.part(TMP)) else { return };
        for draft in drafts.flatten() {
            let path = draft.path();
            if is_left(&path, clock::wall()) {
                // Another process may be at it as well.
                let _ignored = fs::remove_dir_all(&path);
            }
        }
    }
}

fn is_left(path: &Path, now: SystemTime) -> bool {
    let old = fs::metadata(path)
        .and_then(|metadata| metadata.modified())
        .is_ok_and(|made| now.duration_since(made).is_ok_and(|age| age > YOUNG));
    old && File::open(path).is_ok_and(|file| {
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::CacheOptions;

    #[test]
    fn what_a_crash_left_is_removed_and_what_is_being_written_is_not() {
        let place = tempfile::tempdir().unwrap();
        let cache = Cache::open(&CacheOptions::new(place.path().join("cache"))).unwrap();
        let (writing, dead) = (cache.draft().unwrap(), cache.part(TMP).join("dead"));
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join("artifact"), "half").unwrap();
        cache.remove_leftovers();
        assert!(dead.exists(), "its owner may be about to lock it");
        for path in [&dead, writing.path()] {
            File::open(path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        }
        cache.remove_leftovers();
        assert!(!dead.exists() && writing.path().exists());
        let path = writing.path().to_path_buf();
        drop(writing);
        assert!(!path.exists());
    }
}
