//! A content on its way, in chunks that its receiver asks for.
//!
//! A plain state machine for both ends that receive: a worker that fetches components and inputs,
//! the coordinator that fetches outputs. Chunks are asked for and taken in order, and no more of
//! them are on their way than the receiver says. It does not look at digests.

use crate::codec::CHUNK_BYTES;

/// Why a content cannot be put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssemblyError {
    /// The sender does not have it.
    #[error("the sender does not have it")]
    Missing,
    /// Larger than the receiver takes.
    #[error("it has {bytes} bytes, and at most {bytes_max} are taken")]
    TooLarge {
        /// Its length, in bytes.
        bytes: u64,
        /// The bound.
        bytes_max: u64,
    },
    /// A chunk that does not fit what is known of the content.
    #[error("a part does not fit")]
    Broken,
}

/// What has come of a content.
#[derive(Debug, Default)]
pub struct Assembly {
    bytes: Vec<u8>,
    bytes_max: u64,
    /// Known with the first chunk, if not before.
    total: Option<u64>,
    /// Everything below was asked for.
    asked: u64,
}

impl Assembly {
    /// Of a content of at most `bytes_max` bytes. One chunk is asked for until its length is known.
    #[must_use]
    pub fn at_most(bytes_max: u64) -> Self {
        Self { bytes_max, ..Self::default() }
    }

    /// Of a content that is said to have `total` bytes.
    #[must_use]
    pub fn of(total: u64) -> Self {
        Self { bytes_max: total, total: Some(total), ..Self::default() }
    }

    /// Takes a larger content than was said before.
    pub fn allow(&mut self, bytes_max: u64) {
        self.bytes_max = self.bytes_max.max(bytes_max);
    }

    /// Chunks that were asked for and have not come.
    #[must_use]
    pub fn outstanding(&self) -> u64 {
        (self.asked - self.bytes.len() as u64).div_ceil(u64::from(CHUNK_BYTES))
    }

    /// The next chunk to ask for, as offset and length, if fewer than `at_once` are on their way.
    pub fn next(&mut self, at_once: u64) -> Option<(u64, u32)> {
        let end = self.total.unwrap_or(u64::from(CHUNK_BYTES));
        if self.asked >= end || self.outstanding() >= at_once {
            return None;
        }
        let offset = self.asked;
        let len = u64::from(CHUNK_BYTES).min(end - offset);
        self.asked += len;
        Some((offset, u32::try_from(len).unwrap_or(CHUNK_BYTES)))
    }

    /// What was asked for will not come: it is asked for again, from where this has got to.
    pub fn ask_again(&mut self) {
        self.asked = self.bytes.len() as u64;
    }

    /// Adds a chunk. Gives the whole content when it is complete; from then on this is empty.
    ///
    /// # Errors
    /// If the content cannot be had: the assembly is then to be dropped.
    pub fn accept(
        &mut self,
        offset: u64,
        total: u64,
        bytes: &[u8],
    ) -> Result<Option<Vec<u8>>, AssemblyError> {
        if total == 0 {
            let error =
                if bytes.is_empty() { AssemblyError::Missing } else { AssemblyError::Broken };
            return Err(error);
        }
        let bytes_max = self.bytes_max;
        if total > bytes_max {
            return Err(AssemblyError::TooLarge { bytes: total, bytes_max });
        }
        let have = self.bytes.len() as u64;
        if offset != have {
            // Asked for twice, or by an earlier assembly of the same content.
            return Ok(None);
        }
        let known = *self.total.get_or_insert(total);
        let wanted = u64::from(CHUNK_BYTES).min(known.saturating_sub(have));
        if total != known || bytes.len() as u64 != wanted {
            return Err(AssemblyError::Broken);
        }
        self.bytes.extend_from_slice(bytes);
        self.asked = self.asked.max(self.bytes.len() as u64);
        if self.bytes.len() as u64 == known {
            return Ok(Some(std::mem::take(&mut self.bytes)));
        }
        // The first chunk was asked for before the length was known.
        self.asked = self.asked.min(known);
        Ok(None)
    }
}
