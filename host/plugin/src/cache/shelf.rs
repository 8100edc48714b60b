//! What is in the cache, by when it was used: listing, making room, clearing.

use std::collections::BTreeSet;
use std::fs::{self, DirEntry};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use wfhost_workflow::{Digest, TimestampMs};

use super::folder::NATIVE;
use super::{Cache, CacheError, Kind, NativeId};

/// What is kept of one component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The component.
    pub digest: Digest,
    /// The engine that the native code is for; without it, only facts are kept.
    pub engine: Option<String>,
    /// What it takes on the disk.
    pub bytes: u64,
    /// When it was used last.
    pub used: TimestampMs,
}

/// What was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cleared {
    /// Of how many components something was kept.
    pub components: usize,
    /// What they took on the disk.
    pub bytes: u64,
}

/// One thing that can be removed.
struct Item {
    path: PathBuf,
    name: String,
    digest: Digest,
    engine: Option<String>,
    bytes: u64,
    used: SystemTime,
}

impl Cache {
    pub(super) fn list(&self) -> Result<Vec<Listed>, CacheError> {
        let mut listed: Vec<Listed> = Vec::new();
        // Native code comes first; the rest is added to it.
        for item in self.items()? {
            let used = timestamp(item.used);
            let same = listed
                .iter_mut()
                .find(|entry| entry.digest == item.digest && item.engine.is_none());
            match same {
                Some(entry) => {
                    entry.bytes += item.bytes;
                    entry.used = entry.used.max(used);
                }
                None => listed.push(Listed {
                    digest: item.digest,
                    engine: item.engine,
                    bytes: item.bytes,
                    used,
                }),
            }
        }
        listed.sort_by_key(|entry| (std::cmp::Reverse(entry.used), entry.digest));
        Ok(listed)
    }

    pub(super) fn clear(&self, prefix: &str) -> Result<Cleared, CacheError> {
        let (mut components, mut bytes) = (BTreeSet::new(), 0);
        for item in self.items()? {
            if item.digest.hex().starts_with(prefix) {
                self.remove(&item)?;
                components.insert(item.digest);
                bytes += item.bytes;
            }
        }
        self.remove_leftovers();
        Ok(Cleared { components: components.len(), bytes })
    }

    /// Removes what was used longest ago until the rest fits; `kept` stays.
    pub(super) fn make_room(&self, kept: &str) -> Result<(), CacheError> {
        let mut items = self.items()?;
        let mut total: u64 = items.iter().map(|item| item.bytes).sum();
        items.sort_by_key(|item| item.used);
        for item in items.iter().filter(|item| item.name != kept) {
            if total <= self.size_bytes {
                break;
            }
            self.remove(item)?;
            total = total.saturating_sub(item.bytes);
        }
        Ok(())
    }

    fn remove(&self, item: &Item) -> Result<(), CacheError> {
        match self.discard(&item.path) {
            // Another process was faster.
            Err(CacheError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn items(&self) -> Result<Vec<Item>, CacheError> {
        let mut items = Vec::new();
        for kind in [Kind::Native, Kind::Facts, Kind::Contracts] {
            let folder = self.part(if kind == Kind::Native { NATIVE } else { kind.name() });
            for entry in fs::read_dir(&folder).map_err(CacheError::io("read", &folder))? {
                let entry = entry.map_err(CacheError::io("read", &folder))?;
                // What goes meanwhile, or is not ours, is no item.
                items.extend(item(&entry).ok().flatten());
            }
        }
        Ok(items)
    }
}

fn item(entry: &DirEntry) -> io::Result<Option<Item>> {
    let name = entry.file_name().to_string_lossy().into_owned();
    let path = entry.path();
    let known = match NativeId::parts(&name) {
        Some((digest, engine)) => Some((digest, Some(engine.to_owned()))),
        None => format!("sha256:{name}").parse().ok().map(|digest| (digest, None)),
    };
    let Some((digest, engine)) = known else { return Ok(None) };
    let (mut bytes, mut used) = (0, UNIX_EPOCH);
    let files = if engine.is_some() {
        fs::read_dir(&path)?.map(|file| Ok(file?.path())).collect::<io::Result<Vec<_>>>()?
    } else {
        vec![path.clone()]
    };
    for file in files {
        let metadata = fs::metadata(&file)?;
        bytes += metadata.len();
        used = used.max(metadata.modified()?);
    }
    Ok(Some(Item { path, name, digest, engine, bytes, used }))
}

fn timestamp(time: SystemTime) -> TimestampMs {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    TimestampMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
