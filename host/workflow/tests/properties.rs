//! What holds for any file, value and expression.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use wfhost_workflow::definition::{Definition, StepKind};
use wfhost_workflow::expression::{Scope, StepOutputs, Template};
use wfhost_workflow::{Json, StepId};

struct NoSteps;

impl StepOutputs for NoSteps {
    fn output(&self, _: StepId) -> Option<Json> {
        None
    }
}

fn compile(value: &Value) -> Result<Template, String> {
    let source = format!("{{workflow: w, steps: [{{id: a, set: {value}}}]}}");
    let mut definition =
        Definition::parse(&source).map_err(|problems| problems.found()[0].to_string())?;
    match definition.steps.pop().map(|step| step.kind) {
        Some(StepKind::Set(value)) => Ok(value),
        other => panic!("{other:?}"),
    }
}

fn evaluate(value: &Value, input: &Json) -> Result<Json, String> {
    let scope = Scope { run: None, input, steps: &NoSteps, item: None };
    compile(value)?.evaluate(&scope).map_err(|error| error.to_string())
}

fn expression(text: &str) -> Value {
    Value::from(format!("${{{text}}}"))
}

/// JSON that YAML's flow style can hold: no characters that YAML forbids.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e12..1e12_f64).prop_map(Value::from),
        "[ -~äß\\n]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        let objects = prop::collection::vec(("[a-z \"']{1,6}", inner.clone()), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(Value::from),
            objects.prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// The same value with every `${` of its texts escaped.
fn escaped(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::from(text.replace("${", "$${")),
        Value::Array(items) => items.iter().map(escaped).collect(),
        Value::Object(entries) => {
            Value::Object(entries.iter().map(|(k, v)| (k.clone(), escaped(v))).collect())
        }
        other => other.clone(),
    }
}

