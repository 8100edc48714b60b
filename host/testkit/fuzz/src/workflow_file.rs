//! Workflow files.
//!
//! Any text: refused or read, in bounded time, the same each time; what is refused is refused at
//! places that are in the file, by a report that can be printed. A document means the same as
//! JSON, in YAML's block style, and with the line ends of another system. A check against what
//! plugins say of themselves reports all that is wrong with the file, and the same each time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use serde_json::{Map, Value};
use wfhost_workflow::definition::{Draft, Offer, Problem, Problems, StepKind, render};
use wfhost_workflow::{Contract, Definition, DirAsk, DirMode, Json, Name};

use crate::given::Given;
use crate::value;

/// A hundred problems with their lines, cut.
const REPORT_BYTES_MAX: usize = 400_000;

/// Text is a file; after a first byte of 255, the rest makes a document of the right shape.
pub(crate) fn run(bytes: &[u8]) {
    match bytes.split_first() {
        Some((255, rest)) => written_in_two_ways(&document(&mut Given::new(rest))),
        _ => file(&String::from_utf8_lossy(bytes)),
    }
}

fn file(source: &str) {
    let read = Definition::parse(source);
    // Each costs as much as all else, so a file takes its turn by its length.
    let turn = source.len() % 4;
    if turn == 0 {
        assert_eq!(meaning(&read, true), meaning(&Definition::parse(source), true), "read twice");
    }
    match &read {
        Ok(definition) => {
            holds(definition);
            if turn == 1 && !source.contains('\r') {
                let other = source.replace('\n', "\r\n");
                let other = meaning(&Definition::parse(&other), false);
                assert_eq!(meaning(&read, false), other, "with other line ends");
            }
        }
        Err(problems) => {
            assert!(!problems.found().is_empty());
            can_be_shown(problems.found(), &problems.render("w.yaml", source), source);
        }
    }
    check(source, read.is_err());
}

/// What the plugin `p` says of itself; of the others nothing is known.
static OFFERS: LazyLock<BTreeMap<Name, Offer>> = LazyLock::new(|| {
    let contract = |name: &str, input: &str, output: &str| Contract {
        name: name.to_owned(),
        docs: String::new(),
        input_schema: Json::parse(input).expect("valid JSON"),
        output_schema: Json::parse(output).expect("valid JSON"),
    };
    let contracts = vec![
        contract(
            "f",
            r#"{"type":"object","required":["a"],"properties":{"a":{"type":"string"},
                "b":{"type":"array","items":{"type":["integer","null"]}}},"additionalProperties":false}"#,
            r##"{"type":"object","properties":{"list":{"type":"array","items":{"$ref":"#/$defs/t"}}},
                "$defs":{"t":{"oneOf":[{"type":"null"},{"type":"object","properties":{"t":{"$ref":"#/$defs/t"}}}]}}}"##,
        ),
        contract("ns:pkg/iface#func", r#"{"enum":["x",{"a":1}]}"#, "true"),
    ];
    let asks = vec![DirAsk { guest_path: "/in".to_owned(), mode: DirMode::ReadOnly }];
    let offer =
        Offer { contracts: Some(Arc::new(contracts)), asks: Some(asks), uses_files: Some(true) };
    [(Name::from("p"), offer)].into_iter().collect()
});

fn check(source: &str, is_refused: bool) {
    let draft = Draft::read(source);
    let none = BTreeMap::new();
    let offers = if source.len().is_multiple_of(8) { &none } else { &*OFFERS };
    let checked = draft.check(offers, Vec::new());
    if source.len() % 4 == 2 {
        let again = draft.check(offers, Vec::new());
        assert_eq!(format!("{checked:?}"), format!("{again:?}"), "checked twice");
    }
    assert!(checked.is_refused() || !is_refused, "the check says nothing: {checked:?}");
    let shown = checked.errors + checked.warnings + checked.notes;
    assert_eq!(checked.problems.len() + checked.left_out(), shown);
    let plain = |_, text: &str| text.to_owned();
    let report = render(&checked.problems, "w.yaml", source, &plain);
    can_be_shown(&checked.problems, &report, source);
}

fn can_be_shown(problems: &[Problem], report: &str, source: &str) {
    assert!(problems.len() <= 100);
    // YAML's own line breaks, as editors count them.
    let lines: Vec<&str> = source.split(['\n', '\r']).collect();
    for problem in problems {
        let (line, column) = (problem.at.line as usize, problem.at.column as usize);
        assert!(line >= 1 && line <= lines.len() + 1, "{problem}: {} lines", lines.len());
        assert!(column >= 1 && problem.length >= 1, "{problem:?}");
        let longest = lines.iter().map(|line| line.chars().count()).max().unwrap_or_default();
        assert!(column <= longest + 2, "{problem}: lines of {longest} characters");
    }
    assert!(report.len() < REPORT_BYTES_MAX, "a report of {} bytes", report.len());
    let wrong = report.chars().find(|c| c.is_control() && *c != '\n');
    assert!(wrong.is_none(), "{wrong:?} in {report:?}");
}

