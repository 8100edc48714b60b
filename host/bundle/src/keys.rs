//! Keys that sign: an id that anybody may know, and a file that only its owner can read.
//!
//! An id is the public key itself with the name of its algorithm, so that none can be made to
//! look like another one, or be taken for the key of a connection.
//!
//! ```text
//! # whoever has this file can sign as this key: keep it secret
//! wfhost-signing-key 1
//! comment release team
//! public ed25519:3f0c…
//! secret 9be1…
//! ```

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ed25519_compact::{KeyPair, PublicKey, Seed, Signature};

use crate::bounds::TEXT_CHARS_MAX;
use crate::hex;

const ALGORITHM: &str = "ed25519:";

const HEADER: &str = "wfhost-signing-key 1";

/// A key file has four lines, one of them for people.
const KEY_FILE_BYTES_MAX: u64 = 16 << 10;

/// Which key signed: its public half.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 32]);

/// A text that is no key's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key's id is `ed25519:` and 64 hexadecimal digits of a usable public key")]
pub struct NotAKeyId;

impl KeyId {
    /// The first digits, enough for people to tell keys apart.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string().chars().take(ALGORITHM.len() + 12).collect()
    }

    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        PublicKey::new(self.0).verify(message, &Signature::new(*signature)).is_ok()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ALGORITHM}{}", hex::text_of(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({})", self.short())
    }
}

impl FromStr for KeyId {
    type Err = NotAKeyId;

    /// Refuses points that anybody could sign for.
    fn from_str(text: &str) -> Result<Self, NotAKeyId> {
        let digits = text.strip_prefix(ALGORITHM).ok_or(NotAKeyId)?;
        let bytes = hex::bytes_of(digits).ok_or(NotAKeyId)?;
        PublicKey::new(bytes).validate().map_err(|_| NotAKeyId)?;
        Ok(Self(bytes))
    }
}

/// A key with its secret half, which is shown nowhere.
#[derive(Clone)]
pub struct SigningKey {
    pair: KeyPair,
    comment: String,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id()).finish_non_exhaustive()
    }
}

/// A key file that cannot be used.
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
    /// Others than its owner can read a secret, or change who is trusted.
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
    /// The system gives no random numbers.
    #[error("cannot make a key: {0}")]
    NoRandomness(String),
    /// Over so many characters, or not of one line.
    #[error("a comment is one line of at most {TEXT_CHARS_MAX} characters")]
    Comment,
}

impl SigningKey {
    /// A new key, from the system's randomness.
    ///
    /// # Errors
    /// If there is none, or the comment is no comment.
    pub fn generate(comment: &str) -> Result<Self, KeyError> {
        if !is_comment(comment) {
            return Err(KeyError::Comment);
        }
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| KeyError::NoRandomness(error.to_string()))?;
        let weak = || KeyError::NoRandomness("it gives zeros only".to_owned());
        Self::from_seed(seed, comment).ok_or_else(weak)
    }

    /// The key that a secret gives, always the same; none for zeros, which nobody draws.
    pub(crate) fn from_seed(seed: [u8; 32], comment: &str) -> Option<Self> {
        let pair = KeyPair::try_from_seed(Seed::new(seed)).ok()?;
        Some(Self { pair, comment: comment.to_owned() })
    }

    /// Its public half.
    #[must_use]
    pub fn id(&self) -> KeyId {
        KeyId(*self.pair.pk)
    }

    /// Whose it is, in words.
    #[must_use]
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// The same message always gives the same signature.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        *self.pair.sk.sign(message, None)
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
        let content = |(line, problem)| KeyError::Content { path: path.to_owned(), line, problem };
        Self::parse(&text).map_err(content)
    }

    fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut lines = lines_of(text);
        match lines.next() {
            Some((_, HEADER)) => {}
            first => {
                let line = first.map_or(1, |(line, _)| line);
                return Err((line, format!("no signing key: it does not begin with `{HEADER}`")));
            }
        }
        let (mut public, mut secret, mut comment) = (None, None, None);
        for (line, text) in lines {
            let (name, value) = text.split_once(' ').unwrap_or((text, ""));
            let value = value.trim();
            let twice = match name {
                "public" => {
                    let id = value.parse::<KeyId>().map_err(|error| (line, error.to_string()))?;
                    public.replace((line, id)).is_some()
                }
                "secret" => {
                    let seed = hex::bytes_of(value);
                    let seed =
                        seed.ok_or((line, "a secret has 64 hexadecimal digits".to_owned()))?;
                    secret.replace(seed).is_some()
                }
                "comment" if is_comment(value) => comment.replace(value).is_some(),
                "comment" => return Err((line, KeyError::Comment.to_string())),
                _ => return Err((line, "it is neither public, secret nor comment".to_owned())),
            };
            if twice {
                return Err((line, format!("`{name}` is there twice")));
            }
        }
        let seed = secret.ok_or((1, "the secret half is missing".to_owned()))?;
        let (line, public) = public.ok_or((1, "the public half is missing".to_owned()))?;
        let key = Self::from_seed(seed, comment.unwrap_or_default());
        let key = key.ok_or((1, "the secret half is no secret".to_owned()))?;
        if key.id() != public {
            return Err((line, "the public half does not belong to the secret one".to_owned()));
        }
        Ok(key)
    }

    /// Writes a key file that only its owner can read; never over another file.
    ///
    /// # Errors
    /// If there is such a file, or it cannot be written.
    pub fn write_new(&self, path: &Path) -> Result<(), KeyError> {
        let io = |source| KeyError::Io { doing: "write", path: path.to_owned(), source };
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
        let comment = match self.comment.as_str() {
            "" => String::new(),
            comment => format!("comment {comment}\n"),
        };
        let text = format!(
            "# whoever has this file can sign as this key: keep it secret\n\
             {HEADER}\n{comment}public {}\nsecret {}\n",
            self.id(),
            hex::text_of(self.pair.sk.seed().as_ref()),
        );
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io)
    }
}

