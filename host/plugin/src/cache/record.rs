//! A small file under a MAC: what it is about, and a body.
//!
//! ```text
//! {"format":1,"kind":"facts","name":"<digest>","maker":"0.1.0","key":"<id>","bytes":12}
//! <MAC over the line above and the body>
//! <body>
//! ```

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::key::Key;
use super::{Cache, CacheError};

/// Of the files; an entry with another one is made anew.
const FORMAT: u32 = 1;

/// Facts of a component with a thousand functions have some megabytes.
pub(super) const BODY_BYTES_MAX: usize = 64 << 20;
const ABOUT_BYTES_MAX: usize = 4 << 10;

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The header of native code.
    Native,
    /// What the binary says of the component.
    Facts,
    /// What it offers, its own description included.
    Contracts,
}

impl Kind {
    /// Also the folder of those that stand alone.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Facts => "facts",
            Self::Contracts => "contracts",
        }
    }
}

/// What was looked for.
#[derive(Debug)]
pub(crate) enum Found<T> {
    /// It is there and ours.
    Hit(T),
    /// It is not there.
    Miss,
    /// Something is there that is not used.
    Refused(Why),
}

/// Why an entry is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// Its MAC does not fit.
    Altered,
    /// It was made with another key.
    Foreign,
    /// Another version of wfhost or its engine made it.
    Stale(String),
    /// The file system refused.
    Unreadable(String),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Altered => f.write_str("is damaged or was altered"),
            Self::Foreign => f.write_str("was made with the key of another installation"),
            Self::Stale(by) => write!(f, "is of another version ({by})"),
            Self::Unreadable(why) => write!(f, "cannot be read ({why})"),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct About {
    format: u32,
    kind: Kind,
    name: String,
    maker: String,
    key: String,
    bytes: usize,
}

/// As a file holds it.
pub(super) fn encode(key: &Key, kind: Kind, name: &str, maker: &str, body: &[u8]) -> Vec<u8> {
    let about = About {
        format: FORMAT,
        kind,
        name: name.to_owned(),
        maker: maker.to_owned(),
        key: key.id().to_owned(),
        bytes: body.len(),
    };
    // Strings and numbers always make JSON, on one line.
    let mut text = serde_json::to_vec(&about).unwrap_or_default();
    let mac = key.of_record(&text, body);
    text.extend_from_slice(format!("\n{}\n", mac.to_hex()).as_bytes());
    text.extend_from_slice(body);
    text
}

/// The body of a record of this name that `maker` made.
pub(super) fn decode(
    key: &Key,
    kind: Kind,
    name: &str,
    maker: &str,
    text: &[u8],
) -> Result<Vec<u8>, Why> {
    let (about_line, rest) = line(text).ok_or(Why::Altered)?;
    let (mac, body) = line(rest).ok_or(Why::Altered)?;
    // A newer format may say other things in this line.
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let Format { format } = serde_json::from_slice(about_line).map_err(|_| Why::Altered)?;
    if format != FORMAT {
        return Err(Why::Stale(format!("format {format}")));
    }
    let about: About = serde_json::from_slice(about_line).map_err(|_| Why::Altered)?;
    if about.key != key.id() {
        return Err(Why::Foreign);
    }
    let (mac, digits) = (blake3::Hash::from_hex(mac).map_err(|_| Why::Altered)?, mac);
    // `Hash` compares in constant time.
    if key.of_record(about_line, body) != mac
        || mac.to_hex().as_bytes() != digits
        || about.bytes != body.len()
    {
        return Err(Why::Altered);
    }
    if about.kind != kind || about.name != name {
        return Err(Why::Altered);
    }
    if about.maker != maker {
        return Err(Why::Stale(about.maker));
    }
    Ok(body.to_vec())
}

fn line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().take(ABOUT_BYTES_MAX).position(|byte| *byte == b'\n')?;
    Some((&text[..end], &text[end + 1..]))
}

