//! Takes a text out of a JSON object, as far as showing a report needs it.

/// The text of the top-level field `name` of a JSON object.
pub(crate) fn text_field(json: &str, name: &str) -> Option<String> {
    let mut depth = 0_u32;
    let mut rest = json;
    while let Some(start) = rest.find(['{', '}', '[', ']', '"']) {
        let (mark, after) = rest[start..].split_at(1);
        match mark {
            "{" | "[" => depth += 1,
            "}" | "]" => depth = depth.checked_sub(1)?,
            _ => {
                let (text, after_text) = string(after)?;
                rest = after_text;
                let value = rest.trim_start().strip_prefix(':').map(str::trim_start);
                if let (1, true, Some(value)) = (depth, text == name, value) {
                    return string(value.strip_prefix('"')?).map(|(text, _)| text);
                }
                continue;
            }
        }
        rest = after;
    }
    None
}

/// A JSON string after its opening quote, and what follows its closing one.
fn string(text: &str) -> Option<(String, &str)> {
    let mut decoded = String::new();
    let mut rest = text;
    loop {
        let end = rest.find(['"', '\\'])?;
        decoded.push_str(&rest[..end]);
        if rest[end..].starts_with('"') {
            return Some((decoded, &rest[end + 1..]));
        }
        let escape = rest[end + 1..].chars().next()?;
        rest = &rest[end + 1 + escape.len_utf8()..];
        match escape {
            'n' => decoded.push('\n'),
            't' => decoded.push('\t'),
            'r' => decoded.push('\r'),
            'b' => decoded.push('\u{8}'),
            'f' => decoded.push('\u{c}'),
            'u' => {
                let (character, after) = unicode(rest)?;
                decoded.push(character);
                rest = after;
            }
            other => decoded.push(other),
        }
    }
}

/// What follows `\u`: one code unit, or two of which the second has its own `\u`.
fn unicode(text: &str) -> Option<(char, &str)> {
    let unit = |text: &str| u32::from_str_radix(text.get(..4)?, 16).ok();
    let (first, rest) = (unit(text)?, text.get(4..)?);
    if let Some(character) = char::from_u32(first) {
        return Some((character, rest));
    }
    let second = unit(rest.strip_prefix("\\u")?)?;
    let code = 0x1_0000 + (first.checked_sub(0xd800)? << 10) + second.checked_sub(0xdc00)?;
    Some((char::from_u32(code)?, rest.get(6..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_at_the_top_only() {
        let json =
            r##"{"a": {"text": "inner"}, "b": ["text", {"c": "}"}], "text": "# Top\n\"x\""}"##;
        assert_eq!(text_field(json, "text").as_deref(), Some("# Top\n\"x\""));
        assert_eq!(text_field(json, "c"), None);
        assert_eq!(text_field(json, "a"), None, "an object is no text");
        assert_eq!(text_field("", "a"), None);
        assert_eq!(text_field("{\"a\": \"unended", "a"), None);
    }

    #[test]
    fn escapes_are_decoded() {
        let json = r#"{"text": "a\\b\/\tä\u00e4\ud83d\ude00"}"#;
        assert_eq!(text_field(json, "text").as_deref(), Some("a\\b/\tää😀"));
        assert_eq!(text_field(r#"{"text": "\ud83d"}"#, "text"), None, "half a pair");
    }
}
