//! A definition against its plugins' contracts: each kind of problem, its place and its hint.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use wfhost_workflow::definition::{Checked, Draft, Offer};
use wfhost_workflow::{Contract, DirAsk, DirMode, Json, Name};

fn contract(name: &str, input: &Value, output: &Value) -> Contract {
    Contract {
        name: name.to_owned(),
        docs: String::new(),
        input_schema: Json::from_value(input),
        output_schema: Json::from_value(output),
    }
}

/// What plugin `p` offers in every test: its schemas are closed, as those of WIT are.
fn contracts() -> Vec<Contract> {
    let document = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "text", "title"],
        "properties": {
            "name": { "type": "string" },
            "text": { "type": "string" },
            "title": { "type": ["string", "null"] },
            "size": { "type": "integer", "minimum": 0 },
        },
    });
    let read = contract(
        "read",
        &json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["folder"],
            "properties": { "folder": { "type": "string" }, "depth": { "type": "integer", "minimum": 1, "maximum": 9 } },
        }),
        &json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["documents", "count", "best", "kind", "few"],
            "properties": {
                "documents": { "type": "array", "items": { "$ref": "#/$defs/document" } },
                "few": { "type": "array", "items": { "type": "number" }, "maxItems": 5 },
                "count": { "type": "integer", "minimum": 0 },
                "best": { "anyOf": [{ "$ref": "#/$defs/document" }, { "type": "null" }] },
                "kind": { "enum": ["plain", "markdown"] },
                "note": { "type": "string" },
            },
            "$defs": { "document": document },
        }),
    );
    let rate = contract(
        "rate",
        &json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["text"],
            "properties": {
                "text": { "type": "string", "minLength": 1 },
                "level": { "enum": ["low", "high"] },
                "tags": { "type": "array", "items": { "type": "string", "pattern": "^[a-z]+$" }, "maxItems": 3 },
                "share": { "type": "number", "minimum": 0, "maximum": 1 },
            },
        }),
        &json!({ "type": "number" }),
    );
    let loose = contract(
        "loose",
        &json!({ "type": "object", "properties": { "sentences": { "type": "integer" } } }),
        &json!({ "type": "object", "required": ["report"], "properties": { "report": { "type": "string" } } }),
    );
    vec![read, rate, loose, contract("any", &json!(true), &json!(true))]
}

fn offers(asks: &[(&str, DirMode)]) -> BTreeMap<Name, Offer> {
    let asks = asks
        .iter()
        .map(|(path, mode)| DirAsk { guest_path: (*path).to_owned(), mode: *mode })
        .collect();
    let offer =
        Offer { contracts: Some(Arc::new(contracts())), asks: Some(asks), uses_files: None };
    [("p".into(), offer)].into()
}

/// The problems as `line:column severity[code] message: hint`.
fn problems(checked: &Checked) -> Vec<String> {
    let shown = |p: &wfhost_workflow::definition::Problem| {
        let place = format!("{}:{}+{}", p.at.line, p.at.column, p.length);
        let hint = p.hint.as_ref().map(|hint| format!(" | {hint}")).unwrap_or_default();
        format!("{place} {}[{}] {}{hint}", p.severity.name(), p.code.name(), p.message)
    };
    checked.problems.iter().map(shown).collect()
}

#[track_caller]
fn same(found: &[String], expected: &[&str], what: &str) {
    assert_eq!(found, expected, "{what}");
}

#[track_caller]
fn check(source: &str, expected: &[&str]) {
    let checked = Draft::read(source).check(&offers(&[]), Vec::new());
    same(&problems(&checked), expected, source);
}

const INPUT: &str = "{type: object, required: [folder, names], additionalProperties: false, properties: {folder: {type: string}, names: {type: array, items: {type: string}, maxItems: 10}, level: {type: string}, count: {type: [integer, 'null']}, size: {type: integer, default: 3}}}";

