//! JSON Schemas of strangers: what `describe` gives, and the `input` of workflow files.
//!
//! Any schema is refused or compiled, and checks any value, in bounded time and memory; parameters
//! of the command line are read by it.

use serde_json::Value;
use wfhost_workflow::parameters::{merge, typed_parameter};
use wfhost_workflow::{Json, Schema};

use crate::given::Given;
use crate::value;

/// A schema and a value, with a zero byte between them; after a first byte of 255, the rest makes
/// both.
pub(crate) fn run(bytes: &[u8]) {
    let (schema, values) = match bytes.split_first() {
        Some((255, rest)) => made(&mut Given::new(rest)),
        _ => {
            let mut texts = bytes.split(|byte| *byte == 0).map(String::from_utf8_lossy);
            let schema = Json::parse(&texts.next().unwrap_or_default());
            (schema.ok(), texts.filter_map(|text| Json::parse(&text).ok()).collect())
        }
    };
    let Some(Ok(schema)) = schema.map(|schema| Schema::compile(&schema)) else { return };
    for value in values {
        check(&schema, &value);
    }
}

fn check(schema: &Schema, value: &Json) {
    let verdict = schema.check(value);
    assert_eq!(schema.check(value), verdict, "checked again, it says something else");
    if let Err(messages) = &verdict {
        assert!((1..=20).contains(&messages.len()), "{} messages", messages.len());
        let bytes: usize = messages.iter().map(String::len).sum();
        assert!(bytes < 64 << 10, "{bytes} bytes of messages");
    }
    let mut input = value.to_value();
    for key in ["a", "a.b", ""] {
        if let Ok(parameter) = typed_parameter(Some(schema), key, value.as_str()) {
            let _merged = merge(&mut input, key, parameter);
        }
    }
}

const WORDS: [&str; 30] = [
    "type",
    "properties",
    "required",
    "items",
    "enum",
    "const",
    "minimum",
    "maximum",
    "minLength",
    "pattern",
    "format",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "$ref",
    "$defs",
    "additionalProperties",
    "patternProperties",
    "prefixItems",
    "uniqueItems",
    "contains",
    "propertyNames",
    "dependentSchemas",
    "unevaluatedProperties",
    "$dynamicRef",
    "$id",
];
const VALUES: [&str; 18] = [
    "object",
    "string",
    "integer",
    "array",
    "null",
    "#",
    "#/$defs/a",
    "#/$defs/b",
    "#/properties/a",
    "#a",
    "date-time",
    "uuid",
    "email",
    "^a+$",
    "(a|b)*",
    "^\\p{L}{2,9}$",
    "uri",
    "regex",
];

fn made(given: &mut Given<'_>) -> (Option<Json>, Vec<Json>) {
    let schema = Json::from_value(&schema(given, 4));
    let values = (0..3).map(|_| Json::from_value(&value::json(given, 3))).collect();
    (Some(schema), values)
}

fn schema(given: &mut Given<'_>, depth: usize) -> Value {
    if depth == 0 {
        return Value::from(given.byte() & 1 == 0);
    }
    let fields = (0..given.count(6)).map(|_| {
        let word = given.one_of(&WORDS);
        let value = match given.below(8) {
            0 => value::json(given, 2),
            1 => (0..given.count(4)).map(|_| schema(given, depth - 1)).collect(),
            2 => {
                serde_json::json!({ "a": schema(given, depth - 1), "b": schema(given, depth - 1) })
            }
            3 => (0..given.count(4)).map(|_| Value::from(given.one_of(&VALUES))).collect(),
            4 | 5 => Value::from(given.one_of(&VALUES)),
            6 => Value::from(given.number()),
            _ => schema(given, depth - 1),
        };
        (word.to_owned(), value)
    });
    Value::Object(fields.collect())
}
