//! Why the cache cannot be used, told apart by what can be done about it.

use std::path::{Path, PathBuf};

/// The cache cannot be used; components are compiled without it.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Others could put native code into it.
    #[error(
        "{} can be entered by other users (mode {mode:03o}), so nothing in it can be trusted; \
         `chmod 700` it if it is yours alone, or name another folder in WFHOST_CACHE",
        path.display()
    )]
    Open {
        /// The folder or file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Somebody else made it.
    #[error(
        "{} belongs to another user (uid {uid}), so nothing in it can be trusted; name a folder \
         of your own in WFHOST_CACHE",
        path.display()
    )]
    Foreign {
        /// The folder or file.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// It is something else than is expected there.
    #[error("{} is {what}; remove it, and it is made anew", path.display())]
    Odd {
        /// The folder or file.
        path: PathBuf,
        /// What it is instead.
        what: &'static str,
    },
    /// The file system refused.
    #[error("could not {what} {}: {source}", path.display())]
    Io {
        /// What was to be done.
        what: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

impl CacheError {
    pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { what, path, source }
    }
}
