//! Where a link listens or connects to.

use std::fmt;
use std::path::PathBuf;

/// An address of workers. TCP, with its keys, will be one more kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// Within the process: a name within its [`crate::Hub`].
    Inproc(String),
    /// A socket file on this machine, at most 100 bytes of UTF-8, in a folder that only its owner
    /// can enter.
    Ipc(PathBuf),
}

impl Endpoint {
    /// An address within the process.
    #[must_use]
    pub fn inproc(name: impl Into<String>) -> Self {
        Self::Inproc(name.into())
    }

    /// A socket file.
    #[must_use]
    pub fn ipc(path: impl Into<PathBuf>) -> Self {
        Self::Ipc(path.into())
    }

    /// Whether both ends are in one process, so that neither can lose its connection.
    #[must_use]
    pub const fn is_inproc(&self) -> bool {
        matches!(self, Self::Inproc(_))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inproc(name) => write!(f, "inproc://{name}"),
            Self::Ipc(path) => write!(f, "ipc://{}", path.display()),
        }
    }
}
