//! Inline markup: Markdown and HTML marks are taken out of a line of text, what they mark stays.

use crate::document::head;

/// Text without its marks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Markup {
    /// What is read, with single spaces.
    pub text: String,
    /// Targets of links, as written.
    pub links: Vec<String>,
}

/// Longer targets are data, not addresses.
const LINK_BYTES_MAX: usize = 2_000;

const ENTITIES: &[(&str, &str)] = &[
    ("&amp;", "&"),
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&quot;", "\""),
    ("&apos;", "'"),
    ("&#39;", "'"),
    ("&nbsp;", " "),
    ("&mdash;", "—"),
    ("&ndash;", "–"),
    ("&copy;", "©"),
];

#[rustfmt::skip]
const TAGS: &[&str] = &[
    "a", "abbr", "b", "blockquote", "body", "br", "center", "code", "dd", "del", "details", "div",
    "dl", "dt", "em", "font", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd",
    "li", "ol", "p", "picture", "pre", "q", "s", "small", "source", "span", "strong", "sub",
    "summary", "sup", "table", "tbody", "td", "th", "thead", "tr", "tt", "u", "ul", "var",
];

/// Takes the marks out of `line`.
#[must_use]
pub fn strip(line: &str) -> Markup {
    let mut out = Markup::default();
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let taken = special(rest, c, &mut out);
        if taken == 0 {
            out.text.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            rest = &rest[taken..];
        }
    }
    out.text = tidy(&out.text);
    out
}

/// Handles a mark at the start of `rest` and says how many bytes it takes; 0 where none is there.
fn special(rest: &str, c: char, out: &mut Markup) -> usize {
    match c {
        '\\' => escape(rest, out),
        '`' => tick(rest, out),
        '!' if rest.starts_with("![") => image(rest),
        '[' => link(rest, out),
        '<' => angle(rest, out),
        '&' => entity(rest, out),
        '*' | '_' | '~' => emphasis(rest, c, out),
        '\'' if rest.starts_with("''") => {
            out.text.push('"');
            2
        }
        _ => 0,
    }
}

fn escape(rest: &str, out: &mut Markup) -> usize {
    match rest[1..].chars().next() {
        Some(c) if c.is_ascii_punctuation() => {
            out.text.push(c);
            2
        }
        Some(_) | None => 0,
    }
}

/// A span of code keeps its content; two ticks may also be TeX's opening quotation mark.
fn tick(rest: &str, out: &mut Markup) -> usize {
    let ticks = rest.len() - rest.trim_start_matches('`').len();
    let opens = out.text.chars().next_back().is_none_or(|c| c.is_whitespace() || c == '(');
    if ticks == 2 {
        out.text.push('"');
    } else if ticks == 1 && opens && closes_as_quotation(&rest[1..]) {
        out.text.push('\'');
    }
    ticks
}

/// Whether the tick before `rest` opens a quotation, `so', rather than a span of code.
fn closes_as_quotation(rest: &str) -> bool {
    let end = head(rest, 200).find(['`', '\'']);
    end.is_none_or(|end| rest[end..].starts_with('\''))
}

fn image(rest: &str) -> usize {
    let inline = bracketed(rest, 1).map(|(_, _, end)| end);
    inline.or_else(|| referenced(&rest[1..]).map(|(_, end)| end + 1)).unwrap_or(0)
}

fn link(rest: &str, out: &mut Markup) -> usize {
    if let Some((text, target, end)) = bracketed(rest, 0) {
        out.links.extend(Some(target.to_owned()).filter(|_| target.len() <= LINK_BYTES_MAX));
        let inner = strip_inner(text);
        out.text.push_str(&inner);
        return end;
    }
    let Some((text, end)) = referenced(rest) else { return 0 };
    out.text.push_str(&strip_inner(text));
    end
}

/// `[text][name]` at the start of `rest`: the text, and where it ends.
fn referenced(rest: &str) -> Option<(&str, usize)> {
    let window = head(rest, 4_096);
    let close = window.find(']')?;
    let name = window[close + 1..].strip_prefix('[')?.find(']')?;
    Some((&rest[1..close], close + 2 + name + 1))
}

/// A link's text may hold emphasis and images, but no link: one level down is the last.
fn strip_inner(text: &str) -> String {
    if text.starts_with("![") {
        return String::new();
    }
    text.replace(['*', '`'], "")
}

