//! Named entities, by rules: what is written with capitals inside sentences, what follows a
//! known form (dates, versions, addresses, amounts), and terms that the text itself defines.
//!
//! Titles, headings and text in capitals are not looked at: there a capital says nothing. A
//! capital at a sentence's start counts only where the same name stands elsewhere too.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    document::head,
    layout::{BlockKind, Layout},
    sentences::Sentence,
    words::{self, stop},
};

mod defined;
mod names;
mod patterns;

use patterns::Found;

/// A longer notice is none.
const NOTICE_BYTES_MAX: usize = 4_000;

/// What an entity is, as far as rules can tell.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum EntityKind {
    /// A company, foundation, university or the like.
    Organisation,
    /// A person, place, product or any other name.
    Name,
    /// A word that the text defines, as contracts do.
    DefinedTerm,
    /// Letters that stand for words.
    Acronym,
    /// A day or month with its year.
    Date,
    /// A version.
    Version,
    /// A sum of money.
    Money,
    /// A web address.
    Link,
    /// A mail address.
    Email,
}

/// A thing that a text names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entity {
    /// As it is written most often.
    pub text: String,
    /// What it is.
    pub kind: EntityKind,
    /// How often it is named.
    pub count: usize,
}

/// The entities of a document: by kind, within a kind the most frequent first, `keep` of each.
#[must_use]
pub fn entities(layout: &Layout, sentences: &[Sentence], keep: usize) -> Vec<Entity> {
    let forms: Vec<Vec<Found>> = sentences.iter().map(|s| patterns::find(&s.text)).collect();
    let lower = lower_case_stems(sentences, &forms);
    let mut tally = Tally::default();
    let terms = defined::terms(sentences);
    let parts_of_terms = parts(terms.keys());
    let mut named = Vec::new();
    for (sentence, found) in sentences.iter().zip(forms) {
        if !sentence.is_caps && !sentence.is_title {
            named.extend(names::find(&sentence.text, &found, true));
        }
        found.into_iter().for_each(|found| tally.add(found.kind, found.text));
    }
    for block in layout.blocks.iter().filter(|block| block.kind == BlockKind::Notice) {
        let notice = head(&block.text, NOTICE_BYTES_MAX);
        let found = patterns::find(notice);
        named.extend(names::owner(notice, &found));
        found.into_iter().for_each(|found| tally.add(found.kind, found.text));
    }
    for link in layout.links.iter().filter(|link| link.starts_with("http")) {
        tally.add(EntityKind::Link, patterns::bare_address(link));
    }
    for (kind, name, count) in names::settle(named, &lower) {
        let key = stem_key(&name);
        if !parts_of_terms.contains(&key) {
            tally.add_times(kind, name, count);
        }
    }
    for (text, count) in terms.into_values() {
        tally.add_times(EntityKind::DefinedTerm, text, count);
    }
    tally.best(keep)
}

/// The stems of all words that are somewhere written in lower case, addresses aside: as a lone
/// word such a one is no name.
fn lower_case_stems(sentences: &[Sentence], forms: &[Vec<Found>]) -> BTreeSet<String> {
    let words = sentences.iter().zip(forms).flat_map(|(sentence, found)| {
        let mut words = words::words(&sentence.text);
        words.retain(|word| !found.iter().any(|f| f.start <= word.start && word.start < f.end));
        words
    });
    words.filter(|word| word.text.starts_with(char::is_lowercase)).map(|word| word.stem()).collect()
}

/// The stems of a name's words, without the function words at its ends.
fn stem_key(name: &str) -> String {
    let words = words::words(name);
    let is_content = |word: &words::Word<'_>| !stop::is_stop_word(&word.folded());
    let first = words.iter().position(is_content).unwrap_or(words.len());
    let last = words.iter().rposition(is_content).map_or(first, |last| last + 1);
    words[first..last].iter().map(words::Word::stem).collect::<Vec<_>>().join(" ")
}

/// Every run of words that is in one of `keys`.
fn parts<'a>(keys: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
    let mut parts = BTreeSet::new();
    for key in keys {
        let words: Vec<&str> = key.split(' ').collect();
        for start in 0..words.len() {
            parts.extend((start + 1..=words.len()).map(|end| words[start..end].join(" ")));
        }
    }
    parts
}

#[derive(Default)]
struct Tally {
    counts: BTreeMap<(EntityKind, String), usize>,
}

impl Tally {
    fn add(&mut self, kind: EntityKind, text: String) {
        self.add_times(kind, text, 1);
    }