const VALID: &str = "workflow: w\nversion: 1.0\ninput: {type: object, properties: {l: {type: array}}}
plugins:\n  p: {path: ./p.wasm, grants: {dirs: [{path: \"${input.d}\", as: /in, mode: ro}]}, limits: {memory: 1MiB}}
steps:\n  - id: a\n    call: p/f\n    with: {x: \"${input.l[0]}\", y: 'a ${1 + 2} b'}\n    timeout: 1m30s
  - id: b\n    map: ${steps.a.l.filter(x, x > 1)}\n    as: doc\n    at_once: 4\n    call: p/f\n    retry: {attempts: 2, backoff: {first: 1s}}
  - id: c\n    parallel: [{id: d, set: 1}, [{id: e, set: |\n      text ${steps.a}\n    , when: \"${has(steps.a.b)}\"}]]
output: ${steps.b}\n";

/// Pieces of files, so that random ones get past the first characters.
fn file_pieces() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "workflow: w\n",
        "steps:\n",
        "  - ",
        "id: a\n",
        "    ",
        "set: ",
        "call: p/f\n",
        "needs: [a]\n",
        "parallel:\n",
        "{",
        "}",
        "[",
        "]",
        ": ",
        ", ",
        "\n",
        "- ",
        "\"",
        "'",
        "${",
        "}",
        "steps.a",
        "input",
        "when: ",
        "map: ",
        "|\n",
        ">\n",
        "&a ",
        "*a",
        "!t ",
        "---\n",
        "...\n",
        "? ",
        "#",
        "\t",
        "~",
        "1",
        "é",
        "\u{feff}",
        "retry: {attempts: 1}\n",
        "plugins: {p: x}\n",
        "with: {a: 1}\n",
        "\r\n",
        "%YAML",
        "@",
        "`",
        "\u{85}",
        "\\x",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn expression_pieces() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "input",
        ".a",
        ".l",
        "[0]",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        "+",
        "-",
        "*",
        "/",
        "%",
        "==",
        "!=",
        "<",
        ">=",
        " in ",
        "&&",
        "||",
        "!",
        "?",
        ":",
        ",",
        "1",
        "2.5",
        "3u",
        "'a'",
        "\"b\"",
        "r'\\'",
        "b'x'",
        "'''",
        "true",
        "null",
        "has(",
        "size(",
        ".map(x, ",
        ".all(x, ",
        ".filter(x, x",
        ".exists_one(",
        "x",
        " ",
        "//",
        "\n",
        ".matches('",
        "0x1f",
        "1e309",
        "`",
        "é",
        "\\",
        "$",
        "steps.a",
        "steps",
        "run.id",
        ".contains(",
        ".split(",
        "99999999999999999999",
        ".?a",
    ]);
    prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

/// Expressions that usually evaluate, over [`sample_input`].
fn expressions() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (-20_i64..20).prop_map(|n| if n < 0 { format!("({n})") } else { n.to_string() }),
        select(vec![
            "0.5", "2.0", "1e3", "7u", "0u", "true", "false", "null", "'ab'", "''", "'äb'", "'b'"
        ])
        .prop_map(str::to_owned),
        select(vec![
            "input.n",
            "input.d",
            "input.t",
            "input.l",
            "input.o",
            "input.o.k",
            "input.ps",
            "input.no"
        ])
        .prop_map(str::to_owned),
        select(vec!["input.l[1]", "input.l[input.n]", "input.ps[0].name", "input['t']"])
            .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let operators = select(vec![
            "+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "in", "&&", "||",
        ]);
        let methods = select(vec!["contains", "startsWith", "endsWith"]);
        let loops = select(vec!["all", "exists", "exists_one", "filter", "map"]);
        let globals = select(vec!["size", "string", "int", "double", "uint", "!", "-"]);
        prop_oneof![
            4 => (inner.clone(), operators, inner.clone()).prop_map(|(a, o, b)| format!("({a} {o} {b})")),
            1 => (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            1 => (inner.clone(), methods, inner.clone()).prop_map(|(a, m, b)| format!("{a}.{m}({b})")),
            2 => (select(vec!["input.l", "input.ps", "[1, 2, 3]", "['a', 'b']"]), loops, inner.clone(),
                  select(vec!["x", "x.age", "x > 1", "x == 'a'", "x.name == 'Bob'", "1 / x == 1"]), select(vec!["==", "+", "||", "&&", "!="]))
                .prop_map(|(l, f, a, x, o)| format!("{l}.{f}(x, ({x}) {o} {a})")),
            1 => (globals, inner.clone()).prop_map(|(f, a)| format!("{f}({a})")),
            1 => prop::collection::vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(", "))),
            1 => (inner.clone(), inner).prop_map(|(a, b)| format!("{{'k': {a}, 'j': {b}}}")),
        ]
    })
}

fn sample_input() -> Value {
    json!({
        "n": 2, "d": 1.5, "t": "text", "l": [3, 1, 2], "no": null, "o": {"k": [1, "x"], "z": 1},
        "ps": [{"name": "Ann", "age": 31}, {"name": "Bob", "age": 25.5}],
    })
}

/// What the crate's own evaluation gives, as JSON.
fn reference(text: &str, input: &Value) -> Option<Value> {
    let program = cel::Program::compile(text).ok()?;
    let mut context = cel::Context::default();
    context.add_variable("input", input).ok()?;
    to_json(&program.execute(&context).ok()?)
}

fn to_json(value: &cel::Value) -> Option<Value> {
    Some(match value {
        cel::Value::Null => Value::Null,
        cel::Value::Bool(value) => Value::from(*value),
        cel::Value::Int(value) => Value::from(*value),
        cel::Value::UInt(value) => Value::from(*value),
        cel::Value::Float(value) => Value::Number(serde_json::Number::from_f64(*value)?),
        cel::Value::String(value) => Value::from(value.as_str()),
        cel::Value::List(items) => items.iter().map(to_json).collect::<Option<_>>()?,
        cel::Value::Map(map) => {
            let entry = |(key, value): (&cel::objects::Key, &cel::Value)| match key {
                cel::objects::Key::String(key) => Some((key.to_string(), to_json(value)?)),
                _ => None,
            };
            Value::Object(map.map.iter().map(entry).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

/// Places of a value, to look up.
fn path_of(value: &Value, picks: &[Index]) -> (String, Value) {
    let (mut path, mut at) = ("input".to_owned(), value);
    for pick in picks {
        match at {
            Value::Array(items) if !items.is_empty() => {
                let position = pick.index(items.len());
                path.push_str(&format!("[{position}]"));
                at = &items[position];
            }
            Value::Object(entries) if !entries.is_empty() => {
                let position = pick.index(entries.len());
                let Some((key, next)) = entries.iter().nth(position) else { break };
                if key.contains('"') || key.contains('\'') {
                    break;
                }
                path.push_str(&format!("[\"{key}\"]"));
                at = next;
            }
            _ => break,
        }
    }
    (path, at.clone())
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(600)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
        if let Err(problems) = Definition::parse(&text) {
            prop_assert!(!problems.render("w.yaml", &text).is_empty());
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let text = String::from_utf8_lossy(&bytes);
        if let Err(problems) = Definition::parse(&text) {
            prop_assert!(!problems.render("w.yaml", &text).is_empty());
        }
    }

    #[test]
    fn no_pieces_make_the_reader_panic(text in file_pieces()) {
        if let Err(problems) = Definition::parse(&text) {
            prop_assert!(!problems.render("w.yaml", &text).is_empty());
        }
    }

    #[test]
    fn a_damaged_file_is_read_or_refused(at in any::<Index>(), cut in 0_usize..20, put in file_pieces()) {
        let characters: Vec<char> = VALID.chars().collect();
        let at = at.index(characters.len());
        let after = characters[(at + cut).min(characters.len())..].iter();
        let text: String = characters[..at].iter().copied().chain(put.chars().take(12)).chain(after.copied()).collect();
        if let Err(problems) = Definition::parse(&text) {
            prop_assert!(!problems.render("w.yaml", &text).is_empty());
        }
    }

    #[test]
    fn no_expression_panics(text in expression_pieces()) {
        let input = Json::from_value(&sample_input());
        if let Ok(value) = evaluate(&expression(&text), &input) {
            prop_assert!(serde_json::from_str::<Value>(value.as_str()).is_ok(), "{value}");
        }
    }

    #[test]
    fn mixed_text_is_a_text_always(text in expression_pieces(), before in "[ -~]{0,5}") {
        let input = Json::from_value(&sample_input());
        let mixed = Value::from(format!("{} ${{{text}}}", before.replace('$', "")));
        if let Ok(value) = evaluate(&mixed, &input) {
            prop_assert!(serde_json::from_str::<String>(value.as_str()).is_ok(), "{value}");
        }
    }

    #[test]
    fn literals_come_out_as_they_went_in(value in values()) {
        let template = compile(&escaped(&value));
        let template = template.map_err(TestCaseError::fail)?;
        let text = template.constant_text().map(str::to_owned);
        prop_assert_eq!(text, Some(value.to_string()));
    }

    #[test]
    fn a_path_finds_what_is_there(value in values(), picks in prop::collection::vec(any::<Index>(), 0..5)) {
        let input = Json::from_value(&value);
        let (path, expected) = path_of(&value, &picks);
        let found = evaluate(&expression(&path), &input).map_err(TestCaseError::fail)?;
        prop_assert_eq!(found.as_str(), expected.to_string());
        // The same by way of a tree.
        let found = evaluate(&expression(&format!("[{path}][0]")), &input).map_err(TestCaseError::fail)?;
        prop_assert_eq!(found.as_str(), expected.to_string());
    }

    #[test]
    fn what_the_crate_evaluates_is_what_we_give(text in expressions()) {
        let value = sample_input();
        if let Some(expected) = reference(&text, &value) {
            let found = evaluate(&expression(&text), &Json::from_value(&value));
            // The crate adds an object's keys to a list, which CEL does not know.
            let beyond_cel = "`+` cannot work on a list and an object";
            prop_assume!(!found.as_ref().is_err_and(|error| error.contains(beyond_cel)));
            let found = found.map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
            // By value: the crate does not keep the order of keys.
            prop_assert_eq!(found.to_value(), expected, "{}", text);
        }
    }
}

#[test]
fn the_file_that_is_damaged_above_is_valid_but_for_its_block() {
    // Keeps the mutations near what is accepted.
    let problems = Definition::parse(VALID).err().map(|problems| problems.found().len());
    assert!(problems.unwrap_or(0) <= 3, "{problems:?}");
}

#[test]
fn enough_expressions_have_a_reference() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let value = sample_input();
    let evaluated = (0..500).filter(|_| {
        let text = expressions().new_tree(&mut runner).expect("it generates").current();
        reference(&text, &value).is_some()
    });
    let evaluated = evaluated.count();
    assert!(evaluated > 100, "{evaluated} of 500");
}
