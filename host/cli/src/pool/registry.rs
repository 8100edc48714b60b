//! The pool's workers that are there, as files: whoever serves the data folder next finds them.
//!
//! Each worker holds a lock on a file of its own for as long as it lives, whatever ends it. A file
//! gets its name when its lock is held and its content is whole, so that one that is not locked is
//! of nobody.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

/// What a worker says of itself is two short texts.
const FILE_BYTES_MAX: u64 = 4096;

/// More files than there can be workers are not ours.
const FILES_MAX: usize = 4096;

/// A file that is being made.
const NEW: &str = "new";

/// A worker's own place in the registry; given up when the process ends.
#[derive(Debug)]
pub(crate) struct Membership {
    path: PathBuf,
    locked: File,
}

/// What a worker says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Its process.
    pub(super) pid: u32,
    /// Which program it is and how it was started.
    pub(super) setup: String,
}

impl Membership {
    /// This process is the worker of this name from now on.
    ///
    /// # Errors
    /// If another process has the name, or the file cannot be made.
    pub(crate) fn enter(folder: &Path, name: &str, setup: &str) -> io::Result<Self> {
        let new = folder.join(format!("{name}.{NEW}"));
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&new)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        let path = folder.join(name);
        if File::open(&path).is_ok_and(|other| is_locked(&other)) {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "another worker has its name",
            ));
        }
        let entry = Entry { pid: std::process::id(), setup: setup.to_owned() };
        file.set_len(0)?;
        file.write_all(&serde_json::to_vec(&entry)?)?;
        fs::rename(&new, &path)?;
        Ok(Self { path, locked: file })
    }

    /// Whether its file is gone, with the data folder or without, or another worker's is in its
    /// place: nobody will ever find it.
    pub(crate) fn is_void(&self) -> bool {
        match (fs::metadata(&self.path), self.locked.metadata()) {
            (Ok(there), Ok(own)) => (there.dev(), there.ino()) != (own.dev(), own.ino()),
            (Err(error), _) => error.kind() == io::ErrorKind::NotFound,
            (Ok(_), Err(_)) => false,
        }
    }
}

/// The folder.
#[derive(Debug, Clone)]
pub(super) struct Registry {
    folder: PathBuf,
}

impl Registry {
    pub(super) fn open(folder: PathBuf) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        Ok(Self { folder })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Nobody has this name any more.
    pub(super) fn forget(&self, name: &str) {
        for name in [name.to_owned(), format!("{name}.{NEW}")] {
            // A file that cannot be removed is found again, and is of nobody still.
            let _missing = fs::remove_file(self.folder.join(name));
        }
    }

    /// The workers that live, by name, in order. Files of those that do not are removed.
    pub(super) fn living(&self) -> Vec<(String, Entry)> {
        let Ok(files) = fs::read_dir(&self.folder) else { return Vec::new() };
        let mut living = Vec::new();
        for file in files.take(FILES_MAX).filter_map(Result::ok) {
            let path = file.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let Ok(mut file) = File::open(&path) else { continue };
            // Its worker may be about to lock it.
            if path.extension().is_some_and(|extension| extension == NEW) {
                continue;
            }
            if !is_locked(&file) {
                self.forget(name);
            } else if let Some(entry) = read(&mut file) {
                living.push((name.to_owned(), entry));
            }
        }
        living.sort_by(|(a, _), (b, _)| a.cmp(b));
        living
    }
}

/// Whether another process lives that has locked it.
fn is_locked(file: &File) -> bool {
    // A shared lock is given back with the file, and keeps no other look from its answer.
    flock(file, FlockOperation::NonBlockingLockShared).is_err()
}

fn read(file: &mut File) -> Option<Entry> {
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lives_is_found_and_who_is_gone_is_forgotten() {
        let temp = tempfile::tempdir().unwrap();
        let registry = Registry::open(temp.path().join("pool")).unwrap();
        assert_eq!(registry.living(), []);
        let one = Membership::enter(registry.folder(), "pool-1", "a").unwrap();
        let two = Membership::enter(registry.folder(), "pool-2", "b").unwrap();
        assert!(Membership::enter(registry.folder(), "pool-1", "c").is_err());
        let names = || registry.living().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(), ["pool-1", "pool-2"]);
        let entry = Entry { pid: std::process::id(), setup: "a".to_owned() };
        assert_eq!(registry.living()[0].1, entry);
        drop(one);
        assert_eq!(names(), ["pool-2"]);
        assert!(!registry.folder().join("pool-1").exists());
        let _again = Membership::enter(registry.folder(), "pool-1", "c").unwrap();
        assert!(!two.is_void());
        registry.forget("pool-2");
        assert!(two.is_void());
        let third = Membership::enter(registry.folder(), "pool-2", "b").unwrap();
        assert!(two.is_void() && !third.is_void());
        drop((two, third));
        assert_eq!(names(), ["pool-1"]);
    }

    #[test]
    fn what_is_no_worker_is_not_taken_for_one() {
        let temp = tempfile::tempdir().unwrap();
        let registry = Registry::open(temp.path().to_owned()).unwrap();
        fs::write(temp.path().join("pool-1"), "{\"pid\":1,\"setup\":\"\"}").unwrap();
        fs::write(temp.path().join("pool-2.new"), "").unwrap();
        assert_eq!(registry.living(), []);
        assert!(!temp.path().join("pool-1").exists());
        registry.forget("pool-2");
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
    }
}
