//! Key phrases by RAKE: Rose, Engel, Cramer and Cowley, *Automatic Keyword Extraction from
//! Individual Documents* (2010).
//!
//! A candidate is a run of words between function words and punctuation. A word's score is its
//! degree (the lengths of the candidates it is in, summed) over its frequency, a candidate's
//! the sum of its words'. Departures, since the paper is about abstracts and these are whole
//! documents: words are counted by stem; the score is weighed by `ln(1 + occurrences)`, so that
//! what is said once does not win by its length, and halved for a lone word; a candidate that stands there once is parted at
//! words that look like verbs; and of two phrases of which one contains the other only one is
//! given, the part where it is much more frequent than the whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    round,
    sentences::Sentence,
    words::{self, Word, stop},
};

/// Longer candidates count for their words' scores, but are not given: they are clauses.
const PHRASE_WORDS_MAX: usize = 4;
/// In a text of at least this many words a phrase has to occur twice to be one.
const LONG_TEXT_WORDS: usize = 300;
/// A word that stands alone says less than a phrase.
const LONE_WORD_WEIGHT: f64 = 0.5;
/// Shorter words are no key phrase on their own.
const LONE_WORD_CHARS_MIN: usize = 4;

/// Longer words in capitals are not short for anything, only loud.
const ACRONYM_CHARS_MAX: usize = 6;

/// A phrase that tells what a text is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Phrase {
    /// As it is written most often.
    pub text: String,
    /// The stems of its words: what tells whether two documents share it.
    pub key: String,
    /// How often it stands in the text, plural and singular taken together.
    pub count: usize,
    /// Its RAKE score weighed by `ln(1 + count)`, half of that for a lone word.
    pub score: f64,
}

/// The best `keep` key phrases, best first.
#[must_use]
pub fn phrases(sentences: &[Sentence], keep: usize) -> Vec<Phrase> {
    let mut candidates = Candidates::default();
    for sentence in sentences {
        candidates.read(sentence);
    }
    candidates.best(keep)
}

/// A word of a candidate.
#[derive(Clone)]
struct Part {
    stem: String,
    written: String,
    /// It looks like a verb in the past: `climbed`.
    is_past: bool,
}

#[derive(Default)]
struct Candidates {
    runs: Vec<Vec<Part>>,
    words: usize,
}

/// How a candidate is written, and how often each way.
#[derive(Default)]
struct Surfaces {
    count: usize,
    written: BTreeMap<String, usize>,
}

#[derive(Default)]
struct Degree {
    frequency: usize,
    degree: usize,
}

impl Candidates {
    fn read(&mut self, sentence: &Sentence) {
        let words = words::words(&sentence.text);
        let addresses = addresses(&sentence.text);
        let is_address = |word: &Word<'_>| addresses.iter().any(|span| span.contains(&word.start));
        self.words += words.len();
        let mut run: Vec<&Word<'_>> = Vec::new();
        for word in &words {
            if let Some(last) = run.last()
                && !is_joint(&sentence.text[last.end()..word.start])
            {
                self.take(&mut run, sentence);
            }
            if is_content(word) && !is_address(word) {
                run.push(word);
            } else {
                self.take(&mut run, sentence);
            }
        }
        self.take(&mut run, sentence);
    }

    fn take(&mut self, run: &mut Vec<&Word<'_>>, sentence: &Sentence) {
        let lower_first =
            run.first().is_some_and(|first| is_mere_start(first, run.get(1), sentence));
        let parts = run.iter().enumerate().map(|(at, word)| Part {
            stem: word.stem(),
            written: written(word, sentence.is_caps || (at == 0 && lower_first)),
            is_past: word.text.len() > 4 && word.text.ends_with("ed"),
        });
        let parts: Vec<Part> = parts.collect();
        if !parts.is_empty() {
            self.runs.push(parts);
        }
        run.clear();
    }

