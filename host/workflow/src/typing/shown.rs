//! A type in few words, for hints and summaries.

use std::fmt;

use super::{Kinds, Lists, May, Numbers, Objects, Presence, Rest, Texts, Type};

/// How deep a type is shown.
const SHOWN_DEPTH_MAX: usize = 3;

/// Fields of an object, or listed texts, that are shown.
const SHOWN_PARTS_MAX: usize = 8;

/// Characters of a field's name or a listed text.
const SHOWN_NAME_CHARS_MAX: usize = 40;

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(self, 0))
    }
}

fn shown(of: &Type, depth: usize) -> String {
    let Type::Known(kinds) = of else { return "anything".to_owned() };
    let mut parts = Vec::new();
    match (kinds.falsehood, kinds.truth) {
        (May::No, May::No) => {}
        (May::No, _) => parts.push("true".to_owned()),
        (_, May::No) => parts.push("false".to_owned()),
        _ => parts.push("true or false".to_owned()),
    }
    parts.extend(kinds.number.as_ref().map(number));
    parts.extend(kinds.text.as_ref().map(text));
    parts.extend(kinds.list.as_ref().map(|of| list(of, depth)));
    parts.extend(kinds.object.as_ref().map(|of| object(of, depth)));
    if kinds.null != May::No {
        parts.push("null".to_owned());
    }
    if parts.is_empty() {
        return "nothing".to_owned();
    }
    if kinds.untyped && is_all(kinds) {
        return "anything".to_owned();
    }
    parts.join(" or ")
}

fn is_all(kinds: &Kinds) -> bool {
    kinds.possible() == super::KindSet::ALL
}

fn number(of: &Numbers) -> String {
    let noun = if of.whole { "whole number" } else { "number" };
    let (low, high) = (of.low.is_finite(), of.high.is_finite());
    if low && of.low == of.high {
        return format!("{}", of.low);
    }
    let from = if of.low_open { "above" } else { "from" };
    let to = if of.high_open { "below" } else { "to" };
    match (low, high) {
        (false, false) => noun.to_owned(),
        (true, false) => format!("{noun} {from} {}", of.low),
        (false, true) => {
            format!("{noun} {} {}", if of.high_open { "below" } else { "up to" }, of.high)
        }
        (true, true) => format!("{noun} {from} {} {to} {}", of.low, of.high),
    }
}

fn text(of: &Texts) -> String {
    let Some(choices) = &of.choices else {
        return match (of.min, of.max) {
            (0, u64::MAX) => "text".to_owned(),
            (min, u64::MAX) => format!("text of at least {min} character{}", plural(min)),
            (0, max) => format!("text of at most {max} character{}", plural(max)),
            (min, max) if min == max => format!("text of {min} character{}", plural(min)),
            (min, max) => format!("text of {min} to {max} characters"),
        };
    };
    let mut parts: Vec<String> =
        choices.iter().take(SHOWN_PARTS_MAX).map(|text| format!("\"{}\"", name(text))).collect();
    if choices.len() > SHOWN_PARTS_MAX {
        parts.push("…".to_owned());
    }
    parts.join(" | ")
}

const fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn list(of: &Lists, depth: usize) -> String {
    if of.max == 0 {
        return "empty list".to_owned();
    }
    if depth >= SHOWN_DEPTH_MAX {
        return "list".to_owned();
    }
    let item = of.each();
    if item == Type::Unknown {
        return "list".to_owned();
    }
    let item = shown(&item, depth + 1);
    let item = if item.contains(" or ") { format!("({item})") } else { item };
    format!("list of {item}")
}

fn object(of: &Objects, depth: usize) -> String {
    if depth >= SHOWN_DEPTH_MAX && !of.fields.is_empty() {
        return "{ … }".to_owned();
    }
    let mut parts: Vec<String> = of
        .fields
        .iter()
        .filter(|field| !field.value.is_never())
        .take(SHOWN_PARTS_MAX)
        .map(|field| {
            let mark = if field.presence == Presence::Required { "" } else { "?" };
            format!("{}{mark}: {}", name(&field.name), shown(&field.value, depth + 1))
        })
        .collect();
    let more = of.fields.len() > SHOWN_PARTS_MAX;
    if more || matches!(of.rest, Rest::Allowed(_)) && !parts.is_empty() {
        parts.push("…".to_owned());
    }
    match (parts.is_empty(), &of.rest) {
        (true, Rest::Closed) => "empty object".to_owned(),
        (true, Rest::Allowed(value)) if *value != Type::Unknown => {
            format!("object of {}", shown(value, depth + 1))
        }
        (true, Rest::Open | Rest::Allowed(_)) => "object".to_owned(),
        (false, _) => format!("{{ {} }}", parts.join(", ")),
    }
}

fn name(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN_NAME_CHARS_MAX).collect();
    if cut.len() < text.len() { format!("{cut}…") } else { cut }
}
