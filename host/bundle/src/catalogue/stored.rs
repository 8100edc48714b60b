//! What is deployed, as notes of a store: one for each bundle, one for each version.
//!
//! The note of a bundle names its versions; that of a version never changes but with its
//! signatures. Both are written in one batch.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wfhost_workflow::Digest;

use super::{Catalogue, Deployed, DeployedVersion, Detail, Tally};

/// The version of the notes' form.
const FORMAT: u32 = 1;

const BUNDLES: &str = "bundle/";
const VERSIONS: &str = "version/";
const TALLY: &str = "tally";

/// A note that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteWrite {
    /// Its name.
    pub name: String,
    /// What it says, and the contents that it refers to; `None`: it goes.
    pub value: Option<(Vec<u8>, Vec<Digest>)>,
}

/// A note that is none of ours.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Not what this format writes.
    #[error("the note `{name}` cannot be read")]
    Form {
        /// Its name.
        name: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A newer one.
    #[error("the note `{name}` has format {found}, and this program reads {FORMAT}")]
    Format {
        /// Its name.
        name: String,
        /// As it says.
        found: u32,
    },
    /// A version without its detail.
    #[error("version {digest} of bundle `{bundle}` is missing")]
    Missing {
        /// The bundle.
        bundle: String,
        /// The version.
        digest: Digest,
    },
}

#[derive(Serialize, Deserialize)]
struct Note<T> {
    format: u32,
    #[serde(flatten)]
    value: T,
}

#[derive(Serialize, Deserialize)]
struct StoredTally {
    counts: Tally,
}

impl Catalogue {
    /// Reads what is deployed from a store's notes: name, bytes, contents that it refers to.
    /// Others are passed over.
    ///
    /// # Errors
    /// A note that this program does not understand.
    pub fn read<'n>(
        notes: impl IntoIterator<Item = (&'n str, &'n [u8], &'n [Digest])>,
    ) -> Result<(Self, Tally), Unreadable> {
        let (mut heads, mut details, mut tally) = (Vec::new(), BTreeMap::new(), Tally::default());
        for (name, bytes, contents) in notes {
            if name.starts_with(BUNDLES) {
                heads.push(decode::<Deployed>(name, bytes)?);
            } else if name.starts_with(VERSIONS) {
                let detail: Detail = decode(name, bytes)?;
                details.insert(name, Arc::new(Detail { contents: contents.to_vec(), ..detail }));
            } else if name == TALLY {
                tally = decode::<StoredTally>(name, bytes)?.counts;
            }
        }
        let mut bundles = BTreeMap::new();
        for mut head in heads {
            for version in &mut head.versions {
                let name = note_of(&head.name, version.digest);
                let detail = details.get(name.as_str()).ok_or_else(|| Unreadable::Missing {
                    bundle: head.name.clone(),
                    digest: version.digest,
                })?;
                version.detail = Arc::clone(detail);
            }
            bundles.insert(head.name.clone(), Arc::new(head));
        }
        Ok((Self { bundles }, tally))
    }

    /// What has to be written so that a store that holds `before` holds this.
    #[must_use]
    pub fn written(&self, before: &Self) -> Vec<NoteWrite> {
        let mut writes = Vec::new();
        for (name, bundle) in &self.bundles {
            let known = before.bundles.get(name);
            if known.is_some_and(|known| Arc::ptr_eq(known, bundle)) {
                continue;
            }
            let known = known.map_or(&[][..], |known| &known.versions);
            writes.push(NoteWrite {
                name: format!("{BUNDLES}{name}"),
                value: Some((encode(&**bundle), Vec::new())),
            });
            writes.extend(versions_written(name, known, &bundle.versions));
        }
        for (name, bundle) in &before.bundles {
            if !self.bundles.contains_key(name) {
                writes.push(NoteWrite { name: format!("{BUNDLES}{name}"), value: None });
                writes.extend(versions_written(name, &bundle.versions, &[]));
            }
        }
        writes
    }
}

impl Tally {
    /// As a note.
    #[must_use]
    pub fn written(&self) -> NoteWrite {
        let value = encode(&StoredTally { counts: self.clone() });
        NoteWrite { name: TALLY.to_owned(), value: Some((value, Vec::new())) }
    }
}

fn versions_written(
    bundle: &str,
    before: &[DeployedVersion],
    after: &[DeployedVersion],
) -> Vec<NoteWrite> {
    let mut writes = Vec::new();
    for version in after {
        let known = before.iter().find(|known| known.digest == version.digest);
        if known.is_none_or(|known| known.detail != version.detail) {
            let value = (encode(&*version.detail), version.detail.contents.clone());
            writes.push(NoteWrite { name: note_of(bundle, version.digest), value: Some(value) });
        }
    }
    for version in before {
        if after.iter().all(|known| known.digest != version.digest) {
            writes.push(NoteWrite { name: note_of(bundle, version.digest), value: None });
        }
    }
    writes
}

fn note_of(bundle: &str, digest: Digest) -> String {
    format!("{VERSIONS}{bundle}/{}", digest.hex())
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(&Note { format: FORMAT, value })
        .expect("it has text keys and nothing that JSON cannot hold")
}

fn decode<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, Unreadable> {
    #[derive(Deserialize)]
    struct Head {
        format: u32,
    }
    let wrong = |source| Unreadable::Form { name: name.to_owned(), source };
    let Head { format } = serde_json::from_slice(bytes).map_err(wrong)?;
    if format != FORMAT {
        return Err(Unreadable::Format { name: name.to_owned(), found: format });
    }
    let note: Note<T> = serde_json::from_slice(bytes).map_err(wrong)?;
    Ok(note.value)
}
