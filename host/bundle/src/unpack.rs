//! From a bundle to a folder that was not there before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write as _};
use std::path::{Path, PathBuf};

use crate::file::{BundleFile, FormatError};
use crate::payload::{PayloadError, Take};
use crate::tree::TreeEntry;

/// A bundle that was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The bundle.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The folder, or a file in it.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why not; there is something already, perhaps.
        source: io::Error,
    },
}

impl From<PayloadError> for UnpackError {
    fn from(error: PayloadError) -> Self {
        Self::Format(error.into())
    }
}

/// Unpacks into a new folder, whose parent must exist. If anything fails, nothing is left.
///
/// # Errors
/// If the bundle is damaged, there is such a folder, or it cannot be written.
pub fn unpack<R: Read + Seek>(
    bundle: &mut BundleFile<R>,
    folder: &Path,
) -> Result<(), UnpackError> {
    let failed = |source| UnpackError::Write { path: folder.to_owned(), source };
    fs::create_dir(folder).map_err(failed)?;
    let unpacked = bundle.read_files(&mut Unpack { folder, current: None });
    if unpacked.is_err() {
        // It was made here, so that nothing of anybody else is in it. The first error is told.
        drop(fs::remove_dir_all(folder));
    }
    unpacked
}

struct Unpack<'f> {
    folder: &'f Path,
    current: Option<(PathBuf, File)>,
}

impl Unpack<'_> {
    fn create(&self, entry: &TreeEntry) -> Result<(PathBuf, File), UnpackError> {
        let path = self.folder.join(entry.path.as_str());
        let folder = path.parent().unwrap_or(self.folder);
        let file = fs::create_dir_all(folder)
            .and_then(|()| OpenOptions::new().write(true).create_new(true).open(&path));
        match file {
            Ok(file) => Ok((path, file)),
            Err(source) => Err(UnpackError::Write { path, source }),
        }
    }
}

impl Take for Unpack<'_> {
    type Error = UnpackError;

    fn begin(&mut self, entry: &TreeEntry) -> Result<(), UnpackError> {
        self.current = Some(self.create(entry)?);
        Ok(())
    }

    fn part(&mut self, bytes: &[u8]) -> Result<(), UnpackError> {
        match &mut self.current {
            Some((path, file)) => file
                .write_all(bytes)
                .map_err(|source| UnpackError::Write { path: path.clone(), source }),
            None => Ok(()),
        }
    }

    fn end(&mut self) -> Result<(), UnpackError> {
        self.current = None;
        Ok(())
    }
}
