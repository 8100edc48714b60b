//! Makes text from guests and files harmless before it reaches a terminal.
//!
//! Whatever a terminal would act on instead of showing it (control characters, escape
//! sequences, characters that reorder or hide text) is written as an escape. Data for
//! programs is not changed: there JSON's own escapes do.

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
    let reorders = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}');
    let hides = matches!(c, '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{e0000}'..='\u{e007f}');
    control || reorders || hides
}

fn escape(text: &str, escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&escaped) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' if escaped(c) => safe.push_str("\\n"),
            '\t' if escaped(c) => safe.push_str("\\t"),
            '\r' => safe.push_str("\\r"),
            c if escaped(c) => {
                // Writing to a String cannot fail.
                let _ignored = write!(safe, "\\u{{{:x}}}", u32::from(c));
            }
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
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
    fn long_lines_are_cut() {
        assert_eq!(line_of("abcdef", 6), "abcdef");
        assert_eq!(line_of("abcdefg", 6), "abcde…");
        assert_eq!(line_of("\u{1b}bcdefg", 3), "\\u{1b}b…");
    }
}
