//! JSON Schema: what a run's input, or a step's, must satisfy.
//!
//! Compiled without ever fetching anything, and with patterns in a linear-time engine, since
//! schemas come from files and components of strangers.

use std::fmt;
use std::sync::Arc;

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use crate::Json;

/// Bytes of a schema's JSON text: keeps compiling one well below a second.
pub const SCHEMA_BYTES_MAX: usize = 256 << 10;

/// Messages of one check: more do not help.
const MESSAGES_MAX: usize = 20;

/// Refusals of one value that are looked at: most may belong to parts that are not known yet.
const REFUSALS_MAX: usize = 200;

/// Characters of one message: it may quote the value.
const MESSAGE_CHARS_MAX: usize = 300;

/// Bytes of a compiled pattern.
const PATTERN_COMPILED_BYTES_MAX: usize = 1 << 20;

/// A compiled JSON Schema. Cheap to clone.
#[derive(Clone)]
pub struct Schema {
    text: Json,
    value: Arc<Value>,
    validator: Arc<Validator>,
}

/// Why a schema refuses a part of a value.
pub(crate) struct Refusal {
    pub(crate) path: Vec<String>,
    pub(crate) message: String,
}

/// Why a schema cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// Over [`SCHEMA_BYTES_MAX`].
    #[error("the schema has {bytes} bytes, more than {SCHEMA_BYTES_MAX}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// A `$ref` that leads out of the schema.
    #[error("`$ref: {reference}` leads out of the schema, which is not supported")]
    Remote {
        /// As written.
        reference: String,
    },
    /// Not a JSON Schema.
    #[error("no JSON Schema: {message}")]
    Invalid {
        /// What the validator says, with the place.
        message: String,
    },
}

impl Schema {
    /// Compiles a schema.
    ///
    /// # Errors
    /// See [`SchemaError`].
    pub fn compile(text: &Json) -> Result<Self, SchemaError> {
        if text.len_bytes() > SCHEMA_BYTES_MAX {
            return Err(SchemaError::TooLarge { bytes: text.len_bytes() });
        }
        let value = text.to_value();
        if let Some(reference) = remote_reference(&value) {
            return Err(SchemaError::Remote { reference: cut(reference) });
        }
        let patterns = PatternOptions::regex()
            .size_limit(PATTERN_COMPILED_BYTES_MAX)
            .dfa_size_limit(PATTERN_COMPILED_BYTES_MAX);
        let validator = jsonschema::options()
            .offline()
            .with_pattern_options(patterns)
            .should_validate_formats(true)
            .build(&value)
            .map_err(|error| {
                let place = error.instance_path().to_string();
                let message = error.masked_with("the value").to_string();
                let message = if place.is_empty() {
                    cut(&message)
                } else {
                    format!("at `{}`: {}", cut(&place), cut(&message))
                };
                SchemaError::Invalid { message }
            })?;
        Ok(Self { text: text.clone(), value: Arc::new(value), validator: Arc::new(validator) })
    }

    /// Checks a value.
    ///
    /// # Errors
    /// What is wrong, each with its place as a JSON path; at most twenty.
    pub fn check(&self, value: &Json) -> Result<(), Vec<String>> {
        self.check_value(&value.to_value())
    }

    /// The same of a tree.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn check_value(&self, value: &Value) -> Result<(), Vec<String>> {
        // Much quicker than collecting errors, and the usual case.
        if self.validator.is_valid(value) {
            return Ok(());
        }
        let messages: Vec<String> = self
            .validator
            .iter_errors(value)
            .take(MESSAGES_MAX)
            .map(|error| {
                let place = error.instance_path().to_string();
                let place = if place.is_empty() { "the value".to_owned() } else { dotted(&place) };
                let masked = error.masked_with("it").to_string();
                format!("{}: {}", cut(&place), cut(&masked))
            })
            .collect();
        Err(messages)
    }

    /// What is wrong with a value, each with the path of the part that is refused; at most as
    /// many as [`Self::check`] says.
    pub(crate) fn refusals(&self, value: &Value) -> Vec<Refusal> {
        self.validator
            .iter_errors(value)
            .take(REFUSALS_MAX)
            .map(|error| {
                let pointer = error.instance_path().to_string();
                let path = pointer
                    .split('/')
                    .skip(1)
                    .map(|part| part.replace("~1", "/").replace("~0", "~"))
                    .collect();
                Refusal { path, message: cut(&error.masked_with("it").to_string()) }
            })
            .collect()
    }

    /// The schema as it was given.
    #[must_use]
    pub const fn text(&self) -> &Json {
        &self.text
    }

    /// The part of the schema that describes a field, by its path; follows `properties` and
    /// local `$ref` only.
    pub(crate) fn property(&self, path: &[&str]) -> Option<&Value> {
        let mut schema = self.resolve(&self.value)?;
        for name in path {
            schema = self.resolve(schema.get("properties")?.get(name)?)?;
        }
        Some(schema)
    }

    /// The names that the schema knows at a path, if it allows no others.
    pub(crate) fn closed_properties(&self, path: &[&str]) -> Option<Vec<&str>> {
        let schema = self.property(path)?;
        let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
        let open = ["patternProperties", "anyOf", "oneOf", "allOf", "if", "$ref"];
        if !closed || open.iter().any(|key| schema.get(key).is_some()) {
            return None;
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        Some(properties.map(|p| p.keys().map(String::as_str).collect()).unwrap_or_default())
    }

    fn resolve<'v>(&'v self, mut schema: &'v Value) -> Option<&'v Value> {
        // Bounded, since a reference may lead to itself.
        for _ in 0..8 {
            let Some(reference) = schema.get("$ref").and_then(Value::as_str) else {
                return Some(schema);
            };
            schema = self.value.pointer(reference.strip_prefix('#')?)?;
        }
        None
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schema").field(&self.text).finish()
    }
}

/// A reference to anything but a place in the same schema. Base URIs of a schema's own are
/// refused with them, so that `#…` always means the whole text.
fn remote_reference(schema: &Value) -> Option<&str> {
    match schema {
        Value::Object(object) => object.iter().find_map(|(key, value)| match (&**key, value) {
            ("$ref" | "$dynamicRef" | "$recursiveRef", Value::String(reference))
                if !reference.starts_with('#') =>
            {
                Some(reference.as_str())
            }
            // Data, not schemas.
            ("const" | "enum" | "default" | "examples", _) => None,
            _ => remote_reference(value),
        }),
        Value::Array(items) => items.iter().find_map(remote_reference),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// `/a/0/b~1c` as `.a[0]["b/c"]`, without the first dot.
fn dotted(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) {
            path.push_str(&format!("[{part}]"));
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&part);
        }
    }
    path
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
