//! What a document is about: everything that the report wants to know of its words, in one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    entities::{self, Entity},
    layout::Layout,
    rake::{self, Phrase},
    readability::{self, Readability},
    sentences,
    similarity::{self, Term},
};

/// Key phrases that are kept of a document.
pub const PHRASES_MAX: usize = 20;
/// Entities of each kind that are kept of a document.
pub const ENTITIES_MAX: usize = 20;

/// What a document is about.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Topics {
    /// The document's name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// How long it is, and how hard to read.
    pub readability: Readability,
    /// Its key phrases, best first.
    pub key_phrases: Vec<Phrase>,
    /// What it names, by kind, the most frequent first.
    pub entities: Vec<Entity>,
    /// Its words, the most frequent first, to compare it with others by.
    pub terms: Vec<Term>,
}

/// Reads the document `name`.
#[must_use]
pub fn of(name: &str, title: &str, layout: &Layout) -> Topics {
    let sentences = sentences::of(layout);
    Topics {
        name: name.to_owned(),
        title: title.to_owned(),
        readability: readability::measure(&sentences),
        key_phrases: rake::phrases(&sentences, PHRASES_MAX),
        entities: entities::entities(layout, &sentences, ENTITIES_MAX),
        terms: similarity::terms(&sentences),
    }
}
