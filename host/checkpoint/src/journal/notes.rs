//! Notes: what is kept besides runs, each under a name.

use std::borrow::Cow;
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use wfhost_workflow::{Digest, RunId};

use super::{Journal, entry_hash};
use crate::format::{self, Unreadable, seal};
use crate::key::{self, Key};
use crate::store::{NOTE_NAME_BYTES_MAX, Note, NoteWrite};
use crate::table::{Batch, Order, Table};
use crate::{Content, Error};

/// What an entry holds at most; a note that takes more is a content.
const INLINE_BYTES_MAX: usize = 3 << 10;

/// No run's.
const NOBODY: RunId = RunId::from_bytes([0; 16]);

#[derive(Serialize, Deserialize)]
struct StoredNote<'n> {
    name: Cow<'n, str>,
    body: StoredBody,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StoredBody {
    Inline(Body),
    /// A content that holds what `Inline` would have.
    File(ByteBuf),
}

#[derive(Serialize, Deserialize)]
struct Body {
    bytes: ByteBuf,
    /// 32 bytes each, in a row.
    references: ByteBuf,
}

impl<T: Table> Journal<T> {
    /// All or none.
    pub(super) fn put_notes(&self, writes: &[NoteWrite]) -> Result<(), Error> {
        let mut writer = self.writing()?;
        let mut batch = Batch::default();
        let mut meta = writer.meta;
        let mut files = Vec::new();
        for write in writes {
            let key = Key::note(&write.name).bytes();
            if let Some(before) = self.table.get(&key)? {
                meta.subtract(entry_hash(&key, &before));
            } else if write.value.is_none() {
                continue;
            }
            let Some((bytes, references)) = &write.value else {
                batch.delete(key);
                continue;
            };
            let (payload, file) = encode(&write.name, bytes, references)?;
            files.extend(file);
            let value = seal(&key, &payload, true);
            meta.add(entry_hash(&key, &value));
            batch.put(key, value);
        }
        self.or_stop(self.content.put_all(&files))?;
        self.apply(&mut writer, batch, meta)
    }

    pub(super) fn read_notes(&self) -> Result<Vec<Note>, Error> {
        let mut notes = Vec::new();
        self.visit_notes(&mut |stored| {
            let name = stored.name.into_owned();
            let Body { bytes, references } = body_of(stored.body, &self.content)?;
            let references = digests_of(&references)?;
            notes.push(Note { name, bytes: bytes.into_vec(), references });
            Ok(())
        })?;
        notes.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(notes)
    }

    /// Every content that a note refers to, or is.
    pub(super) fn note_references(&self, found: &mut dyn FnMut(Digest)) -> Result<(), Error> {
        self.visit_notes(&mut |stored| {
            if let StoredBody::File(digest) = &stored.body {
                digests_of(digest)?.into_iter().for_each(&mut *found);
            }
            let references = body_of(stored.body, &self.content)?.references;
            digests_of(&references)?.into_iter().for_each(&mut *found);
            Ok(())
        })
    }

    fn visit_notes(
        &self,
        visit: &mut dyn FnMut(StoredNote<'_>) -> Result<(), Unreadable>,
    ) -> Result<(), Error> {
        self.table.scan(key::notes(), Order::Ascending, &mut |key, value| {
            let damaged = |what| Error::damaged(self.table.file(), what);
            let opened = format::open(key, value)
                .map_err(|_| damaged("a note has a wrong checksum".to_owned()))?;
            let visited = format::decode(opened.payload).and_then(&mut *visit);
            visited.map_err(|why| match why {
                Unreadable::Content(error) => error,
                Unreadable::Form(why) => damaged(format!("a note cannot be read: {why}")),
            })?;
            Ok(ControlFlow::Continue(()))
        })
    }
}

/// Whether an entry is a note, of the key that it is stored under; its contents aside.
pub(crate) fn check(key: Key, payload: &[u8]) -> Result<(), Unreadable> {
    let note: StoredNote<'_> = format::decode(payload)?;
    if Key::note(&note.name) != key {
        return Err(Unreadable::Form("it is stored under another name".to_owned()));
    }
    match note.body {
        StoredBody::Inline(Body { references, .. }) | StoredBody::File(references) => {
            digests_of(&references).map(drop)
        }
    }
}

type File = (Digest, Cow<'static, [u8]>);

fn encode(
    name: &str,
    bytes: &[u8],
    references: &[Digest],
) -> Result<(Vec<u8>, Option<File>), Error> {
    if name.len() > NOTE_NAME_BYTES_MAX {
        return Err(Error::Contradiction { run: NOBODY, what: "the name of a note is too long" });
    }
    let references: Vec<u8> = references.iter().flat_map(|digest| *digest.as_bytes()).collect();
    let is_large = bytes.len() + references.len() > INLINE_BYTES_MAX;
    let body = Body { bytes: ByteBuf::from(bytes), references: ByteBuf::from(references) };
    let (body, file) = if is_large {
        let file = format::encode(NOBODY, &body)?;
        let digest = Digest::of(&file);
        let named = ByteBuf::from(digest.as_bytes().as_slice());
        (StoredBody::File(named), Some((digest, Cow::Owned(file))))
    } else {
        (StoredBody::Inline(body), None)
    };
    let name = Cow::Borrowed(name);
    Ok((format::encode(NOBODY, &StoredNote { name, body })?, file))
}

fn body_of(body: StoredBody, content: &Content) -> Result<Body, Unreadable> {
    let digest = match body {
        StoredBody::Inline(body) => return Ok(body),
        StoredBody::File(digest) => digests_of(&digest)?,
    };
    let [digest] = digest[..] else {
        return Err(Unreadable::Form("it names no content".to_owned()));
    };
    format::decode(&content.get(&digest)?)
}

fn digests_of(bytes: &[u8]) -> Result<Vec<Digest>, Unreadable> {
    let (digests, rest) = bytes.as_chunks::<32>();
    if rest.is_empty() {
        return Ok(digests.iter().map(|digest| Digest::from_bytes(*digest)).collect());
    }
    Err(Unreadable::Form("its references are cut off".to_owned()))
}
