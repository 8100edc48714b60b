//! File operations of the data folder: private, atomic, synced as the durability says.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::thread;
use std::time::Duration;

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

/// Between two tries, and how many there are: five seconds in all.
const PATIENCE: Duration = Duration::from_millis(5);
const TRIES_MAX: u32 = 1000;

/// Opens something, also where this process has nothing left to open it with for a moment: a store
/// does not fail because of somebody who knocks at another door.
///
/// # Errors
/// As `open`'s; that there are too many open files only after five seconds.
pub fn patiently<T>(mut open: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..TRIES_MAX {
        match open() {
            Err(error) if is_shortage(&error) => thread::sleep(PATIENCE),
            other => return other,
        }
    }
    open()
}

fn is_shortage(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(rustix::io::Errno::from_raw_os_error);
    code == Some(rustix::io::Errno::MFILE) || code == Some(rustix::io::Errno::NFILE)
}

/// Writes a new file, only for its owner, and syncs its content.
pub(crate) fn write_new(path: &Path, bytes: &[u8], durability: Durability) -> Result<(), Error> {
    let written = (|| {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = patiently(|| options.open(path))?;
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
        Durability::Sync => patiently(|| File::open(path))
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
    match patiently(|| fs::read(path)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::io("read", path, source)),
    }
}

/// Every entry of a folder; none if there is no folder.
pub(crate) fn entries(folder: &Path) -> Result<Vec<fs::DirEntry>, Error> {
    match patiently(|| fs::read_dir(folder)) {
        Ok(entries) => {
            entries.collect::<Result<_, _>>().map_err(|source| Error::io("list", folder, source))
        }
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(Error::io("list", folder, source)),
    }
}
