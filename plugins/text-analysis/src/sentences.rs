//! Sentences: where running text ends one and begins the next.
//!
//! A full stop ends a sentence unless it belongs to an abbreviation, an initial or a number.
//! After an abbreviation that may also end a sentence (`Inc.`, `etc.`), what decides is whether
//! the next word is one that begins sentences: the idea of Kiss and Strunk, *Unsupervised
//! Multilingual Sentence Boundary Detection* (2006), with the word list in place of their
//! statistics.

use crate::{
    document::head,
    layout::{Block, BlockKind, Layout, is_caps, is_title_case},
    words::{self, Word, stop},
};

/// A document that is longer is read this far.
pub const SENTENCES_MAX: usize = 20_000;

/// No sentence that people write is longer.
const SENTENCE_BYTES_MAX: usize = 4_000;

/// One sentence of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// Its text, on one line.
    pub text: String,
    /// Where in the document's blocks it stands.
    pub block: usize,
    /// Whether it begins with a capital letter and ends with a full stop or its like.
    pub is_complete: bool,
    /// Whether it is set in capitals, as disclaimers are.
    pub is_caps: bool,
    /// Whether every word that carries meaning has a capital, as in a title.
    pub is_title: bool,
}

/// The sentences of a document's prose: its paragraphs and items, not its headings and notices.
#[must_use]
pub fn of(layout: &Layout) -> Vec<Sentence> {
    let prose = layout.blocks.iter().enumerate().filter(|(_, block)| match block.kind {
        BlockKind::Paragraph | BlockKind::Item => true,
        BlockKind::Heading | BlockKind::Notice => false,
    });
    prose.flat_map(|(at, block)| of_block(at, block)).take(SENTENCES_MAX).collect()
}

fn of_block(at: usize, block: &Block) -> Vec<Sentence> {
    split(&block.text).into_iter().flat_map(pieces).filter_map(|text| sentence(at, text)).collect()
}

/// A run of text without an end, cut at spaces into parts of a bounded length: what looks at
/// one sentence may then compare its parts with each other.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > SENTENCE_BYTES_MAX {
        let part = head(rest, SENTENCE_BYTES_MAX);
        let end = part.rfind(char::is_whitespace).filter(|end| *end > 0).unwrap_or(part.len());
        pieces.push(rest[..end].trim());
        rest = rest[end..].trim_start();
    }
    pieces.push(rest);
    pieces
}

fn sentence(block: usize, text: &str) -> Option<Sentence> {
    let words = words::words(text);
    words.iter().find(|word| word.has_letter())?;
    let capitals = words.iter().filter(|word| word.is_capitalised()).count();
    let starts = text.trim_start_matches(['"', '\'', '“', '‘', '(', '[', '*']);
    let ends = text.trim_end_matches(['"', '\'', '”', '’', ')', ']']);
    Some(Sentence {
        text: text.to_owned(),
        block,
        is_complete: starts.starts_with(|c: char| c.is_uppercase() || c.is_numeric())
            && ends.ends_with(['.', '!', '?', '…', '。', '！', '？']),
        is_caps: is_caps(&words),
        is_title: words.len() > 1 && capitals * 2 >= words.len() && is_title_case(&words),
    })
}

/// Cuts a text on one line into sentences.
#[must_use]
pub fn split(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if !is_end_mark(c) {
            continue;
        }
        // A run of marks and what closes them belongs to the sentence.
        let mut end = at + c.len_utf8();
        while let Some(&(next_at, next)) = chars.peek() {
            if !is_end_mark(next) && !is_closing(next) {
                break;
            }
            end = next_at + next.len_utf8();
            chars.next();
        }
        if ends_here(&text[start..at], c, &text[end..]) {
            found.push(text[start..end].trim());
            start = end;
        }
    }
    found.push(text[start..].trim());
    found.retain(|sentence| !sentence.is_empty());
    found
}

fn is_end_mark(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '…' | '。' | '！' | '？')
}

fn is_closing(c: char) -> bool {
    matches!(c, '"' | '\'' | '”' | '’' | ')' | ']' | '»')
}

/// Whether a sentence ends with `mark`, which stands between `before` and `after`.
fn ends_here(before: &str, mark: char, after: &str) -> bool {
    if matches!(mark, '。' | '！' | '？') {
        return true;
    }
    let next = after.trim_start();
    if next.is_empty() {
        return true;
    }
    if next.len() == after.len() || !begins_sentence(next) {
        return false;
    }
    if mark != '.' {
        return true;
    }
    let last =
        before.rsplit(|c: char| c.is_whitespace() || matches!(c, '(' | '[' | '"' | '“')).next();
    match last.map_or(Before::Word, Before::of) {
        Before::Word => true,
        Before::Abbreviation => false,
        Before::Counted => !next.starts_with(|c: char| c.is_ascii_digit()),
        Before::MayEnd => starts_afresh(next),
    }
}

fn begins_sentence(next: &str) -> bool {
    let bare =
        next.trim_start_matches(['"', '\'', '“', '‘', '(', '[', '*', '-', '—', '«', '¿', '¡', '<']);
    bare.starts_with(|c: char| c.is_alphanumeric() && !c.is_lowercase())
}