    fn add_times(&mut self, kind: EntityKind, text: String, times: usize) {
        *self.counts.entry((kind, text)).or_default() += times;
    }

    fn best(self, keep: usize) -> Vec<Entity> {
        let mut all: Vec<Entity> = self
            .counts
            .into_iter()
            .map(|((kind, text), count)| Entity { text, kind, count })
            .collect();
        // Stable over a sorted map: equals are in alphabetical order.
        all.sort_by(|a, b| a.kind.cmp(&b.kind).then(b.count.cmp(&a.count)));
        let mut of_kind: BTreeMap<EntityKind, usize> = BTreeMap::new();
        all.retain(|entity| {
            let seen = of_kind.entry(entity.kind).or_default();
            *seen += 1;
            *seen <= keep
        });
        all
    }
}

#[cfg(test)]
mod tests {
    use super::{EntityKind::*, *};
    use crate::sentences;

    fn check(text: &str, expected: &[(EntityKind, &str, usize)]) {
        let layout = Layout::of(text);
        let found = entities(&layout, &sentences::of(&layout), 10);
        let found: Vec<_> = found.iter().map(|e| (e.kind, e.text.as_str(), e.count)).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn names_are_capitals_inside_sentences() {
        check(
            "Yesterday we met Ada Lovelace in London and left.",
            &[(Name, "Ada Lovelace", 1), (Name, "London", 1)],
        );
        check(
            "It is by the Regents of the University of California in the end.",
            &[(Organisation, "Regents of the University of California", 1)],
        );
        check(
            "All of this came from Example Widgets, Inc. in the end.",
            &[(Organisation, "Example Widgets", 1)],
        );
    }

    #[test]
    fn a_start_counts_only_with_a_witness() {
        check("Nothing is here. Rain fell on it.", &[]);
        check("Berlin is large, and we love Berlin so much.", &[(Name, "Berlin", 2)]);
        check(
            "Free Water Group is what it is. We know the Free Water Group well, a group of free water.",
            &[(Organisation, "Free Water Group", 2)],
        );
    }

    #[test]
    fn a_word_that_is_also_written_small_is_no_name() {
        check("You may copy the License, and the license is yours.", &[]);
    }

    #[test]
    fn terms_that_the_text_defines() {
        check(
            "\"Covered Code\" means the code. You may use Covered Code here. A person (the \"Affirmer\") is one.",
            &[(DefinedTerm, "Covered Code", 2), (DefinedTerm, "Affirmer", 1)],
        );
        check("He said \"Hello\" to us all then.", &[]);
    }

    #[test]
    fn acronyms_are_no_shouting_and_no_numerals() {
        check(
            "We speak of the GPL here, and the GPL is it. See part IV and do NOT go.",
            &[(Acronym, "GPL", 2)],
        );
        check("THE ABC IS NOT IN HERE AT ALL TODAY, IT IS NOT IN HERE.", &[]);
    }

    #[test]
    fn known_forms() {
        check(
            "On 29 June 2007 or June 29, 2007 or 2007-06-29 version 3 came, at https://example.org/a.html, \
             for $1,000.50 or 20 euros, from <me@example.org>, with release 1.2.3 of it.",
            &[
                (Date, "2007-06-29", 1),
                (Date, "29 June 2007", 1),
                (Date, "June 29, 2007", 1),
                (Version, "version 1.2.3", 1),
                (Version, "version 3", 1),
                (Money, "$1,000.50", 1),
                (Money, "20 euros", 1),
                (Link, "example.org/a.html", 1),
                (Email, "me@example.org", 1),
            ],
        );
    }

    #[test]
    fn notices_name_their_owner_and_nothing_else() {
        check(
            "Copyright (C) 1989, 1991 Widget Foundation, Inc.,\n51 Franklin Street, Fifth Floor, Boston\n\nThis is text.\n",
            &[(Organisation, "Widget Foundation", 1)],
        );
        check("Copyright 2020 Ada Lovelace\n\nThis is text.\n", &[(Name, "Ada Lovelace", 1)]);
    }

    #[test]
    fn headings_titles_and_parts_of_a_document_are_no_names() {
        check(
            "# The Great Hall\n\nHere it is. Grant of Patent License. See Section 3 and Exhibit A of it.",
            &[],
        );
    }

    #[test]
    fn nothing_comes_of_nothing() {
        check("", &[]);
        check("1 2 3 . , ; \u{1F600}", &[]);
    }
}
