//! JSON texts as people read them, without a detour over numbers: the digits stay as they are.

use crate::sanitise;

/// One member on a line, two spaces a level; what a terminal would act on becomes a JSON
/// escape, so that the value stays the same.
pub(crate) fn pretty(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    let mut depth = 0_usize;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => string(&mut out, &mut chars),
            '{' | '[' => {
                let close = if c == '{' { '}' } else { ']' };
                while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
                out.push(c);
                if chars.next_if_eq(&close).is_some() {
                    out.push(close);
                } else {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => out.push(c),
        }
    }
    out
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    for _ in 0..depth {
        out.push_str("  ");
    }
}

/// Copies a string whose opening quote has been read.
fn string(out: &mut String, chars: &mut impl Iterator<Item = char>) {
    out.push('"');
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => {
                out.push(c);
                out.extend(chars.next());
            }
            c if sanitise::is_unsafe(c) => sanitise::json_escape(out, c),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_get_their_lines() {
        let text = r#" {"a":[1,{"b" : null}],"c":{},"d":[ ],"e":"x, {y}: \" \\"} "#;
        let shown = "{\n  \"a\": [\n    1,\n    {\n      \"b\": null\n    }\n  ],\n  \"c\": {},\n  \"d\": [],\n  \"e\": \"x, {y}: \\\" \\\\\"\n}";
        assert_eq!(pretty(text), shown);
    }

    #[test]
    fn numbers_keep_their_digits() {
        let text = "123456789012345678901234567890.10";
        assert_eq!(pretty(text), text);
    }

    #[test]
    fn strings_are_harmless_and_mean_the_same() {
        let value = serde_json::json!("\u{9b}31m \u{202e} \u{7f} \u{e0041}");
        let shown = pretty(&value.to_string());
        assert!(shown.chars().all(|c| !sanitise::is_unsafe(c)), "{shown}");
        let back: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(back, value);
    }
}
