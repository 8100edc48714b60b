//! A JSON Schema in a line, as a person would say it; harmless for a terminal.
//!
//! `{ name: string, zip?: integer | null }`. Bounds and formats are left out: the schema
//! itself has them.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use wfhost_workflow::Json;

use crate::sanitise;

/// Schemas in schemas; a stranger's may nest deep.
const DEPTH_MAX: usize = 8;
/// What is visited at all.
const NODES_MAX: usize = 500;
/// Definitions that are told.
const NAMED_MAX: usize = 12;
const NAME_CHARS_MAX: usize = 64;

/// A schema in short.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Short {
    /// The schema itself.
    pub(crate) text: String,
    /// The definitions that it names, each as `name = …`.
    pub(crate) named: Vec<String>,
}

/// At most about `chars_max` characters.
pub(crate) fn short(schema: &Json, chars_max: usize) -> Short {
    let schema = schema.to_value();
    let defs = ["$defs", "definitions"].iter().find_map(|key| schema.get(key)?.as_object());
    let mut writer = Writer { defs, text: String::new(), chars_max, nodes: 0, named: Vec::new() };
    writer.schema(&schema, 0);
    let text = writer.take();
    let (mut named, mut told) = (Vec::new(), BTreeSet::new());
    // Definitions that are named bring others with them.
    while let Some(name) = writer.named.pop() {
        let Some(definition) = defs.and_then(|defs| defs.get(&name)) else { continue };
        if !told.insert(name.clone()) {
            continue;
        }
        if named.len() == NAMED_MAX {
            named.push("…".to_owned());
            break;
        }
        writer.name(&name);
        writer.text.push_str(" = ");
        writer.schema(definition, 1);
        named.push(writer.take());
    }
    Short { text, named }
}

struct Writer<'a> {
    defs: Option<&'a Map<String, Value>>,
    text: String,
    chars_max: usize,
    nodes: usize,
    /// Definitions that were named and are not told yet.
    named: Vec<String>,
}

impl Writer<'_> {
    /// What was written, with a mark where it was cut.
    fn take(&mut self) -> String {
        if self.is_full() {
            self.text.push_str(" …");
        }
        self.nodes = 0;
        std::mem::take(&mut self.text)
    }

    fn is_full(&self) -> bool {
        self.text.len() > self.chars_max || self.nodes > NODES_MAX
    }

    fn schema(&mut self, schema: &Value, depth: usize) {
        self.nodes += 1;
        if self.is_full() {
            return;
        }
        if depth > DEPTH_MAX {
            self.text.push('…');
            return;
        }
        let Value::Object(schema) = schema else {
            self.text.push_str(if *schema == Value::Bool(false) { "nothing" } else { "anything" });
            return;
        };
        if let Some(Value::String(reference)) = schema.get("$ref") {
            self.reference(reference);
        } else if let Some(value) = schema.get("const") {
            self.value(value);
        } else if let Some(Value::Array(values)) = schema.get("enum") {
            self.list(values, " | ", Self::value);
        } else if let Some(Value::Array(options)) =
            schema.get("oneOf").or_else(|| schema.get("anyOf"))
        {
            self.options(options, depth);
        } else {
            self.typed(schema, depth);
        }
    }

    /// Each of several forms once, such as a number that may come as a string.
    fn options(&mut self, options: &[Value], depth: usize) {
        let mut seen = BTreeSet::new();
        let is_null = |option: &&Value| option.get("type").is_some_and(|kind| kind == "null");
        let (nulls, others): (Vec<&Value>, Vec<&Value>) = options.iter().partition(is_null);
        for option in others.into_iter().chain(nulls) {
            if is_special_numbers(option) {
                continue;
            }
            let from = self.text.len();
            if !seen.is_empty() {
                self.text.push_str(" | ");
            }
            let at = self.text.len();
            self.schema(option, depth + 1);
            if !seen.insert(self.text[at..].to_owned()) {
                self.text.truncate(from);
            }
            if self.is_full() {
                return;
            }
        }
    }

    fn typed(&mut self, schema: &Map<String, Value>, depth: usize) {
        match schema.get("type") {
            Some(Value::String(kind)) => self.of_type(kind, schema, depth),
            Some(Value::Array(kinds)) => {
                for (n, kind) in kinds.iter().filter_map(Value::as_str).enumerate() {
                    if n > 0 {
                        self.text.push_str(" | ");
                    }
                    self.of_type(kind, schema, depth);
                }
            }
            _ if schema.contains_key("properties") => self.object(schema, depth),
            _ if schema.contains_key("items") => self.array(schema, depth),
            _ => self.text.push_str("anything"),
        }
    }

    fn of_type(&mut self, kind: &str, schema: &Map<String, Value>, depth: usize) {
        match kind {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, depth),
            "string" if schema.get("contentEncoding").is_some() => self.text.push_str("base64"),
            kind => self.name(kind),
        }
    }

    fn object(&mut self, schema: &Map<String, Value>, depth: usize) {
        let required = schema.get("required").and_then(Value::as_array);
        let is_required = |name: &str| {
            required.is_some_and(|names| names.iter().any(|required| required == name))
        };
        let mut parts = 0;
        self.text.push('{');
        for (name, property) in
            schema.get("properties").and_then(Value::as_object).into_iter().flatten()
        {
            self.text.push_str(if parts == 0 { " " } else { ", " });
            parts += 1;
            self.name(name);
            self.text.push_str(if is_required(name) { ": " } else { "?: " });
            self.schema(property, depth + 1);
            if self.is_full() {
                return;
            }
        }
        match schema.get("additionalProperties") {
            None | Some(Value::Bool(false)) => {}
            Some(any) => {
                self.text.push_str(if parts == 0 { " *: " } else { ", *: " });
                parts += 1;
                self.schema(any, depth + 1);
            }
        }
        self.text.push_str(if parts == 0 { "}" } else { " }" });
    }

    fn array(&mut self, schema: &Map<String, Value>, depth: usize) {
        self.text.push('[');
        if let Some(Value::Array(items)) = schema.get("prefixItems") {
            self.list(items, ", ", |this, item| this.schema(item, depth + 1));
        } else {
            let anything = Value::Bool(true);
            self.schema(schema.get("items").unwrap_or(&anything), depth + 1);
            self.text.push_str(", …");
        }
        self.text.push(']');
    }

    fn list(&mut self, values: &[Value], between: &str, mut write: impl FnMut(&mut Self, &Value)) {
        for (n, value) in values.iter().enumerate() {
            if n > 0 {
                self.text.push_str(between);
            }
            write(self, value);
            if self.is_full() {
                return;
            }
        }
    }

    fn reference(&mut self, reference: &str) {
        let name = reference.rsplit('/').next().unwrap_or(reference);
        self.name(name);
        if self.defs.is_some_and(|defs| defs.contains_key(name)) {
            self.named.insert(0, name.to_owned());
        }
    }

    fn value(&mut self, value: &Value) {
        self.nodes += 1;
        let text = value.to_string();
        self.name(&text);
    }

    fn name(&mut self, name: &str) {
        self.text.push_str(&sanitise::line_of(name, NAME_CHARS_MAX));
    }
}

