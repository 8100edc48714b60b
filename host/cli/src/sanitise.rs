//! Makes text from guests and files harmless before it reaches a terminal.
//!
//! Whatever a terminal would act on instead of showing it (control characters, escape
//! sequences, characters that reorder or hide text) is written as an escape. JSON keeps its
//! values: there JSON's own escapes do.
//!
//! Two rings. Who puts a stranger's text into a line calls [`line`] or [`block`], since only
//! there is known whether it may have lines of its own. And [`crate::output`], through which
//! all writing goes, sends every text through [`terminal`] or [`json`]: what was forgotten in
//! the first ring looks odd, and does nothing.

use std::borrow::Cow;
use std::fmt::Write as _;

/// For one line of text: line ends are written as escapes too.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    escape(text, |c| is_unsafe(c) || matches!(c, '\n' | '\t'))
}

/// For text of several lines.
pub(crate) fn block(text: &str) -> Cow<'_, str> {
    escape(text, is_unsafe)
}

/// For one line of at most `max` characters.
pub(crate) fn line_of(text: &str, max: usize) -> String {
    let cut: String = text.chars().take(max + 1).collect();
    if cut.chars().count() > max {
        let shorter: String = cut.chars().take(max.saturating_sub(1)).collect();
        format!("{}…", line(&shorter))
    } else {
        line(&cut).into_owned()
    }
}

/// Whether a terminal may act on it. New line and tab are not among them.
pub(crate) fn is_unsafe(c: char) -> bool {
    let control = c.is_control() && !matches!(c, '\n' | '\t');
    let reorders = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}' | '\u{200e}' | '\u{200f}' | '\u{61c}');
    let hides = matches!(
        c,
        '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{2028}' | '\u{2029}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    );
    control || reorders || hides || is_mark(c)
}

/// Stands for the beginning or the end of a colour until it is written: a noncharacter, which
/// no text has a use for, so that a colour never is an escape sequence before it is written.
pub(crate) const MARKS: [(char, &str); 7] = [
    ('\u{fdd0}', "\u{1b}[0m"),
    ('\u{fdd1}', "\u{1b}[32m"),
    ('\u{fdd2}', "\u{1b}[1;31m"),
    ('\u{fdd3}', "\u{1b}[33m"),
    ('\u{fdd4}', "\u{1b}[36m"),
    ('\u{fdd5}', "\u{1b}[2m"),
    ('\u{fdd6}', "\u{1b}[1m"),
];

const fn is_mark(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}')
}

/// What is written of a finished text; `coloured` says whether its marks are colours.
pub(crate) fn terminal(text: &str, coloured: bool) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match MARKS.iter().find(|(mark, _)| coloured && *mark == c) {
            Some((_, sequence)) => safe.push_str(sequence),
            None => escape_to(&mut safe, c, is_unsafe(c)),
        }
    }
    Cow::Owned(safe)
}

/// The same JSON: what a terminal may act on becomes an escape in its strings.
pub(crate) fn json(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            // In valid JSON it stands between values only.
            '\r' => safe.push(' '),
            c if is_unsafe(c) => json_escape(&mut safe, c),
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

/// `\u202e`, in two units where it needs them.
pub(crate) fn json_escape(out: &mut String, c: char) {
    let mut units = [0; 2];
    for unit in c.encode_utf16(&mut units) {
        // Writing to a String cannot fail.
        let _ignored = write!(out, "\\u{unit:04x}");
    }
}

fn escape(text: &str, escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&escaped) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        escape_to(&mut safe, c, escaped(c));
    }
    Cow::Owned(safe)
}

fn escape_to(safe: &mut String, c: char, escaped: bool) {
    match c {
        '\n' if escaped => safe.push_str("\\n"),
        '\t' if escaped => safe.push_str("\\t"),
        '\r' => safe.push_str("\\r"),
        c if escaped => {
            // Writing to a String cannot fail.
            let _ignored = write!(safe, "\\u{{{:x}}}", u32::from(c));
        }
        c => safe.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_is_shown() {
        let check = |text: &str, shown: &str| assert_eq!(line(text), shown);
        check("plain ünïcode 漢字 🎉", "plain ünïcode 漢字 🎉");
        check("\u{1b}[2J\u{1b}]0;title\u{7}", "\\u{1b}[2J\\u{1b}]0;title\\u{7}");
        check("a\nb\tc\rd", "a\\nb\\tc\\rd");
        check("\u{9b}31m", "\\u{9b}31m");
        check("abc\u{202e}fdp.exe", "abc\\u{202e}fdp.exe");
        check("\u{7f}", "\\u{7f}");
    }

    #[test]
    fn blocks_keep_their_lines() {
        assert_eq!(block("a\n\tb\u{1b}c"), "a\n\tb\\u{1b}c");
    }

    #[test]
    fn colours_are_the_only_sequences_that_are_written() {
        let painted = "\u{fdd2}bad\u{fdd0} \u{1b}[2J \u{fdd9}";
        assert_eq!(terminal(painted, true), "\u{1b}[1;31mbad\u{1b}[0m \\u{1b}[2J \\u{fdd9}");
        assert_eq!(terminal("\u{fdd2}x", false), "\\u{fdd2}x");
        assert_eq!(line("\u{fdd2}x"), "\\u{fdd2}x");
        assert_eq!(terminal("a\n\tb", false), "a\n\tb");
    }

    #[test]
    fn json_stays_what_it_is() {
        let text = "{\"a\":\r\n \"\u{9b}\u{202e}\u{e0041}\u{7f}\"}";
        let safe = json(text);
        assert!(!safe.chars().any(is_unsafe), "{safe}");
        let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(parse(&safe), parse(text));
    }

    #[test]
    fn long_lines_are_cut() {
        assert_eq!(line_of("abcdef", 6), "abcdef");
        assert_eq!(line_of("abcdefg", 6), "abcde…");
        assert_eq!(line_of("\u{1b}bcdefg", 3), "\\u{1b}b…");
    }
}