/// Whether the next word is a function word with a capital: those begin sentences, and are
/// rare inside names.
fn starts_afresh(next: &str) -> bool {
    let words = words::words(head(next, 40));
    words.first().is_some_and(|word: &Word<'_>| match word.text {
        "A" | "I" => true,
        word if word.chars().nth(1).is_none() => false,
        word => stop::is_stop_word(&word.to_lowercase()),
    })
}

/// What stands before a full stop.
enum Before {
    /// An ordinary word.
    Word,
    /// A short form that is always followed by more.
    Abbreviation,
    /// A short form where a number follows, and a word of its own elsewhere (`no. 3`, `no.`).
    Counted,
    /// A short form that may end a sentence too.
    MayEnd,
}

impl Before {
    fn of(token: &str) -> Self {
        let lower = token.to_lowercase();
        if ALWAYS_FOLLOWED.binary_search(&lower.as_str()).is_ok() {
            return Self::Abbreviation;
        }
        if COUNTED.binary_search(&lower.as_str()).is_ok() {
            return Self::Counted;
        }
        let single_letter = token.chars().count() == 1 && token.chars().all(char::is_uppercase);
        // `U.S`, `p.m`: single letters with full stops between.
        let letters = token.contains('.') && token.split('.').all(|part| part.chars().count() == 1);
        if single_letter || letters || MAY_END.binary_search(&lower.as_str()).is_ok() {
            return Self::MayEnd;
        }
        Self::Word
    }
}

#[rustfmt::skip]
const ALWAYS_FOLLOWED: &[&str] = &[
    "approx", "ca", "capt", "cf", "col", "dept", "dr", "e.g", "eds", "eg", "esp", "gen", "gov",
    "hon", "i.e", "ie", "incl", "lt", "mr", "mrs", "ms", "mt", "prof", "rep", "resp", "rev", "sen",
    "sgt", "st", "viz", "vs",
];

#[rustfmt::skip]
const COUNTED: &[&str] = &[
    "art", "ch", "ed", "eq", "fig", "figs", "no", "nos", "nr", "p", "pp", "sec", "v", "vol", "vols",
];

#[rustfmt::skip]
const MAY_END: &[&str] = &[
    "al", "apr", "aug", "bros", "co", "corp", "dec", "etc", "feb", "gmbh", "inc", "jan", "jr",
    "jul", "jun", "ltd", "mar", "nov", "oct", "ph.d", "sep", "sept", "sr",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(split(text), expected, "{text:?}");
    }

    #[test]
    fn marks_end_sentences() {
        check("One. Two! Three? Four", &["One.", "Two!", "Three?", "Four"]);
        check("He said \"No.\" Then he left.", &["He said \"No.\"", "Then he left."]);
        check("See no. 3 or Fig. 4 there.", &["See no. 3 or Fig. 4 there."]);
        check("What?! Yes… Fine.", &["What?!", "Yes…", "Fine."]);
        check("一です。二です。", &["一です。", "二です。"]);
        check("", &[]);
        check("...", &["..."]);
    }

    #[test]
    fn marks_inside_a_sentence_do_not() {
        check(
            "It costs 3.50 euros at example.org today.",
            &["It costs 3.50 euros at example.org today."],
        );
        check(
            "See e.g. Smith et al. (2004) for more.",
            &["See e.g. Smith et al. (2004) for more."],
        );
        check("Mr. Jones met J. R. Smith there.", &["Mr. Jones met J. R. Smith there."]);
        check(
            "the U.S. Government says so. It does.",
            &["the U.S. Government says so.", "It does."],
        );
        check("it stops (here!) and goes on", &["it stops (here!) and goes on"]);
    }

    #[test]
    fn short_forms_that_may_end_a_sentence_ask_the_next_word() {
        check(
            "It is from Example, Inc. The rest is not.",
            &["It is from Example, Inc.", "The rest is not."],
        );
        check(
            "It is from Example Inc. Boston by post.",
            &["It is from Example Inc. Boston by post."],
        );
        check(
            "Apples, pears, etc. You may take them.",
            &["Apples, pears, etc.", "You may take them."],
        );
    }

    #[test]
    fn a_text_without_an_end_is_cut_at_spaces() {
        let text = "word ".repeat(2_000);
        let cut = pieces(text.trim());
        assert!(cut.len() > 2 && cut.iter().all(|piece| piece.len() <= SENTENCE_BYTES_MAX));
        assert_eq!(cut.join(" "), text.trim());
    }

    #[test]
    fn headings_and_notices_are_no_sentences() {
        let layout =
            Layout::of("# Title\n\nCopyright (C) 2007 Someone\n\nThis is prose. so is this\n");
        let found = of(&layout);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].text, "This is prose. so is this");
        assert!(!found[0].is_complete);
    }

    #[test]
    fn the_lists_are_sorted() {
        for list in [ALWAYS_FOLLOWED, COUNTED, MAY_END] {
            assert!(list.windows(2).all(|pair| pair[0] < pair[1]), "{list:?}");
        }
    }
}