/// `[text](target)` whose `[` stands at `at`: the text, the target, and where it ends.
fn bracketed(rest: &str, at: usize) -> Option<(&str, &str, usize)> {
    let open = rest.get(at..).filter(|r| r.starts_with('['))?;
    // Nothing of a link is far away; a bound keeps hostile text linear.
    let window = head(open, 4_096);
    let is_badge = window.starts_with("[![");
    let middle = if is_badge { window.find(")](")? + 1 } else { window.find("](")? };
    if window[1..middle].contains(']') && !is_badge {
        return None;
    }
    let target_start = middle + 2;
    let length = window[target_start..].find(')')?;
    let target = &window[target_start..target_start + length];
    let address = target.split_whitespace().next().unwrap_or("");
    Some((&window[1..middle], address, at + target_start + length + 1))
}

/// `<https://…>` keeps its address, a known tag goes, anything else stays.
fn angle(rest: &str, out: &mut Markup) -> usize {
    let window = head(rest, LINK_BYTES_MAX);
    let Some(close) = window.find('>') else { return 0 };
    let inside = &window[1..close];
    if inside.starts_with("http://")
        || inside.starts_with("https://")
        || inside.starts_with("mailto:")
    {
        out.text.push_str(inside.trim_start_matches("mailto:"));
        return close + 1;
    }
    let name = inside.trim_start_matches('/').split([' ', '/']).next().unwrap_or("");
    if TAGS.binary_search(&name.to_ascii_lowercase().as_str()).is_ok() {
        out.text.push(' ');
        return close + 1;
    }
    0
}

fn entity(rest: &str, out: &mut Markup) -> usize {
    for (name, meaning) in ENTITIES {
        if rest.starts_with(name) {
            out.text.push_str(meaning);
            return name.len();
        }
    }
    0
}

/// A run of emphasis marks goes where it stands at a word's edge; inside words and between
/// spaces it is text.
fn emphasis(rest: &str, mark: char, out: &mut Markup) -> usize {
    let run = rest.len() - rest.trim_start_matches(mark).len();
    let before = out.text.chars().next_back().unwrap_or(' ');
    let after = rest[run..].chars().next().unwrap_or(' ');
    let inside_word = before.is_alphanumeric() && after.is_alphanumeric();
    let alone = before.is_whitespace() && after.is_whitespace();
    let single_tilde = mark == '~' && run == 1;
    if inside_word && mark == '_' || alone || single_tilde || run > 3 {
        out.text.push_str(&rest[..run]);
    }
    run
}

/// One space between words.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for part in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, text: &str, links: &[&str]) {
        let found = strip(line);
        assert_eq!(found.text, text, "{line:?}");
        assert_eq!(found.links, links, "{line:?}");
    }

    #[test]
    fn marks_go_and_what_they_mark_stays() {
        check("**Bold** and *light* and __more__ ~~gone~~.", "Bold and light and more gone.", &[]);
        check("call `run()` now", "call run() now", &[]);
        check(
            "see [the *docs*](https://a.example/x \"T\") here",
            "see the docs here",
            &["https://a.example/x"],
        );
        check("see [the docs][docs] here", "see the docs here", &[]);
        check("![logo](a.png) Name", "Name", &[]);
        check("![logo][splash] Name", "Name", &[]);
        check("[![badge](b.svg)](https://ci.example) Name", "Name", &["https://ci.example"]);
        check("a<br/>b &amp; c &copy;", "a b & c ©", &[]);
        check(
            "at <https://a.example/> or <me@a.example>",
            "at https://a.example/ or <me@a.example>",
            &[],
        );
    }

    #[test]
    fn what_only_looks_like_a_mark_is_text() {
        check("snake_case_name and 2 * 3", "snake_case_name and 2 * 3", &[]);
        check("<year> <name of author>", "<year> <name of author>", &[]);
        check("item [1] and a[i]", "item [1] and a[i]", &[]);
        check("1 \\* 2", "1 * 2", &[]);
        check("about ~5 minutes", "about ~5 minutes", &[]);
    }

    #[test]
    fn quotation_marks_of_tex_become_ordinary_ones() {
        check("PROVIDED ``AS IS'' AND", "PROVIDED \"AS IS\" AND", &[]);
        check("the `work' itself", "the 'work' itself", &[]);
        check("type `show w' or `show c' here", "type 'show w' or 'show c' here", &[]);
    }

    #[test]
    fn tags_are_sorted() {
        assert!(TAGS.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
