//! Whom an operator trusts: keys, what each may deploy and from when to when, and keys that no
//! longer count.
//!
//! ```toml
//! [[keys]]
//! id = "ed25519:3f0c…"
//! comment = "release team"
//! deploys = ["my-agents", "team-*"]
//! not_before = 2026-01-01T00:00:00Z
//! expires = 2027-01-01T00:00:00Z
//!
//! [[revoked]]
//! id = "ed25519:9be1…"
//! reason = "a laptop was stolen"
//! ```
//!
//! Decides about values; the time is an argument. A revocation wins over everything else.

mod file;
mod policy;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use wfhost_workflow::TimestampMs;

use crate::bounds::NAME_CHARS_MAX;
use crate::keys::{self, KeyError, KeyId};
use crate::signature::Signatures;
use crate::toml_text;

pub use file::{Current, TrustFile};
pub use policy::{NotAdmitted, TrustPolicy, Unsigned};

/// Some thousand keys.
const TRUST_BYTES_MAX: u64 = 1 << 20;

/// Patterns of one key.
const PATTERNS_MAX: usize = 256;

/// Keys that count, and keys that do not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    keys: BTreeMap<KeyId, TrustedKey>,
    revoked: BTreeMap<KeyId, String>,
}

/// A key that counts, for some names and for some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedKey {
    /// Whose it is, in words.
    pub comment: String,
    /// Names of bundles; `*` stands for any characters, `?` for one.
    pub deploys: Vec<String>,
    /// From when on; `None`: always.
    pub not_before: Option<TimestampMs>,
    /// The first moment at which it no longer counts; `None`: never.
    pub expires: Option<TimestampMs>,
}

/// What a signature counts for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It counts.
    Trusted,
    /// The key is in no list.
    Unknown,
    /// The key may deploy other names.
    OtherNames(Vec<String>),
    /// The key does not count yet.
    NotYet(TimestampMs),
    /// The key no longer counts.
    Expired(TimestampMs),
    /// The key was revoked.
    Revoked {
        /// As the operator wrote.
        reason: String,
    },
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trusted => f.write_str("is trusted"),
            Self::Unknown => f.write_str("is not trusted"),
            Self::OtherNames(names) => write!(f, "may deploy {} only", names.join(", ")),
            Self::NotYet(at) => write!(f, "is trusted from {} on", shown(*at)),
            Self::Expired(at) => write!(f, "was trusted until {}", shown(*at)),
            Self::Revoked { reason } if reason.is_empty() => f.write_str("was revoked"),
            Self::Revoked { reason } => write!(f, "was revoked: {reason}"),
        }
    }
}

fn shown(at: TimestampMs) -> String {
    let stamp = i64::try_from(at.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    stamp.map_or_else(|| format!("{} ms", at.0), |stamp| stamp.to_string())
}

/// Who signed, and what it counts for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The key.
    pub key: KeyId,
    /// Whose it is, as the operator says; empty for an unknown key.
    pub comment: String,
    /// What the signature counts for.
    pub standing: Standing,
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let comment = if self.comment.is_empty() { "" } else { " " };
        write!(f, "{}{comment}{} {}", self.key.short(), self.comment, self.standing)
    }
}

/// Nobody who may deploy it has signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nobody has signed.
    #[error("`{name}` is not signed")]
    Unsigned {
        /// The bundle's.
        name: String,
    },
    /// Others have.
    #[error("nobody who may deploy `{name}` has signed it: {}", said(signers))]
    NotTrusted {
        /// The bundle's.
        name: String,
        /// Who has, and why that does not count.
        signers: Vec<Signer>,
    },
}

