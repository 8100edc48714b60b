use serde_json::{Value, json};

use super::{Fit, Type, Weight};

#[track_caller]
fn shown(schema: &Value, words: &str) {
    assert_eq!(Type::of_schema(schema).to_string(), words, "{schema}");
}

#[test]
fn a_schema_says_what_it_allows() {
    shown(&json!(true), "anything");
    shown(&json!({}), "anything");
    shown(&json!(false), "nothing");
    shown(&json!({ "type": "string" }), "text");
    shown(&json!({ "type": ["string", "null"] }), "text or null");
    shown(
        &json!({ "type": "integer", "minimum": 0.5, "exclusiveMaximum": 9 }),
        "whole number from 1 to 8",
    );
    shown(&json!({ "type": "number", "exclusiveMinimum": 0 }), "number above 0");
    shown(&json!({ "type": "integer", "minimum": 3, "maximum": 2 }), "nothing");
    shown(&json!({ "type": "number", "multipleOf": 1 }), "whole number");
    shown(&json!({ "type": "string", "minLength": 2, "maxLength": 2 }), "text of 2 characters");
    shown(&json!({ "enum": ["b", "a", 3, null] }), "3 or \"a\" | \"b\" or null");
    shown(&json!({ "const": true }), "true");
    shown(&json!({ "type": "string", "enum": ["a", 1] }), "\"a\"");
    shown(
        &json!({ "type": "array", "items": { "type": ["null", "boolean"] } }),
        "list of (true or false or null)",
    );
    shown(&json!({ "type": "array", "items": false }), "empty list");
    shown(
        &json!({ "type": "array", "prefixItems": [{ "type": "string" }, { "type": "number" }], "items": false }),
        "list of (number or text)",
    );
    shown(&json!({ "type": "object" }), "object");
    shown(
        &json!({ "type": "object", "additionalProperties": { "type": "number" } }),
        "object of number",
    );
    shown(
        &json!({ "type": "object", "required": ["b"], "properties": { "a": { "type": "string" }, "b": {} } }),
        "{ a?: text, b: anything }",
    );
    shown(&json!({ "type": "object", "required": ["a"], "properties": { "a": false } }), "nothing");
    shown(&json!({ "properties": { "a": { "type": "string" } } }), "anything");
}

