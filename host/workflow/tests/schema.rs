//! Schemas of inputs, parameters of the command line, and contracts of plugins.

use std::sync::Arc;

use serde_json::{Value, json};

use wfhost_workflow::definition::{Draft, Offer, Problem, Severity, render};
use wfhost_workflow::parameters::{merge, typed_parameter};
use wfhost_workflow::{Contract, Json, Schema};

fn compile(schema: &Value) -> Result<Schema, String> {
    Schema::compile(&Json::from_value(schema)).map_err(|error| error.to_string())
}

fn schema() -> Schema {
    let schema = json!({
        "type": "object",
        "required": ["folder"],
        "additionalProperties": false,
        "properties": {
            "folder": { "type": "string", "pattern": "^/" },
            "depth": { "type": "integer", "minimum": 1 },
            "ratio": { "type": "number" },
            "deep": { "type": "boolean" },
            "tags": { "type": "array", "items": { "type": "string" } },
            "either": { "type": ["integer", "null", "string"] },
            "any": {},
            "options": { "$ref": "#/$defs/options" },
        },
        "$defs": { "options": { "type": "object", "properties": { "level": { "type": "integer" } } } },
    });
    compile(&schema).expect("a valid schema")
}

#[track_caller]
fn check(value: &Value, expected: &[&str]) {
    let found = schema().check(&Json::from_value(value)).err().unwrap_or_default();
    assert_eq!(found, expected, "{value}");
}

#[test]
fn a_value_is_checked_with_the_place_of_each_mistake() {
    check(&json!({ "folder": "/tmp", "depth": 2, "tags": [] }), &[]);
    check(&json!({}), &["the value: \"folder\" is a required property"]);
    check(&json!({ "folder": 1 }), &["folder: it is not of type \"string\""]);
    check(
        &json!({ "folder": "tmp", "tags": ["a", 1], "options": { "level": "x" } }),
        &[
            "folder: it does not match \"^/\"",
            "tags[1]: it is not of type \"string\"",
            "options.level: it is not of type \"integer\"",
        ],
    );
    check(
        &json!({ "folder": "/", "foldr": 1 }),
        &["the value: Additional properties are not allowed ('foldr' was unexpected)"],
    );
    check(&json!(null), &["the value: it is not of type \"object\""]);
}

#[test]
fn messages_are_bounded_in_number_and_length() {
    let schema = compile(&json!({ "items": { "type": "string", "maxLength": 1 } })).expect("valid");
    let values: Vec<Value> = (0..1000).map(|_| Value::from("x".repeat(10_000))).collect();
    let messages = schema.check(&Json::from_value(&values.into())).expect_err("all are too long");
    assert_eq!(messages.len(), 20);
    assert!(messages.iter().all(|message| message.len() < 700));
}

#[test]
fn nothing_is_ever_fetched() {
    for reference in ["http://example.com/schema", "file:///etc/passwd", "other.json", "//host/x"] {
        for schema in [
            json!({ "$ref": reference }),
            json!({ "properties": { "a": { "items": [{ "$ref": reference }] } } }),
        ] {
            let message = compile(&schema).expect_err("it leads out");
            assert!(message.contains("leads out of the schema"), "{message}");
        }
    }
    assert!(compile(&json!({ "$ref": "#/$defs/x", "$defs": { "x": true } })).is_ok());
    assert!(compile(&json!({ "const": { "$ref": "http://example.com" } })).is_ok());
    let with_base =
        json!({ "$id": "http://example.com/a", "properties": { "b": { "$ref": "#/c" } } });
    assert!(compile(&with_base).is_err(), "there is no such place in it");
    assert!(compile(&json!({ "$schema": "http://example.com/own" })).is_err());
}

#[test]
fn schemas_that_are_none_are_refused() {
    for schema in [
        json!({ "type": "objct" }),
        json!({ "minimum": "x" }),
        json!({ "properties": [] }),
        json!({ "pattern": "(" }),
        json!({ "pattern": "(\\w{100}){100}{100}" }),
        json!({ "$ref": "#/nowhere" }),
        json!(1),
    ] {
        assert!(compile(&schema).is_err(), "{schema}");
    }
    let large = json!({ "description": "x".repeat(300_000) });
    assert_eq!(
        compile(&large).expect_err("too large"),
        "the schema has 300018 bytes, more than 262144"
    );
}

#[test]
fn patterns_take_linear_time() {
    let schema = compile(&json!({ "pattern": "^(a+)+$" })).expect("valid");
    let value = Json::from_value(&Value::from("a".repeat(200_000) + "b"));
    assert!(schema.check(&value).is_err());
}

