//! What is made of a component once and kept for every process: native code, facts, what it
//! says of itself.
//!
//! Native code is trusted with everything, so an entry counts only under a MAC with a key of
//! this installation, in a folder that nobody else can enter. Whatever is wrong with an entry or
//! with the whole cache costs time and a warning, never a run and never an answer.

mod draft;
mod error;
mod folder;
mod key;
mod lock;
mod native;
mod record;
mod shelf;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use error::CacheError;
pub use shelf::{Cleared, Listed};

pub(crate) use folder::Cache;
pub(crate) use native::{EngineId, Native, NativeId};
pub(crate) use record::{Found, Kind};

/// Enough for some fifty components with a language's runtime each.
pub const SIZE_BYTES_DEFAULT: u64 = 2 << 30;

/// Where the cache is, and how large it may grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheOptions {
    /// Its folder; made if it is missing.
    pub folder: PathBuf,
    /// Over this, what was used longest ago goes.
    pub size_bytes: u64,
}

impl CacheOptions {
    /// A cache in `folder` of the usual size.
    #[must_use]
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder, size_bytes: SIZE_BYTES_DEFAULT }
    }

    /// Everything in the cache, used last first. A folder that does not exist is empty.
    ///
    /// # Errors
    /// If the folder cannot be trusted or read.
    pub fn list(&self) -> Result<Vec<Listed>, CacheError> {
        Ok(Cache::open_existing(self)?.map(|cache| cache.list()).transpose()?.unwrap_or_default())
    }

    /// Removes the entries whose digest begins with `prefix` (hexadecimal digits), all of them
    /// for an empty one. Processes that use them are not disturbed.
    ///
    /// # Errors
    /// If the folder cannot be trusted, read or written.
    pub fn clear(&self, prefix: &str) -> Result<Cleared, CacheError> {
        Ok(Cache::open_existing(self)?
            .map(|cache| cache.clear(prefix))
            .transpose()?
            .unwrap_or_default())
    }
}
