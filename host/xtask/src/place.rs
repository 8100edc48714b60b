//! Where things are.

use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};

/// The workspace's root folder.
pub(crate) fn root() -> PathBuf {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest.ancestors().nth(2).map_or_else(|| manifest.clone(), Path::to_path_buf)
}

/// The components that demo and tests load. Fixed, so that a test finds them wherever Cargo was
/// told to build.
pub(crate) fn guests() -> PathBuf {
    root().join("target/guests")
}

/// Cargo's target folder for guests: apart from the host's, so that neither waits for the other.
pub(crate) fn guests_build() -> PathBuf {
    root().join("target/guests-build")
}

/// What this tool remembers between calls; made if it is missing.
pub(crate) fn memory() -> Result<PathBuf> {
    let folder = root().join("target/xtask");
    std::fs::create_dir_all(&folder).map_err(|e| Failure::io("make", &folder, &e))?;
    Ok(folder)
}

/// A program of this workspace, built with the same profile as this one.
pub(crate) fn built(program: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()
        .map_err(|e| Failure::new(format!("cannot tell where this program is: {e}")))?;
    Ok(own.with_file_name(format!("{program}{}", std::env::consts::EXE_SUFFIX)))
}

/// The first file of this name on PATH.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}
