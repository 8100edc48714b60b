//! The list of a bundle's files: path, size and digest of each, written in one way only.
//!
//! Its SHA-256 is the bundle's digest. How the files are packed and who signed them is no part
//! of it.

use std::fmt::Write as _;
use std::io::Read;

use wfhost_workflow::{Digest, Digesting};

use crate::bounds::{CONTENT_BYTES_MAX, FILE_BYTES_MAX, FILES_MAX};
use crate::path::{BundlePath, PathClash, PathError, check_together};

/// The first line of its text.
const HEADER: &str = "wfhost-tree 1";

/// A file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEntry {
    /// Where it is.
    pub path: BundlePath,
    /// Its bytes.
    pub size: u64,
    /// The SHA-256 of its content.
    pub digest: Digest,
}

impl TreeEntry {
    /// Of a content in memory.
    #[must_use]
    pub fn of(path: BundlePath, content: &[u8]) -> Self {
        Self { path, size: content.len() as u64, digest: Digest::of(content) }
    }

    /// Of a content that is read to its end, or to one byte more than a file may have.
    ///
    /// # Errors
    /// Those of reading.
    pub fn of_reader(path: BundlePath, content: impl Read) -> std::io::Result<Self> {
        let mut digesting = Digesting::default();
        let mut content = content.take(FILE_BYTES_MAX + 1);
        let mut buffer = vec![0; 64 << 10];
        let mut size = 0;
        loop {
            let read = content.read(&mut buffer)?;
            if read == 0 {
                return Ok(Self { path, size, digest: digesting.finish() });
            }
            digesting.update(&buffer[..read]);
            size += read as u64;
        }
    }
}

/// All files of a bundle, sorted by the bytes of their paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    entries: Vec<TreeEntry>,
    text: String,
    digest: Digest,
}

/// A list of files that no bundle may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// Over [`FILES_MAX`].
    #[error("it has more than {FILES_MAX} files")]
    Files,
    /// Over [`FILE_BYTES_MAX`].
    #[error("`{0}` has more than {FILE_BYTES_MAX} bytes")]
    FileBytes(BundlePath),
    /// Over [`CONTENT_BYTES_MAX`].
    #[error("its files have more than {CONTENT_BYTES_MAX} bytes together")]
    ContentBytes,
    /// A path.
    #[error("line {line} of its list of files: {problem}")]
    Path {
        /// From 1.
        line: usize,
        /// What is wrong.
        problem: PathError,
    },
    /// Two paths.
    #[error(transparent)]
    Clash(#[from] PathClash),
    /// Not written as such a list is.
    #[error("line {line} of its list of files is not as this version writes it")]
    Text {
        /// From 1.
        line: usize,
    },
}

impl Tree {
    /// Puts files in order.
    ///
    /// # Errors
    /// See [`TreeError`].
    pub fn new(entries: impl IntoIterator<Item = TreeEntry>) -> Result<Self, TreeError> {
        let mut entries: Vec<TreeEntry> = entries.into_iter().take(FILES_MAX + 1).collect();
        if entries.len() > FILES_MAX {
            return Err(TreeError::Files);
        }
        if let Some(large) = entries.iter().find(|entry| entry.size > FILE_BYTES_MAX) {
            return Err(TreeError::FileBytes(large.path.clone()));
        }
        if entries.iter().map(|entry| entry.size).sum::<u64>() > CONTENT_BYTES_MAX {
            return Err(TreeError::ContentBytes);
        }
        check_together(entries.iter().map(|entry| &entry.path))?;
        entries.sort_by(|one, other| one.path.cmp(&other.path));
        let mut text = format!("{HEADER}\n");
        for TreeEntry { path, size, digest } in &entries {
            // Writing into a text cannot fail.
            _ = writeln!(text, "{} {size} {path}", digest.hex());
        }
        let digest = Digest::of(text.as_bytes());
        Ok(Self { entries, text, digest })
    }