/// What the rest of the program takes for granted.
fn holds(definition: &Definition) {
    let steps = &definition.steps;
    for (position, step) in steps.iter().enumerate() {
        assert!(step.needs.is_sorted() && step.needs.iter().all(|need| need.position() < position));
        for need in &step.needs {
            let dependents = &steps[need.position()].dependents;
            assert!(dependents.iter().any(|one| one.position() == position), "{}", step.name);
        }
        assert!(step.dependents.iter().all(|one| one.position() < steps.len()));
        assert_eq!(definition.step_named(&step.name).map(|id| id.position()), Some(position));
        assert!(step.retry.attempts >= 1 && step.retry.factor >= 1.0);
        if let Some(call) = step.kind.call() {
            assert!(call.plugin < definition.plugins.len());
        }
        match &step.kind {
            StepKind::Map(map) => assert!(map.at_once >= 1),
            StepKind::Parallel(branches) => {
                assert!(branches.iter().all(|branch| branch.last.position() < steps.len()));
            }
            StepKind::Call(_) | StepKind::Set(_) => {}
        }
    }
    let _heavy = definition.is_heavy();
}

/// Everything that was read, or all problems; with or without the places.
fn meaning(read: &Result<Definition, Problems>, places: bool) -> String {
    let text = match read {
        Ok(definition) => {
            let input = definition.input.as_ref().map(|schema| schema.text().as_str().to_owned());
            format!("{input:?} {definition:?}")
        }
        Err(problems) if places => format!("{problems:?}"),
        Err(problems) => {
            let mut messages: Vec<&str> =
                problems.found().iter().map(|problem| problem.message.as_str()).collect();
            // One place may have the same problem with two others, whose lines are in the hints.
            messages.sort_unstable();
            messages.dedup();
            if problems.left_out() > 0 { "many".to_owned() } else { format!("{messages:?}") }
        }
    };
    if places { text } else { without_places(&text) }
}

/// Without the numbers of lines, columns and bytes.
fn without_places(text: &str) -> String {
    const NUMBERED: [&str; 4] = ["line: ", "column: ", "start: ", "end: "];
    let mut kept = text.to_owned();
    for name in NUMBERED {
        let mut parts = kept.split(name);
        let mut without = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            without.push_str(name);
            without.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
        }
        kept = without;
    }
    kept
}

fn written_in_two_ways(document: &Value) {
    let (as_json, mut as_block) = (document.to_string(), String::new());
    block(&mut as_block, document, 0);
    let (flow, blocks) = (Definition::parse(&as_json), Definition::parse(&as_block));
    // On one line more of them are the same, so only one of the two may have too many.
    let (in_flow, in_blocks) = (meaning(&flow, false), meaning(&blocks, false));
    let same = in_flow == in_blocks || [in_flow, in_blocks].iter().any(|text| text == "many");
    assert!(same, "{as_json}\n{as_block}\n{flow:?}\n{blocks:?}");
    file(&as_json);
    file(&as_block);
}

/// YAML's block style: a line a field, indented.
fn block(text: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                let _grows = write!(text, "{indent}{}:", Value::from(key.as_str()));
                nested(text, value, depth);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let _grows = write!(text, "{indent}-");
                nested(text, item, depth);
            }
        }
        other => {
            let _grows = writeln!(text, "{indent}{other}");
        }
    }
}

