//! The cache's folder: private, or not used at all.
//!
//! ```text
//! key          32 random bytes, 0600: what the MACs are made with
//! native/      <digest>-<engine>/{header, artifact}: renamed into place as a whole
//! facts/       <digest>: what the component's binary says of it
//! contracts/   <digest>: what it offers, its `describe` included
//! locks/       <digest>-<engine>: held by the process that compiles it
//! tmp/         what is being written, and what a crash left of that
//! ```

use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::key::Key;
use super::{CacheError, CacheOptions};

pub(super) const NATIVE: &str = "native";
pub(super) const LOCKS: &str = "locks";
pub(super) const TMP: &str = "tmp";

/// A cache that can be trusted.
pub(crate) struct Cache {
    pub(super) folder: PathBuf,
    pub(super) size_bytes: u64,
    pub(super) key: Key,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Cache {
    /// Makes what is missing.
    pub(crate) fn open(options: &CacheOptions) -> Result<Self, CacheError> {
        let folder = &options.folder;
        if let Some(parent) = folder.parent() {
            fs::create_dir_all(parent).map_err(CacheError::io("make", parent))?;
        }
        private_folder(folder)?;
        let key = Key::of(folder)?;
        for part in [NATIVE, LOCKS, TMP, super::Kind::Facts.name(), super::Kind::Contracts.name()] {
            private_folder(&folder.join(part))?;
        }
        Ok(Self { folder: folder.clone(), size_bytes: options.size_bytes, key })
    }

    /// Makes nothing where there is no cache yet.
    pub(super) fn open_existing(options: &CacheOptions) -> Result<Option<Self>, CacheError> {
        match fs::metadata(&options.folder) {
            Ok(_) => Self::open(options).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(CacheError::io("read", &options.folder)(error)),
        }
    }

    pub(super) fn part(&self, part: &str) -> PathBuf {
        self.folder.join(part)
    }
}

fn private_folder(path: &Path) -> Result<(), CacheError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(CacheError::io("make", path)(error)),
    }
    let metadata = fs::metadata(path).map_err(CacheError::io("read", path))?;
    if !metadata.is_dir() {
        return Err(CacheError::Odd { path: path.to_path_buf(), what: "no folder" });
    }
    match check_private(path, &metadata) {
        // Made by hand a moment ago, or by a tool that knows no modes.
        Err(CacheError::Open { .. }) if is_empty(path) => {
            fs::set_permissions(path, Permissions::from_mode(0o700))
                .map_err(CacheError::io("take others' access from", path))
        }
        checked => checked,
    }
}

fn is_empty(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

/// Refuses what somebody else could have written.
pub(super) fn check_private(path: &Path, metadata: &Metadata) -> Result<(), CacheError> {
    let path = path.to_path_buf();
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(CacheError::Foreign { path, uid: metadata.uid() });
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(CacheError::Open { path, mode });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(folder: &Path) -> Result<Cache, CacheError> {
        Cache::open(&CacheOptions::new(folder.to_path_buf()))
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_new_cache_is_private() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("deep/cache");
        let cache = open(&folder).unwrap();
        for (path, mode) in [(folder.clone(), 0o700), (folder.join("key"), 0o600)] {
            assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, mode);
        }
        assert_eq!(open(&folder).unwrap().key.id(), cache.key.id(), "the key stays");
    }

    #[test]
    fn what_others_can_enter_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let empty = place.path().join("empty");
        fs::create_dir(&empty).unwrap();
        set_mode(&empty, 0o755);
        drop(open(&empty).unwrap());
        assert_eq!(fs::metadata(&empty).unwrap().mode() & 0o777, 0o700, "it was empty");

        set_mode(&empty, 0o750);
        let error = open(&empty).unwrap_err();
        assert!(matches!(error, CacheError::Open { mode: 0o750, .. }), "{error}");
        assert!(error.to_string().contains("chmod 700"), "{error}");
        set_mode(&empty, 0o700);
        set_mode(&empty.join("key"), 0o640);
        assert!(matches!(open(&empty).unwrap_err(), CacheError::Open { mode: 0o640, .. }));
    }

    #[test]
    fn what_is_no_folder_or_no_key_is_named() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(open(&file).unwrap_err(), CacheError::Odd { .. }));
        let folder = place.path().join("cache");
        drop(open(&folder).unwrap());
        fs::write(folder.join("key"), "short").unwrap();
        let error = open(&folder).unwrap_err();
        assert!(error.to_string().contains("key is not 32 bytes long"), "{error}");
    }

    #[test]
    fn another_users_folder_is_refused() {
        // As root this makes one; everybody else already sees some.
        let place = tempfile::tempdir().unwrap();
        let theirs = place.path().join("theirs");
        fs::create_dir(&theirs).unwrap();
        set_mode(&theirs, 0o700);
        let path = match std::os::unix::fs::chown(&theirs, Some(65_534), None) {
            Ok(()) => theirs,
            Err(_) => PathBuf::from("/"),
        };
        let metadata = fs::metadata(&path).unwrap();
        let error = check_private(&path, &metadata).unwrap_err();
        assert!(matches!(error, CacheError::Foreign { .. }), "{error}");
    }
}