pub(crate) fn is_comment(text: &str) -> bool {
    text.chars().take(TEXT_CHARS_MAX + 1).count() <= TEXT_CHARS_MAX
        && !text.contains(char::is_control)
        && text.trim() == text
}

/// The text of a small file, and its permissions.
pub(crate) fn read_text(path: &Path, bytes_max: u64) -> Result<(String, u32), KeyError> {
    let io = |source| KeyError::Io { doing: "read", path: path.to_owned(), source };
    // Opening a pipe would wait for who writes into it.
    if !std::fs::metadata(path).map_err(io)?.is_file() {
        return Err(io(io::Error::new(io::ErrorKind::InvalidInput, "not an ordinary file")));
    }
    let file = File::open(path).map_err(io)?;
    let meta = file.metadata().map_err(io)?;
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

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_comes_back_from_its_file_and_is_written_over_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("team.key");
        let key = SigningKey::generate("release team").unwrap();
        key.write_new(&path).unwrap();
        let again = SigningKey::read(&path).unwrap();
        assert_eq!((again.id(), again.comment()), (key.id(), "release team"));
        assert_eq!(again.sign(b"a"), key.sign(b"a"));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(matches!(key.write_new(&path), Err(KeyError::Io { .. })));
        let secret = hex::text_of(key.pair.sk.seed().as_ref());
        assert!(fs::read_to_string(&path).unwrap().contains(&secret));
        assert!(!format!("{key:?}").contains(&secret[..8]));
        assert_ne!(SigningKey::generate("").unwrap().id(), key.id());
        assert!(matches!(SigningKey::generate("a\nsecret b"), Err(KeyError::Comment)));
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("team.key");
        SigningKey::generate("").unwrap().write_new(&path).unwrap();
        for mode in [0o640, 0o604, 0o660, 0o610] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let refused = SigningKey::read(&path);
            assert!(matches!(refused, Err(KeyError::Open { what: "read", .. })), "{mode:o}");
        }
    }

    #[test]
    fn what_is_no_key_file_is_named_by_its_line() {
        let key = |seed| SigningKey::from_seed([seed; 32], "").unwrap();
        let (one, other) = (key(1), key(2));
        let secret = "01".repeat(32);
        let good = format!("# c\n{HEADER}\npublic {}\nsecret {secret}\n", one.id());
        assert_eq!(SigningKey::parse(&good).unwrap().id(), one.id());
        let wrong = |text: &str, at: usize| {
            assert_eq!(SigningKey::parse(text).unwrap_err().0, at, "{text}");
        };
        wrong("", 1);
        wrong("wfhost-key 1\n", 1);
        wrong("wfhost-signing-key 2\n", 1);
        wrong(&good.replace("public ed25519:", "public "), 3);
        wrong(&good.replace(&secret, &secret[1..]), 4);
        wrong(&good.replace(&one.id().to_string(), &other.id().to_string()), 3);
        wrong(&format!("{good}secret {secret}\n"), 5);
        wrong(&format!("{good}comment a\u{1b}b\n"), 5);
        wrong(&format!("{good}other x\n"), 5);
        wrong(&good.replace("secret", "#"), 1);
        wrong(&good.replace(&secret, &"0".repeat(64)), 1);
    }

    #[test]
    fn no_point_that_anybody_could_sign_for_is_a_key() {
        let identity = format!("ed25519:01{}", "00".repeat(31));
        assert_eq!(identity.parse::<KeyId>(), Err(NotAKeyId));
        assert_eq!(format!("ed25519:{}", "00".repeat(32)).parse::<KeyId>(), Err(NotAKeyId));
        assert_eq!("ed25519:12".parse::<KeyId>(), Err(NotAKeyId));
        let id = SigningKey::from_seed([1; 32], "").unwrap().id();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().replace("ed25519:", "").parse::<KeyId>(), Err(NotAKeyId));
    }

    /// RFC 8032, 7.1, test 2.
    #[test]
    fn signatures_are_those_of_the_standard() {
        let seed = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
        let key = SigningKey::from_seed(hex::bytes_of(seed).unwrap(), "").unwrap();
        let public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
        assert_eq!(key.id().to_string(), format!("ed25519:{public}"));
        let signature = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
        assert_eq!(hex::text_of(&key.sign(&[0x72])), signature);
        assert!(key.id().has_signed(&[0x72], &hex::bytes_of(signature).unwrap()));
        assert!(!key.id().has_signed(&[0x73], &hex::bytes_of(signature).unwrap()));
    }
}
