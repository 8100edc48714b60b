//! Who holds a data folder: an advisory lock on `lock`, which names the holder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::Error;

/// The lock, held as long as this lives; the system frees it when the process ends.
#[derive(Debug)]
pub(crate) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the lock of `folder` and writes the holder's process and `command` into it.
    pub(crate) fn take(folder: &Path, command: &str) -> Result<Self, Error> {
        let path = folder.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|source| Error::io("open", &path, source))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(folder, &mut file)),
            Err(TryLockError::Error(source)) => return Err(Error::io("lock", &path, source)),
        }
        let command: String = command.chars().filter(|c| !c.is_control()).take(2000).collect();
        // The lock is what counts: on a full disk its text may be missing.
        let _ignored = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{}\n{command}\n", std::process::id()));
        Ok(Self { _file: file })
    }
}

/// The process and command line that took the folder's lock last. Whether it still holds it is
/// not asked: to ask would be to take it.
#[must_use]
pub fn last_holder(folder: &Path) -> Option<(u32, String)> {
    let mut file = File::open(folder.join("lock")).ok()?;
    let (pid, command) = holder(&mut file);
    (pid != 0).then_some((pid, command))
}

fn held(folder: &Path, file: &mut File) -> Error {
    let (pid, command) = holder(file);
    Error::Held { path: folder.to_path_buf(), pid, command }
}

fn holder(file: &mut File) -> (u32, String) {
    let mut text = String::new();
    // Unreadable text leaves the holder unnamed.
    let _ignored = file.read_to_string(&mut text);
    let mut lines = text.lines();
    let pid = lines.next().and_then(|pid| pid.parse().ok()).unwrap_or_default();
    (pid, lines.next().unwrap_or("unknown command").to_owned())
}
