//! Bundles as files with names: written beside their place and moved there when they are whole,
//! so that nobody finds a half one, and one that is there already stays until then.

use std::fs::{self, File};
use std::io::{self, BufReader, Write as _};
use std::path::{Path, PathBuf};

use wfhost_workflow::Digest;

use crate::contents::{Bundle, ContentError};
use crate::file::{BundleFile, FormatError};
use crate::keys::SigningKey;
use crate::pack::{self, PackError};
use crate::signature::{SignatureError, Signatures};

/// A bundle's file that was not written. What was there before is there still.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The file, or the one beside it, cannot be read or written.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// What is in it.
    #[error("{}", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: ContentError,
    },
    /// The folder.
    #[error(transparent)]
    Pack(#[from] PackError),
}

/// Opens a bundle's file; see [`BundleFile::open`].
///
/// # Errors
/// If it cannot be read, or is no whole bundle.
pub fn open(path: &Path) -> Result<BundleFile<BufReader<File>>, DiskError> {
    let file = open_plain(path).map_err(|source| DiskError::Io {
        doing: "read",
        path: path.to_owned(),
        source,
    })?;
    BundleFile::open(BufReader::new(file)).map_err(|error| content(path, error.into()))
}

/// Packs a folder into a file; see [`pack::pack`].
///
/// # Errors
/// If the folder holds no bundle, or the file cannot be written.
pub fn pack_into(folder: &Path, path: &Path) -> Result<Bundle, DiskError> {
    let bundle = pack::plan(folder)?;
    pack_planned(folder, &bundle, path, Existing::Replaced)?;
    Ok(bundle)
}

/// What becomes of a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and nothing is written.
    Kept,
    /// It is replaced when the new one is whole.
    Replaced,
}

/// Packs what [`pack::plan`] gave into a file; see [`pack::write`].
///
/// # Errors
/// If a file has changed since, there is a file that is to be kept, or it cannot be written.
pub fn pack_planned(
    folder: &Path,
    bundle: &Bundle,
    path: &Path,
    existing: Existing,
) -> Result<(), DiskError> {
    replace(path, existing, |out| Ok(pack::write(folder, bundle, out)?))
}

/// Signs a bundle's file, once every file in it has been checked. Its digest stays; signing again
/// with the same key changes nothing.
///
/// # Errors
/// If it is damaged, has too many signatures, or cannot be written.
pub fn sign(path: &Path, key: &SigningKey) -> Result<Bundle, DiskError> {
    change_signatures(path, |digest, signatures| signatures.sign(digest, key))
}

/// Changes the signatures of a bundle's file, once every file in it has been checked. A file
/// whose signatures stay is not written.
///
/// # Errors
/// If it is damaged, `change` says so, a signature is not one of this bundle, or the file cannot
/// be written.
pub fn change_signatures(
    path: &Path,
    change: impl FnOnce(Digest, &mut Signatures) -> Result<(), SignatureError>,
) -> Result<Bundle, DiskError> {
    let mut file = open(path)?;
    let mut bundle = Bundle::read(&mut file).map_err(|error| content(path, error))?;
    let changed = change(bundle.digest(), &mut bundle.signatures);
    changed.map_err(|error| content(path, FormatError::from(error).into()))?;
    if bundle.signatures != *file.signatures() {
        // A link stays one, and who may read the file may read it still.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let permissions = fs::metadata(path).map(|metadata| metadata.permissions());
        replace(&target, Existing::Replaced, |out| {
            if let Ok(permissions) = permissions {
                // Where that cannot be kept, what is usual for a new file holds.
                drop(out.set_permissions(permissions));
            }
            let written = file.write_with(&bundle.signatures, out);
            written.map_err(|error| content(path, error.into()))
        })?;
    }
    Ok(bundle)
}

fn content(path: &Path, source: ContentError) -> DiskError {
    DiskError::Content { path: path.to_owned(), source }
}

/// Opening a pipe would wait for who writes into it.
fn open_plain(path: &Path) -> io::Result<File> {
    if fs::metadata(path)?.is_file() {
        File::open(path)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not an ordinary file"))
    }
}

/// Writes a new file and moves it to its place when all of it is on the disk.
fn replace<T>(
    path: &Path,
    existing: Existing,
    write: impl FnOnce(&mut File) -> Result<T, DiskError>,
) -> Result<T, DiskError> {
    let failed = |source| DiskError::Io { doing: "write", path: path.to_owned(), source };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let written = File::create_new(&beside).map_err(failed).and_then(|mut out| {
        let made = write(&mut out)?;
        out.flush().and_then(|()| out.sync_all()).map_err(failed)?;
        put(&beside, path, existing).map_err(failed)?;
        Ok(made)
    });
    if written.is_err() {
        // What is left of this try; the first error is told.
        drop(fs::remove_file(&beside));
    }
    written
}

fn put(beside: &Path, path: &Path, existing: Existing) -> io::Result<()> {
    match existing {
        Existing::Replaced => fs::rename(beside, path),
        // Of two that do so at once, one fails; where there are no such links, both may not.
        Existing::Kept => match fs::hard_link(beside, path) {
            Ok(()) => fs::remove_file(beside),
            Err(error) if path.symlink_metadata().is_ok() => Err(error),
            Err(_) => fs::rename(beside, path),
        },
    }
}
