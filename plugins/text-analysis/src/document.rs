//! Documents: which files are text that people wrote, and what such a file is called.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    layout::{BlockKind, Layout},
    words,
};

/// A document of which more is unreadable than one byte in this many is no text.
const UNREADABLE_ONE_IN: usize = 100;
/// A title is cut after this many characters.
const TITLE_CHARS_MAX: usize = 90;

/// A text and what it is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Document {
    /// Its path below the folder, with `/` between the parts.
    pub name: String,
    /// Its first heading, else its name.
    pub title: String,
    /// The whole text, line ends as `\n`.
    pub text: String,
    /// How many words it has.
    pub words: usize,
    /// How long the file is.
    pub bytes: usize,
}

/// A file that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Skipped {
    /// Its path below the folder.
    pub name: String,
    /// Why, in a few words.
    pub reason: String,
}

impl Document {
    /// Takes a file's bytes for a text.
    ///
    /// # Errors
    /// The reason why the file is not one.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self, Skipped> {
        let text = decode(bytes).map_err(|reason| skipped(name, reason))?;
        let words = words::count(&text);
        if words == 0 {
            return Err(skipped(name, "no words"));
        }
        let title = title(&Layout::of(&text), &text).unwrap_or_else(|| name.to_owned());
        Ok(Self { name: name.to_owned(), title, words, bytes: bytes.len(), text })
    }
}

/// A note that a file was left out.
#[must_use]
pub fn skipped(name: &str, reason: &str) -> Skipped {
    Skipped { name: name.to_owned(), reason: reason.to_owned() }
}

/// Whether a file name says that its content is for machines: data, code, markup of pages.
#[must_use]
pub fn is_for_machines(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    file.rsplit_once('.').is_some_and(|(_, ending)| {
        MACHINE_ENDINGS.binary_search(&ending.to_ascii_lowercase().as_str()).is_ok()
    })
}

#[rustfmt::skip]
const MACHINE_ENDINGS: &[&str] = &[
    "bat", "bib", "c", "cc", "cfg", "conf", "cpp", "cs", "css", "csv", "diff", "go", "h", "hpp",
    "htm", "html", "ini", "java", "js", "json", "jsonl", "jsx", "kt", "less", "lock", "lua", "map",
    "mjs", "patch", "php", "pl", "pm", "po", "pot", "ps", "py", "r", "rb", "rs", "scss", "sh",
    "sql", "svg", "swift", "tex", "toml", "ts", "tsv", "tsx", "wat", "wit", "xml", "yaml", "yml",
];

fn decode(bytes: &[u8]) -> Result<String, &'static str> {
    if bytes.is_empty() {
        return Err("empty");
    }
    if bytes.contains(&0) {
        return Err("binary");
    }
    let text = String::from_utf8_lossy(bytes);
    let unreadable = text.chars().filter(|&c| is_unreadable(c)).count();
    if unreadable * UNREADABLE_ONE_IN > bytes.len() {
        return Err("not UTF-8 text");
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Ok(text.replace("\r\n", "\n").replace('\r', "\n"))
}

fn is_unreadable(c: char) -> bool {
    c == '\u{fffd}' || (c.is_control() && !c.is_whitespace() && c != '\u{1b}')
}

/// The first heading near the beginning, with the version that follows it.
fn title(layout: &Layout, text: &str) -> Option<String> {
    let at = layout.blocks.iter().take(4).position(|block| block.kind == BlockKind::Heading)?;
    let mut title = lower_caps(layout.blocks[at].text.trim_end_matches(['.', ':']), text);
    if let Some(next) = layout.blocks.get(at + 1)
        && next.kind == BlockKind::Heading
        && let Some(version) = version(&next.text)
    {
        title = format!("{title}, {version}");
    }
    Some(cut(&title, TITLE_CHARS_MAX))
}

fn version(text: &str) -> Option<String> {
    let words = words::words(text);
    let [first, second, ..] = words.as_slice() else { return None };
    let named = first.text.eq_ignore_ascii_case("version");
    (named && second.text.starts_with(|c: char| c.is_ascii_digit()))
        .then(|| format!("version {}", second.text))
}

