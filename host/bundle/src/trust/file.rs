//! A list of trusted keys in a file that its operator changes while it is in use.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::Trust;
use crate::keys::KeyError;

/// A list's file, looked at again whenever it is asked.
#[derive(Debug)]
pub struct TrustFile {
    path: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    look: Look,
    now: Current,
}

/// What tells one state of a file from another without reading it. Two changes within a tick of
/// the file system's clock that leave its length are taken for one, unless the file was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    modified: Option<SystemTime>,
    bytes: u64,
    file: (u64, u64),
}

/// What the file says now.
#[derive(Debug, Clone)]
pub struct Current {
    /// The list.
    pub trust: Arc<Trust>,
    /// Rises whenever the list is another; 0: there has been no such file yet.
    pub generation: u64,
    /// Why the file cannot be read; `trust` is what it said before then.
    pub problem: Option<String>,
}

impl TrustFile {
    /// Reads the file.
    ///
    /// # Errors
    /// See [`Trust::read`].
    pub fn open(path: &Path) -> Result<Self, KeyError> {
        // Looked at first: a change while it is read is noticed later.
        let look = look(path);
        let trust = Arc::new(Trust::read(path)?);
        let now = Current { trust, generation: 1, problem: None };
        Ok(Self { path: path.to_owned(), kept: Mutex::new(Kept { look, now }) })
    }

    /// As [`Self::open`], but the file may also come later: until then it trusts nobody.
    ///
    /// # Errors
    /// If it is there and cannot be used; see [`Trust::read`].
    pub fn open_or_await(path: &Path) -> Result<Self, KeyError> {
        let look = look(path);
        if look != NOT_THERE {
            return Self::open(path);
        }
        let now = Current { trust: Arc::default(), generation: 0, problem: None };
        Ok(Self { path: path.to_owned(), kept: Mutex::new(Kept { look, now }) })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says; read again if it has changed. One that can no longer be read says what it
    /// said before: a slip of its operator's must not stop everything.
    #[must_use]
    pub fn current(&self) -> Current {
        let look = look(&self.path);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.look != look {
            kept.look = look;
            match Trust::read(&self.path) {
                Ok(trust) => {
                    if trust != *kept.now.trust || kept.now.generation == 0 {
                        kept.now.generation += 1;
                        kept.now.trust = Arc::new(trust);
                    }
                    kept.now.problem = None;
                }
                Err(error) => kept.now.problem = Some(error.to_string()),
            }
        }
        kept.now.clone()
    }
}

fn look(path: &Path) -> Look {
    use std::os::unix::fs::MetadataExt as _;
    match std::fs::metadata(path) {
        Ok(meta) => Look {
            modified: meta.modified().ok(),
            bytes: meta.len(),
            file: (meta.dev(), meta.ino()),
        },
        Err(_) => NOT_THERE,
    }
}

const NOT_THERE: Look = Look { modified: None, bytes: 0, file: (0, 0) };

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::SigningKey;

    #[test]
    fn a_changed_file_is_read_again_and_a_broken_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trust.toml");
        let key = SigningKey::generate("team").unwrap().id();
        let trusted = format!("[[keys]]\nid = \"{key}\"\ndeploys = [\"*\"]\n");
        // Replaced as an editor does, so that it is another file.
        let write = |text: &str| {
            let draft = folder.path().join("draft");
            fs::write(&draft, text).unwrap();
            fs::rename(&draft, &path).unwrap();
        };
        write(&trusted);
        let file = TrustFile::open(&path).unwrap();
        let first = file.current();
        assert_eq!((first.trust.keys().count(), first.generation), (1, 1));
        write("[[keys]]\nid = 7\n");
        let broken = file.current();
        assert!(broken.problem.is_some() && broken.generation == 1);
        assert_eq!(broken.trust, first.trust);
        write(&format!("{trusted}\n[[revoked]]\nid = \"{key}\"\n"));
        let revoked = file.current();
        assert!(revoked.problem.is_none() && revoked.generation == 2);
        assert_ne!(revoked.trust, first.trust);
        fs::remove_file(&path).unwrap();
        let gone = file.current();
        assert!(gone.problem.is_some() && gone.generation == 2);
    }

    #[test]
    fn a_file_that_is_not_there_yet_trusts_nobody_until_it_comes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trust.toml");
        assert!(TrustFile::open(&path).is_err());
        let file = TrustFile::open_or_await(&path).unwrap();
        assert_eq!(file.current().generation, 0);
        fs::write(&path, "").unwrap();
        let come = file.current();
        assert!(come.problem.is_none() && come.generation == 1);
        fs::write(&path, "no list").unwrap();
        assert!(TrustFile::open_or_await(&path).is_err());
    }
}
