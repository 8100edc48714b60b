//! A content that comes in parts: beside the others until it is whole and what its digest says.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use wfhost_workflow::{Digest, Digesting};

use super::{Content, Place};
use crate::{Error, files};

/// A content on its way into the store; what is there of it goes when this is dropped.
#[derive(Debug)]
pub struct Incoming {
    content: Content,
    digest: Digest,
    total: u64,
    have: u64,
    digesting: Digesting,
    parts: Parts,
}

#[derive(Debug)]
enum Parts {
    File { path: PathBuf, file: File },
    Memory(Vec<u8>),
}

impl Incoming {
    pub(super) fn begin(content: Content, digest: Digest, total: u64) -> Result<Self, Error> {
        let parts = match &*content.0 {
            Place::Folder(folder) => {
                let (path, file) = folder.new_incoming()?;
                Parts::File { path, file }
            }
            Place::Memory(_) => Parts::Memory(Vec::new()),
        };
        Ok(Self { content, digest, total, have: 0, digesting: Digesting::default(), parts })
    }

    /// How many bytes it will have.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Where the next part begins.
    #[must_use]
    pub const fn next(&self) -> u64 {
        self.have
    }

    /// Adds a part. One that does not begin at [`Self::next`], or reaches past the end, changes
    /// nothing.
    ///
    /// # Errors
    /// If it cannot be written; the part can be given again.
    pub fn add(&mut self, offset: u64, part: &[u8]) -> Result<(), Error> {
        if offset != self.have || part.len() as u64 > self.total - self.have {
            return Ok(());
        }
        match &mut self.parts {
            Parts::File { path, file } => file
                .write_all_at(part, offset)
                .map_err(|source| Error::io("write", path.as_path(), source))?,
            Parts::Memory(bytes) => bytes.extend_from_slice(part),
        }
        self.digesting.update(part);
        self.have += part.len() as u64;
        Ok(())
    }

    /// Whether all of it is there.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.have == self.total
    }

    /// Stores the content. `false`: it is not whole or not what its digest says, and nothing of
    /// it is kept.
    ///
    /// # Errors
    /// If it cannot be made durable.
    pub fn finish(mut self) -> Result<bool, Error> {
        let digesting = std::mem::take(&mut self.digesting);
        if !self.is_whole() || digesting.finish() != self.digest {
            return Ok(false);
        }
        match (&*self.content.0, &mut self.parts) {
            (Place::Folder(folder), Parts::File { path, file }) => {
                folder.settle_incoming(path, file, &self.digest)?;
            }
            (_, Parts::Memory(bytes)) => {
                self.content.put(bytes)?;
            }
            (Place::Memory(_), Parts::File { .. }) => return Ok(false),
        }
        Ok(true)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Parts::File { path, .. } = &self.parts {
            // Renamed when it was finished; otherwise the next start of a holder removes it.
            let _later = files::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Durability;

    fn files_below(folder: &std::path::Path) -> usize {
        files::entries(folder)
            .unwrap()
            .iter()
            .map(|entry| if entry.path().is_dir() { files_below(&entry.path()) } else { 1 })
            .sum()
    }

    fn stored(parts: &[(u64, &[u8])], of: &[u8]) -> (bool, bool, usize) {
        let folder = tempfile::tempdir().unwrap();
        let mut seen = Vec::new();
        for content in [Content::open(folder.path(), Durability::Os).unwrap(), Content::memory()] {
            let digest = Digest::of(of);
            let mut incoming = content.incoming(digest, of.len() as u64).unwrap();
            for (offset, part) in parts {
                incoming.add(*offset, part).unwrap();
            }
            let finished = incoming.finish().unwrap();
            let there = content.renew(&digest).unwrap();
            assert_eq!(there.then(|| content.get(&digest).unwrap()), there.then(|| of.to_vec()));
            seen.push((finished, there));
        }
        assert_eq!(seen[0], seen[1]);
        (seen[0].0, seen[0].1, files_below(folder.path()))
    }

    #[test]
    fn only_what_its_digest_says_is_stored() {
        assert_eq!(stored(&[(0, b"ab"), (2, b"c")], b"abc"), (true, true, 1));
        // Repeated, out of order, too long: without effect.
        let odd: [(u64, &[u8]); 5] = [(0, b"ab"), (0, b"ab"), (7, b"x"), (2, b"cd"), (2, b"c")];
        assert_eq!(stored(&odd, b"abc"), (true, true, 1));
        assert_eq!(stored(&[(0, b"abd")], b"abc"), (false, false, 0));
        assert_eq!(stored(&[(0, b"ab")], b"abc"), (false, false, 0));
        assert_eq!(stored(&[], b""), (true, true, 1));
    }

    #[test]
    fn what_a_process_left_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let content = Content::open(folder.path(), Durability::Os).unwrap();
        let kept = content.put(b"kept").unwrap();
        let mut incoming = content.incoming(Digest::of(b"abc"), 3).unwrap();
        incoming.add(0, b"ab").unwrap();
        // As if the process had been killed.
        std::mem::forget(incoming);
        assert_eq!(files_below(folder.path()), 2);
        assert_eq!(content.forget_incoming().unwrap(), 1);
        assert_eq!(files_below(folder.path()), 1);
        assert_eq!(content.get(&kept).unwrap(), b"kept");
    }
}
