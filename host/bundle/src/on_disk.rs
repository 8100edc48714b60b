//! Bundles as files with names: written beside their place and moved there when they are whole,
//! so that nobody finds a half one, and one that is there already stays until then.

use std::fs::{self, File};
use std::io::{self, BufReader, Write as _};
use std::path::{Path, PathBuf};

use crate::contents::{Bundle, ContentError};
use crate::file::{BundleFile, FormatError};
use crate::keys::SigningKey;
use crate::pack::{self, PackError};
use crate::signature::Signatures;

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
    replace(path, |out| Ok(pack::pack(folder, out)?))
}

/// Signs a bundle's file, once every file in it has been checked. Its digest stays; signing again
/// with the same key changes nothing.
///
/// # Errors
/// If it is damaged, has too many signatures, or cannot be written.
pub fn sign(path: &Path, key: &SigningKey) -> Result<Bundle, DiskError> {
    let mut file = open(path)?;
    let mut bundle = Bundle::read(&mut file).map_err(|error| content(path, error))?;
    let digest = bundle.digest();
    let signed = bundle.signatures.sign(digest, key);
    signed.map_err(|error| content(path, FormatError::from(error).into()))?;
    rewrite(path, &mut file, &bundle.signatures)?;
    Ok(bundle)
}

fn rewrite(
    path: &Path,
    file: &mut BundleFile<BufReader<File>>,
    signatures: &Signatures,
) -> Result<(), DiskError> {
    replace(path, |out| {
        file.write_with(signatures, out).map_err(|error| content(path, error.into()))
    })
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
    write: impl FnOnce(&mut File) -> Result<T, DiskError>,
) -> Result<T, DiskError> {
    let failed = |source| DiskError::Io { doing: "write", path: path.to_owned(), source };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let written = File::create_new(&beside).map_err(failed).and_then(|mut out| {
        let made = write(&mut out)?;
        out.flush().and_then(|()| out.sync_all()).map_err(failed)?;
        fs::rename(&beside, path).map_err(failed)?;
        Ok(made)
    });
    if written.is_err() {
        // What is left of this try; the first error is told.
        drop(fs::remove_file(&beside));
    }
    written
}
