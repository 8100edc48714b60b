//! A folder's texts: the one part of this crate that touches files. It reads, and only regular
//! files: no link is followed, nothing else is opened.

use std::{
    fs::{self, DirEntry},
    io::{self, Read},
    path::Path,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::document::{Document, Skipped, is_for_machines, skipped};

/// Folders inside folders are followed this deep.
const DEPTH_MAX: usize = 16;
/// What is left out is named so many times, then counted.
const SKIPPED_MAX: usize = 200;
/// Files and folders that are looked at, so that a large disk ends too.
const ENTRIES_MAX: usize = 50_000;

/// How much is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How many documents.
    pub documents: usize,
    /// How long one may be.
    pub document_bytes: usize,
    /// How long all of them may be, as JSON text.
    pub total_bytes: usize,
}

/// A folder's texts, and what else is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Folder {
    /// In the order of their names.
    pub documents: Vec<Document>,
    /// Files that were left out, in the order of their names.
    pub skipped: Vec<Skipped>,
}

/// Reads the texts below `root`.
///
/// # Errors
/// If the folder cannot be read at all. A file that cannot be read is left out.
pub fn read(root: &Path, bounds: Bounds) -> io::Result<Folder> {
    let mut reader = Reader { bounds, folder: Folder::default(), entries: 0, bytes: 0, more: 0 };
    reader.folder(root, "", 0)?;
    if reader.more > 0 {
        let name = format!("{} more", reader.more);
        reader.folder.skipped.push(skipped(&name, "not named one by one"));
    }
    Ok(reader.folder)
}

struct Reader {
    bounds: Bounds,
    folder: Folder,
    entries: usize,
    bytes: usize,
    more: usize,
}

impl Reader {
    fn folder(&mut self, path: &Path, prefix: &str, depth: usize) -> io::Result<()> {
        let mut entries: Vec<DirEntry> = Vec::new();
        for entry in fs::read_dir(path)? {
            entries.push(entry?);
            self.entries += 1;
            if self.entries > ENTRIES_MAX {
                self.skip(prefix, "too many files; the rest was not looked at");
                break;
            }
        }
        entries.sort_by_key(DirEntry::file_name);
        for entry in entries {
            let file = entry.file_name().to_string_lossy().into_owned();
            // What is hidden is not meant to be read: version control, editors' own files.
            if !file.starts_with('.') {
                self.entry(&entry, &format!("{prefix}{file}"), depth);
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: &DirEntry, name: &str, depth: usize) {
        let kind = match entry.file_type() {
            Ok(kind) => kind,
            Err(error) => return self.skip(name, &unreadable(&error)),
        };
        if kind.is_symlink() {
            self.skip(name, "a link");
        } else if kind.is_dir() && depth >= DEPTH_MAX {
            self.skip(name, "too deep");
        } else if kind.is_dir() {
            if let Err(error) = self.folder(&entry.path(), &format!("{name}/"), depth + 1) {
                self.skip(name, &unreadable(&error));
            }
        } else if kind.is_file() {
            self.file(&entry.path(), name);
        } else {
            self.skip(name, "no regular file");
        }
    }

    fn file(&mut self, path: &Path, name: &str) {
        if is_for_machines(name) {
            return self.skip(name, "code or data, by its name");
        }
        if self.folder.documents.len() >= self.bounds.documents {
            return self.skip(name, "over the number of documents");
        }
        match content(path, self.bounds.document_bytes) {
            Ok(Some(bytes)) => match Document::read(name, &bytes) {
                Ok(document) => self.take(document),
                Err(Skipped { reason, .. }) => self.skip(name, &reason),
            },
            Ok(None) => self.skip(name, "too large"),
            Err(error) => self.skip(name, &unreadable(&error)),
        }
    }

    fn take(&mut self, document: Document) {
        let bytes = json_bytes(&document.text);
        if self.bytes + bytes > self.bounds.total_bytes {
            return self.skip(&document.name, "over the size of all documents");
        }
        self.bytes += bytes;
        self.folder.documents.push(document);
    }

    fn skip(&mut self, name: &str, reason: &str) {
        if self.folder.skipped.len() < SKIPPED_MAX {
            self.folder.skipped.push(skipped(name, reason));
        } else {
            self.more += 1;
        }
    }
}

/// A file's content; nothing where it is longer than `bytes_max`.
fn content(path: &Path, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= bytes_max).then_some(bytes))
}

