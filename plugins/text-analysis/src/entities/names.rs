//! Names: runs of capitalised words, and which of them are more than a sentence's start.

use std::collections::{BTreeMap, BTreeSet};

use super::{EntityKind, patterns::Found};
use crate::words::{self, Word, singular, stop};

/// A run of capitalised words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    words: Vec<String>,
    /// It begins a sentence or a quotation, so that its first capital may mean nothing.
    at_start: bool,
    /// A company's suffix followed.
    is_company: bool,
}

const NAME_WORDS_MAX: usize = 8;
const ACRONYM_CHARS_MAX: usize = 6;

/// What follows one of these is an address.
const STREET_WORDS: &[&str] =
    &["Street", "Avenue", "Ave", "Road", "Rd", "Lane", "Boulevard", "Suite", "Floor"];

#[rustfmt::skip]
const COMPANY_SUFFIXES: &[&str] = &[
    "Inc", "Ltd", "LLC", "Corp", "GmbH", "AG", "SA", "PLC", "LLP", "Co",
];

#[rustfmt::skip]
const ORGANISATION_WORDS: &[&str] = &[
    "Academy", "Agency", "Alliance", "Association", "Authority", "Bank", "Bureau",
    "Center", "Centre", "Club", "College", "Commission", "Committee", "Commons", "Company",
    "Consortium", "Corporation", "Council", "Department", "Federation", "Foundation", 
    "Group", "Hospital", "Initiative", "Institute", "Institution", "Laboratories", "Laboratory",
    "League", "Ministry", "Museum", "Organisation", "Organization",
    "Parliament", "School", "Society", "Union", "University",
];

/// Words that point into a document, or head its parts: capitals there name nothing.
#[rustfmt::skip]
const DOCUMENT_WORDS: &[&str] = &[
    "addendum", "annex", "appendix", "article", "chapter", "clause", "copyright", "exhibit",
    "figure", "note", "page", "paragraph", "part", "preamble", "schedule", "section", "step",
    "subsection", "table",
];

const UNITS: &[&str] = &["GB", "GHz", "GiB", "Hz", "KB", "KiB", "MB", "MHz", "MiB", "TB", "TiB"];

#[rustfmt::skip]
const CALENDAR: &[&str] = &[
    "april", "august", "december", "february", "friday", "january", "july", "june", "march", "may",
    "monday", "november", "october", "saturday", "september", "sunday", "thursday", "tuesday",
    "wednesday",
];

/// The runs of `text`. `taken` is left out: those parts are known as something else.
pub(super) fn find(text: &str, taken: &[Found], is_sentence: bool) -> Vec<Run> {
    let words = words::words(text);
    let mut runs = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let length = run_length(text, &words[at..], taken);
        if length == 0 {
            at += 1;
            continue;
        }
        let end = words[at + length - 1].end();
        let is_company = words.get(at + length).is_some_and(|next| {
            COMPANY_SUFFIXES.contains(&next.text) && matches!(&text[end..next.start], " " | ", ")
        });
        let name = &words[at..at + length];
        if name.iter().any(|word| STREET_WORDS.contains(&word.text)) && !is_company {
            // The rest of the sentence is a postal address.
            break;
        }
        let quoted = text[..words[at].start].ends_with(['"', '“', '\'', '‘']);
        let at_start = is_sentence && (at == 0 || quoted);
        if !is_shouted(&words, at, length) {
            runs.push(Run { words: name.iter().map(shown).collect(), at_start, is_company });
        }
        at += length + usize::from(is_company);
    }
    runs
}

