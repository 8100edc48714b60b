//! What is said of a field or item that is not there.

use serde_json::Value as Tree;

use super::lookup::{Segment, push_segment};
use crate::definition::did_you_mean;

/// Names that a message lists.
const LISTED_NAMES_MAX: usize = 8;

/// Characters of a value or name from outside in a message.
const QUOTED_CHARS_MAX: usize = 40;

/// Why `value`, which is found at `at`, has no such part.
pub(crate) fn missing(at: &str, value: &Tree, segment: &Segment) -> String {
    match (value, segment) {
        (Tree::Object(object), Segment::Field(name)) => {
            missing_field(&format!("`{at}`"), name, object.keys().map(String::as_str))
        }
        (Tree::Array(list), Segment::Item(index)) => {
            missing_item(&format!("`{at}`"), *index, list.len())
        }
        _ => {
            let mut wanted = String::new();
            push_segment(&mut wanted, segment);
            format!("`{at}` is {}, so `{at}{wanted}` is nothing", kind_of(value))
        }
    }
}

pub(crate) fn missing_field<'a>(
    at: &str,
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> String {
    let name = quoted(name);
    if let Some(hint) = did_you_mean(&name, known.clone()) {
        return format!("{at} has no `{name}`: {hint}");
    }
    let mut names: Vec<String> =
        known.take(LISTED_NAMES_MAX + 1).map(|name| format!("`{}`", quoted(name))).collect();
    if names.is_empty() {
        return format!("{at} has no `{name}`; it is empty");
    }
    if names.len() > LISTED_NAMES_MAX {
        names.truncate(LISTED_NAMES_MAX);
        names.push("…".to_owned());
    }
    format!("{at} has no `{name}`; it has {}", names.join(", "))
}

pub(crate) fn missing_item(at: &str, index: impl std::fmt::Display, length: usize) -> String {
    match length {
        0 => format!("{at} has no item {index}; it is empty"),
        1 => format!("{at} has no item {index}; it has one, number 0"),
        _ => format!("{at} has no item {index}; it has {length}, the last is {}", length - 1),
    }
}

/// "a list", for messages.
pub(crate) const fn kind_of(value: &Tree) -> &'static str {
    match value {
        Tree::Null => "null",
        Tree::Bool(_) => "true or false",
        Tree::Number(_) => "a number",
        Tree::String(_) => "text",
        Tree::Array(_) => "a list",
        Tree::Object(_) => "an object",
    }
}

/// The same of JSON text, by its first byte.
pub(crate) fn kind_of_text(json: &str) -> &'static str {
    match json.as_bytes().first() {
        Some(b'n') => "null",
        Some(b't' | b'f') => "true or false",
        Some(b'"') => "text",
        Some(b'[') => "a list",
        Some(b'{') => "an object",
        _ => "a number",
    }
}

pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The same with another bound.
pub(crate) fn quoted_to(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
