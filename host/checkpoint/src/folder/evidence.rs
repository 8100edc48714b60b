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

/// The copy, if there is one.
pub(super) struct Evidence {
    store: PathBuf,
    copy: Option<PathBuf>,
}

impl Evidence {
    /// Copies `store`, unless it is large or there is no room.
    pub(super) fn keep(folder: &Path, store: &Path) -> Self {
        let path = folder.join("store.opening");
        // Of an earlier start that ended halfway: the store itself is what counts.
        let _ignored = fs::remove_dir_all(&path);
        let copy = match copy(store, &path) {
            Ok(true) => Some(path),
            Ok(false) => None,
            Err(error) => {
                tracing::debug!(%error, "the store is opened without a copy");
                let _ignored = fs::remove_dir_all(&path);
                None
            }
        };
        Self { store: store.to_path_buf(), copy }
    }

    /// The store is whole.
    pub(super) fn discard(self) {
        if let Some(copy) = self.copy
            && let Err(error) = fs::remove_dir_all(&copy)
        {
            tracing::warn!(%error, "a copy of the store stays behind");
        }
    }

    /// The store is damaged: what was found takes the place of what sled has made of it.
    pub(super) fn put_back(self) {
        let Some(copy) = self.copy else {
            return;
        };
        let back = fs::remove_dir_all(&self.store).and_then(|()| fs::rename(&copy, &self.store));
        if let Err(error) = back {
            tracing::error!(%error, copy = %copy.display(), "the store as it was is kept beside");
        }
    }
}

/// Whether there was something to copy, and little enough of it.
fn copy(from: &Path, to: &Path) -> io::Result<bool> {
    let files: Vec<_> = match fs::read_dir(from) {
        Ok(entries) => entries.collect::<Result<_, _>>()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
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