    fn best(self, keep: usize) -> Vec<Phrase> {
        let count_min = if self.words >= LONG_TEXT_WORDS { 2 } else { 1 };
        let runs = part_at_verbs(self.runs);
        let degrees = degrees(&runs);
        let by_key = surfaces(&runs);
        let mut ranked: Vec<(&Vec<String>, &Surfaces, f64)> = by_key
            .iter()
            .filter(|(key, surfaces)| surfaces.count >= count_min && can_stand(key))
            .filter(|(key, surfaces)| !has_better_part(key, surfaces.count, &by_key))
            .map(|(key, surfaces)| (key, surfaces, score(key, surfaces.count, &degrees)))
            .collect();
        // The sort is stable and the map sorted: ties are in alphabetical order.
        ranked.sort_by(|a, b| b.2.total_cmp(&a.2));
        let mut kept: Vec<&Vec<String>> = Vec::new();
        let mut best = Vec::new();
        for (key, surfaces, score) in ranked {
            if best.len() >= keep {
                break;
            }
            if kept.iter().any(|other| contains(other, key) || contains(key, other)) {
                continue;
            }
            kept.push(key);
            let text = surfaces.usual();
            best.push(Phrase { text, key: key.join(" "), count: surfaces.count, score });
        }
        best
    }
}

/// Parts the runs that stand there once at their words in the past.
fn part_at_verbs(runs: Vec<Vec<Part>>) -> Vec<Vec<Part>> {
    let mut counts: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    for run in &runs {
        *counts.entry(stems(run)).or_default() += 1;
    }
    let mut parted = Vec::new();
    for run in runs {
        if counts.get(&stems(&run)) == Some(&1) {
            let parts = run.split(|part| part.is_past).filter(|parts| !parts.is_empty());
            parted.extend(parts.map(<[Part]>::to_vec));
        } else {
            parted.push(run);
        }
    }
    parted
}

fn stems(run: &[Part]) -> Vec<String> {
    run.iter().map(|part| part.stem.clone()).collect()
}

fn degrees(runs: &[Vec<Part>]) -> BTreeMap<String, Degree> {
    let mut degrees: BTreeMap<String, Degree> = BTreeMap::new();
    for run in runs {
        for part in run {
            let degree = degrees.entry(part.stem.clone()).or_default();
            degree.frequency += 1;
            degree.degree += run.len();
        }
    }
    degrees
}

/// The candidates that are short enough to be given, by the stems of their words.
fn surfaces(runs: &[Vec<Part>]) -> BTreeMap<Vec<String>, Surfaces> {
    let mut by_key: BTreeMap<Vec<String>, Surfaces> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.len() <= PHRASE_WORDS_MAX) {
        let written: Vec<&str> = run.iter().map(|part| part.written.as_str()).collect();
        let surfaces = by_key.entry(stems(run)).or_default();
        surfaces.count += 1;
        *surfaces.written.entry(written.join(" ")).or_default() += 1;
    }
    by_key
}

fn score(key: &[String], count: usize, degrees: &BTreeMap<String, Degree>) -> f64 {
    let rake: f64 = key
        .iter()
        .filter_map(|stem| degrees.get(stem))
        .map(|word| word.degree as f64 / word.frequency as f64)
        .sum();
    let weight = if key.len() == 1 { LONE_WORD_WEIGHT } else { 1.0 };
    round(rake * weight * (1.0 + count as f64).ln(), 4)
}

/// Whether two or more of its words are a phrase of their own that is at least twice as frequent.
fn has_better_part(key: &[String], count: usize, all: &BTreeMap<Vec<String>, Surfaces>) -> bool {
    (2..key.len())
        .flat_map(|length| key.windows(length))
        .any(|part| all.get(part).is_some_and(|surfaces| surfaces.count >= 2 * count))
}

impl Surfaces {
    /// The most frequent way to write it; of equals the first in order.
    fn usual(&self) -> String {
        let mut best: Option<(&String, usize)> = None;
        for (written, &count) in &self.written {
            if best.is_none_or(|(_, most)| count > most) {
                best = Some((written, count));
            }
        }
        best.map_or_else(String::new, |(written, _)| written.clone())
    }
}

/// Where the web and mail addresses of a sentence stand: their parts are no words.
fn addresses(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for token in text.split_inclusive(char::is_whitespace) {
        let end = start + token.len();
        if token.contains("://") || token.contains("www.") || token.contains('@') {
            found.push(start..end);
        }
        start = end;
    }
    found
}

fn is_joint(between: &str) -> bool {
    !between.is_empty() && between.chars().all(char::is_whitespace)
}

fn is_content(word: &Word<'_>) -> bool {
    word.has_letter() && !word.text.contains('_') && !stop::ends_phrase(&word.folded())
}

