//! The readers of the stored form, for the fuzzer and nobody else: they are private otherwise.
//!
//! Each takes bytes that no store wrote. What can be read must be written and read again as the
//! same; an error says what was not.

use serde::Deserializer;
use wfhost_workflow::run::{Record, RunSummary};
use wfhost_workflow::{Digest, Revision, RunId};

use crate::Error;
use crate::format::{self, EncodedRecord, Opened, Unreadable};
use crate::journal::{Meta, PointedSnapshot};
use crate::key::Key;
use crate::mark;

/// Where a form was not the same when it was read again.
type Same = Result<(), String>;

const RUN: RunId = RunId::from_bytes([1; 16]);
const REVISION: Revision = Revision(1);

/// A record's payload.
///
/// # Errors
/// It came back as another.
pub fn record(payload: &[u8]) -> Result<Option<Record>, String> {
    let mut referred = Vec::new();
    let listed = format::record_references(payload, &some_content, &mut |digest| {
        referred.push(digest);
    });
    match format::decode_record(REVISION, payload, &some_content) {
        Ok(record) => {
            if let Err(error) = listed {
                return Err(format!("it is read, and its references are not: {error}"));
            }
            record_comes_back(&record)?;
            Ok(Some(record))
        }
        Err(_) => Ok(None),
    }
}

/// A record that `maker` makes.
///
/// # Errors
/// It came back as another.
pub fn made_record<'de, D: Deserializer<'de>>(maker: D) -> Result<Option<Record>, String> {
    format::made_record(RUN, maker).map_or(Ok(None), |payload| record(&payload))
}

fn record_comes_back(record: &Record) -> Same {
    let EncodedRecord { parts, large } =
        format::encode_record(RUN, record).map_err(|error| error.to_string())?;
    let contents = large.0;
    let find = |digest: &Digest| {
        let found = contents.iter().find(|(known, _)| known == digest);
        found.map(|(_, bytes)| bytes.to_vec()).ok_or(Error::NoContent(*digest))
    };
    let again = format::decode_record(record.revision, &parts.concat(), &find);
    same("a record", Ok(record), again.as_ref())
}

/// Half of all contents are there, as JSON text.
fn some_content(digest: &Digest) -> Result<Vec<u8>, Error> {
    match digest.as_bytes()[0] {
        even if even % 2 == 0 => Ok(b"[1,\"a\"]".to_vec()),
        _ => Err(Error::NoContent(*digest)),
    }
}

/// A summary's payload.
///
/// # Errors
/// It came back as another.
pub fn summary(payload: &[u8]) -> Same {
    let Ok(summary) = format::decode_summary(RUN, payload) else { return Ok(()) };
    summary_comes_back(&summary)
}

/// A summary.
///
/// # Errors
/// It came back as another.
pub fn summary_comes_back(summary: &RunSummary) -> Same {
    match format::encode_summary(summary) {
        Ok(payload) => {
            let again = format::decode_summary(summary.run, &payload);
            same("a summary", Ok(summary), again.as_ref())
        }
        Err(Error::TooLarge { .. }) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// What the table holds besides: keys, the store's own entry, pointers to snapshots, the mark.
///
/// # Errors
/// One of them came back as another.
pub fn small_forms(bytes: &[u8]) -> Same {
    if let Some(key) = Key::parse(bytes)
        && key.bytes() != bytes
    {
        return Err(format!("a key came back as another: {key:?}"));
    }
    if let Ok((_, meta)) = Meta::decode(bytes) {
        let again = Meta::decode(&meta.payload().map_err(|error| error.to_string())?);
        same("the store's entry", Ok(&meta), again.as_ref().map(|(_, meta)| meta))?;
    }
    if let Ok(pointer) = PointedSnapshot::decode(bytes) {
        let payload = pointer.encode(RUN).map_err(|error| error.to_string())?;
        same("a pointer", Ok(&pointer), PointedSnapshot::decode(&payload).as_ref())?;
    }
    if !mark::is_same_when_read(bytes) {
        return Err("a mark came back as another".to_owned());
    }
    Ok(())
}

/// The envelope: opened by its key as it was sealed, and not once a bit was changed.
///
/// # Errors
/// It was opened wrongly.
pub fn envelope(key: &[u8], payload: &[u8], last: bool, bit: usize) -> Same {
    let mut sealed = format::seal(key, payload, last);
    if format::open(key, &sealed) != Ok(Opened { last, payload }) {
        return Err("what was sealed is not opened".to_owned());
    }
    let bit = bit % (sealed.len() * 8);
    sealed[bit / 8] ^= 1 << (bit % 8);
    match format::open(key, &sealed) {
        Ok(_) => Err(format!("bit {bit} is wrong and it is opened")),
        Err(_) => Ok(()),
    }
}

fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    first: Result<&T, &Unreadable>,
    again: Result<&T, &Unreadable>,
) -> Same {
    match (first, again) {
        (Ok(first), Ok(again)) if first == again => Ok(()),
        _ => Err(format!("{what} came back as another: {first:?} {again:?}")),
    }
}
