//! CEL's tokens, as far as they say where an expression ends and how large its tree may be.

/// What is known of an expression before it is parsed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Tokens, each at most one node of the tree or so.
    pub(crate) tokens: usize,
    /// The deepest nesting of brackets.
    pub(crate) nesting: usize,
}

/// Finds the `}` that closes an expression which begins at the start of `text`.
///
/// `None`: there is none.
pub(crate) fn closing_brace(text: &str) -> Option<(usize, Shape)> {
    let bytes = text.as_bytes();
    let mut shape = Shape::default();
    let mut open = 0_usize;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'}' if open == 0 => return Some((at, shape)),
            b'(' | b'[' | b'{' => {
                open += 1;
                shape.nesting = shape.nesting.max(open);
            }
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            shape.tokens += 1;
        }
        at = token_end(bytes, at)?;
    }
    None
}

/// Where the token that begins at `at` ends; `None` if it is a string without an end.
fn token_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    let prefix = string_prefix(rest);
    if let Some(&quote) = rest.get(prefix).filter(|byte| matches!(byte, b'"' | b'\'')) {
        let raw = rest[..prefix].iter().any(|byte| matches!(byte, b'r' | b'R'));
        return string_end(bytes, at + prefix, quote, raw);
    }
    if rest.starts_with(b"//") {
        return Some(rest.iter().position(|&b| b == b'\n').map_or(bytes.len(), |n| at + n));
    }
    let word = rest.iter().take_while(|byte| is_word(**byte)).count();
    Some(at + word.max(1))
}

/// Letters before a quote that make it a raw or a bytes string; `rest` begins a token.
fn string_prefix(rest: &[u8]) -> usize {
    match rest {
        [b'r' | b'R', b'b' | b'B', b'"' | b'\'', ..]
        | [b'b' | b'B', b'r' | b'R', b'"' | b'\'', ..] => 2,
        [b'r' | b'R' | b'b' | b'B', b'"' | b'\'', ..] => 1,
        _ => 0,
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn string_end(bytes: &[u8], at: usize, quote: u8, raw: bool) -> Option<usize> {
    let triple = bytes[at..].starts_with(&[quote; 3]);
    let marks = if triple { 3 } else { 1 };
    let mut at = at + marks;
    loop {
        let rest = bytes.get(at..)?;
        match rest.first()? {
            b'\\' if !raw => at += 2,
            _ if rest.starts_with(&[quote; 3][..marks]) => return Some(at + marks),
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expression: Option<&str>) {
        assert_eq!(closing_brace(text).map(|(end, _)| &text[..end]), expression, "{text}");
    }

    #[test]
    fn the_closing_brace_is_found_by_tokens() {
        check("a}", Some("a"));
        check("}", Some(""));
        check("a", None);
        check("{'a': 1}.a} b}", Some("{'a': 1}.a"));
        check("'}' + \"}\"} x", Some("'}' + \"}\""));
        check(r"'\'}' } x", Some(r"'\'}' "));
        check(r"r'\' + x}", Some(r"r'\' + x"));
        check(r"R'\'} 'x}", Some(r"R'\'"));
        check("'''a'}''' } x", Some("'''a'}''' "));
        check("\"\"\"}\"}\"\"\"}", Some("\"\"\"}\"}\"\"\""));
        check("br'}'}", Some("br'}'"));
        check("bar'}'}", Some("bar'}'"));
        check("a // }\n + b}", Some("a // }\n + b"));
        check("'unterminated}", None);
        check("'\\", None);
        check("ä.ö}", Some("ä.ö"));
        check("[(]})}", Some("[(]})"));
    }

    #[test]
    fn the_shape_is_counted() {
        let shape = |text| closing_brace(text).map(|(_, shape)| shape);
        assert_eq!(shape("a.b + [1]}"), Some(Shape { tokens: 7, nesting: 1 }));
        assert_eq!(shape("((1))}"), Some(Shape { tokens: 5, nesting: 2 }));
    }
}
