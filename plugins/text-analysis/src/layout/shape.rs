//! The shape of lines: which are a title, an item, a notice or code, and how wrapped ones are
//! joined. Each question is answered from the text alone, by rules that are stated here.

use std::collections::BTreeSet;

use super::lines::Line;
use crate::{
    document::head,
    words::{self, Word, stop},
};

/// Columns to the right of the body from which a line counts as centred.
const CENTRED_COLUMNS: usize = 6;
/// A heading has at most this many words.
const HEADING_WORDS_MAX: usize = 12;
/// A line without a mark of its own is a heading up to this many words.
const PLAIN_HEADING_WORDS_MAX: usize = 8;
/// An all-capitals heading, which may run over two lines, has at most this many words.
const CAPS_HEADING_WORDS_MAX: usize = 16;
/// Words that are remembered for mending broken ones; a longer text repeats itself anyway.
const VOCABULARY_WORDS_MAX: usize = 50_000;

/// The lower-case words of a file.
pub(super) type Vocabulary = BTreeSet<String>;

/// The words that stand away from a line's end, where none is broken.
pub(super) fn vocabulary(lines: &[Line<'_>]) -> Vocabulary {
    // Only a file with a broken word needs it.
    if !lines.iter().any(|line| ends_broken(line.text)) {
        return Vocabulary::new();
    }
    let all = lines.iter().flat_map(|line| words::words(line.text));
    all.take(VOCABULARY_WORDS_MAX).map(|word| word.text.to_lowercase()).collect()
}

/// The indent that three quarters of the lines have at least: titles stand right of the body.
pub(super) fn body_indent(lines: &[Line<'_>]) -> usize {
    let mut indents: Vec<usize> =
        lines.iter().filter(|line| !line.is_blank()).map(|line| line.indent).collect();
    indents.sort_unstable();
    indents.get(indents.len() / 4).copied().unwrap_or(0)
}

/// Whether short lines stand in the middle of the page: right of the body, and each at an
/// indent of its own unless there is only one.
pub(super) fn is_centred(group: &[Line<'_>], body_indent: usize) -> bool {
    let right = group.iter().all(|line| {
        line.indent >= body_indent + CENTRED_COLUMNS && words::count(line.text) <= HEADING_WORDS_MAX
    });
    let [first, rest @ ..] = group else { return false };
    let ragged = match rest {
        [] => !ends_sentence(first.text),
        rest => rest.iter().any(|line| line.indent != first.indent),
    };
    right && ragged
}

/// A copyright line, a licence tag, or "all rights reserved".
pub(super) fn is_notice(text: &str) -> bool {
    let lower = head(text, 120).to_lowercase();
    if lower.starts_with("all rights reserved") || lower.contains("spdx-license-identifier:") {
        return true;
    }
    if ["copyright (c)", "copyright ©", "©"].iter().any(|mark| lower.contains(mark)) {
        return true;
    }
    ["copyright", "(c)"].iter().filter_map(|mark| lower.strip_prefix(mark)).any(|rest| {
        rest.trim_start().starts_with(|c: char| c.is_ascii_digit() || matches!(c, '<' | '['))
    })
}

/// Whether a text is nothing but a web or mail address.
pub(super) fn is_address(text: &str) -> bool {
    let bare = text.trim_matches(|c| matches!(c, '<' | '>' | '(' | ')' | '.'));
    let web =
        bare.starts_with("http://") || bare.starts_with("https://") || bare.starts_with("www.");
    (web || bare.contains('@')) && !bare.contains(char::is_whitespace)
}

/// Whether a run of lines is code, or a row of marks and numbers: more than one in six of its
/// characters is a mark that prose has no use for, or it has hardly a letter.
pub(super) fn is_code(group: &[Line<'_>]) -> bool {
    let (mut letters, mut marks, mut all) = (0_usize, 0_usize, 0_usize);
    for c in group.iter().flat_map(|line| line.text.chars()).filter(|c| !c.is_whitespace()) {
        all += 1;
        letters += usize::from(c.is_alphabetic());
        marks += usize::from("{}[]()<>=;$#/\\|&+^%@~*".contains(c));
    }
    if all == 0 || is_address(group[0].text) {
        return false;
    }
    marks * 6 > all || letters * 2 < all
}

/// Whether a line begins a new item rather than going on with the text before it.
pub(super) fn starts_item(line: &Line<'_>, before: Option<&Line<'_>>) -> bool {
    let Some(marker) = split_marker(line.text).0 else { return false };
    let Some(before) = before else { return false };
    let is_bullet = !marker.starts_with(|c: char| c.is_alphanumeric() || c == '(');
    let before_ends = before.text.ends_with(['.', ':', ';', ',', ')', '"', '>'])
        || before.text.ends_with(" and")
        || before.text.ends_with(" or");
    is_bullet
        || before_ends
        || (line.indent != before.indent && !marker.starts_with(char::is_uppercase))
}

/// A list marker at the start of `text` and what follows it: `-`, `*`, `1.`, `1.2.`, `a)`,
/// `(iv)`, `A.`.
pub(super) fn split_marker(text: &str) -> (Option<&str>, &str) {
    let Some((first, rest)) = text.split_once(char::is_whitespace) else { return (None, text) };
    if matches!(first, "-" | "*" | "+" | "•" | "–" | "·" | "o") || is_counter(first) {
        return (Some(first), rest.trim_start());
    }
    (None, text)
}

fn is_counter(marker: &str) -> bool {
    let inner = marker.trim_start_matches('(').trim_end_matches(['.', ')', ':']);
    if inner.len() == marker.len() || inner.is_empty() || inner.len() > 8 || marker.ends_with(':') {
        return false;
    }
    let dotted = inner.split('.').all(|part| {
        !part.is_empty() && part.len() <= 3 && part.bytes().all(|b| b.is_ascii_digit())
    });
    let letter = inner.len() == 1 && inner.bytes().all(|b| b.is_ascii_alphabetic());
    let roman = inner.len() <= 5 && inner.bytes().all(|b| matches!(b, b'i' | b'v' | b'x'));
    dotted || letter || roman
}

/// Whether the text of a paragraph is the name of what follows.
pub(super) fn is_heading(text: &str, numbered: bool, one_line: bool) -> bool {
    let words = words::words(text);
    let lettered = words.iter().filter(|word| word.has_letter()).count();
    if lettered == 0 || lettered > CAPS_HEADING_WORDS_MAX {
        return false;
    }
    if is_caps(&words) {
        return !text.contains(". ")
            && (!text.ends_with('.') || lettered <= PLAIN_HEADING_WORDS_MAX);
    }
    if numbered {
        let short = lettered <= HEADING_WORDS_MAX && !text.contains(". ");
        return short && !text.ends_with([';', ',', ':']) && is_title_case(&words);
    }
    let ends = text.contains(". ") || ends_sentence(text);
    let starts = words.first().is_some_and(|w| w.is_capitalised() || !w.has_letter());
    let leads_in = text.ends_with(':') && !is_title_case(&words);
    one_line && starts && !ends && !leads_in && lettered <= PLAIN_HEADING_WORDS_MAX
}

/// `Grant of Licence. You may …`: the title of a section that its first sentence follows on.
pub(super) fn split_run_in_heading(text: &str) -> (Option<&str>, &str) {
    let Some(end) = text.find(". ") else { return (None, text) };
    let (title, rest) = text.split_at(end + 1);
    let words = words::words(title);
    let short = !words.is_empty() && words.len() <= HEADING_WORDS_MAX;
    match short && (is_title_case(&words) || is_caps(&words)) {
        true => (Some(title), rest.trim_start()),
        false => (None, text),
    }
}

/// Every word that carries meaning begins with a capital letter.
pub(crate) fn is_title_case(words: &[Word<'_>]) -> bool {
    let first = words.first().is_some_and(|w| w.is_capitalised() || !w.has_letter());
    let rest = words.iter().all(|word| {
        word.is_capitalised() || !word.has_letter() || stop::is_stop_word(&word.folded())
    });
    first && rest
}

/// Nearly every letter is a capital one.
pub(crate) fn is_caps(words: &[Word<'_>]) -> bool {
    let letters = || words.iter().flat_map(|w| w.text.chars()).filter(|c| c.is_alphabetic());
    let capitals = letters().filter(|c| !c.is_lowercase()).count();
    capitals >= 3 && letters().any(char::is_uppercase) && capitals * 10 >= letters().count() * 9
}

fn ends_sentence(text: &str) -> bool {
    text.ends_with(['.', '!', '?', '…', '。', ';', ','])
}

/// One text from wrapped lines.
pub(super) fn join(lines: &[Line<'_>], known: &Vocabulary) -> String {
    let mut text = String::new();
    for line in lines {
        if !text.is_empty() {
            mend(&mut text, line.text, known);
        }
        text.push_str(line.text);
    }
    text
}

/// Puts between two lines what belongs there: a space, or nothing where a word was broken, and
/// then the hyphen goes unless it belongs to the word.
fn mend(text: &mut String, next: &str, known: &Vocabulary) {
    if !ends_broken(text) || !next.starts_with(char::is_lowercase) {
        text.push(' ');
        return;
    }
    let head_start =
        text[..text.len() - 1].rfind(|c: char| !c.is_alphanumeric()).map_or(0, |at| at + 1);
    // The byte found may be the first of several.
    let head_start =
        (head_start..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let head = text[head_start..text.len() - 1].to_lowercase();
    let tail: String =
        next.chars().take_while(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let is_compound = known.contains(&format!("{head}-{tail}"));
    let is_one_word = known.contains(&format!("{head}{tail}"));
    let are_words = known.contains(&head) && known.contains(&tail);
    if !is_compound && (is_one_word || !are_words) {
        text.pop();
    }
}

/// `infor-`: a letter, then a hyphen at the end.
fn ends_broken(text: &str) -> bool {
    text.strip_suffix('-').is_some_and(|head| head.ends_with(char::is_alphabetic))
}
