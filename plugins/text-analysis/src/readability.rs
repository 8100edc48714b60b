//! How hard a text is to read, and how long it takes.
//!
//! Flesch, *A New Readability Yardstick* (1948): 206.835 − 1.015 × words per sentence − 84.6 ×
//! syllables per word; about 100 is very easy, below 30 very difficult. Reading speed after
//! Brysbaert, *How many words do we read per minute?* (2019): 238 words a minute.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{round, sentences::Sentence, words};

const WORDS_PER_MINUTE: usize = 238;

/// Size and reading ease of a document's prose.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Readability {
    /// Words of the prose.
    pub words: usize,
    /// Its sentences.
    pub sentences: usize,
    /// Flesch reading ease; absent where there is no sentence.
    pub flesch: Option<f64>,
    /// The ease in a word or two.
    pub level: String,
    /// Minutes to read it, rounded up.
    pub minutes: usize,
}

/// Measures the prose of a document.
#[must_use]
pub fn measure(sentences: &[Sentence]) -> Readability {
    let (mut words, mut syllables) = (0_usize, 0_usize);
    for sentence in sentences {
        for word in words::words(&sentence.text).iter().filter(|word| word.has_letter()) {
            words += 1;
            syllables += self::syllables(&word.folded());
        }
    }
    let flesch = ease(words, sentences.len(), syllables);
    Readability {
        words,
        sentences: sentences.len(),
        flesch,
        level: flesch.map_or("unknown", level).to_owned(),
        minutes: words.div_ceil(WORDS_PER_MINUTE),
    }
}

/// Flesch's formula, to one decimal.
#[must_use]
pub fn ease(words: usize, sentences: usize, syllables: usize) -> Option<f64> {
    if words == 0 || sentences == 0 {
        return None;
    }
    let (words, sentences, syllables) = (words as f64, sentences as f64, syllables as f64);
    Some(round(206.835 - 1.015 * (words / sentences) - 84.6 * (syllables / words), 1))
}

/// Flesch's names for the range that an ease lies in.
#[must_use]
pub fn level(flesch: f64) -> &'static str {
    match flesch {
        ease if ease < 30.0 => "very difficult",
        ease if ease < 50.0 => "difficult",
        ease if ease < 60.0 => "fairly difficult",
        ease if ease < 70.0 => "plain",
        ease if ease < 80.0 => "fairly easy",
        ease if ease < 90.0 => "easy",
        _ => "very easy",
    }
}

/// The syllables of a lower-case English word, by its groups of vowels; at least one.
#[must_use]
pub fn syllables(word: &str) -> usize {
    let is_vowel = |c: char| "aeiouyàáâãäåæèéêëìíîïòóôõöøùúûü".contains(c);
    let mut groups = 0_usize;
    let mut before_was_vowel = false;
    for c in word.chars() {
        let vowel = is_vowel(c);
        groups += usize::from(vowel && !before_was_vowel);
        before_was_vowel = vowel;
    }
    groups.saturating_sub(usize::from(ends_silently(word))).max(1)
}

/// An `e` at the end that is not spoken: `make`, `makes`, `named`; but `table`, `boxes`, `wanted`.
fn ends_silently(word: &str) -> bool {
    let is_consonant = |c: char| c.is_alphabetic() && !"aeiouy".contains(c);
    let ends = |tail: &str, spoken_after: &[&str]| {
        word.strip_suffix(tail).is_some_and(|head| {
            head.ends_with(is_consonant) && !spoken_after.iter().any(|end| head.ends_with(end))
        })
    };
    let syllable_le = word.strip_suffix("le").is_some_and(|head| head.ends_with(is_consonant));
    let spoken = ["s", "x", "z", "c", "g", "ch", "sh"];
    !syllable_le && (ends("e", &[]) || ends("es", &spoken) || ends("ed", &["t", "d"]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{layout::Layout, sentences};

    #[test]
    fn syllables_are_counted_as_they_are_spoken() {
        for (word, expected) in [
            ("cat", 1),
            ("make", 1),
            ("makes", 1),
            ("named", 1),
            ("wanted", 2),
            ("boxes", 2),
            ("table", 2),
            ("license", 2),
            ("software", 2),
            ("reading", 2),
            ("university", 5),
            ("the", 1),
            ("rhythm", 1),
            ("hmm", 1),
        ] {
            assert_eq!(syllables(word), expected, "{word}");
        }
    }

    #[test]
    fn flesch_by_hand() {
        // 6 words, 1 sentence, 6 syllables: 206.835 − 6.09 − 84.6 = 116.145.
        let easy = measure(&sentences::of(&Layout::of("The cat sat on the mat.")));
        assert_eq!(easy.flesch, Some(116.1));
        assert_eq!((easy.words, easy.sentences, easy.minutes), (6, 1, 1));
        assert_eq!(easy.level, "very easy");
        // 4 words in 2 sentences, 10 syllables: 206.835 − 2.03 − 211.5 = −6.695.
        assert_eq!(ease(4, 2, 10), Some(-6.7));
    }

    #[test]
    fn no_prose_has_no_ease() {
        let none = measure(&[]);
        assert_eq!((none.flesch, none.minutes, none.level.as_str()), (None, 0, "unknown"));
    }
}
