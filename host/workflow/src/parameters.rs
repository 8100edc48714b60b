//! `-p key=value`: text from a command line as the input's schema types it.

use serde_json::{Map, Value};

use crate::Schema;

/// Parts of a dotted key.
const KEY_PARTS_MAX: usize = 16;

/// Turns the text of one parameter into the value that the schema asks for.
///
/// `key` may be dotted: `options.depth`. Without a schema, or where it says nothing about the
/// key, text that is a JSON number, boolean or `null`, or a whole JSON list or object, is taken
/// as that, and all else as text.
///
/// # Errors
/// A sentence for people: the text is not of the type that the schema asks for.
pub fn typed_parameter(schema: Option<&Schema>, key: &str, text: &str) -> Result<Value, String> {
    let path = parts(key)?;
    let types = schema.map(|schema| types_of(schema, &path)).unwrap_or_default();
    if types.is_empty() {
        return Ok(untyped(text));
    }
    // Text fits a string always, so it is tried last.
    let order = ["null", "boolean", "integer", "number", "array", "object", "string"];
    let wanted = order.into_iter().filter(|name| types.contains(name));
    for name in wanted {
        if let Some(value) = as_type(name, text) {
            return Ok(value);
        }
    }
    Err(format!("`{key}` must be {}, not `{text}`", types.join(" or ")))
}

/// Puts a parameter into an input object; later ones win.
///
/// # Errors
/// A sentence for people: the input, or what the key leads through, is no object.
pub fn merge(input: &mut Value, key: &str, value: Value) -> Result<(), String> {
    let path = parts(key)?;
    let mut at = input;
    for name in &path {
        if at.is_null() {
            *at = Value::Object(Map::new());
        }
        let Value::Object(object) = at else {
            return Err(format!("`{key}` cannot be set: what should hold `{name}` is no object"));
        };
        at = object.entry(*name).or_insert(Value::Null);
    }
    *at = value;
    Ok(())
}

fn parts(key: &str) -> Result<Vec<&str>, String> {
    let parts: Vec<&str> = key.split('.').collect();
    if parts.iter().any(|part| part.is_empty()) || parts.len() > KEY_PARTS_MAX {
        return Err(format!("`{key}` is no name of a parameter"));
    }
    Ok(parts)
}

/// The types that the schema accepts at a path; empty if it does not say.
fn types_of<'s>(schema: &'s Schema, path: &[&str]) -> Vec<&'s str> {
    let Some(property) = schema.property(path) else { return Vec::new() };
    match property.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn as_type(name: &str, text: &str) -> Option<Value> {
    let json = || serde_json::from_str::<Value>(text).ok();
    match name {
        "null" => (text == "null").then_some(Value::Null),
        "boolean" => match text {
            "true" | "yes" | "on" => Some(Value::Bool(true)),
            "false" | "no" | "off" => Some(Value::Bool(false)),
            _ => None,
        },
        "integer" => json().filter(|value| value.is_i64() || value.is_u64()),
        "number" => json().filter(Value::is_number),
        "array" => json().filter(Value::is_array),
        "object" => json().filter(Value::is_object),
        _ => Some(Value::from(text)),
    }
}

fn untyped(text: &str) -> Value {
    serde_json::from_str::<Value>(text)
        .ok()
        .filter(|value| !value.is_string())
        .unwrap_or_else(|| Value::from(text))
}