/// A title in capitals as the text itself writes it elsewhere, so that names keep theirs.
fn lower_caps(title: &str, text: &str) -> String {
    if title.chars().any(char::is_lowercase) || !title.is_ascii() {
        return title.to_owned();
    }
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let wanted = title.as_bytes();
    let found = joined.as_bytes().windows(wanted.len()).position(|window| {
        window.eq_ignore_ascii_case(wanted) && window.iter().any(u8::is_ascii_lowercase)
    });
    let as_written = found.and_then(|at| joined.get(at..at + wanted.len()));
    as_written.filter(|text| text.starts_with(char::is_uppercase)).unwrap_or(title).to_owned()
}

/// The first bytes of `text`, cut between characters.
pub(crate) fn head(text: &str, bytes_max: usize) -> &str {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The last bytes of `text`, cut between characters.
pub(crate) fn tail(text: &str, bytes_max: usize) -> &str {
    let mut start = text.len().saturating_sub(bytes_max);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

/// `text` cut after a word, where it is longer than `chars_max`.
#[must_use]
pub fn cut(text: &str, chars_max: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(chars_max) else { return text.to_owned() };
    let head = &text[..end];
    let whole = head.rfind(char::is_whitespace).map_or(head, |space| &head[..space]);
    format!("{}…", whole.trim_end_matches([',', ';', ':', ' ', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn title_of(text: &str) -> String {
        Document::read("a/b.txt", text.as_bytes()).map(|d| d.title).unwrap_or_default()
    }

    fn check_refused(bytes: &[u8], reason: &str) {
        assert_eq!(Document::read("a", bytes), Err(skipped("a", reason)));
    }

    #[test]
    fn text_is_told_from_the_rest_by_its_content() {
        check_refused(b"", "empty");
        check_refused(b"\x7fELF\x00\x01", "binary");
        check_refused(b"\xff\xfe\xfa\xfb\xfc words", "not UTF-8 text");
        check_refused(b"\x01\x02\x03 words", "not UTF-8 text");
        check_refused(b"  \n\n 1234 -- 12", "no words");
        let mut mostly = "plain words ".repeat(50).into_bytes();
        mostly.push(0xff);
        assert_eq!(Document::read("a", &mostly).map(|d| d.words), Ok(100));
    }

    #[test]
    fn line_ends_become_one_kind() {
        let read = Document::read("a", b"\xef\xbb\xbfone\r\ntwo\rthree\n").unwrap();
        assert_eq!(read.text, "one\ntwo\nthree\n");
        assert_eq!((read.words, read.bytes), (3, 18));
    }

    #[test]
    fn the_title_is_the_first_heading_as_the_text_writes_it() {
        assert_eq!(title_of("# A *fine* title\n\nThis is text.\n"), "A fine title");
        assert_eq!(
            title_of(
                "GNU PUBLIC LICENSE\n\n  VERSION 3\n\nThis is the GNU Public\nLicense of old.\n"
            ),
            "GNU Public License, version 3"
        );
        assert_eq!(title_of("ALL IN CAPITALS\n\nThis is text.\n"), "ALL IN CAPITALS");
        assert_eq!(title_of("This is a text without a title.\n"), "a/b.txt");
    }

    #[test]
    fn files_for_machines_are_known_by_their_names() {
        for name in ["a.rs", "x/y.JSON", "a.b.toml"] {
            assert!(is_for_machines(name), "{name}");
        }
        for name in ["a.md", "a.txt", "GPL-3", "x.d/README", "BSD"] {
            assert!(!is_for_machines(name), "{name}");
        }
        assert!(MACHINE_ENDINGS.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn long_titles_are_cut_after_a_word() {
        assert_eq!(cut("one two three", 9), "one two…");
        assert_eq!(cut("one", 9), "one");
        assert_eq!(cut("ééééé", 3), "ééé…");
    }
}
