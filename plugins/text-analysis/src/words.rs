//! Words: how text is cut into them, their light stem, and which of them carry no topic.
//!
//! A word is a run of letters and digits, with single apostrophes and hyphens inside
//! (`don't`, `re-use`) and dots between digits (`2.1`). It is never split further.

pub mod stop;

/// Longer runs are not words of any language written with spaces (keys, encoded data, rows of
/// one letter), and only cost time and memory.
pub const WORD_BYTES_MAX: usize = 64;

/// A word and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word<'a> {
    /// The word as written.
    pub text: &'a str,
    /// Byte position of its first letter.
    pub start: usize,
}

impl Word<'_> {
    /// Byte position after its last letter.
    #[must_use]
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether its first character is an upper-case letter.
    #[must_use]
    pub fn is_capitalised(&self) -> bool {
        self.text.chars().next().is_some_and(char::is_uppercase)
    }

    /// Whether it has at least two letters, and all of them are upper case.
    #[must_use]
    pub fn is_all_caps(&self) -> bool {
        let letters = self.text.chars().filter(|c| c.is_alphabetic());
        letters.clone().count() >= 2 && letters.clone().all(|c| !c.is_lowercase())
    }

    /// Whether it has a letter at all: numbers have not.
    #[must_use]
    pub fn has_letter(&self) -> bool {
        self.text.chars().any(char::is_alphabetic)
    }

    /// The word in lower case, without a possessive ending.
    #[must_use]
    pub fn folded(&self) -> String {
        let lower = self.text.to_lowercase().replace('’', "'");
        match lower.strip_suffix("'s") {
            Some(owner) => owner.to_owned(),
            None => lower,
        }
    }

    /// What the word is counted under: folded, and its plural ending taken off.
    #[must_use]
    pub fn stem(&self) -> String {
        singular(&self.folded())
    }
}

/// The words of `text`, in order.
#[must_use]
pub fn words(text: &str) -> Vec<Word<'_>> {
    let mut found = Vec::new();
    let mut start = None;
    let mut chars = text.char_indices().peekable();
    let mut before = ' ';
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map_or(' ', |&(_, c)| c);
        if belongs(before, c, next) {
            start.get_or_insert(at);
        } else if let Some(first) = start.take() {
            push(&mut found, text, first, at);
        }
        before = c;
    }
    if let Some(first) = start {
        push(&mut found, text, first, text.len());
    }
    found
}

fn push<'a>(found: &mut Vec<Word<'a>>, text: &'a str, start: usize, end: usize) {
    if end - start <= WORD_BYTES_MAX {
        found.push(Word { text: &text[start..end], start });
    }
}

fn belongs(before: char, c: char, next: char) -> bool {
    match c {
        '\'' | '’' => before.is_alphabetic() && next.is_alphabetic(),
        '-' => before.is_alphanumeric() && next.is_alphanumeric(),
        '.' => before.is_ascii_digit() && next.is_ascii_digit(),
        c => c.is_alphanumeric() || c == '_',
    }
}

/// Takes a plural ending off a lower-case English word: the S-stemmer of Harman, *How
/// effective is suffixing?* (1991). It never joins words of different meaning, which
/// stronger stemmers do.
#[must_use]
pub fn singular(word: &str) -> String {
    if word.len() > 4 && word.ends_with("ies") && !ends_with_any(word, &["eies", "aies"]) {
        return format!("{}y", &word[..word.len() - 3]);
    }
    if word.len() > 4 && word.ends_with("es") && !ends_with_any(word, &["aes", "ees", "oes"]) {
        return word[..word.len() - 1].to_owned();
    }
    if word.len() > 3 && word.ends_with('s') && !ends_with_any(word, &["us", "ss", "is"]) {
        return word[..word.len() - 1].to_owned();
    }
    word.to_owned()
}

fn ends_with_any(word: &str, endings: &[&str]) -> bool {
    endings.iter().any(|ending| word.ends_with(ending))
}

/// How many words of `text` have a letter.
#[must_use]
pub fn count(text: &str) -> usize {
    words(text).iter().filter(|word| word.has_letter()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let found: Vec<&str> = words(text).iter().map(|word| word.text).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn words_are_cut_at_what_is_not_part_of_them() {
        check("", &[]);
        check("Don't re-use it.", &["Don't", "re-use", "it"]);
        check("a program--to be sure", &["a", "program", "to", "be", "sure"]);
        check("version 2.1, and 3.", &["version", "2.1", "and", "3"]);
        check("‘quoted’ users’ rights", &["quoted", "users", "rights"]);
        check("naïve Ωμέγα 東京", &["naïve", "Ωμέγα", "東京"]);
        check("- -- '", &[]);
    }

    #[test]
    fn runs_that_are_too_long_are_no_words() {
        check(&format!("a {} b", "x".repeat(WORD_BYTES_MAX + 1)), &["a", "b"]);
    }

    #[test]
    fn positions_lead_back_to_the_text() {
        let text = "Ünïcode is fine";
        for word in words(text) {
            assert_eq!(&text[word.start..word.end()], word.text);
        }
    }

    #[test]
    fn plurals_are_taken_off_as_harman_says() {
        for (word, expected) in [
            ("licenses", "license"),
            ("copies", "copy"),
            ("works", "work"),
            ("boss", "boss"),
            ("status", "status"),
            ("basis", "basis"),
            ("shoes", "shoe"),
            ("gas", "gas"),
            ("ties", "tie"),
        ] {
            assert_eq!(singular(word), expected);
        }
    }

    #[test]
    fn folding_drops_the_owner_mark() {
        assert_eq!(Word { text: "Author’s", start: 0 }.folded(), "author");
        assert_eq!(Word { text: "Don't", start: 0 }.folded(), "don't");
        assert_eq!(Word { text: "Works", start: 0 }.stem(), "work");
    }
}
