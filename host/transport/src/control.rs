//! Where the control socket of a data folder is.
//!
//! Normally `<data>/ipc/control.sock`. A socket's path is limited to 107 bytes by the system, so
//! that of a folder with a longer path lies elsewhere, in a folder of its own that only the owner
//! can enter, and `<data>/ipc/path` says where.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use wfhost_workflow::Digest;

use crate::Error;

/// Leaves room below the system's 107 for what libzmq may add.
const PATH_BYTES_MAX: usize = 100;

/// How many names are tried elsewhere, should strangers hold the first ones.
const NAMES_MAX: u32 = 16;

/// A pointer file is a path.
const POINTER_BYTES_MAX: u64 = 4096;

/// Makes the folder and says where to listen.
///
/// The caller holds the data folder's lock: listening takes the address away from anybody else.
pub(crate) fn prepare(data: &Path) -> Result<PathBuf, Error> {
    let folder = absolute(data)?.join("ipc");
    own_folder(&folder).map_err(|source| Error::Folder { path: folder.clone(), source })?;
    let pointer = folder.join("path");
    let socket = folder.join("control.sock");
    if fits(&socket) {
        let removed = match fs::remove_file(&pointer) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        };
        removed.map_err(|source| Error::Folder { path: pointer, source })?;
        return Ok(socket);
    }
    let socket = elsewhere(&folder)?.join("control.sock");
    let written = socket.to_str().ok_or_else(not_text).and_then(|text| fs::write(&pointer, text));
    written.map_err(|source| Error::Folder { path: pointer, source })?;
    Ok(socket)
}

/// Where the holder of the data folder listens, if there is one.
pub(crate) fn locate(data: &Path) -> Result<PathBuf, Error> {
    let folder = absolute(data)?.join("ipc");
    let pointer = folder.join("path");
    let found = match fs::metadata(&pointer) {
        Ok(meta) if meta.len() <= POINTER_BYTES_MAX => fs::read_to_string(&pointer),
        Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "not a path")),
        Err(error) => Err(error),
    };
    match found {
        Ok(text) => Ok(PathBuf::from(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(folder.join("control.sock")),
        Err(source) => Err(Error::Folder { path: pointer, source }),
    }
}

/// Where workers of this user join, beside the control socket.
pub(crate) fn workers(control: &Path) -> PathBuf {
    control.with_file_name("workers.sock")
}

fn absolute(data: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(data).map_err(|source| Error::Folder { path: data.to_owned(), source })
}

fn fits(socket: &Path) -> bool {
    socket.to_str().is_some_and(|text| text.len() <= PATH_BYTES_MAX)
}

fn elsewhere(folder: &Path) -> Result<PathBuf, Error> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let parents =
        runtime.into_iter().filter(|path| path.is_absolute()).chain([PathBuf::from("/tmp")]);
    let user = rustix::process::getuid().as_raw();
    let name = &Digest::of(folder.as_os_str().as_encoded_bytes()).hex()[..16];
    let mut failed = None;
    for parent in parents {
        for number in 0..NAMES_MAX {
            let path = parent.join(format!("wfhost-{user}-{name}-{number}"));
            if !fits(&path.join("control.sock")) {
                break;
            }
            match own_folder(&path) {
                Ok(()) => return Ok(path),
                Err(source) => failed = Some(Error::Folder { path, source }),
            }
        }
    }
    Err(failed.unwrap_or_else(|| Error::Folder { path: folder.to_owned(), source: not_text() }))
}

/// Makes a folder that only we can enter, or checks that it is one: below `/tmp`, somebody else
/// may have made it first.
fn own_folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let meta = fs::symlink_metadata(path)?;
    let ours = meta.is_dir() && meta.uid() == rustix::process::getuid().as_raw();
    if !ours {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "not a folder of this user"));
    }
    if meta.mode() & 0o077 != 0 {
        rustix::fs::chmod(path, rustix::fs::Mode::RWXU)?;
    }
    Ok(())
}

fn not_text() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "no usable path for the socket")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn short_folder_holds_its_own_socket() {
        let data = tempfile::tempdir().unwrap();
        let socket = prepare(data.path()).unwrap();
        assert_eq!(socket, data.path().join("ipc/control.sock"));
        assert_eq!(mode(&data.path().join("ipc")), 0o700);
        assert_eq!(locate(data.path()).unwrap(), socket);
    }

    #[test]
    fn an_open_folder_is_closed() {
        let data = tempfile::tempdir().unwrap();
        fs::create_dir(data.path().join("ipc")).unwrap();
        fs::set_permissions(data.path().join("ipc"), fs::Permissions::from_mode(0o755)).unwrap();
        prepare(data.path()).unwrap();
        assert_eq!(mode(&data.path().join("ipc")), 0o700);
    }

    #[test]
    fn long_folder_points_elsewhere_and_keeps_its_place() {
        let parent = tempfile::tempdir().unwrap();
        let data = parent.path().join("x".repeat(120));
        fs::create_dir(&data).unwrap();
        let socket = prepare(&data).unwrap();
        assert!(fits(&socket), "{}", socket.display());
        assert_eq!(mode(socket.parent().unwrap()), 0o700);
        assert_eq!(locate(&data).unwrap(), socket);
        assert_eq!(prepare(&data).unwrap(), socket, "a second start finds the same place");
        fs::remove_dir_all(socket.parent().unwrap()).unwrap();
    }

    #[test]
    fn a_file_in_the_way_is_an_error() {
        let data = tempfile::tempdir().unwrap();
        fs::write(data.path().join("ipc"), "").unwrap();
        assert!(matches!(prepare(data.path()), Err(Error::Folder { .. })));
    }
}
