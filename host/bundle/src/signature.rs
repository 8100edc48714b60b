//! Signatures: who says that a digest is theirs.
//!
//! They stand after everything else and are no part of what they sign, so that a bundle keeps
//! its digest however many sign it.

use std::collections::BTreeMap;
use std::fmt;

use wfhost_workflow::Digest;

use crate::bounds::SIGNATURES_MAX;
use crate::hex;
use crate::keys::{KeyId, SigningKey};

const HEADER: &str = "wfhost-signatures 1";

/// Without it a file that lost its last lines would look like one that fewer people signed.
const FOOTER: &str = "end";

const SIGNATURE_BYTES: usize = 64;

/// Signatures that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Over [`SIGNATURES_MAX`].
    #[error("it has more than {SIGNATURES_MAX} signatures")]
    TooMany,
    /// Not written as signatures are; cut off, perhaps.
    #[error("line {line} of its signatures is not as this version writes it")]
    Text {
        /// From 1.
        line: usize,
    },
    /// Of another bundle, or damaged.
    #[error("the signature by {} is not one of this bundle", key.short())]
    Other {
        /// Who is said to have signed.
        key: KeyId,
    },
}

/// The signatures of one bundle, at most one by each key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signatures(BTreeMap<KeyId, [u8; SIGNATURE_BYTES]>);

/// What is signed: the digest, and for what, so that no signature counts for anything else.
pub(crate) fn message(digest: Digest) -> String {
    format!("wfhost-bundle-signature 1\n{digest}\n")
}

impl Signatures {
    /// None.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads what [`fmt::Display`] writes, and nothing else.
    ///
    /// # Errors
    /// The line.
    pub fn parse(text: &str) -> Result<Self, SignatureError> {
        let mut signatures = Self::none();
        let mut lines = text.lines().zip(1..);
        if lines.next() != Some((HEADER, 1)) {
            return Err(SignatureError::Text { line: 1 });
        }
        let mut last = 1;
        for (content, line) in lines {
            last = line;
            if content == FOOTER {
                break;
            }
            if signatures.0.len() == SIGNATURES_MAX {
                return Err(SignatureError::TooMany);
            }
            let odd = SignatureError::Text { line };
            let (key, signature) = content.split_once(' ').ok_or_else(|| odd.clone())?;
            let key = key.parse::<KeyId>().map_err(|_| odd.clone())?;
            signatures.0.insert(key, hex::bytes_of(signature).ok_or(odd)?);
        }
        // Whatever is left, another order, another spelling.
        if signatures.to_string() == text {
            Ok(signatures)
        } else {
            Err(SignatureError::Text { line: last })
        }
    }

    /// Whether all are signatures of this digest.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self, digest: Digest) -> Result<(), SignatureError> {
        let message = message(digest);
        match self.0.iter().find(|(key, bytes)| !key.has_signed(message.as_bytes(), bytes)) {
            Some((&key, _)) => Err(SignatureError::Other { key }),
            None => Ok(()),
        }
    }

    /// Adds one. Signing again changes nothing.
    ///
    /// # Errors
    /// If there are too many.
    pub fn sign(&mut self, digest: Digest, key: &SigningKey) -> Result<(), SignatureError> {
        if self.0.len() == SIGNATURES_MAX && !self.0.contains_key(&key.id()) {
            return Err(SignatureError::TooMany);
        }
        self.0.insert(key.id(), key.sign(message(digest).as_bytes()));
        Ok(())
    }

    /// Takes one away. Whether there was one.
    pub fn remove(&mut self, key: KeyId) -> bool {
        self.0.remove(&key).is_some()
    }

    /// Adds those of another list.
    ///
    /// # Errors
    /// If there are too many.
    pub fn merge(&mut self, other: Self) -> Result<(), SignatureError> {
        self.0.extend(other.0);
        if self.0.len() > SIGNATURES_MAX { Err(SignatureError::TooMany) } else { Ok(()) }
    }

    /// Who signed, in the order of their ids.
    pub fn keys(&self) -> impl Iterator<Item = KeyId> + '_ {
        self.0.keys().copied()
    }

    /// Whether nobody signed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Signatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        for (key, signature) in &self.0 {
            writeln!(f, "{key} {}", hex::text_of(signature))?;
        }
        writeln!(f, "{FOOTER}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed([seed; 32], "").unwrap()
    }

    fn signed(by: &[u8]) -> Signatures {
        let mut signatures = Signatures::none();
        for &seed in by {
            signatures.sign(Digest::of(b"a"), &key(seed)).unwrap();
        }
        signatures
    }

    #[test]
    fn signatures_are_of_one_digest() {
        let signatures = signed(&[1, 2]);
        assert_eq!(signatures.check(Digest::of(b"a")), Ok(()));
        assert!(matches!(signatures.check(Digest::of(b"b")), Err(SignatureError::Other { .. })));
        assert_eq!(signed(&[1, 2, 1]), signatures);
        assert_eq!(signed(&[2, 1]).to_string(), signatures.to_string());
    }

    /// Made by openssl of the message that `docs/bundle-format.md` describes.
    #[test]
    fn a_signature_is_what_another_implementation_makes() {
        let key = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";
        let signature = "42f24cb9b2eb3feff331787d268aeca572af99913f9f748aab6ddc26ce1e46c9\
                         3134e039fdac113f13eabf66a640c326877031992e02d7ff47bcc4f1d7efaa0a";
        let text = format!("wfhost-signatures 1\ned25519:{key} {signature}\nend\n");
        assert_eq!(signed(&[1]).to_string(), text);
        assert_eq!(Signatures::parse(&text).unwrap().check(Digest::of(b"a")), Ok(()));
    }

    #[test]
    fn signatures_are_written_in_one_way_only() {
        for by in [&[][..], &[1], &[1, 2, 3]] {
            let text = signed(by).to_string();
            assert_eq!(Signatures::parse(&text).unwrap(), signed(by));
            for end in 0..text.len() {
                assert!(Signatures::parse(&text[..end]).is_err(), "cut off after {end}");
            }
            assert!(Signatures::parse(&format!("{text}end\n")).is_err());
            assert!(Signatures::parse(&format!("{text} ")).is_err());
        }
        let text = signed(&[1, 2]).to_string();
        let lines: Vec<&str> = text.lines().collect();
        let with = |lines: &[&str]| Signatures::parse(&format!("{}\n", lines.join("\n")));
        assert!(with(&lines).is_ok());
        assert!(with(&[lines[0], lines[2], lines[1], lines[3]]).is_err());
        assert!(with(&[lines[0], lines[1], lines[1], lines[2], lines[3]]).is_err());
        assert!(with(&[lines[0], &lines[1].to_uppercase(), lines[3]]).is_err());
    }

    #[test]
    fn so_many_signatures_and_no_more() {
        let many: Vec<u8> = (1..=32).collect();
        let mut signatures = signed(&many);
        assert_eq!(signatures.sign(Digest::of(b"a"), &key(99)), Err(SignatureError::TooMany));
        assert_eq!(signatures.merge(signed(&[99])), Err(SignatureError::TooMany));
        assert_eq!(Signatures::parse(&signatures.to_string()), Err(SignatureError::TooMany));
        assert!(signed(&many).to_string().len() as u64 <= crate::bounds::SIGNATURES_BYTES_MAX);
    }
}
