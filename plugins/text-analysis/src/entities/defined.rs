//! Terms that a text defines, as contracts and standards do: `"Work" means …`, `(the "Work")`.

use std::collections::BTreeMap;

use super::stem_key;
use crate::{
    document::{head, tail},
    sentences::Sentence,
    words,
};

const TERM_WORDS_MAX: usize = 4;
/// How far behind a term its `means` may stand.
const MEANS_WITHIN_WORDS: usize = 12;

/// The defined terms by the stems of their words: how each is written, and how often it is used.
pub(super) fn terms(sentences: &[Sentence]) -> BTreeMap<String, (String, usize)> {
    let mut terms: BTreeMap<String, (String, usize)> = BTreeMap::new();
    for sentence in sentences {
        for term in quoted(&sentence.text) {
            let key = stem_key(&term);
            if !key.is_empty() {
                terms.entry(key).or_insert((term, 0));
            }
        }
    }
    if !terms.is_empty() {
        count(&mut terms, sentences);
    }
    terms
}

/// The quoted words of `text` that it defines.
fn quoted(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<usize> = None;
    for (at, c) in text.char_indices() {
        match (c, open) {
            ('“', _) | ('"', None) => open = Some(at),
            ('"' | '”', Some(start)) => {
                open = None;
                let inner = &text[start..at];
                let inner = inner.trim_start_matches(['"', '“']).trim_matches([',', '.', ' ']);
                let defines =
                    defines_before(&text[..start]) || defines_after(&text[at + c.len_utf8()..]);
                if defines && is_term(inner) {
                    found.push(bare(inner));
                }
            }
            _ => {}
        }
    }
    found
}

fn is_term(inner: &str) -> bool {
    let words = words::words(inner);
    (1..=TERM_WORDS_MAX).contains(&words.len())
        && words.iter().all(|w| w.has_letter())
        && words[0].is_capitalised()
}

fn bare(term: &str) -> String {
    let bare = ["The ", "This ", "A ", "An "].iter().find_map(|article| term.strip_prefix(article));
    bare.unwrap_or(term).to_owned()
}

fn defines_before(before: &str) -> bool {
    let before = tail(before.trim_end(), 40).to_lowercase();
    [
        "(",
        "(the",
        "(each, a",
        "(an",
        "(a",
        "the term",
        "terms",
        "referred to as",
        "called",
        "(collectively,",
    ]
    .iter()
    .any(|lead| before.ends_with(lead))
}

fn defines_after(after: &str) -> bool {
    // `for a work in this context means`: what is between belongs to the definition.
    let clause = head(after, 120).split(['.', ';', ':', '"', '“']).next().unwrap_or("");
    let next = words::words(clause);
    let means = |word: &words::Word<'_>| matches!(word.text, "means" | "mean" | "denotes");
    let refers = |word: &words::Word<'_>| {
        matches!(word.text, "refers" | "refer" | "includes" | "include" | "is" | "are")
    };
    next.iter().take(MEANS_WITHIN_WORDS).any(means) || next.iter().take(2).any(refers)
}

/// Counts how often each term is used with a capital, in prose of any kind.
fn count(terms: &mut BTreeMap<String, (String, usize)>, sentences: &[Sentence]) {
    for sentence in sentences {
        let words = words::words(&sentence.text);
        let stems: Vec<String> = words.iter().map(words::Word::stem).collect();
        let mut at = 0;
        while at < words.len() {
            at += longest(terms, &words[at..], &stems[at..]).max(1);
        }
    }
}

/// Counts the longest term that begins here, and says how many words it takes.
fn longest(
    terms: &mut BTreeMap<String, (String, usize)>,
    words: &[words::Word<'_>],
    stems: &[String],
) -> usize {
    if !words[0].is_capitalised() {
        return 0;
    }
    for length in (1..=TERM_WORDS_MAX.min(stems.len())).rev() {
        if let Some((_, uses)) = terms.get_mut(&stems[..length].join(" ")) {
            *uses += 1;
            return length;
        }
    }
    0
}