#[track_caller]
fn check_parameter(key: &str, text: &str, expected: Result<Value, &str>) {
    let found = typed_parameter(Some(&schema()), key, text);
    assert_eq!(found, expected.map_err(str::to_owned), "{key}={text}");
}

#[test]
fn parameters_are_typed_by_the_schema() {
    check_parameter("folder", "/tmp", Ok(json!("/tmp")));
    check_parameter("folder", "12", Ok(json!("12")));
    check_parameter("depth", "12", Ok(json!(12)));
    check_parameter("depth", "1.5", Err("`depth` must be integer, not `1.5`"));
    check_parameter("depth", "", Err("`depth` must be integer, not ``"));
    check_parameter("ratio", "1", Ok(json!(1)));
    check_parameter("ratio", "1e-3", Ok(json!(0.001)));
    check_parameter("deep", "yes", Ok(json!(true)));
    check_parameter("deep", "maybe", Err("`deep` must be boolean, not `maybe`"));
    check_parameter("tags", "[\"a\"]", Ok(json!(["a"])));
    check_parameter("tags", "a", Err("`tags` must be array, not `a`"));
    check_parameter("either", "3", Ok(json!(3)));
    check_parameter("either", "null", Ok(json!(null)));
    check_parameter("either", "true", Ok(json!("true")));
    check_parameter("options.level", "3", Ok(json!(3)));
    check_parameter("options", "{\"level\": 3}", Ok(json!({ "level": 3 })));
    check_parameter("any", "3", Ok(json!(3)));
    check_parameter("unknown", "text", Ok(json!("text")));
    check_parameter("unknown", "\"text\"", Ok(json!("\"text\"")));
    check_parameter("unknown", "[1", Ok(json!("[1")));
    check_parameter("a..b", "1", Err("`a..b` is no name of a parameter"));
    assert_eq!(typed_parameter(None, "x", "true"), Ok(json!(true)));
}

#[test]
fn parameters_go_over_the_input() {
    let mut input = json!({ "folder": "/a", "options": { "level": 1, "other": 2 } });
    let mut set = |key: &str, value| merge(&mut input, key, value);
    assert_eq!(set("folder", json!("/b")), Ok(()));
    assert_eq!(set("options.level", json!(3)), Ok(()));
    assert_eq!(set("new.deep", json!(4)), Ok(()));
    let refused = set("folder.x", json!(1)).expect_err("text has no fields");
    assert_eq!(refused, "`folder.x` cannot be set: what should hold `x` is no object");
    let expected = json!({
        "folder": "/b", "options": { "level": 3, "other": 2 }, "new": { "deep": 4 },
    });
    assert_eq!(input, expected);
    let mut nothing = Value::Null;
    assert_eq!(merge(&mut nothing, "a", json!(1)), Ok(()));
    assert_eq!(nothing, json!({ "a": 1 }));
}

const CALLS: &str = "workflow: w
plugins: {text: ./text.wasm, other: ./other.wasm}
steps:
  - id: a
    call: text/extrct
  - id: b
    call: text/extract
    with: { folder: 1 }
  - id: c
    call: text/extract
    with: { folder: '${steps.a}' }
  - id: d
    call: other/whatever
  - id: e
    map: [1]
    call: text/completely_different
  - id: f
    call: text/extract
    with: { folder: x }
";

#[test]
fn calls_are_checked_against_contracts() {
    let input = json!({ "type": "object", "properties": { "folder": { "type": "string" } } });
    let contract = |name: &str| Contract {
        name: name.to_owned(),
        docs: String::new(),
        input_schema: Json::from_value(&input),
        output_schema: Json::from_value(&json!({})),
    };
    let contracts = Arc::new(vec![contract("extract"), contract("report")]);
    let offer = Offer { contracts: Some(contracts), ..Offer::default() };
    let checked = Draft::read(CALLS).check(&[("text".into(), offer)].into(), Vec::new());
    let problems: Vec<Problem> =
        checked.problems.into_iter().filter(|p| p.severity == Severity::Error).collect();
    let found: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "5:11 plugin `text` has no function `extrct`: did you mean `extract`?",
            "8:21 `folder` must be text, not a number",
            "16:11 plugin `text` has no function `completely_different`: it has extract, report",
        ]
    );
    let report = render(&problems, "w.yaml", CALLS, &|_, text| text.to_owned());
    assert!(
        report.starts_with(
            "w.yaml:5:11: error: plugin `text` has no function `extrct` [unknown-function]\n\
             5 |     call: text/extrct\n  |           ^^^^^^^^^^^\n  hint: did you mean `extract`?\n"
        ),
        "{report}"
    );
}