/// Reads a record's file.
pub(super) fn read(
    key: &Key,
    kind: Kind,
    name: &str,
    maker: &str,
    path: &Path,
) -> (Found<Vec<u8>>, Option<File>) {
    let opened = (|| {
        let file = File::open(path)?;
        let mut text = Vec::new();
        (&file).take((BODY_BYTES_MAX + 2 * ABOUT_BYTES_MAX) as u64).read_to_end(&mut text)?;
        Ok((file, text))
    })();
    let (file, text) = match opened {
        Ok(opened) => opened,
        Err(error) => return (missing(&error), None),
    };
    match decode(key, kind, name, maker, &text) {
        Ok(body) => (Found::Hit(body), Some(file)),
        Err(why) => (Found::Refused(why), None),
    }
}

/// An entry may go between two looks at it.
pub(super) fn missing<T>(error: &io::Error) -> Found<T> {
    match error.kind() {
        ErrorKind::NotFound => Found::Miss,
        _ => Found::Refused(Why::Unreadable(error.to_string())),
    }
}

/// Marks a file as used now; only the order of removals hangs on it.
pub(super) fn touch(file: &File) {
    use rustix::fs::{Timespec, Timestamps, UTIME_NOW};
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let marked =
        rustix::fs::futimens(file, &Timestamps { last_access: now, last_modification: now });
    if let Err(error) = marked {
        tracing::debug!(%error, "an entry of the cache could not be marked as used");
    }
}

impl Cache {
    /// The record of a component.
    pub(crate) fn record(&self, kind: Kind, name: &str, maker: &str) -> Found<Vec<u8>> {
        let path = self.part(kind.name()).join(name);
        let (found, file) = read(&self.key, kind, name, maker, &path);
        if let Some(file) = &file {
            touch(file);
        }
        found
    }

    /// Puts a record in place of any that is there.
    pub(crate) fn keep_record(
        &self,
        kind: Kind,
        name: &str,
        maker: &str,
        body: &[u8],
    ) -> Result<(), CacheError> {
        let draft = self.draft()?;
        let new = draft.path().join("record");
        draft.write("record", 0o600, &encode(&self.key, kind, name, maker, body))?;
        let path = self.part(kind.name()).join(name);
        std::fs::rename(&new, &path).map_err(CacheError::io("write", &path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(of: u8) -> Key {
        Key::from_bytes(&[of; 32])
    }

    #[test]
    fn a_record_is_what_was_written_or_says_why_not() {
        let text = encode(&key(1), Kind::Facts, "n", "0.1.0", b"body\nof two lines");
        let read = |key: &Key, kind, name, maker| decode(key, kind, name, maker, &text);
        assert_eq!(read(&key(1), Kind::Facts, "n", "0.1.0").unwrap(), b"body\nof two lines");
        assert_eq!(read(&key(2), Kind::Facts, "n", "0.1.0"), Err(Why::Foreign));
        assert_eq!(read(&key(1), Kind::Contracts, "n", "0.1.0"), Err(Why::Altered));
        assert_eq!(read(&key(1), Kind::Facts, "m", "0.1.0"), Err(Why::Altered));
        assert_eq!(read(&key(1), Kind::Facts, "n", "0.2.0"), Err(Why::Stale("0.1.0".into())));
        let newer =
            String::from_utf8(text.clone()).unwrap().replace("\"format\":1", "\"format\":2");
        assert_eq!(
            decode(&key(1), Kind::Facts, "n", "0.1.0", newer.as_bytes()),
            Err(Why::Stale("format 2".into()))
        );
    }

    #[test]
    fn no_byte_can_be_altered_or_cut_off() {
        let text = encode(&key(1), Kind::Facts, "n", "0.1.0", b"body");
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut altered = text.clone();
                altered[at] ^= 1 << bit;
                let read = decode(&key(1), Kind::Facts, "n", "0.1.0", &altered);
                assert!(read.is_err(), "byte {at}, bit {bit}");
            }
            assert!(
                decode(&key(1), Kind::Facts, "n", "0.1.0", &text[..at]).is_err(),
                "cut at {at}"
            );
        }
    }
}