/// Capitals that are there for their loudness: words of more than an acronym's letters, or an
/// acronym beside another word in capitals.
fn is_shouted(words: &[Word<'_>], at: usize, length: usize) -> bool {
    let name = &words[at..at + length];
    if !name.iter().all(Word::is_all_caps) {
        return false;
    }
    let beside = [at.checked_sub(1), Some(at + length)];
    let loud = |at: usize| words.get(at).is_some_and(Word::is_all_caps);
    name.iter().any(|word| word.text.chars().count() > ACRONYM_CHARS_MAX)
        || beside.into_iter().flatten().any(loud)
}

/// Whom a copyright line names: the first run after it.
pub(super) fn owner(text: &str, taken: &[Found]) -> Option<Run> {
    let lower = text.to_lowercase();
    let is_copyright = lower.contains("copyright") || lower.contains("(c)") || lower.contains('©');
    let runs = if is_copyright { find(text, taken, false) } else { Vec::new() };
    runs.into_iter().find_map(|mut run| {
        run.words.retain(|word| !word.eq_ignore_ascii_case("copyright"));
        (!run.words.is_empty()).then_some(run)
    })
}

fn shown(word: &Word<'_>) -> String {
    word.text.trim_end_matches("'s").trim_end_matches("’s").to_owned()
}

/// How many words from the first on are one name: capitalised ones, and between two of them
/// `de`, `van` and the like, or `of (the)` where what stands before can have one.
fn run_length(text: &str, words: &[Word<'_>], taken: &[Found]) -> usize {
    let is_name = |at: usize| words.get(at).is_some_and(|word| is_name_word(word, taken));
    if !is_name(0) {
        return 0;
    }
    let mut length = 1;
    while length < NAME_WORDS_MAX && !is_owner(&words[length - 1]) {
        let links: usize = match words.get(length).map(|word| word.text) {
            Some("de" | "van" | "von" | "der" | "du" | "la") => 1,
            Some("of") if !has_of(&words[..length]) => break,
            Some("of") if words.get(length + 1).is_some_and(|word| word.text == "the") => 2,
            Some("of") => 1,
            _ => 0,
        };
        let next = length + links;
        if !is_name(next) || !(length..=next).all(|at| beside(text, &words[at - 1], &words[at])) {
            break;
        }
        length = next + 1;
    }
    length
}

fn beside(text: &str, word: &Word<'_>, next: &Word<'_>) -> bool {
    matches!(&text[word.end()..next.start], " " | " & ")
}

/// `the author's` belongs to the next word, it does not go on.
fn is_owner(word: &Word<'_>) -> bool {
    word.text.ends_with("'s") || word.text.ends_with("’s")
}

/// `Bank of …`, `Technical University of …`; not `Ada Lovelace of …`.
fn has_of(name: &[Word<'_>]) -> bool {
    match name {
        [word] => !word.is_all_caps(),
        [.., last] => ORGANISATION_WORDS.contains(&last.text),
        [] => false,
    }
}

fn is_name_word(word: &Word<'_>, taken: &[Found]) -> bool {
    let lower = word.folded();
    word.is_capitalised()
        && word.text.chars().count() > 1
        && !stop::is_stop_word(&lower)
        && CALENDAR.binary_search(&lower.as_str()).is_err()
        && !COMPANY_SUFFIXES.contains(&word.text)
        && !word.text.contains('_')
        && !taken.iter().any(|found| found.start <= word.start && word.start < found.end)
}

/// Decides which runs are names and counts them. `lower` holds the stems that are also written
/// in lower case.
pub(super) fn settle(runs: Vec<Run>, lower: &BTreeSet<String>) -> Vec<(EntityKind, String, usize)> {
    let sure: BTreeSet<Vec<String>> =
        runs.iter().filter(|run| !run.at_start).map(|run| run.words.clone()).collect();
    let mut counts: BTreeMap<Vec<String>, (usize, bool)> = BTreeMap::new();
    for mut run in runs {
        if run.at_start && !sure.contains(&run.words) && is_small(&run.words[0], lower) {
            run.words.remove(0);
            // What `of` linked to the first word stands alone now.
            let lead = run.words.iter().position(|w| w.starts_with(char::is_uppercase));
            run.words.drain(..lead.unwrap_or(run.words.len()));
        } else if run.at_start && run.words.len() == 1 && !sure.contains(&run.words) {
            continue;
        }
        if is_name(&run.words, lower) {
            let entry = counts.entry(run.words).or_default();
            entry.0 += 1;
            entry.1 |= run.is_company;
        }
    }
    absorb(&counts)
        .into_iter()
        .map(|(words, (count, company))| (kind(&words, company), words.join(" "), count))
        .collect()
}

fn is_small(word: &str, lower: &BTreeSet<String>) -> bool {
    lower.contains(&singular(&word.to_lowercase()))
}

fn is_name(words: &[String], lower: &BTreeSet<String>) -> bool {
    match words {
        [] => false,
        [word]
            if DOCUMENT_WORDS.binary_search(&singular(&word.to_lowercase()).as_str()).is_ok() =>
        {
            false
        }
        [word] if UNITS.contains(&word.as_str()) => false,
        [word] if is_acronym(word) => !is_small(word, lower) && !is_numeral(word),
        [word] => !is_small(word, lower) && !word.chars().all(|c| !c.is_lowercase()),
        _ => true,
    }
}

fn is_acronym(word: &str) -> bool {
    let letters = word.chars().filter(|c| c.is_alphabetic()).count();
    (2..=ACRONYM_CHARS_MAX).contains(&word.chars().count())
        && letters >= 2
        && !word.chars().any(char::is_lowercase)
}

fn is_numeral(word: &str) -> bool {
    word.chars().all(|c| matches!(c, 'I' | 'V' | 'X' | 'L'))
}

fn kind(words: &[String], company: bool) -> EntityKind {
    // `Free Software Foundation`, `University of California`.
    let mut parts = words.split(|word| word == "of").filter_map(<[String]>::last);
    let is_body = parts.any(|last| ORGANISATION_WORDS.contains(&last.as_str()));
    if company || words.len() > 1 && is_body {
        return EntityKind::Organisation;
    }
    match words {
        [word] if is_acronym(word) => EntityKind::Acronym,
        _ => EntityKind::Name,
    }
}

type Counts = BTreeMap<Vec<String>, (usize, bool)>;

/// A name that is part of a longer one and not much more frequent is short for it.
fn absorb(counts: &Counts) -> Counts {
    // Few names are long enough to hold another, so that the pairs stay few.
    let longer: Vec<(&Vec<String>, usize)> = counts
        .iter()
        .filter(|(words, _)| words.len() > 1)
        .map(|(words, (count, _))| (words, *count))
        .take(400)
        .collect();
    let is_short_for = |words: &Vec<String>, count: usize| {
        longer.iter().any(|(long, times)| {
            long.len() > words.len()
                && count <= 3 * times
                && long.windows(words.len()).any(|part| part == words.as_slice())
        })
    };
    counts
        .iter()
        .filter(|(words, (count, _))| !is_short_for(words, *count))
        .map(|(w, c)| (w.clone(), *c))
        .collect()
}
