//! File operations of the data folder: private, atomic, synced as the durability says.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::{Durability, Error};

/// Makes `path` a folder that only its owner may use, with all that is above it.
pub(crate) fn make_private_folder(path: &Path) -> Result<(), Error> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| Error::io("create", path, source))
}

/// Writes a new file, only for its owner, and syncs its content.
pub(crate) fn write_new(path: &Path, bytes: &[u8], durability: Durability) -> Result<(), Error> {
    let written = (|| {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        match durability {
            Durability::Sync => file.sync_all(),
            Durability::Os | Durability::None => Ok(()),
        }
    })();
    written.map_err(|source| {
        // Half a file is of no use and takes space; the first error is the one to tell.
        let _ignored = fs::remove_file(path);
        Error::io("write", path, source)
    })
}

/// Renames over whatever is there.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(|source| Error::io("rename", from, source))
}

/// Makes a file's content, or the names in a folder, durable, if `durability` asks for it.
pub(crate) fn sync(path: &Path, durability: Durability) -> Result<(), Error> {
    match durability {
        Durability::Sync => File::open(path)
            .and_then(|file| file.sync_all())
            .map_err(|source| Error::io("sync", path, source)),
        Durability::Os | Durability::None => Ok(()),
    }
}

/// Removes a file; one that is not there is fine.
pub(crate) fn remove_file(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove", path, source))
        }
        _ => Ok(()),
    }
}

/// Reads a file; `None` if there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::io("read", path, source)),
    }
}

/// Every entry of a folder; none if there is no folder.
pub(crate) fn entries(folder: &Path) -> Result<Vec<fs::DirEntry>, Error> {
    match fs::read_dir(folder) {
        Ok(entries) => {
            entries.collect::<Result<_, _>>().map_err(|source| Error::io("list", folder, source))
        }
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(Error::io("list", folder, source)),
    }
}