fn nested(text: &mut String, value: &Value, depth: usize) {
    let is_block = match value {
        Value::Object(entries) => !entries.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if is_block {
        text.push('\n');
        block(text, value, depth + 1);
    } else {
        let _grows = writeln!(text, " {value}");
    }
}

const NAMES: [&str; 8] = ["a", "b", "c", "analyse", "e1", "x", "index", "input"];
const EXPRESSIONS: [&str; 12] = [
    "${input}",
    "${input.n}",
    "${steps.a}",
    "${steps.b.list}",
    "x ${steps.a.t} y",
    "$${not}",
    "${it.name}",
    "${steps.a.exists(q, q > 1)}",
    "${index + 1}",
    "${run.id}",
    "${",
    "${1 +}",
];

/// A document that is a workflow, or nearly.
fn document(given: &mut Given<'_>) -> Value {
    let mut top = Map::new();
    put(given, &mut top, "workflow", |given| Value::from(given.one_of(&NAMES)));
    if given.once_in(4) {
        put(given, &mut top, "version", |given| value::json(given, 0));
    }
    if given.once_in(3) {
        put(
            given,
            &mut top,
            "input",
            |given| serde_json::json!({ "type": "object", "properties": { "n": value::json(given, 2) } }),
        );
    }
    put(given, &mut top, "plugins", |given| {
        let mut plugins = Map::new();
        plugins.insert("p".to_owned(), plugin(given));
        Value::Object(plugins)
    });
    put(given, &mut top, "steps", |given| steps(given, 2));
    if given.once_in(2) {
        put(given, &mut top, "output", text);
    }
    if given.once_in(12) {
        top.insert(given.text(12), value::json(given, 2));
    }
    Value::Object(top)
}

/// Mostly there, mostly of its kind.
fn put(
    given: &mut Given<'_>,
    fields: &mut Map<String, Value>,
    name: &str,
    make: impl FnOnce(&mut Given<'_>) -> Value,
) {
    match given.below(32) {
        31 => {}
        30 => drop(fields.insert(name.to_owned(), value::json(given, 2))),
        29 => drop(fields.insert(format!("{name}s"), make(given))),
        _ => drop(fields.insert(name.to_owned(), make(given))),
    }
}

fn text(given: &mut Given<'_>) -> Value {
    match given.below(8) {
        0 => Value::from(given.text(30)),
        1 => value::json(given, 2),
        _ => Value::from(given.one_of(&EXPRESSIONS)),
    }
}

fn plugin(given: &mut Given<'_>) -> Value {
    if given.once_in(2) {
        return Value::from("./p.wasm");
    }
    let mut fields = Map::new();
    put(given, &mut fields, "path", |_| Value::from("./p.wasm"));
    put(given, &mut fields, "grants", |given| {
        let dir = serde_json::json!({
            "path": text(given), "as": given.one_of(&["/in", "/", "in", "/a/../b"]),
            "mode": given.one_of(&["ro", "rw", "wo"]),
        });
        serde_json::json!({ "dirs": [dir] })
    });
    put(given, &mut fields, "limits", |given| {
        let names = ["memory", "output", "memory_bytes", "output_bytes", "log_bytes", "timeout"];
        let amount = given.one_of(&["1MiB", "64KiB", "0", "9999999999999TiB", "1.5GiB", "-1"]);
        let limit: Map<String, Value> =
            [(given.one_of(&names).to_owned(), Value::from(amount))].into_iter().collect();
        Value::Object(limit)
    });
    Value::Object(fields)
}

fn steps(given: &mut Given<'_>, depth: usize) -> Value {
    (0..given.count(12)).map(|_| step(given, depth)).collect()
}

fn step(given: &mut Given<'_>, depth: usize) -> Value {
    let mut fields = Map::new();
    put(given, &mut fields, "id", |given| Value::from(given.one_of(&NAMES)));
    match given.below(if depth == 0 { 3 } else { 4 }) {
        0 => put(given, &mut fields, "set", text),
        1 => call(given, &mut fields),
        2 => {
            put(given, &mut fields, "map", text);
            put(given, &mut fields, "as", |_| Value::from("it"));
            call(given, &mut fields);
            if given.once_in(2) {
                put(given, &mut fields, "at_once", |given| Value::from(given.number()));
            }
        }
        _ => put(given, &mut fields, "parallel", |given| steps(given, depth - 1)),
    }
    if given.once_in(3) {
        put(given, &mut fields, "needs", |given| {
            (0..given.count(4)).map(|_| Value::from(given.one_of(&NAMES))).collect()
        });
    }
    if given.once_in(3) {
        put(given, &mut fields, "when", text);
    }
    Value::Object(fields)
}

fn call(given: &mut Given<'_>, fields: &mut Map<String, Value>) {
    put(given, fields, "call", |given| {
        Value::from(given.one_of(&[
            "p/f",
            "p/ns:pkg/iface#func",
            "p/a:b/c@1.0.0#d",
            "q/f",
            "p",
            "/",
        ]))
    });
    if given.once_in(2) {
        put(
            given,
            fields,
            "with",
            |given| serde_json::json!({ "a": text(given), "b": [text(given), value::json(given, 2)] }),
        );
    }
    if given.once_in(3) {
        put(given, fields, "timeout", |given| {
            Value::from(given.one_of(&["30s", "1h", "0s", "1m30s", "9999999999999h", "x"]))
        });
    }
    if given.once_in(3) {
        put(given, fields, "retry", |given| {
            serde_json::json!({
                "attempts": given.number(), "unless": [given.one_of(&["trap", "limit", "trp"])],
                "backoff": { "first": "1s", "factor": given.below(5), "jitter": 0.5 },
            })
        });
    }
}
