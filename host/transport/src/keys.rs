//! Keys: who a peer on the network is, and in which list it stands.
//!
//! A secret key is a file that only its owner can read; a list of public keys is a text file with
//! a key a line. Keys are written as 64 hexadecimal digits, which no shell and no configuration
//! file takes for anything else.
//!
//! ```text
//! # node1.key: whoever has this file is this peer
//! wfhost-key 1
//! public 3f0c…
//! secret 9be1…
//!
//! # workers.keys: a public key a line, and a name for people
//! 3f0c…  node1
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::socket;

const KEY_BYTES: usize = 32;

/// A key file has four short lines.
const KEY_FILE_BYTES_MAX: u64 = 4 << 10;

/// Some 10,000 keys with their names.
const LIST_BYTES_MAX: u64 = 1 << 20;

const HEADER: &str = "wfhost-key 1";

/// The public half of a key: who a peer is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; KEY_BYTES]);

impl PublicKey {
    pub(crate) const fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// The key itself.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// The first digits, enough for people to tell keys apart.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.short())
    }
}

/// A text that is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key has 64 hexadecimal digits")]
pub struct NotAKey;

impl FromStr for PublicKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        bytes_of(text).map(Self)
    }
}

fn bytes_of(text: &str) -> Result<[u8; KEY_BYTES], NotAKey> {
    let digits = text.as_bytes();
    if digits.len() != KEY_BYTES * 2 {
        return Err(NotAKey);
    }
    let mut bytes = [0; KEY_BYTES];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16).ok_or(NotAKey);
        *byte = u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).map_err(|_| NotAKey)?;
    }
    Ok(bytes)
}

/// Both halves of a key. Its secret half is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyPair {
    public: PublicKey,
    secret: [u8; KEY_BYTES],
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("public", &self.public).finish_non_exhaustive()
    }
}

/// A key file, or a list of keys, that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read or written.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Others than its owner can read a secret, or write a list.
    #[error("{} can be {what} by others (its mode is {mode:04o})", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// `read` or `written`.
        what: &'static str,
        /// Its permissions.
        mode: u32,
        /// The permissions that it should have.
        wanted: u32,
    },
    /// It is not what it should be.
    #[error("{}:{line}: {problem}", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// libzmq cannot make keys.
    #[error("cannot make a key: the libzmq in use has no CURVE")]
    NoCurve,
}

impl KeyPair {
    /// A new key.
    ///
    /// # Errors
    /// If the libzmq in use cannot encrypt.
    pub fn generate() -> Result<Self, KeyError> {
        let (public, secret) = socket::new_key_pair().ok_or(KeyError::NoCurve)?;
        Ok(Self { public: PublicKey(public), secret })
    }

    /// Its public half.
    #[must_use]
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    pub(crate) const fn secret(&self) -> &[u8; KEY_BYTES] {
        &self.secret
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// If it is no key file, or if anybody but its owner can read it.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let (text, mode) = read_text(path, KEY_FILE_BYTES_MAX)?;
        if mode & 0o077 != 0 {
            let path = path.to_owned();
            return Err(KeyError::Open { path, what: "read", mode, wanted: 0o600 });
        }
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, KeyError> {
        let wrong = |line, problem: String| KeyError::Content { path: path.into(), line, problem };
        let mut lines = lines_of(text);
        match lines.next() {
            Some((_, HEADER)) => {}
            Some((line, other)) if other.starts_with("wfhost-key ") => {
                let problem = format!("this program reads `{HEADER}`, and the file is another's");
                return Err(wrong(line, problem));
            }
            first => {
                let line = first.map_or(1, |(line, _)| line);
                return Err(wrong(line, format!("no key file: it does not begin with `{HEADER}`")));
            }
        }
        let (mut public, mut secret) = (None, None);
        for (line, text) in lines {
            let (name, value) = text.split_once(' ').unwrap_or((text, ""));
            let value = bytes_of(value.trim()).map_err(|error| wrong(line, error.to_string()))?;
            let into = match name {
                "public" => &mut public,
                "secret" => &mut secret,
                other => {
                    return Err(wrong(line, format!("`{other}` is neither public nor secret")));
                }
            };
            if into.replace(value).is_some() {
                return Err(wrong(line, format!("`{name}` is there twice")));
            }
        }
        match (public, secret) {
            (Some(public), Some(secret)) => Ok(Self { public: PublicKey(public), secret }),
            (None, _) => Err(wrong(1, "the public half is missing".to_owned())),
            (_, None) => Err(wrong(1, "the secret half is missing".to_owned())),
        }
    }

    /// Writes a key file that only its owner can read; never over another file.
    ///
    /// # Errors
    /// If there is such a file, or it cannot be written.
    pub fn write_new(&self, path: &Path) -> Result<(), KeyError> {
        let io = |source| KeyError::Io { doing: "write", path: path.to_owned(), source };
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
        let secret = PublicKey(self.secret);
        let text = format!(
            "# whoever has this file is this peer: keep it secret\n{HEADER}\npublic {}\nsecret {secret}\n",
            self.public
        );
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io)
    }
}

