//! Contents as files: written beside, synced, renamed into place, the folder synced.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use wfhost_workflow::Digest;

use super::Collected;
use crate::{Durability, Error, clock, crash_points, files};

/// How many digests are remembered as stored; past it, they are looked at again.
const KNOWN_MAX: usize = 100_000;

/// How the names of files begin whose content is not whole yet.
const INCOMING: &str = "incoming-";

#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    durability: Durability,
    next_temporary: AtomicU64,
    /// Contents that this process has verified and synced. Collecting takes it for writing, so
    /// that no file goes between the moment it is found and the moment its age is renewed.
    known: RwLock<HashSet<Digest>>,
}

impl Folder {
    pub(super) fn open(root: PathBuf, durability: Durability) -> Result<Self, Error> {
        let temporary = root.join("tmp");
        files::make_private_folder(&temporary)?;
        files::sync(&root, durability)?;
        Ok(Self { root, durability, next_temporary: AtomicU64::new(0), known: RwLock::default() })
    }

    pub(super) fn path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.root.join(&hex[..2]).join(hex)
    }

    /// One sync per new file, then one per folder that has new names.
    pub(super) fn put_all(&self, contents: &[(Digest, Cow<'_, [u8]>)]) -> Result<(), Error> {
        if contents.is_empty() {
            return Ok(());
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut folders = BTreeSet::new();
        for (digest, bytes) in contents {
            let path = self.path(digest);
            if known.contains(digest) && renew(&path).is_ok() {
                continue;
            }
            if let Some(folder) = path.parent() {
                folders.insert(folder.to_path_buf());
            }
            if self.settle_existing(&path, digest)? {
                continue;
            }
            self.write(&path, bytes)?;
        }
        for folder in folders {
            files::sync(&folder, self.durability)?;
        }
        drop(known);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() > KNOWN_MAX {
            known.clear();
        }
        known.extend(contents.iter().map(|(digest, _)| *digest));
        Ok(())
    }

    /// Whether the content is there and whole: then it is made as durable as a new one.
    fn settle_existing(&self, path: &Path, digest: &Digest) -> Result<bool, Error> {
        match files::read(path)? {
            Some(bytes) if Digest::of(&bytes) == *digest => {
                let settled = renew(path).and_then(|file| match self.durability {
                    Durability::Sync => file.sync_all(),
                    Durability::Os | Durability::None => Ok(()),
                });
                settled.map_err(|source| Error::io("sync", path, source))?;
                Ok(true)
            }
            Some(_) | None => Ok(false),
        }
    }

    /// See [`super::Content::renew`].
    pub(super) fn renew_if_whole(&self, digest: &Digest) -> Result<bool, Error> {
        let path = self.path(digest);
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            if known.contains(digest) && renew(&path).is_ok() {
                return Ok(true);
            }
            if !self.settle_existing(&path, digest)? {
                return Ok(false);
            }
        }
        self.sync_folder_of(&path)?;
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(*digest);
        Ok(true)
    }

    /// A file for a content that is not whole yet.
    pub(super) fn new_incoming(&self) -> Result<(PathBuf, File), Error> {
        let number = self.next_temporary.fetch_add(1, Ordering::Relaxed);
        let path = self.root.join("tmp").join(format!("{INCOMING}{}-{number}", std::process::id()));
        let mut options = File::options();
        options.write(true).create(true).truncate(true).mode(0o600);
        let file = files::patiently(|| options.open(&path))
            .map_err(|source| Error::io("create", &path, source))?;
        Ok((path, file))
    }

    /// Takes a whole incoming content, whose digest was checked.
    pub(super) fn settle_incoming(
        &self,
        temporary: &Path,
        file: &File,
        digest: &Digest,
    ) -> Result<(), Error> {
        if self.durability == Durability::Sync {
            file.sync_all().map_err(|source| Error::io("sync", temporary, source))?;
        }
        let path = self.path(digest);
        self.place(temporary, &path)?;
        self.sync_folder_of(&path)?;
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(*digest);
        Ok(())
    }

    pub(super) fn forget_incoming(&self) -> Result<u64, Error> {
        let mut files = 0;
        for entry in files::entries(&self.root.join("tmp"))? {
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(INCOMING)) {
                files::remove_file(&entry.path())?;
                files += 1;
            }
        }
        Ok(files)
    }

    fn sync_folder_of(&self, path: &Path) -> Result<(), Error> {
        path.parent().map_or(Ok(()), |folder| files::sync(folder, self.durability))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let number = self.next_temporary.fetch_add(1, Ordering::Relaxed);
        let temporary = self.root.join("tmp").join(format!("{}-{number}", std::process::id()));
        files::write_new(&temporary, bytes, self.durability)?;
        self.place(&temporary, path)
    }

    fn place(&self, temporary: &Path, path: &Path) -> Result<(), Error> {
        if let Some(folder) = path.parent()
            && !folder.is_dir()
        {
            files::make_private_folder(folder)?;
            files::sync(&self.root, self.durability)?;
        }
        files::rename(temporary, path)
    }

    pub(super) fn get(&self, digest: &Digest) -> Result<Vec<u8>, Error> {
        let path = self.path(digest);
        let bytes = files::read(&path)?.ok_or(Error::NoContent(*digest))?;
        if Digest::of(&bytes) != *digest {
            return Err(Error::damaged(&path, "its content is not what its name says"));
        }
        Ok(bytes)
    }

    pub(super) fn len(&self, digest: &Digest) -> Result<Option<u64>, Error> {
        let path = self.path(digest);
        match fs::metadata(&path) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::io("read", &path, source)),
        }
    }

    pub(super) fn collect(
        &self,
        keep: &HashSet<Digest>,
        age_min: Duration,
    ) -> Result<Collected, Error> {
        let keep: HashSet<String> = keep.iter().map(Digest::hex).collect();
        let is_kept = |name: &OsStr| name.to_str().is_none_or(|name| keep.contains(name));
        let mut collected = Collected::default();
        for folder in files::entries(&self.root)? {
            for file in files::entries(&folder.path()).unwrap_or_default() {
                if !is_kept(&file.file_name())
                    && let Some(bytes) = self.remove_if_old(&file.path(), age_min)?
                {
                    collected.files += 1;
                    collected.bytes += bytes;
                }
            }
        }
        Ok(collected)
    }

    fn remove_if_old(&self, path: &Path, age_min: Duration) -> Result<Option<u64>, Error> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let Ok(metadata) = fs::metadata(path) else {
            return Ok(None);
        };
        let age = metadata
            .modified()
            .ok()
            .and_then(|modified: SystemTime| clock::now().duration_since(modified).ok())
            .unwrap_or_default();
        if !metadata.is_file() || age < age_min {
            return Ok(None);
        }
        files::remove_file(path)?;
        crash_points::die_at("in-collection");
        if let Some(digest) = path.file_name().and_then(OsStr::to_str).and_then(digest_of_name) {
            known.remove(&digest);
        }
        Ok(Some(metadata.len()))
    }
}

fn digest_of_name(name: &str) -> Option<Digest> {
    format!("sha256:{name}").parse().ok()
}

/// Makes the file as young as a new one.
fn renew(path: &Path) -> io::Result<File> {
    let file = files::patiently(|| File::options().append(true).open(path))?;
    file.set_modified(clock::now())?;
    Ok(file)
}
