//! Paths of a bundle's files: such as mean the same file on every system, or none.
//!
//! They are ASCII, so that no two can differ in their Unicode form only, and no version of
//! Unicode has a say in what a bundle is.

use std::collections::HashMap;
use std::fmt;

use crate::bounds::PATH_BYTES_MAX;

/// A relative path with `/` between its parts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundlePath(String);

/// A path that no file of a bundle may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing.
    #[error("a path is empty")]
    Empty,
    /// Too long.
    #[error("`{0}…` is longer than {PATH_BYTES_MAX} bytes")]
    Long(String),
    /// From the root, or of a drive.
    #[error("`{0}` is absolute")]
    Absolute(String),
    /// `.`, `..`, or nothing between slashes.
    #[error("`{0}` has a part that is empty, `.` or `..`")]
    Steps(String),
    /// A character that some system takes for something else.
    #[error("`{path}` holds {found:?}: only ASCII letters, digits, `.`, `_`, `-`, `+` and `@`")]
    Character {
        /// As it is.
        path: String,
        /// The first one.
        found: char,
    },
    /// Begins or ends with what some system treats apart.
    #[error("`{0}` has a part that begins with `-` or ends with `.`")]
    Edge(String),
}

impl BundlePath {
    /// Checks a path.
    ///
    /// # Errors
    /// See [`PathError`].
    pub fn new(text: &str) -> Result<Self, PathError> {
        let shown = || text.chars().take(PATH_BYTES_MAX).collect::<String>();
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        if text.len() > PATH_BYTES_MAX {
            return Err(PathError::Long(text.chars().take(40).collect()));
        }
        if text.starts_with(['/', '\\']) || text.as_bytes().get(1) == Some(&b':') {
            return Err(PathError::Absolute(shown()));
        }
        let plain =
            |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '@' | '/');
        if let Some(found) = text.chars().find(|c| !plain(c)) {
            return Err(PathError::Character { path: shown(), found });
        }
        if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(PathError::Steps(shown()));
        }
        if text.split('/').any(|part| part.starts_with('-') || part.ends_with('.')) {
            return Err(PathError::Edge(shown()));
        }
        Ok(Self(text.to_owned()))
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// What is before the last part, with its slash; empty at the top.
    pub(crate) fn folder(&self) -> &str {
        &self.0[..self.0.len() - self.file_name().len()]
    }

    /// Another file, named from this one's folder; `..` may lead up, but not out.
    ///
    /// # Errors
    /// If it leads out of the bundle, or to no path that a file may have.
    pub fn beside(&self, relative: &str) -> Result<Self, PathError> {
        if relative.starts_with('/') {
            return Err(PathError::Absolute(relative.chars().take(PATH_BYTES_MAX).collect()));
        }
        let mut parts: Vec<&str> =
            self.folder().split('/').filter(|part| !part.is_empty()).collect();
        for part in relative.split('/') {
            match part {
                "." => {}
                ".." if parts.pop().is_some() => {}
                other => parts.push(other),
            }
        }
        Self::new(&parts.join("/"))
    }
}

impl fmt::Display for BundlePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Two paths that cannot be in the same bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathClash {
    /// The same path.
    #[error("`{0}` is there twice")]
    Twice(BundlePath),
    /// The same to a system that does not tell case apart.
    #[error("`{one}` and `{other}` differ only in case")]
    Case {
        /// The first.
        one: String,
        /// The second.
        other: String,
    },
    /// A file where the other one needs a folder.
    #[error("`{0}` is a file, and a folder of others")]
    Folder(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
}

/// Whether all of them can stand side by side on any system.
pub(crate) fn check_together<'p>(
    paths: impl IntoIterator<Item = &'p BundlePath>,
) -> Result<(), PathClash> {
    let mut known: HashMap<String, (&str, Kind)> = HashMap::new();
    for path in paths {
        let whole = path.as_str();
        let folders = whole.match_indices('/').map(|(end, _)| (&whole[..end], Kind::Folder));
        for (part, kind) in folders.chain([(whole, Kind::File)]) {
            let Some(&(before, was)) = known.get(&part.to_ascii_lowercase()) else {
                known.insert(part.to_ascii_lowercase(), (part, kind));
                continue;
            };
            if before != part {
                return Err(PathClash::Case { one: before.to_owned(), other: part.to_owned() });
            }
            match (was, kind) {
                (Kind::Folder, Kind::Folder) => {}
                (Kind::File, Kind::File) => return Err(PathClash::Twice(path.clone())),
                _ => return Err(PathClash::Folder(part.to_owned())),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_means_one_file_everywhere_or_is_refused() {
        let refused = |text: &str, words: &str| {
            let said = BundlePath::new(text).unwrap_err().to_string();
            assert!(said.contains(words), "{text:?}: {said}");
        };
        for good in ["a", "bundle.toml", "plugins/text/a-b_c+1@2.wasm", ".hidden/x", "a..b"] {
            assert_eq!(BundlePath::new(good).unwrap().as_str(), good);
        }
        refused("", "empty");
        for absolute in ["/a", "\\a", "c:/x", "C:\\x", "c:x"] {
            refused(absolute, "absolute");
        }
        for steps in ["..", "a/../b", "../a", "a/..", "./a", "a//b", "a/"] {
            refused(steps, "`.` or `..`");
        }
        for odd in ["a\\b", "a b", "a\0b", "a\nb", "ä", "a\u{308}", "\u{202e}a", "a*"] {
            refused(odd, "holds");
        }
        refused("-rf", "begins with");
        refused("a./b", "begins with");
        refused(&"a".repeat(PATH_BYTES_MAX + 1), "longer than");
        assert!(BundlePath::new(&"a".repeat(PATH_BYTES_MAX)).is_ok());
    }

    #[test]
    fn paths_stand_side_by_side_on_systems_that_do_not_tell_case_apart() {
        let check = |paths: &[&str], words: &str| {
            let paths: Vec<_> = paths.iter().map(|path| BundlePath::new(path).unwrap()).collect();
            let said =
                check_together(&paths).map_or_else(|clash| clash.to_string(), |()| String::new());
            assert!(
                said.contains(words) && said.is_empty() == words.is_empty(),
                "{paths:?}: {said}"
            );
        };
        check(&["a", "b/a", "b/c"], "");
        check(&["a/b", "a/b"], "twice");
        check(&["a/B", "a/b"], "case");
        check(&["A/b", "a/c"], "case");
        check(&["a", "a/b"], "folder");
        check(&["a/b/c", "a/b"], "folder");
    }

    #[test]
    fn another_file_is_named_from_a_folder_but_not_out_of_the_bundle() {
        let from = BundlePath::new("workflows/brief.yaml").unwrap();
        let check = |relative, found: Option<&str>| {
            let path = from.beside(relative).ok();
            assert_eq!(path.as_ref().map(BundlePath::as_str), found, "{relative}");
        };
        check("../plugins/a.wasm", Some("plugins/a.wasm"));
        check("./a.wasm", Some("workflows/a.wasm"));
        check("a/../b.wasm", Some("workflows/b.wasm"));
        check("../../a.wasm", None);
        check("/a.wasm", None);
        check("..", None);
        check("", None);
    }
}
