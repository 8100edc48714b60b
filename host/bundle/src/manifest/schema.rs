//! JSON Schemas of the manifests, for editors. `schemas/` holds them as files.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};
use wfhost_workflow::{Limit, LimitUnit};

use super::{bundle, plugin};

/// The schema of `plugin.toml`.
#[must_use]
pub fn plugin_schema() -> Value {
    schema_of::<plugin::File>()
}

/// The schema of `bundle.toml`.
#[must_use]
pub fn bundle_schema() -> Value {
    schema_of::<bundle::File>()
}

fn schema_of<T: JsonSchema>() -> Value {
    let mut schema = SchemaGenerator::default().into_root_schema_for::<T>().to_value();
    if let Value::Object(fields) = &mut schema {
        // What it is, first: it is a file that people open.
        for name in ["title", "$schema"] {
            if let Some(value) = fields.shift_remove(name) {
                fields.shift_insert(0, name.to_owned(), value);
            }
        }
    }
    schema
}

/// Every limit by its name.
pub(super) fn limits(_: &mut SchemaGenerator) -> Schema {
    let limits: Map<String, Value> = Limit::ALL
        .into_iter()
        .map(|limit| {
            let spec = limit.spec();
            let kinds = match spec.unit {
                LimitUnit::Milliseconds => json!("string"),
                LimitUnit::Bytes | LimitUnit::PowerOfTwoBytes | LimitUnit::Count => {
                    json!(["integer", "string"])
                }
            };
            let (least, largest) = (limit.show(spec.least), limit.show(spec.largest));
            let docs = format!("{}; from {least} to {largest}", spec.docs);
            (limit.name().to_owned(), json!({ "type": kinds, "description": docs }))
        })
        .collect();
    json_schema!({
        "description": "The most that one attempt of its functions needs, by the names of `wfhost limits`.",
        "type": "object",
        "properties": limits,
        "additionalProperties": false,
    })
}