fn said(signers: &[Signer]) -> String {
    signers.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// A list of keys that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TrustError(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    keys: Vec<KeyEntry>,
    #[serde(default)]
    revoked: Vec<RevokedEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyEntry {
    id: String,
    #[serde(default)]
    comment: String,
    deploys: Vec<String>,
    not_before: Option<toml::value::Datetime>,
    expires: Option<toml::value::Datetime>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokedEntry {
    id: String,
    #[serde(default)]
    reason: String,
}

impl Trust {
    /// Reads the text of a list.
    ///
    /// # Errors
    /// What is wrong with it, with the line or the key.
    pub fn parse(text: &str) -> Result<Self, TrustError> {
        let file: File = toml_text::parse(text).map_err(|wrong| TrustError(wrong.shown))?;
        let mut trust = Self::default();
        for entry in file.keys {
            let id = entry.id.clone();
            let of_key = |problem| TrustError(format!("key `{}`: {problem}", cut(&id)));
            let (id, key) = trusted(entry).map_err(of_key)?;
            if trust.keys.insert(id, key).is_some() {
                return Err(of_key("it is there twice".to_owned()));
            }
        }
        for RevokedEntry { id, reason } in file.revoked {
            let of_key = |problem| TrustError(format!("revoked key `{}`: {problem}", cut(&id)));
            let known: KeyId = id.parse().map_err(|error| of_key(format!("{error}")))?;
            if !keys::is_comment(&reason) {
                return Err(of_key("`reason` is no line of text".to_owned()));
            }
            trust.revoked.insert(known, reason);
        }
        Ok(trust)
    }

    /// Reads a list's file.
    ///
    /// # Errors
    /// If it is no such list, or if anybody but its owner can write it.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let (text, mode) = keys::read_text(path, TRUST_BYTES_MAX)?;
        if mode & 0o022 != 0 {
            let wanted = mode & !0o022;
            return Err(KeyError::Open { path: path.to_owned(), what: "written", mode, wanted });
        }
        Self::parse(&text).map_err(|TrustError(problem)| KeyError::Content {
            path: path.to_owned(),
            line: 1,
            problem,
        })
    }

    /// Adds another list: a revocation in any of them holds.
    ///
    /// # Errors
    /// If both trust a key, and not for the same.
    pub fn merge(&mut self, other: Self) -> Result<(), TrustError> {
        for (id, key) in other.keys {
            if self.keys.get(&id).is_some_and(|known| *known != key) {
                return Err(TrustError(format!("{id} is trusted twice, for different things")));
            }
            self.keys.insert(id, key);
        }
        self.revoked.extend(other.revoked);
        Ok(())
    }

    /// The keys that are trusted, revoked ones among them.
    pub fn keys(&self) -> impl Iterator<Item = (KeyId, &TrustedKey)> + '_ {
        self.keys.iter().map(|(id, key)| (*id, key))
    }

    /// What a signature by a key counts for.
    #[must_use]
    pub fn standing(&self, key: KeyId, name: &str, now: TimestampMs) -> Standing {
        if let Some(reason) = self.revoked.get(&key) {
            return Standing::Revoked { reason: reason.clone() };
        }
        let Some(trusted) = self.keys.get(&key) else { return Standing::Unknown };
        if let Some(from) = trusted.not_before.filter(|from| now < *from) {
            return Standing::NotYet(from);
        }
        if let Some(until) = trusted.expires.filter(|until| *until <= now) {
            return Standing::Expired(until);
        }
        if trusted.deploys.iter().any(|pattern| matches(pattern, name)) {
            Standing::Trusted
        } else {
            Standing::OtherNames(trusted.deploys.clone())
        }
    }

    /// Who signed a bundle of this name. The signatures must have been checked against its
    /// digest, as those of a [`crate::BundleFile`] are, and the name must be the one in it.
    #[must_use]
    pub fn signers(&self, name: &str, signatures: &Signatures, now: TimestampMs) -> Vec<Signer> {
        signatures.keys().map(|key| self.signer(key, name, now)).collect()
    }

    fn signer(&self, key: KeyId, name: &str, now: TimestampMs) -> Signer {
        Signer {
            key,
            comment: self.keys.get(&key).map(|key| key.comment.clone()).unwrap_or_default(),
            standing: self.standing(key, name, now),
        }
    }

    /// Whether a bundle may be deployed: one signature that counts is enough.
    ///
    /// # Errors
    /// If there is none; with what is wrong with each that there is.
    pub fn admit(
        &self,
        name: &str,
        signatures: &Signatures,
        now: TimestampMs,
    ) -> Result<Vec<Signer>, Refused> {
        self.admit_keys(name, signatures.keys(), now)
    }

    /// The same of a bundle whose signatures were checked before: these keys have signed it.
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub fn admit_keys(
        &self,
        name: &str,
        keys: impl IntoIterator<Item = KeyId>,
        now: TimestampMs,
    ) -> Result<Vec<Signer>, Refused> {
        let signers: Vec<_> = keys.into_iter().map(|key| self.signer(key, name, now)).collect();
        let name = name.to_owned();
        if signers.is_empty() {
            return Err(Refused::Unsigned { name });
        }
        if signers.iter().any(|signer| signer.standing == Standing::Trusted) {
            return Ok(signers);
        }
        Err(Refused::NotTrusted { name, signers })
    }
}

fn trusted(entry: KeyEntry) -> Result<(KeyId, TrustedKey), String> {
    let id: KeyId = entry.id.parse().map_err(|error| format!("{error}"))?;
    if !keys::is_comment(&entry.comment) {
        return Err("`comment` is no line of text".to_owned());
    }
    if entry.deploys.is_empty() || entry.deploys.len() > PATTERNS_MAX {
        return Err(format!("`deploys` must name 1 to {PATTERNS_MAX} bundles, or `*`"));
    }
    let odd = |pattern: &&String| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.*?".contains(c);
        pattern.is_empty() || pattern.len() > NAME_CHARS_MAX || !pattern.chars().all(plain)
    };
    if let Some(pattern) = entry.deploys.iter().find(odd) {
        return Err(format!("`{}` is no name of bundles, with `*` or `?`", cut(pattern)));
    }
    let not_before = entry.not_before.map(|at| moment("not_before", at)).transpose()?;
    let expires = entry.expires.map(|at| moment("expires", at)).transpose()?;
    if not_before.zip(expires).is_some_and(|(from, until)| until <= from) {
        return Err("it expires before it counts".to_owned());
    }
    Ok((id, TrustedKey { comment: entry.comment, deploys: entry.deploys, not_before, expires }))
}

fn moment(name: &str, at: toml::value::Datetime) -> Result<TimestampMs, String> {
    let stamp: Option<jiff::Timestamp> = at.to_string().parse().ok();
    let stamp = stamp.filter(|_| at.offset.is_some());
    let ms = stamp.and_then(|stamp| u64::try_from(stamp.as_millisecond()).ok());
    ms.map(TimestampMs).ok_or_else(|| {
        format!("`{name}` must be a time with its offset, such as 2027-01-01T00:00:00Z")
    })
}

fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Whether a pattern stands for a name, in time that grows with their product at most.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut of_name) = (0, 0);
    // The last `*`, and how much of the name it has taken: all that ever needs another try.
    let mut star: Option<(usize, usize)> = None;
    while of_name < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, of_name));
                at += 1;
            }
            Some(&letter) if letter == b'?' || letter == name[of_name] => {
                at += 1;
                of_name += 1;
            }
            _ => {
                let Some((star_at, taken)) = star else { return false };
                star = Some((star_at, taken + 1));
                at = star_at + 1;
                of_name = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|&letter| letter == b'*')
}

#[cfg(test)]
mod tests;