/// The text of a small file, and its permissions.
fn read_text(path: &Path, bytes_max: u64) -> Result<(String, u32), KeyError> {
    let io = |source| KeyError::Io { doing: "read", path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    let meta = file.metadata().map_err(io)?;
    if !meta.is_file() {
        return Err(io(io::Error::new(io::ErrorKind::InvalidInput, "not an ordinary file")));
    }
    let mut text = String::new();
    file.take(bytes_max + 1).read_to_string(&mut text).map_err(io)?;
    if text.len() as u64 > bytes_max {
        let problem = format!("it is larger than {bytes_max} bytes");
        return Err(KeyError::Content { path: path.to_owned(), line: 1, problem });
    }
    Ok((text, meta.mode() & 0o7777))
}

/// What is no comment, with the number of its line.
fn lines_of(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// The keys of one list, with their names.
pub type KeyList = BTreeMap<PublicKey, String>;

/// Reads a list of public keys.
///
/// # Errors
/// If it is no such list, or if anybody but its owner can write it.
pub fn read_list(path: &Path) -> Result<KeyList, KeyError> {
    let (text, mode) = read_text(path, LIST_BYTES_MAX)?;
    if mode & 0o022 != 0 {
        let wanted = mode & !0o022;
        return Err(KeyError::Open { path: path.to_owned(), what: "written", mode, wanted });
    }
    let mut list = KeyList::new();
    for (line, text) in lines_of(&text) {
        let wrong = |problem| KeyError::Content { path: path.to_owned(), line, problem };
        let (key, name) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let key: PublicKey = key.parse().map_err(|error: NotAKey| wrong(error.to_string()))?;
        let name = name.trim().to_owned();
        if name.chars().any(char::is_control) {
            return Err(wrong("the name holds a control character".to_owned()));
        }
        if list.insert(key, name).is_some() {
            return Err(wrong("the key is there twice".to_owned()));
        }
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_key_comes_back_from_its_file_and_is_written_over_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.key");
        let pair = KeyPair::generate().unwrap();
        pair.write_new(&path).unwrap();
        assert_eq!(KeyPair::read(&path).unwrap(), pair);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(matches!(pair.write_new(&path), Err(KeyError::Io { .. })));
        assert!(!format!("{pair:?}").contains(&PublicKey(pair.secret).to_string()[..8]));
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.key");
        KeyPair::generate().unwrap().write_new(&path).unwrap();
        for mode in [0o640, 0o604, 0o660] {
            set_mode(&path, mode);
            assert!(matches!(KeyPair::read(&path), Err(KeyError::Open { what: "read", .. })));
        }
    }

    #[test]
    fn what_is_no_key_file_is_named_by_its_line() {
        let hex = "ab".repeat(32);
        let path = Path::new("k");
        let wrong = |text: &str, at: usize| match KeyPair::parse(path, text) {
            Err(KeyError::Content { line, .. }) => assert_eq!(line, at, "{text}"),
            other => panic!("{text}: {other:?}"),
        };
        wrong("", 1);
        wrong("public", 1);
        wrong("wfhost-key 2\n", 1);
        wrong("# c\nwfhost-key 1\npublic 12\n", 3);
        wrong(&format!("wfhost-key 1\npublic {hex}\npublic {hex}\n"), 3);
        wrong(&format!("wfhost-key 1\nother {hex}\n"), 2);
        wrong(&format!("wfhost-key 1\npublic {hex}\n"), 1);
        wrong(&format!("wfhost-key 1\nsecret {}g\n", &hex[1..]), 2);
    }

    #[test]
    fn a_list_has_a_key_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("workers.keys");
        let (a, b) = ("0a".repeat(32), "FF".repeat(32));
        let check = |text: &str| {
            fs::write(&path, text).unwrap();
            set_mode(&path, 0o644);
            read_list(&path)
        };
        let list = check(&format!("# ours\n\n{a}  node one\n{b}\n")).unwrap();
        assert_eq!(list[&a.parse().unwrap()], "node one");
        assert_eq!(list[&b.parse().unwrap()], "");
        assert!(matches!(check(&format!("{a}\n{a}")), Err(KeyError::Content { line: 2, .. })));
        assert!(matches!(check("node1"), Err(KeyError::Content { line: 1, .. })));
        set_mode(&path, 0o664);
        assert!(matches!(read_list(&path), Err(KeyError::Open { what: "written", .. })));
        assert!(matches!(read_list(folder.path()), Err(KeyError::Io { .. })));
    }
}