    /// Reads the text of a list, which must be what [`Self::text`] gives for it.
    ///
    /// # Errors
    /// See [`TreeError`].
    pub fn parse(text: &str) -> Result<Self, TreeError> {
        let mut lines = text.lines().zip(1..);
        if lines.next() != Some((HEADER, 1)) {
            return Err(TreeError::Text { line: 1 });
        }
        let mut entries = Vec::new();
        for (content, line) in lines {
            if entries.len() == FILES_MAX {
                return Err(TreeError::Files);
            }
            entries.push(parse_line(content, line)?);
        }
        let tree = Self::new(entries)?;
        if tree.text != text {
            let mut pairs = tree.text.split('\n').zip(text.split('\n'));
            let line = pairs.position(|(own, given)| own != given);
            return Err(TreeError::Text { line: line.unwrap_or(tree.entries.len()) + 1 });
        }
        Ok(tree)
    }

    /// The bundle's digest.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The list as it is stored.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The files.
    #[must_use]
    pub fn entries(&self) -> &[TreeEntry] {
        &self.entries
    }

    /// The file at a path.
    #[must_use]
    pub fn get(&self, path: &BundlePath) -> Option<&TreeEntry> {
        let found = self.entries.binary_search_by(|entry| entry.path.cmp(path)).ok()?;
        self.entries.get(found)
    }
}

fn parse_line(content: &str, line: usize) -> Result<TreeEntry, TreeError> {
    let odd = || TreeError::Text { line };
    let mut parts = content.splitn(3, ' ');
    let (Some(hex), Some(size), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(odd());
    };
    let digest = format!("sha256:{hex}").parse().map_err(|_| odd())?;
    let size = size.parse().map_err(|_| odd())?;
    let path = BundlePath::new(path).map_err(|problem| TreeError::Path { line, problem })?;
    Ok(TreeEntry { path, size, digest })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str) -> TreeEntry {
        TreeEntry::of(BundlePath::new(path).unwrap(), path.as_bytes())
    }

    #[test]
    fn a_list_is_written_in_one_way_only() {
        let tree = Tree::new([entry("b"), entry("a/c"), entry("a.x")]).unwrap();
        let text = tree.text();
        let paths: Vec<_> =
            text.lines().skip(1).map(|line| line.split(' ').nth(2).unwrap()).collect();
        assert_eq!(paths, ["a.x", "a/c", "b"]);
        assert_eq!(Tree::parse(text).unwrap(), tree);
        let lines: Vec<&str> = text.lines().collect();
        let refused = |text: &str, line: usize| {
            assert_eq!(Tree::parse(text).unwrap_err(), TreeError::Text { line }, "{text}");
        };
        refused("", 1);
        refused("wfhost-tree 2\n", 1);
        refused(text.trim_end(), 4);
        refused(&text.replace('\n', "\r\n"), 1);
        refused(&format!("{}\n{}\n{}\n{}\n", lines[0], lines[2], lines[1], lines[3]), 2);
        refused(&text.replace(" 3 a.x", " 03 a.x"), 2);
        refused(&text.replace(" 3 a.x", " +3 a.x"), 2);
        refused(&text.replace(" 3 a.x", " 3"), 2);
        refused(&text.replace(lines[3], &lines[3].to_uppercase().replace(" B", " b")), 4);
    }

    #[test]
    fn what_no_bundle_may_have_is_named() {
        let line = |path: &str| format!("{HEADER}\n{} 1 {path}\n", "0".repeat(64));
        for path in ["../a", "/a", "a/../../b", "ä", "a\u{308}"] {
            let refused = Tree::parse(&line(path));
            assert!(matches!(refused, Err(TreeError::Path { line: 2, .. })), "{path}: {refused:?}");
        }
        assert!(matches!(Tree::new([entry("a"), entry("A")]), Err(TreeError::Clash(_))));
        let large = |size| TreeEntry { size, ..entry("a") };
        assert!(matches!(Tree::new([large(FILE_BYTES_MAX + 1)]), Err(TreeError::FileBytes(_))));
        let many = (0..9).map(|at| TreeEntry { size: FILE_BYTES_MAX, ..entry(&format!("f{at}")) });
        assert_eq!(Tree::new(many), Err(TreeError::ContentBytes));
    }
}
