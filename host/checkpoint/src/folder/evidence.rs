//! A copy of the store as it was found, until it is known to be whole.
//!
//! sled writes while it opens: it zeroes what it takes for torn. What it destroys that way may
//! be what someone needs to see, so a store that turns out to be damaged is put back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::files;

/// A larger store is not copied at every start.
const BYTES_MAX: u64 = 64 << 20;

/// What was found.
pub(super) struct Evidence {
    store: PathBuf,
    found: Found,
}

enum Found {
    Nothing,
    Copied(PathBuf),
    /// Too large, or there was no room.
    NotCopied,
}

impl Evidence {
    /// Copies `store`, unless it is large or there is no room.
    pub(super) fn keep(folder: &Path, store: &Path) -> Self {
        let path = folder.join("store.opening");
        // Of an earlier start that ended halfway: the store itself is what counts.
        let _ignored = fs::remove_dir_all(&path);
        let found = match copy(store, &path) {
            Ok(true) => Found::Copied(path),
            Ok(false) => Found::NotCopied,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !store.exists() => {
                Found::Nothing
            }
            Err(error) => {
                tracing::debug!(%error, "the store is opened without a copy");
                let _ignored = fs::remove_dir_all(&path);
                Found::NotCopied
            }
        };
        Self { store: store.to_path_buf(), found }
    }

    /// The store is whole.
    pub(super) fn discard(self) {
        if let Found::Copied(copy) = self.found
            && let Err(error) = fs::remove_dir_all(&copy)
        {
            tracing::warn!(%error, "a copy of the store stays behind");
        }
    }

    /// The store is damaged: what was found takes the place of what sled has made of it.
    pub(super) fn put_back(self) {
        let back = match &self.found {
            Found::Nothing => fs::remove_dir_all(&self.store),
            Found::Copied(copy) => {
                fs::remove_dir_all(&self.store).and_then(|()| fs::rename(copy, &self.store))
            }
            Found::NotCopied => Ok(()),
        };
        if let Err(error) = back {
            tracing::error!(%error, "the damaged store is not as it was found");
        }
    }
}

/// Whether it was little enough to be copied.
fn copy(from: &Path, to: &Path) -> io::Result<bool> {
    let files: Vec<_> = fs::read_dir(from)?.collect::<Result<_, _>>()?;
    let mut bytes = 0;
    for file in &files {
        bytes += file.metadata()?.len();
    }
    if bytes > BYTES_MAX {
        return Ok(false);
    }
    files::make_private_folder(to).map_err(io::Error::other)?;
    for file in files {
        let target = to.join(file.file_name());
        if file.file_type()?.is_dir() {
            // `blobs`: our values are too small to be in it.
            fs::create_dir_all(target)?;
        } else {
            fs::copy(file.path(), target)?;
        }
    }
    Ok(true)
}