/// The kind of an error, which is the same on every system, unlike its message.
fn unreadable(error: &io::Error) -> String {
    format!("unreadable: {}", error.kind())
}

/// How long a text is inside a JSON document.
fn json_bytes(text: &str) -> usize {
    text.bytes()
        .map(|byte| {
            if matches!(byte, b'"' | b'\\' | b'\n' | b'\t') {
                2
            } else if byte < b' ' {
                6
            } else {
                1
            }
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { documents: 3, document_bytes: 100, total_bytes: 250 };

    fn write(root: &Path, name: &str, content: &[u8]) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn names(folder: &Folder) -> Vec<&str> {
        folder.documents.iter().map(|document| document.name.as_str()).collect()
    }

    fn skips(folder: &Folder) -> Vec<(&str, &str)> {
        folder.skipped.iter().map(|skip| (skip.name.as_str(), skip.reason.as_str())).collect()
    }

    #[test]
    fn texts_are_read_in_order_and_the_rest_is_named() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "b.txt", b"Some text.");
        write(root.path(), "a/deep/c.md", b"# A title\n\nMore text.");
        write(root.path(), "large.txt", &[b'x'; 101]);
        write(root.path(), "binary", b"a\0b");
        write(root.path(), "code.rs", b"fn main() {}");
        write(root.path(), ".hidden", b"Some text.");
        std::os::unix::fs::symlink("b.txt", root.path().join("link")).unwrap();
        std::os::unix::fs::symlink("/", root.path().join("out")).unwrap();
        let folder = read(root.path(), BOUNDS).unwrap();
        assert_eq!(names(&folder), ["a/deep/c.md", "b.txt"]);
        assert_eq!(folder.documents[0].title, "A title");
        assert_eq!(
            skips(&folder),
            [
                ("binary", "binary"),
                ("code.rs", "code or data, by its name"),
                ("large.txt", "too large"),
                ("link", "a link"),
                ("out", "a link"),
            ]
        );
    }

    #[test]
    fn number_and_size_are_bounded() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c", "d", "e"] {
            write(root.path(), name, &[b'x'; 90]);
        }
        let folder = read(root.path(), BOUNDS).unwrap();
        assert_eq!(names(&folder), Vec::<&str>::new(), "a run of letters that long is no word");
        for name in ["a", "b", "c", "d", "e"] {
            write(root.path(), name, "word ".repeat(18).as_bytes());
        }
        let folder = read(root.path(), BOUNDS).unwrap();
        assert_eq!(names(&folder), ["a", "b"]);
        assert!(
            skips(&folder).iter().all(|(_, reason)| *reason == "over the size of all documents")
        );
        let folder = read(root.path(), Bounds { documents: 1, ..BOUNDS }).unwrap();
        assert_eq!(skips(&folder)[0], ("b", "over the number of documents"));
    }

    #[test]
    fn what_is_left_out_is_counted_when_it_is_too_much_to_name() {
        let root = tempfile::tempdir().unwrap();
        for at in 0..SKIPPED_MAX + 5 {
            write(root.path(), &format!("{at:04}.json"), b"{}");
        }
        let folder = read(root.path(), BOUNDS).unwrap();
        assert_eq!(folder.skipped.len(), SKIPPED_MAX + 1);
        assert_eq!(folder.skipped[SKIPPED_MAX].name, "5 more");
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(
            read(&root.path().join("no"), BOUNDS).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }

    #[test]
    fn a_pipe_is_never_opened() {
        let root = tempfile::tempdir().unwrap();
        let socket = std::os::unix::net::UnixListener::bind(root.path().join("pipe")).unwrap();
        let folder = read(root.path(), BOUNDS).unwrap();
        assert_eq!(skips(&folder), [("pipe", "no regular file")]);
        drop(socket);
    }

    #[test]
    fn sizes_are_those_of_the_json_text() {
        for text in ["plain", "a\n\"b\"\\\t\u{1}", "é"] {
            assert_eq!(
                json_bytes(text) + 2,
                serde_json::to_string(text).unwrap().len(),
                "{text:?}"
            );
        }
    }
}
