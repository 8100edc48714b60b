//! The stored form, version 1: MessagePack with named fields, in sealed parts of at most 4 KiB.
//!
//! Stored types are not domain types: what changes there is converted here, and a field that
//! is missed breaks the build. Fields may be added with a default; anything else is a new
//! version. The golden values in `tests/golden` hold the first version.

mod envelope;
mod event;
mod started;
mod summary;
mod value;

use wfhost_workflow::run::{Event, Record};
use wfhost_workflow::{Digest, Revision, RunId, TimestampMs};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

pub(crate) use envelope::{Opened, Unsealed, open, seal};
pub(crate) use summary::{decode_summary, encode_summary};
pub(crate) use value::{Fetch, Large};

use crate::{Commit, Error};
use event::StoredEvent;

/// A value over this goes to a file of its own.
pub(crate) const INLINE_BYTES_MAX: usize = 4096;
/// The payload of one part: with key and envelope an entry stays below 4 KiB.
const PART_BYTES: usize = 4040;
/// A record whose events still take more than this becomes a file, so that any record fits a
/// batch.
const RECORD_BYTES_MAX: usize = 128 << 10;

/// A record's payload.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StoredRecord<'a> {
    /// The events themselves.
    Events { at_ms: u64, events: Vec<StoredEvent<'a>> },
    /// A content that holds what `Events` would have been.
    File {
        #[serde(with = "value::digest")]
        digest: Digest,
    },
}

/// A record in its stored form.
pub(crate) struct EncodedRecord<'a> {
    /// The payload, in parts of at most 4 KiB.
    pub(crate) parts: Vec<Vec<u8>>,
    /// What must be stored by content before the parts are.
    pub(crate) large: Large<'a>,
}

/// Encodes `record` of `run`.
pub(crate) fn encode_record(run: RunId, record: &Record) -> Result<EncodedRecord<'_>, Error> {
    let mut large = Large::default();
    let events = record.events.iter().map(|event| event::to_stored(event, &mut large)).collect();
    let mut payload = encode(run, &StoredRecord::Events { at_ms: record.at.0, events })?;
    if payload.len() > RECORD_BYTES_MAX {
        let digest = large.add_owned(payload);
        payload = encode(run, &StoredRecord::File { digest })?;
    }
    let parts = payload.chunks(PART_BYTES).map(<[u8]>::to_vec).collect();
    Ok(EncodedRecord { parts, large })
}

/// Decodes what [`encode_record`] made, its parts joined.
pub(crate) fn decode_record(
    revision: Revision,
    payload: &[u8],
    fetch: Fetch<'_>,
) -> Result<Record, Unreadable> {
    let (at_ms, events) = match decode::<StoredRecord<'_>>(payload)? {
        StoredRecord::Events { at_ms, events } => (at_ms, events),
        StoredRecord::File { digest } => match decode::<StoredRecord<'_>>(&fetch(&digest)?)? {
            StoredRecord::Events { at_ms, events } => (at_ms, events),
            StoredRecord::File { .. } => return Err(Unreadable::Form("a file in a file".into())),
        },
    };
    let events = events
        .into_iter()
        .map(|stored| event::from_stored(stored, fetch))
        .collect::<Result<Vec<Event>, Unreadable>>()?;
    Ok(Record { revision, at: TimestampMs(at_ms), events })
}

/// The payload of a record that `maker` makes; for the fuzzer.
pub(crate) fn made_record<'de, D: Deserializer<'de>>(run: RunId, maker: D) -> Option<Vec<u8>> {
    encode(run, &StoredRecord::deserialize(maker).ok()?).ok()
}

/// The contents that a record refers to, its own file included.
pub(crate) fn record_references(
    payload: &[u8],
    fetch: Fetch<'_>,
    found: &mut dyn FnMut(Digest),
) -> Result<(), Unreadable> {
    let events = match decode::<StoredRecord<'_>>(payload)? {
        StoredRecord::Events { events, .. } => events,
        StoredRecord::File { digest } => {
            found(digest);
            match decode::<StoredRecord<'_>>(&fetch(&digest)?)? {
                StoredRecord::Events { events, .. } => events,
                StoredRecord::File { .. } => {
                    return Err(Unreadable::Form("a file in a file".into()));
                }
            }
        }
    };
    for event in &events {
        event::references(event, found);
    }
    Ok(())
}

/// Why stored bytes cannot be read back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// Not what this format writes.
    #[error("{0}")]
    Form(String),
    /// A content that it refers to.
    #[error(transparent)]
    Content(#[from] Error),
}

impl From<rmp_serde::decode::Error> for Unreadable {
    fn from(error: rmp_serde::decode::Error) -> Self {
        Self::Form(error.to_string())
    }
}

/// MessagePack with named fields.
pub(crate) fn encode(run: RunId, value: &impl Serialize) -> Result<Vec<u8>, Error> {
    rmp_serde::to_vec_named(value)
        .map_err(|_| Error::Contradiction { run, what: "it has no stored form" })
}

/// The inverse of [`encode`].
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    Ok(rmp_serde::from_slice(bytes)?)
}

/// An estimate of a commit's share of a batch; see [`Commit::weight_bytes`].
pub(crate) fn weight_bytes(commit: &Commit) -> usize {
    const SUMMARY_AND_KEYS: usize = 768;
    let events: usize = commit.record.events.iter().map(event::weight_bytes).sum();
    SUMMARY_AND_KEYS + events.min(RECORD_BYTES_MAX)
}