/// The forms in which JSON has numbers that are none.
fn is_special_numbers(schema: &Value) -> bool {
    schema.get("enum").and_then(Value::as_array).is_some_and(|values| {
        values.iter().any(|value| value == "NaN") && values.iter().all(Value::is_string)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schema: &str, expected: &str) {
        let Short { text, named } = short(&Json::parse(schema).unwrap(), 400);
        assert_eq!([&[text], &named[..]].concat().join("; "), expected);
    }

    #[test]
    fn schemas_are_said_in_short() {
        check("true", "anything");
        check("{}", "anything");
        check("false", "nothing");
        check(r#"{"type":"string","maxLength":1}"#, "string");
        check(r#"{"type":["string","null"]}"#, "string | null");
        check(r#"{"anyOf":[{"type":"null"},{"type":"string"}]}"#, "string | null");
        check(r#"{"enum":["a",1]}"#, "\"a\" | 1");
        check(
            r#"{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"array","items":true}},"required":["a"]}"#,
            "{ a: integer, b?: [anything, …] }",
        );
        check(r#"{"type":"object","additionalProperties":{"type":"string"}}"#, "{ *: string }");
        check(r#"{"type":"object"}"#, "{}");
        check(r#"{"type":"array","prefixItems":[{"type":"null"},{"const":2}]}"#, "[null, 2]");
        check(r#"{"anyOf":[{"type":"number"},{"enum":["NaN","inf","-inf"]}]}"#, "number");
        check(
            r##"{"$ref":"#/$defs/t","$defs":{"t":{"type":"array","items":{"$ref":"#/$defs/t"}}}}"##,
            "t; t = [t, …]",
        );
    }

    #[test]
    fn a_strangers_schema_is_bounded_and_harmless() {
        let deep = format!("{}true{}", "{\"type\":\"array\",\"items\":".repeat(60), "}".repeat(60));
        assert!(short(&Json::parse(&deep).unwrap(), 400).text.contains('…'));
        let wide: Vec<_> = (0..10_000).map(|n| format!("\"p{n}\":true")).collect();
        let wide = format!("{{\"type\":\"object\",\"properties\":{{{}}}}}", wide.join(","));
        let text = short(&Json::parse(&wide).unwrap(), 400).text;
        assert!(text.len() < 600 && text.ends_with(" …"), "{text}");
        check("{\"type\":\"\\u001b[2J\"}", "\\u{1b}[2J");
        check("{\"enum\":[\"\u{202e}\"]}", "\"\\u{202e}\"");
    }
}