/// Steps of which the first reads; their lines begin at 3, and all is used.
#[track_caller]
fn check_steps(text: &str, expected: &[&str]) {
    let source = format!(
        "{{workflow: w, plugins: {{p: ./p.wasm}}, input: {INPUT},\nsteps: [{{id: r, call: p/read, with: {{folder: '${{input.folder}}'}}}},\n{text}],\noutput: '${{input}}'}}"
    );
    let checked = Draft::read(&source).check(&offers(&[]), Vec::new());
    let found = problems(&checked);
    let found: Vec<String> = found.into_iter().filter(|p| !p.contains("[unused-result]")).collect();
    same(&found, expected, text);
}

/// One expression as a `set`, that begins at column 15 of line 3.
#[track_caller]
fn check_expression(expression: &str, expected: &[&str]) {
    check_steps(&format!("{{id: s, set: \"${{{expression}}}\"}}"), expected);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_is_fed_must_be_what_is_taken() {
    check_steps("{id: a, call: p/rate, with: {text: x, level: low, share: 0.5}}", &[]);
    check_steps(
        "{id: a, call: p/rate, with: {text: '${steps.r.kind}', level: '${steps.r.count > 1 ? \"low\" : \"high\"}'}}",
        &[],
    );
    check_steps("{id: a, call: p/any, with: {text: 1}}, {id: b, call: p/any}", &[]);
    check_steps(
        "{id: a, call: p/rate, with: {text: '${steps.r.count}'}}",
        &["3:39+13 error[wrong-type] `text` must be text of at least 1 character, not a number"],
    );
    check_steps(
        "{id: a, call: p/rate, with: {txt: x}}",
        &[
            "3:29+7 error[missing-field] `rate` requires `text`, and it is missing | `text` takes text of at least 1 character",
            "3:30+3 error[unknown-field] `rate` takes no `txt` | did you mean `text`?",
        ],
    );
    check_steps(
        "{id: a, call: p/rate}",
        &[
            "3:15+6 error[missing-field] `text` is required, and missing | `rate` takes { level?: \"high\" | \"low\", share?: number from 0 to 1, tags?: list of text, text: text of at least 1 character }",
        ],
    );
    check_steps(
        "{id: a, call: p/rate, with: '${steps.r.documents[0]}'}",
        &[
            "3:32+20 error[unknown-field] `name` is not allowed | `rate` takes { level?: \"high\" | \"low\", share?: number from 0 to 1, tags?: list of text, text: text of at least 1 character }",
            "3:32+20 note[may-be-missing-item] `steps.r.documents` may have no item 0 | `size(steps.r.documents) > 0 ? steps.r.documents[0] : …`",
        ],
    );
    check_steps(
        "{id: a, call: p/rate, with: [x]}",
        &[
            "3:29+2 error[wrong-type] `with` must be { level?: \"high\" | \"low\", share?: number from 0 to 1, tags?: list of text, text: text of at least 1 character }, not a list",
        ],
    );
    check_steps(
        "{id: a, call: p/rate, with: {text: '', level: middle, share: 2, tags: [a, B, c, d]}}",
        &[
            "3:36+2 error[refused-value] `text` must be text of at least 1 character, not \"\"",
            "3:47+6 error[refused-value] `level` must be \"high\" | \"low\", not \"middle\"",
            "3:62+1 error[refused-value] `share` must be a number from 0 to 1, not 2",
            "3:71+11 error[wrong-type] `tags` must have at most 3 items",
        ],
    );
    check_steps(
        "{id: a, call: p/rate, with: {text: '${steps.r.kind}', tags: [a, B]}}",
        &["3:65+1 error[refused-value] `rate` refuses `tags[1]`: it does not match \"^[a-z]+$\""],
    );
    check_steps(
        "{id: a, call: p/rate, with: {text: '${steps.r.best.title}', level: '${input.level}'}}",
        &[
            "3:39+18 warning[may-be-null] `steps.r.best` may be null, which has no fields | test it before: `steps.r.best != null`",
            "3:39+18 warning[may-be-null] `text` must be text of at least 1 character, and may be null | give another value for null: `x != null ? x : …`",
            "3:71+11 warning[may-be-missing] `input.level` may be missing | `has(input.level) ? input.level : …`",
            "3:71+11 note[out-of-bounds] `level` must be \"high\" | \"low\", and may be other text",
        ],
    );
    check_steps(
        "{id: a, call: p/read, with: {folder: f, depth: '${input.size}'}}",
        &[
            "3:51+10 note[out-of-bounds] `depth` must be a whole number from 1 to 9, and may be smaller",
        ],
    );
    check_steps(
        "{id: a, call: p/read, with: {folder: f, depth: '${input.count}'}}",
        &[
            "3:51+11 warning[may-be-null] `depth` must be a whole number from 1 to 9, and may be null | give another value for null: `x != null ? x : …`",
            "3:51+11 warning[may-be-missing] `input.count` may be missing | `has(input.count) ? input.count : …`",
        ],
    );
    check_steps(
        "{id: a, call: p/loose, with: {sentence: 1, other: 2}}",
        &["3:31+8 warning[unlisted-field] `loose` names no `sentence` | did you mean `sentences`?"],
    );
    check_steps(
        "{id: a, call: p/rat, with: {}}",
        &["3:15+5 error[unknown-function] plugin `p` has no function `rat` | did you mean `rate`?"],
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn expressions_are_typed() {
    check_expression("steps.r.documents.map(d, d.name + '.txt').join(', ')", &[]);
    check_expression(
        "steps.r.documnts",
        &["3:17+16 error[unknown-field] `steps.r` has no `documnts` | did you mean `documents`?"],
    );
    check_expression(
        "size(steps.r.documents) > 3 && steps.r.documnts[0].name == 'x'",
        &["3:48+16 error[unknown-field] `steps.r` has no `documnts` | did you mean `documents`?"],
    );
    check_expression(
        "steps.r.documents.name",
        &[
            "3:17+22 error[wrong-type] `steps.r.documents` is a list, and has no field `name` | of all items: `steps.r.documents.map(item, item.name)`; of one: `steps.r.documents[0].name`",
        ],
    );
    check_expression(
        "steps.r.documents[0].nam",
        &[
            "3:17+24 error[unknown-field] `steps.r.documents[0]` has no `nam` | did you mean `name`?",
            "3:17+20 note[may-be-missing-item] `steps.r.documents` may have no item 0 | `size(steps.r.documents) > 0 ? steps.r.documents[0] : …`",
        ],
    );
    check_expression(
        "steps.r.documents.map(d, d.nam)",
        &["3:42+5 error[unknown-field] `d` has no `nam` | did you mean `name`?"],
    );
    check_expression(
        "steps.r.kind.map(k, k)",
        &[
            "3:17+12 error[wrong-type] `map` needs a list or an object, not text | `steps.r.kind.split(\",\")` makes a list of text",
        ],
    );
    check_expression(
        "steps.r.count + steps.r.kind",
        &[
            "3:17+28 error[wrong-type] `+` cannot work on a number and text | `string(…)` makes text of a number",
        ],
    );
    check_expression(
        "steps.r.count < '3'",
        &["3:17+19 error[wrong-type] `<` cannot compare a number and text"],
    );
    check_expression(
        "steps.r.kind == 'markdwn'",
        &[
            "3:17+25 warning[never-equal] `==` is always false here: \"markdown\" | \"plain\" is never \"markdwn\" | did you mean `markdown`?",
        ],
    );
    check_expression(
        "steps.r.count == 'x'",
        &[
            "3:17+20 warning[never-equal] `==` is always false here: whole number from 0 is never \"x\"",
        ],
    );
    check_expression(
        "steps.r.count == null",
        &["3:17+21 note[never-null] `==` is always false here: whole number from 0 is never null"],
    );
    check_expression(
        "steps.r.kind in ['plan']",
        &["3:17+24 warning[never-true] `in` is never true here: the items are \"plan\""],
    );
    check_expression(
        "'x' in steps.r.kind",
        &[
            "3:17+19 error[wrong-type] `in` needs a list or an object, not text | of text ask `….contains(…)`",
        ],
    );
    check_expression(
        "steps.r.documents.contains('x')",
        &[
            "3:17+31 error[wrong-type] `contains` needs text, not a list | of a list ask `value in list`",
        ],
    );
    check_expression(
        "steps.r.few[7]",
        &["3:17+14 error[unknown-item] `steps.r.few` has no item 7: it has at most 5"],
    );
    check_expression(
        "steps.r.few[2]",
        &[
            "3:17+14 note[may-be-missing-item] `steps.r.few` may have no item 2 | `size(steps.r.few) > 2 ? steps.r.few[2] : …`",
        ],
    );
    check_expression(
        "has(steps.r.notes) ? 1 : 2",
        &["3:17+26 warning[never-true] `has(…)` is never true here | did you mean `note`?"],
    );
    check_expression(
        "steps.r.count ? 1 : 2",
        &["3:17+13 error[wrong-type] `?` needs true or false, not a number"],
    );
    check_expression(
        "!steps.r.kind",
        &["3:18+12 error[wrong-type] `!` needs true or false, not text"],
    );
    check_expression(
        "-steps.r.kind",
        &[
            "3:18+12 error[wrong-type] `-` needs a number, not text | `double(steps.r.kind)` makes a number of text",
        ],
    );
    check_expression(
        "size(steps.r.count)",
        &["3:22+13 error[wrong-type] `size` needs text, a list or an object, not a number"],
    );
    check_expression(
        "string(steps.r.documents)",
        &["3:24+17 error[wrong-type] `string` needs text, a number or true or false, not a list"],
    );
    check_steps(
        "{id: s, set: 'a ${steps.r.documents} b'}",
        &[
            "3:19+17 error[wrong-type] a place in a text needs text, a number, true or false or null, not a list",
        ],
    );
    check_expression("dyn(steps.r).anything + steps.r.count", &[]);
}

#[test]
fn what_may_be_missing_or_null_is_a_warning_unless_it_is_tested() {
    check_expression(
        "steps.r.note",
        &[
            "3:17+12 warning[may-be-missing] `steps.r.note` may be missing | `has(steps.r.note) ? steps.r.note : …`",
        ],
    );
    check_expression("has(steps.r.note) ? steps.r.note : ''", &[]);
    check_expression("has(steps.r.note) && steps.r.note == 'x'", &[]);
    check_expression("steps.r.note == 'x' && has(steps.r.note)", &[]);
    check_expression("!has(steps.r.note) || steps.r.note == 'x'", &[]);
    check_expression(
        "steps.r.best.name",
        &[
            "3:17+17 warning[may-be-null] `steps.r.best` may be null, which has no fields | test it before: `steps.r.best != null`",
        ],
    );
    check_expression("steps.r.best != null ? steps.r.best.name : ''", &[]);
    check_expression("steps.r.best == null ? '' : steps.r.best.name", &[]);
    check_expression("has(steps.r.best.name) ? steps.r.best.name : ''", &[]);
    check_expression(
        "input.count + 1",
        &[
            "3:17+11 warning[may-be-null] `+` needs a number, and `input.count` may be null | test it before: `input.count != null`",
            "3:17+11 warning[may-be-missing] `input.count` may be missing | `has(input.count) ? input.count : …`",
        ],
    );
    check_expression("has(input.count) && input.count != null ? input.count + 1 : 0", &[]);
    check_expression("steps.r.documents.filter(d, has(d.size)).map(d, d.size + 1)", &[]);
    check_expression("steps.r.documents.map(d, has(d.size), d.size + 1)", &[]);
    check_expression(
        "steps.r.documents.map(d, d.size + 1)",
        &["3:42+6 warning[may-be-missing] `d.size` may be missing | `has(d.size) ? d.size : …`"],
    );
    check_expression(
        "steps.r.documents.exists(d, d.title != null && d.title.startsWith('x'))",
        &[],
    );
    check_expression(
        "steps.r.documents.exists(d, d.title.startsWith('x'))",
        &[
            "3:45+7 warning[may-be-null] `startsWith` needs text, and `d.title` may be null | test it before: `d.title != null`",
        ],
    );
    check_steps("{id: a, when: '${has(input.level)}', set: '${input.level}'}", &[]);
    check_steps("{id: a, when: '${steps.r.best != null}', set: '${steps.r.best.name}'}", &[]);
}

#[test]
fn a_step_that_may_be_skipped_may_be_null() {
    let first = "{id: a, when: '${steps.r.count > 1}', call: p/loose}";
    check_steps(
        &format!("{first}, {{id: b, set: '${{steps.a.report}}'}}"),
        &[
            "3:71+14 warning[may-be-null] `steps.a` may be null, which has no fields | test it before: `steps.a != null`",
        ],
    );
    check_steps(
        &format!("{first}, {{id: b, when: '${{steps.r.count > 1}}', set: '${{steps.a.report}}'}}"),
        &[],
    );
    check_steps(
        &format!("{first}, {{id: b, when: '${{steps.a != null}}', set: '${{steps.a.report}}'}}"),
        &[],
    );
    check_steps(
        "{id: q, when: '${steps.r.count > 1}', parallel: [[{id: a, call: p/loose}, {id: b, set: '${steps.a.report}'}]]}, {id: c, set: '${steps.q.b}'}",
        &[
            "3:129+9 warning[may-be-null] `steps.q` may be null, which has no fields | test it before: `steps.q != null`",
        ],
    );
    check_steps(
        "{id: a, when: '${1 > 2}', set: 1}",
        &["3:18+5 warning[never-runs] this is false in every run, so that the step never runs"],
    );
    check_steps(
        "{id: a, when: '${false}', call: p/rate, with: {text: 1}}, {id: b, set: '${steps.a.x}'}",
        &[
            "3:15+10 warning[never-runs] this is false in every run, so that the step never runs",
            "3:75+9 error[wrong-type] `steps.a` is null, and has no field `x`",
        ],
    );
    check_steps(
        "{id: a, when: '${steps.r.kind}', set: 1}",
        &["3:18+12 error[wrong-type] `when` must be true or false, not text"],
    );
    check_steps(
        "{id: a, when: '${steps.r.best}', set: 1}",
        &["3:18+12 error[wrong-type] `when` must be true or false, not an object or null"],
    );
}

#[test]
fn maps_are_typed_item_by_item() {
    check_steps(
        "{id: a, map: '${steps.r.documents}', as: d, call: p/rate, with: {text: '${d.name}'}}, {id: b, set: '${steps.a.all(x, x > 0.5)}'}",
        &[
            "3:75+6 note[out-of-bounds] `text` must be text of at least 1 character, and may be shorter",
        ],
    );
    check_steps(
        "{id: a, map: '${steps.r.documents}', as: d, call: p/rate, with: {text: '${d.title}', level: '${d.nam}'}}",
        &[
            "3:75+7 warning[may-be-null] `text` must be text of at least 1 character, and may be null | give another value for null: `x != null ? x : …`",
            "3:96+5 error[unknown-field] `d` has no `nam` | did you mean `name`?",
        ],
    );
    check_steps(
        "{id: a, map: '${steps.r.kind}', call: p/rate, with: {text: '${item}'}}",
        &["3:17+12 error[wrong-type] `map` must be a list, not text"],
    );
    check_steps(
        "{id: a, map: [x, 1], call: p/rate, with: {text: '${item}', share: '${index}'}}",
        &[
            "3:52+4 warning[may-be-wrong-type] `text` must be text of at least 1 character, and may be a number",
        ],
    );
    check_steps(
        "{id: a, map: '${steps.r.few}', call: p/rate, with: {text: '${string(item)}'}}, {id: b, set: '${steps.a[6]}'}",
        &["3:96+10 error[unknown-item] `steps.a` has no item 6: it has at most 5"],
    );
}

#[test]
fn what_is_never_used_is_noted() {
    check(
        "{workflow: w, plugins: {p: ./p.wasm, q: ./q.wasm}, input: {properties: {a: {}, b: {}}}, steps: [{id: s, call: p/loose}, {id: t, set: '${input.a}'}]}",
        &[
            "1:1+1 note[no-output] the workflow has no `output`, so that its runs give null",
            "1:41+1 warning[unused-plugin] no step calls plugin `q`",
            "1:80+1 note[unused-input] no expression uses `input.b`",
            "1:102+1 note[unused-result] the result of step `s` is never used",
        ],
    );
}

#[test]
fn retries_that_change_nothing_are_noted() {
    check(
        "{workflow: w, plugins: {p: ./p.wasm}, steps: [{id: s, call: p/any, retry: {attempts: 1, backoff: {first: 1s}, unless: [permanent, trap]}}], output: '${steps.s}'}",
        &[
            "1:89+7 note[useless-retry] `backoff` means nothing where there is one attempt only",
            "1:120+9 note[useless-retry] a failure of kind `permanent` is never repeated anyway",
        ],
    );
}

#[test]
fn everything_is_found_at_once() {
    check(
        "workflow: w\nstpes: 1\nplugins: {p: ./p.wasm}\nsteps:\n  - id: a\n    call: p/rate\n    with: { text: 1, level: '${inptu}' }\n    tmeout: 1s\n  - id: b\n    call: q/x\n  - id: c\n    set: '${steps.a.x + steps.b.y}'\noutput: '${steps.c}'\n",
        &[
            "2:1+5 error[unknown-key] unknown key `stpes` | did you mean `steps`?",
            "7:19+1 error[wrong-type] `text` must be text of at least 1 character, not a number",
            "7:32+5 error[unknown-name] unknown name `inptu` | did you mean `input`?",
            "8:5+6 error[unknown-key] unknown key `tmeout` | did you mean `timeout`?",
            "10:11+3 error[unknown-name] there is no plugin `q` | the file has p",
            "12:13+9 error[wrong-type] `steps.a` is a number, and has no field `x`",
        ],
    );
    check(
        "version: 1\nsteps:\n  - id: a\n    set: '${1 + true}'\noutput: '${steps.a}'\n",
        &[
            "1:1+1 error[invalid-value] `workflow` is missing | `workflow: some_name`",
            "4:13+8 error[wrong-type] `+` cannot work on a number and true or false",
        ],
    );
}

#[test]
fn grants_are_compared() {
    let given = "{ path: x, as: /in, mode: ro }";
    check_grants(given, &[("/in", DirMode::ReadOnly)], &[]);
    check_grants(
        "",
        &[("/in", DirMode::ReadOnly)],
        &[
            "3:6+1 warning[grant-not-given] plugin `p` asks for a directory as /in (ro), and gets none | grants: { dirs: [{ path: …, as: /in, mode: ro }] }",
        ],
    );
    check_grants(
        given,
        &[],
        &[
            "3:41+1 error[grant-not-asked] plugin `p` does not ask for /in, so that a run is denied | in its plugin.toml, under [grants]: dirs = [{ as = \"/in\", mode = \"ro\" }]",
        ],
    );
    check_grants(
        given,
        &[("/in", DirMode::ReadWrite)],
        &["3:41+1 note[grant-less] plugin `p` asks to change /in, and may only read it"],
    );
    check_grants(
        "{ path: x, as: /in, mode: rw }",
        &[("/in", DirMode::ReadOnly)],
        &["3:41+1 note[grant-more] plugin `p` asks only to read /in: `mode: ro` is enough"],
    );
    check_grants(
        "{ path: '${1}', as: /in }",
        &[("/in", DirMode::ReadOnly)],
        &["3:49+6 error[wrong-type] a directory's path must be text, not a number"],
    );
}

/// The directories that plugin `p` is given in line 3 against those that it asks for.
#[track_caller]
fn check_grants(dirs: &str, asks: &[(&str, DirMode)], expected: &[&str]) {
    let source = format!(
        "workflow: w\nplugins:\n  p: {{ path: ./p.wasm, grants: {{ dirs: [{dirs}] }} }}\nsteps: [{{id: a, call: p/any}}]\noutput: '${{steps.a}}'"
    );
    let checked = Draft::read(&source).check(&offers(asks), Vec::new());
    same(&problems(&checked), expected, dirs);
}

#[test]
fn the_largest_fan_out_is_known() {
    let check = |text: &str, calls: Option<u64>, at_once: u64, unbounded: &[&str]| {
        let source = format!(
            "{{workflow: w, plugins: {{p: ./p.wasm}}, input: {INPUT},\nsteps: [{{id: r, call: p/read, with: {{folder: x}}}},\n{text}]}}"
        );
        let checked = Draft::read(&source).check(&offers(&[]), Vec::new());
        assert_eq!(checked.errors, 0, "{:?}", problems(&checked));
        let fan_out = checked.fan_out.expect("it is known");
        let lists: Vec<String> =
            fan_out.unbounded.iter().map(|list| format!("{} {}", list.step, list.list)).collect();
        assert_eq!((fan_out.calls, fan_out.at_once), (calls, at_once), "{text}");
        assert_eq!(lists, unbounded, "{text}");
    };
    check("{id: a, set: 1}", Some(1), 1, &[]);
    check("{id: a, map: '${steps.r.few}', call: p/any}", Some(6), 5, &[]);
    check(
        "{id: a, map: '${steps.r.few}', at_once: 2, call: p/any}, {id: b, map: '${steps.a}', call: p/any}",
        Some(11),
        5,
        &[],
    );
    check("{id: a, map: '${steps.r.documents}', call: p/any}", None, 16, &["a steps.r.documents"]);
    check(
        "{id: a, parallel: [{id: b, map: '${input.names}', at_once: 4, call: p/any}, {id: c, call: p/any}]}",
        Some(12),
        5,
        &[],
    );
    check("{id: a, needs: [], call: p/any}, {id: b, needs: [], call: p/any}", Some(3), 3, &[]);
    check("{id: a, when: '${false}', map: '${steps.r.documents}', call: p/any}", Some(1), 1, &[]);
    check("{id: a, map: '${steps.r.few.filter(x, x > 1.0)}', call: p/any}", Some(6), 5, &[]);
}

#[test]
fn the_output_is_told_in_words() {
    let check = |output: &str, words: &str| {
        let source = format!(
            "{{workflow: w, plugins: {{p: ./p.wasm}}, steps: [{{id: r, call: p/read, with: {{folder: x}}}}], output: {output}}}"
        );
        let checked = Draft::read(&source).check(&offers(&[]), Vec::new());
        assert_eq!(checked.output.as_deref(), Some(words), "{output}");
    };
    check("'${steps.r.count}'", "whole number from 0");
    check("'${steps.r.few}'", "list of number");
    check(
        "{a: '${steps.r.kind}', b: 1, c: ['${steps.r.documents}']}",
        "{ a: \"markdown\" | \"plain\", b: 1, c: list of list of { … } }",
    );
    check("'${dyn(steps.r)}'", "anything");
}
