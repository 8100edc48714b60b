//! Components that a worker has had before, in a folder of its machine.
//!
//! Files by digest, checked by whoever reads them; several workers may share the folder. Past its
//! bounds, those that were not used for longest go.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use wfhost_workflow::Digest;

use crate::clock;
use crate::content::ContentSource;

/// Files of the folder, together.
const BYTES_MAX: u64 = 4 << 30;

/// Files of the folder; as many as a worker may name in its hello.
const FILES_MAX: usize = wfhost_transport::message::COMPONENTS_MAX;

/// Extension of a file that is being written.
const NEW: &str = "new";

/// A file that is being written by a process that has ended is of no use after this long.
const NEW_AGE_MAX: std::time::Duration = std::time::Duration::from_secs(60 * 60);

/// A folder with a file for each component, named by its digest.
#[derive(Debug)]
pub struct ComponentFolder {
    folder: PathBuf,
    writes: AtomicU64,
}

impl ComponentFolder {
    /// Uses `folder`, which is made if it is not there, for this user alone.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let opened = Self { folder, writes: AtomicU64::new(0) };
        opened.prune();
        Ok(opened)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(digest.to_string())
    }

    fn write(&self, digest: &Digest, bytes: &[u8]) -> io::Result<()> {
        let path = self.path(digest);
        let number = self.writes.fetch_add(1, Ordering::Relaxed);
        let new = path.with_extension(format!("{}-{number}.{NEW}", std::process::id()));
        let mut options = OpenOptions::new();
        let written =
            options.write(true).create_new(true).mode(0o600).open(&new).and_then(|mut file| {
                file.write_all(bytes)?;
                fs::rename(&new, &path)
            });
        if written.is_err() {
            // A disk that is full: nothing of it stays.
            let _not_there = fs::remove_file(&new);
        }
        written
    }

    /// Removes what is over the bounds, oldest use first, and what was never finished.
    fn prune(&self) {
        let mut files = self.files();
        files.sort_by_key(|file| std::cmp::Reverse(file.used_at));
        let (mut count, mut bytes) = (0, 0_u64);
        for file in files {
            count += 1;
            bytes = bytes.saturating_add(file.bytes);
            if file.is_waste || count > FILES_MAX || bytes > BYTES_MAX {
                // Another worker of this machine may have removed it.
                let _gone = fs::remove_file(&file.path);
            }
        }
    }

    fn files(&self) -> Vec<Stored> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        entries.filter_map(|entry| Stored::at(&entry.ok()?.path())).collect()
    }
}

impl ContentSource for ComponentFolder {
    fn read(&self, digest: &Digest) -> io::Result<Option<Vec<u8>>> {
        let path = self.path(digest);
        match fs::read(&path) {
            Ok(bytes) => {
                // Only for who is removed first.
                let _stays_old =
                    File::open(&path).and_then(|file| file.set_modified(clock::system()));
                Ok(Some(bytes))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn keep(&self, digest: &Digest, bytes: &[u8]) -> io::Result<()> {
        self.write(digest, bytes)?;
        self.prune();
        Ok(())
    }

    fn components(&self) -> Vec<Digest> {
        let named = |file: Stored| file.path.file_name()?.to_str()?.parse().ok();
        self.files().into_iter().filter_map(named).take(FILES_MAX).collect()
    }
}

struct Stored {
    path: PathBuf,
    bytes: u64,
    used_at: SystemTime,
    /// Left behind by a process that has ended while it wrote.
    is_waste: bool,
}

impl Stored {
    fn at(path: &Path) -> Option<Self> {
        let facts = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        let used_at = facts.modified().ok()?;
        let is_new = path.extension().is_some_and(|extension| extension == NEW);
        let age = clock::system().duration_since(used_at).unwrap_or_default();
        let is_waste = is_new && age > NEW_AGE_MAX;
        Some(Self { path: path.to_owned(), bytes: facts.len(), used_at, is_waste })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: usize) -> Digest {
        Digest::of(&number.to_le_bytes())
    }

    #[test]
    fn what_is_kept_is_read_by_the_next_process_and_named_in_its_hello() {
        let folder = tempfile::tempdir().unwrap();
        let open = || ComponentFolder::open(folder.path().join("components")).unwrap();
        open().keep(&digest(1), b"code").unwrap();
        let again = open();
        assert_eq!(again.read(&digest(1)).unwrap().unwrap(), b"code");
        assert_eq!(again.read(&digest(2)).unwrap(), None);
        assert_eq!(again.components(), [digest(1)]);
    }

    #[test]
    fn past_the_bound_those_not_used_for_longest_go() {
        let folder = tempfile::tempdir().unwrap();
        let kept = ComponentFolder::open(folder.path().to_owned()).unwrap();
        for number in 0..=FILES_MAX {
            kept.write(&digest(number), b"x").unwrap();
            let age = std::time::Duration::from_secs((2 * FILES_MAX - number) as u64);
            let file = File::open(kept.path(&digest(number))).unwrap();
            file.set_modified(clock::system() - age).unwrap();
        }
        kept.read(&digest(0)).unwrap().unwrap();
        kept.prune();
        assert_eq!(kept.files().len(), FILES_MAX);
        assert!(kept.read(&digest(0)).unwrap().is_some(), "used just now");
        assert!(kept.read(&digest(1)).unwrap().is_none());
    }

    #[test]
    fn what_a_process_did_not_finish_is_removed_later_and_never_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(format!("{}.7-0.{NEW}", digest(1)));
        fs::write(&path, b"half").unwrap();
        let kept = ComponentFolder::open(folder.path().to_owned()).unwrap();
        assert!(path.exists() && kept.components().is_empty());
        let old = clock::system() - NEW_AGE_MAX - NEW_AGE_MAX;
        File::open(&path).unwrap().set_modified(old).unwrap();
        kept.prune();
        assert!(!path.exists());
    }
}