/// Whether a capital only marks the sentence's start: the next word has none.
fn is_mere_start(first: &Word<'_>, next: Option<&&Word<'_>>, sentence: &Sentence) -> bool {
    let starts = sentence.text[..first.start].chars().all(|c| !c.is_alphanumeric());
    starts && !first.is_all_caps() && !next.is_some_and(|next| next.is_capitalised())
}

fn written(word: &Word<'_>, lower: bool) -> String {
    let bare = word.text.trim_end_matches("'s").trim_end_matches("’s");
    let is_loud = word.is_all_caps() && bare.chars().count() > ACRONYM_CHARS_MAX;
    if lower || is_loud { bare.to_lowercase() } else { bare.to_owned() }
}

fn can_stand(key: &[String]) -> bool {
    let distinct: BTreeSet<&String> = key.iter().collect();
    // A lone participle is a verb that the lists do not know.
    let is_topic =
        |word: &String| word.chars().count() >= LONE_WORD_CHARS_MIN && !word.ends_with("ed");
    distinct.len() == key.len() && (key.len() > 1 || key.iter().all(is_topic))
}

fn contains(whole: &[String], part: &[String]) -> bool {
    part.len() <= whole.len() && whole.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sentences;

    fn of(text: &str, keep: usize) -> Vec<Phrase> {
        let sentences: Vec<Sentence> = sentences::split(text)
            .into_iter()
            .map(|text| Sentence {
                text: text.to_owned(),
                block: 0,
                is_complete: true,
                is_caps: false,
                is_title: false,
            })
            .collect();
        phrases(&sentences, keep)
    }

    #[test]
    fn scores_by_hand() {
        // Candidates: deep learning | learning | deep neural network.
        // deep: frequency 2, degree 2 + 3 = 5. learning: 2, 2 + 1 = 3. neural: 1, 3. network: 1, 3.
        // deep neural network: 5/2 + 3 + 3 = 8.5; deep learning: 5/2 + 3/2 = 4; learning: 3/2.
        let found = of("Deep learning is learning with a deep neural network.", 10);
        let ln2 = 2.0_f64.ln();
        let expected = [("deep neural network", 8.5), ("deep learning", 4.0)];
        assert_eq!(found.len(), expected.len());
        for (phrase, (text, rake)) in found.iter().zip(expected) {
            assert_eq!(phrase.text, text);
            assert_eq!(phrase.score, round(rake * ln2, 4));
        }
    }

    #[test]
    fn plurals_are_counted_together_and_written_the_usual_way() {
        let found = of("A covered work is here. Two covered works, a covered work.", 1);
        assert_eq!(
            (found[0].text.as_str(), found[0].key.as_str(), found[0].count),
            ("covered work", "covered work", 3)
        );
    }

    #[test]
    fn punctuation_and_function_words_part_candidates() {
        let keys: Vec<String> =
            of("Red apple, green pear and blue plum.", 9).into_iter().map(|p| p.key).collect();
        assert_eq!(keys, ["blue plum", "green pear", "red apple"]);
    }

    #[test]
    fn a_part_of_a_better_phrase_is_left_out() {
        let found =
            of("The public license is the general public license. The general public license.", 9);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].text, "general public license");
    }

    #[test]
    fn addresses_are_no_phrases() {
        assert_eq!(of("See https://example.org/large/garden or me@example.org then.", 9), []);
    }

    #[test]
    fn capitals_stay_unless_they_only_mark_a_start() {
        let found = of("Free Software Foundation staff. Clean water is good.", 9);
        let texts: Vec<&str> = found.iter().map(|p| p.text.as_str()).collect();
        assert_eq!(texts, ["Free Software Foundation staff", "clean water", "good"]);
    }

    #[test]
    fn a_verb_in_the_past_parts_what_is_said_once() {
        let found = of("The Lake Institute climbed the mast. Covered works and covered works.", 9);
        let texts: Vec<&str> = found.iter().map(|p| p.text.as_str()).collect();
        assert_eq!(texts, ["covered works", "Lake Institute", "mast"]);
    }

    #[test]
    fn a_frequent_part_wins_over_a_rare_whole() {
        let found = of("The control room. The control room. A control room key.", 9);
        assert_eq!(found[0].text, "control room");
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn nothing_comes_of_nothing() {
        for text in ["", "the of and", "1 2 3 4", "... !!!", "a b c"] {
            assert_eq!(of(text, 9), [], "{text:?}");
        }
    }
}