#[test]
fn schemas_are_put_together() {
    let text = json!({ "type": "string" });
    shown(&json!({ "anyOf": [text, { "type": "null" }] }), "text or null");
    shown(&json!({ "allOf": [text, { "minLength": 3 }] }), "text of at least 3 characters");
    shown(&json!({ "allOf": [text, { "type": "number" }] }), "nothing");
    shown(
        &json!({ "type": "integer", "allOf": [{ "minimum": 1 }, { "maximum": 5 }] }),
        "whole number from 1 to 5",
    );
    shown(
        &json!({ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#/$defs/b" }, "b": text } }),
        "text",
    );
    shown(&json!({ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#/$defs/a" } } }), "anything");
    shown(&json!({ "$ref": "#/nowhere" }), "anything");
    shown(
        &json!({ "oneOf": [
            { "type": "object", "required": ["a"], "properties": { "a": text }, "additionalProperties": false },
            { "type": "object", "required": ["b"], "properties": { "b": text }, "additionalProperties": false },
        ] }),
        "{ a?: text, b?: text }",
    );
    // A `$ref` beside others counts alone in old drafts, and together with them in new ones.
    let beside = |draft: &str| json!({ "$schema": draft, "type": "number", "$ref": "#/$defs/a", "$defs": { "a": text } });
    shown(&beside("http://json-schema.org/draft-07/schema#"), "text");
    shown(&beside("https://json-schema.org/draft/2020-12/schema"), "nothing");
}

/// What is certain to be refused: how much of it, where, and why.
#[track_caller]
fn fits(given: &Value, wanted: &Value, expected: &str) {
    let (given, wanted) = (Type::of_schema(given), Type::of_schema(wanted));
    let misfit = Fit::default().misfit(&given, &wanted);
    let found = misfit.map(|misfit| {
        let weight = match misfit.weight {
            Weight::Every => "every",
            Weight::Some => "some",
            Weight::Bounds => "bounds",
        };
        format!("{weight} {} {}", misfit.path, misfit.message)
    });
    assert_eq!(found.unwrap_or_default(), expected, "{given} into {wanted}");
}

#[test]
fn what_does_not_fit_is_told() {
    let text = json!({ "type": "string" });
    let number = json!({ "type": "number" });
    let whole = json!({ "type": "integer" });
    let small = json!({ "type": "integer", "minimum": 0, "maximum": 9 });
    fits(&text, &text, "");
    fits(&text, &number, "every  must be a number, not text");
    fits(&whole, &number, "");
    fits(&number, &whole, "some  must be a whole number, and may have a fraction");
    fits(&small, &whole, "");
    fits(&whole, &small, "bounds  must be a whole number from 0 to 9, and may be smaller");
    fits(
        &json!({ "type": "integer", "minimum": 10 }),
        &small,
        "every  must be a whole number from 0 to 9, not a whole number from 10",
    );
    fits(&json!({ "type": ["string", "null"] }), &text, "some  must be text, and may be null");
    fits(
        &json!({ "type": ["string", "null"] }),
        &number,
        "every  must be a number, not text or null",
    );
    fits(
        &json!({ "enum": ["a", "b"] }),
        &json!({ "enum": ["b", "c"] }),
        "some  must be \"b\" | \"c\", and may be \"a\"",
    );
    fits(&json!({ "enum": ["a"] }), &json!({ "enum": ["b"] }), "every  must be \"b\", not \"a\"");
    fits(&text, &json!({ "enum": ["b"] }), "bounds  must be \"b\", and may be other text");
    fits(&json!({ "const": false }), &json!({ "const": true }), "every  must not be false");
    fits(
        &json!({ "type": "boolean" }),
        &json!({ "const": true }),
        "some  must not be false, and may be",
    );
    // Nothing is known of them.
    fits(&json!(true), &number, "");
    fits(&json!({ "minLength": 1 }), &number, "");
    fits(
        &json!({ "type": "string", "pattern": "a" }),
        &json!({ "type": "string", "pattern": "b" }),
        "",
    );
    fits(&json!({ "not": { "type": "string" }, "type": ["string", "null"] }), &text, "");
}

#[test]
fn parts_that_do_not_fit_are_named() {
    let list = |items: Value, min: u64| json!({ "type": "array", "items": items, "minItems": min });
    let closed = |required: &[&str], fields: Value| json!({ "type": "object", "required": required, "properties": fields, "additionalProperties": false });
    let (text, number) = (json!({ "type": "string" }), json!({ "type": "number" }));
    // An empty list would be accepted.
    fits(&list(text.clone(), 0), &list(number.clone(), 0), "some [] must be a number, not text");
    fits(&list(text.clone(), 1), &list(number.clone(), 0), "every [] must be a number, not text");
    fits(
        &list(text.clone(), 0),
        &list(text.clone(), 2),
        "bounds  must have at least 2 items, and may have fewer",
    );
    let a = closed(&["a"], json!({ "a": text }));
    fits(&a, &a, "");
    fits(&a, &closed(&["a"], json!({ "a": number })), "every .a must be a number, not text");
    fits(&a, &closed(&["b"], json!({ "b": text })), "every .b is required, and missing");
    fits(&a, &closed(&[], json!({ "b": text })), "every .a is not allowed");
    fits(&closed(&[], json!({ "a": text })), &a, "some .a is required, and may be missing");
    fits(
        &closed(&[], json!({ "a": text })),
        &closed(&[], json!({ "a": number })),
        "some .a must be a number, not text",
    );
    fits(&json!({ "type": "object" }), &a, "some .a is required, and may be missing");
    fits(&a, &json!({ "type": "object" }), "");
    let deep =
        |of: Value| closed(&["l"], json!({ "l": list(closed(&["x"], json!({ "x": of })), 1) }));
    fits(&deep(text.clone()), &deep(number), "every .l[].x must be a number, not text");
    // One of several forms may be the one that fits.
    let forms = json!({ "oneOf": [a, closed(&["b"], json!({ "b": text }))] });
    fits(&forms, &closed(&["b"], json!({ "b": text })), "");
    fits(&a, &forms, "");
    fits(&closed(&["c"], json!({ "c": text })), &forms, "every .c is not allowed");
}

#[test]
fn hostile_schemas_take_bounded_work() {
    let mut deep = json!({ "type": "string" });
    for _ in 0..60 {
        deep = json!({ "type": "array", "items": deep });
    }
    // Each definition is two of the next: 2^60 in all.
    let mut defs = serde_json::Map::new();
    for level in 0..60 {
        let next = format!("#/$defs/d{}", level + 1);
        let two = json!({ "type": "object", "properties": { "a": { "$ref": next }, "b": { "$ref": next } } });
        defs.insert(format!("d{level}"), two);
    }
    defs.insert("d60".into(), json!({ "type": "string" }));
    let bomb = json!({ "$ref": "#/$defs/d0", "$defs": defs });
    let many: Vec<String> = (0..100_000).map(|number| format!("v{number}")).collect();
    let listed = json!({ "enum": many });
    let wide: serde_json::Map<String, Value> =
        (0..15_000).map(|n| (format!("f{n}"), json!({ "type": "string" }))).collect();
    let wide = json!({ "type": "object", "properties": wide });
    let circle = json!({ "$ref": "#/$defs/a", "$defs": { "a": { "type": "object", "properties": { "next": { "$ref": "#/$defs/a" }, "all": { "type": "array", "items": { "$ref": "#/$defs/a" } } } } } });
    let any_of = json!({ "anyOf": (0..3_000).map(|n| json!({ "type": "object", "properties": { format!("f{n}"): { "type": "string" } } })).collect::<Vec<_>>() });
    let schemas = [deep, bomb, listed, wide, circle, any_of];
    let types: Vec<Type> = schemas.iter().map(Type::of_schema).collect();
    let mut fit = Fit::default();
    for given in &types {
        for wanted in &types {
            assert!(given.to_string().len() < 10_000);
            let (either, both) = (given.union(wanted), given.intersection(wanted));
            fit.misfit(&either, &both);
            fit.misfit(given, wanted);
        }
    }
    assert_eq!(Type::of_schema(&schemas[2]).to_string(), "text");
}
