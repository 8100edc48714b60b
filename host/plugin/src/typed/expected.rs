//! Types in the words of an error message: bounded, whatever a component calls its parts.

use super::value_type::{Names, ValueType};
use crate::failure::bounded;

/// Names that a message lists.
const LISTED_MAX: usize = 8;
const NAME_BYTES_MAX: usize = 64;
/// Names that are compared for "did you mean", and how long they may be.
const COMPARED_MAX: usize = 1000;

/// What a value of the type looks like in JSON.
pub(crate) fn expected(ty: &ValueType) -> String {
    match ty {
        ValueType::Bool => "true or false".to_owned(),
        ValueType::S8 => integer("s8", i8::MIN, i8::MAX),
        ValueType::U8 => integer("u8", u8::MIN, u8::MAX),
        ValueType::S16 => integer("s16", i16::MIN, i16::MAX),
        ValueType::U16 => integer("u16", u16::MIN, u16::MAX),
        ValueType::S32 => integer("s32", i32::MIN, i32::MAX),
        ValueType::U32 => integer("u32", u32::MIN, u32::MAX),
        ValueType::S64 => integer("s64", i64::MIN, i64::MAX),
        ValueType::U64 => integer("u64", u64::MIN, u64::MAX),
        ValueType::F32 => "f32 (a number, \"NaN\", \"inf\" or \"-inf\")".to_owned(),
        ValueType::F64 => "f64 (a number, \"NaN\", \"inf\" or \"-inf\")".to_owned(),
        ValueType::Char => "char (a string of one character)".to_owned(),
        ValueType::String => "a string".to_owned(),
        ValueType::Bytes => "list<u8> (base64, or an array of 0 to 255)".to_owned(),
        ValueType::List(_) => "an array".to_owned(),
        ValueType::FixedList(_, len) => format!("an array of {len}"),
        ValueType::Map(_) => "an array of [key, value] pairs".to_owned(),
        ValueType::Record(fields) if fields.types.is_empty() => "an empty object".to_owned(),
        ValueType::Record(fields) => format!("an object with {}", listed(&fields.names)),
        ValueType::Tuple(items) => format!("an array of {}", items.len()),
        ValueType::Variant(cases) => variant(&cases.names, &cases.payloads),
        ValueType::Enum(names) => one_of(names),
        ValueType::Option { inner, wrapped: false } => format!("null or {}", expected(inner)),
        ValueType::Option { wrapped: true, .. } => "null or {\"some\": …}".to_owned(),
        ValueType::Result { ok, err } => {
            let case = |name: &str, payload: bool| {
                if payload { format!("{{\"{name}\": …}}") } else { format!("\"{name}\"") }
            };
            format!("{} or {}", case("ok", ok.is_some()), case("err", err.is_some()))
        }
        ValueType::Flags(names) => format!("an array of names out of {}", quoted(names)),
    }
}

/// One name of several.
pub(crate) fn one_of(names: &Names) -> String {
    format!("one of {}", quoted(names))
}

fn integer<T: std::fmt::Display>(name: &str, min: T, max: T) -> String {
    format!("{name} ({min} to {max})")
}

fn variant(names: &Names, payloads: &[Option<ValueType>]) -> String {
    let cases = names.list().iter().zip(payloads).map(|(name, payload)| {
        let name = bounded(name, NAME_BYTES_MAX);
        if payload.is_some() { format!("{{\"{name}\": …}}") } else { format!("\"{name}\"") }
    });
    format!("one of {}", joined(cases))
}

fn listed(names: &Names) -> String {
    joined(names.list().iter().map(|name| format!("`{}`", bounded(name, NAME_BYTES_MAX))))
}

fn quoted(names: &Names) -> String {
    joined(names.list().iter().map(|name| format!("\"{}\"", bounded(name, NAME_BYTES_MAX))))
}

fn joined(mut names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(LISTED_MAX);
    let mut text = names.by_ref().take(LISTED_MAX).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// ` (did you mean …?)`, where one of the names is near.
pub(crate) fn did_you_mean<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a String>,
) -> String {
    if written.len() > NAME_BYTES_MAX {
        return String::new();
    }
    let near = known
        .into_iter()
        .take(COMPARED_MAX)
        .filter(|name| name.len() <= NAME_BYTES_MAX)
        .map(|name| (strsim::damerau_levenshtein(written, name), name))
        .filter(|(distance, name)| *distance <= name.len().min(written.len()).div_ceil(3))
        .min_by_key(|(distance, _)| *distance);
    near.map_or_else(String::new, |(_, name)| format!(" (did you mean `{name}`?)"))
}
