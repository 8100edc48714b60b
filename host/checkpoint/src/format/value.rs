//! Values inside events: inline up to 4 KiB, else by the digest of a content.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use wfhost_workflow::{Digest, Json};

use super::{INLINE_BYTES_MAX, Unreadable};
use crate::Error;

/// Reads a content, verified.
pub(crate) type Fetch<'a> = &'a dyn Fn(&Digest) -> Result<Vec<u8>, Error>;

/// Contents that a record refers to and that are to be stored before it.
#[derive(Default)]
pub(crate) struct Large<'a>(pub(crate) Vec<(Digest, Cow<'a, [u8]>)>);

impl<'a> Large<'a> {
    fn add(&mut self, bytes: &'a [u8]) -> Digest {
        let digest = Digest::of(bytes);
        self.0.push((digest, Cow::Borrowed(bytes)));
        digest
    }

    /// Adds bytes that nobody else keeps.
    pub(super) fn add_owned(&mut self, bytes: Vec<u8>) -> Digest {
        let digest = Digest::of(&bytes);
        self.0.push((digest, Cow::Owned(bytes)));
        digest
    }
}

/// JSON text.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum StoredJson<'a> {
    Inline(Cow<'a, str>),
    File {
        #[serde(with = "digest")]
        digest: Digest,
    },
}

impl<'a> StoredJson<'a> {
    pub(super) fn to_stored(json: &'a Json, large: &mut Large<'a>) -> Self {
        if json.len_bytes() <= INLINE_BYTES_MAX {
            Self::Inline(Cow::Borrowed(json.as_str()))
        } else {
            Self::File { digest: large.add(json.as_str().as_bytes()) }
        }
    }

    pub(super) fn into_json(self, fetch: Fetch<'_>) -> Result<Json, Unreadable> {
        let text = match self {
            Self::Inline(text) => text.into_owned(),
            Self::File { digest } => String::from_utf8(fetch(&digest)?)
                .map_err(|_| Unreadable::Form(format!("content {digest} is not text")))?,
        };
        // Checked when it was made, and its checksum or digest since.
        Ok(Json::from_trusted(text))
    }

    pub(super) fn references(&self, found: &mut dyn FnMut(Digest)) {
        match self {
            Self::Inline(_) => {}
            Self::File { digest } => found(*digest),
        }
    }
}

/// Bytes.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum StoredBytes<'a> {
    Inline(#[serde(with = "bytes")] Cow<'a, [u8]>),
    File {
        #[serde(with = "digest")]
        digest: Digest,
    },
}

impl<'a> StoredBytes<'a> {
    pub(super) fn to_stored(bytes: &'a [u8], large: &mut Large<'a>) -> Self {
        if bytes.len() <= INLINE_BYTES_MAX {
            Self::Inline(Cow::Borrowed(bytes))
        } else {
            Self::File { digest: large.add(bytes) }
        }
    }

    pub(super) fn into_bytes(self, fetch: Fetch<'_>) -> Result<Vec<u8>, Unreadable> {
        Ok(match self {
            Self::Inline(bytes) => bytes.into_owned(),
            Self::File { digest } => fetch(&digest)?,
        })
    }

    pub(super) fn references(&self, found: &mut dyn FnMut(Digest)) {
        match self {
            Self::Inline(_) => {}
            Self::File { digest } => found(*digest),
        }
    }
}

/// A digest where `with` cannot stand, as in an `Option`.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct StoredDigest(#[serde(with = "digest")] pub(super) Digest);

/// A digest as its 32 bytes.
pub(super) mod digest {
    use serde::{Deserializer, Serializer};
    use serde_bytes::ByteArray;
    use wfhost_workflow::Digest;

    pub(crate) fn serialize<S: Serializer>(digest: &Digest, to: S) -> Result<S::Ok, S::Error> {
        serde_bytes::serialize(digest.as_bytes(), to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Digest, D::Error> {
        let bytes: ByteArray<32> = serde::Deserialize::deserialize(from)?;
        Ok(Digest::from_bytes(bytes.into_array()))
    }
}

/// Bytes that are owned when read.
mod bytes {
    use std::borrow::Cow;

    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        serde_bytes::serialize(bytes, to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Cow<'static, [u8]>, D::Error> {
        serde_bytes::deserialize(from).map(Cow::Owned)
    }
}
