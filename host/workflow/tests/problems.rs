//! What is wrong with a workflow file: each mistake, its place and its hint.

use wfhost_workflow::definition::Definition;

/// Steps below a head that every such test shares: their lines begin at 3.
fn steps(text: &str) -> String {
    format!("{{workflow: w, plugins: {{p: ./p.wasm}},\nsteps: [\n{text}\n]}}")
}

/// The problems as `line:column message: hint`.
#[track_caller]
fn check(source: &str, expected: &[&str]) {
    let found: Vec<String> = match Definition::parse(source) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.found().iter().map(ToString::to_string).collect(),
    };
    assert_eq!(found, expected, "{source}");
}

/// The problems of steps, whose first line is 3.
#[track_caller]
fn check_steps(text: &str, expected: &[&str]) {
    check(&steps(text), expected);
}

#[track_caller]
fn check_report(source: &str, expected: &str) {
    let problems = Definition::parse(source).expect_err("it is refused");
    assert_eq!(problems.render("w.yaml", source), expected);
}

#[test]
fn yaml_that_is_not_plain_is_refused() {
    check("", &["1:1 the file is empty"]);
    check("# nothing", &["1:1 the file is empty"]);
    check("[", &["1:1 not YAML: unclosed bracket '['"]);
    check("a: b: c", &["1:5 not YAML: mapping values are not allowed in this context"]);
    check(
        "a: &x 1\nb: *x\nc: !tag 1\nd: *y",
        &[
            "1:1 `steps` is missing",
            "1:1 `workflow` is missing: `workflow: some_name`",
            "1:1 unknown key `a`: a workflow knows workflow, version, priority, poison_after, input, plugins, steps, output",
            "1:7 anchors are not supported: write the value out",
            "2:1 unknown key `b`: a workflow knows workflow, version, priority, poison_after, input, plugins, steps, output",
            "2:4 aliases are not supported: write the value out",
            "3:1 unknown key `c`: a workflow knows workflow, version, priority, poison_after, input, plugins, steps, output",
            "3:9 tags are not supported",
            "4:1 unknown key `d`: a workflow knows workflow, version, priority, poison_after, input, plugins, steps, output",
            "4:4 aliases are not supported: write the value out",
        ],
    );
    check(
        "workflow: w\nsteps: [{id: a, set: 1}]\n---\nworkflow: w",
        &["3:1 a workflow file has one document only"],
    );
    check(
        "workflow: w\nworkflow: v\nsteps: [{id: a, set: 1}]",
        &["2:1 key `workflow` is written twice"],
    );
    check("%YAML 1.2\n---\nworkflow: w", &["1:1 not YAML: YAML directives are disallowed"]);
    check(
        "? [a]\n: b",
        &[
            "1:1 `steps` is missing",
            "1:1 `workflow` is missing: `workflow: some_name`",
            "1:3 a key must be text",
        ],
    );
    check(
        "- a",
        &[
            "1:1 a workflow must be a mapping, not a list: its keys are `workflow`, `version`, `priority`, `poison_after`, `input`, `plugins`, `steps`, `output`",
        ],
    );
    check(
        "just text",
        &[
            "1:1 a workflow must be a mapping, not text: its keys are `workflow`, `version`, `priority`, `poison_after`, `input`, `plugins`, `steps`, `output`",
        ],
    );
}

#[test]
fn unknown_keys_are_named_with_what_was_meant() {
    check(
        "workflow: w\nstpes: []",
        &["1:1 `steps` is missing", "2:1 unknown key `stpes`: did you mean `steps`?"],
    );
    check(
        "workfow: w\nsteps: [{id: a, set: 1}]",
        &[
            "1:1 `workflow` is missing: `workflow: some_name`",
            "1:1 unknown key `workfow`: did you mean `workflow`?",
        ],
    );
    check_steps("{id: a, cal: p/f}", &["3:9 unknown key `cal`: did you mean `call`?"]);
    check_steps(
        "{id: a, set: 1, completely_different: 1}",
        &[
            "3:17 unknown key `completely_different`: a step knows id, call, with, map, as, at_once, set, parallel, when, needs, timeout, retry, requires, queue_timeout",
        ],
    );
    check_steps(
        "{id: a, sleep: 1s}, {id: b, wait: {signal: x}}, {id: c, set: 1, on_error: x}",
        &[
            "3:9 `sleep` is not supported by this version",
            "3:29 `wait` is not supported by this version",
            "3:65 `on_error` is not supported by this version",
        ],
    );
    check_steps(
        "{id: a, call: p/f, retry: {attempt: 1, backoff: {fist: 1s}}}",
        &[
            "3:28 unknown key `attempt`: did you mean `attempts`?",
            "3:50 unknown key `fist`: did you mean `first`?",
        ],
    );
    check(
        "{workflow: w, plugins: {p: {path: x, grant: 1, limits: {memry: 1}, determinism: exact}}, steps: [{id: a, set: 1}]}",
        &[
            "1:38 unknown key `grant`: did you mean `grants`?",
            "1:57 unknown key `memry`: did you mean `memory`?",
            "1:81 `determinism` must be `strict` or `relaxed`",
        ],
    );
}

#[test]
fn steps_must_make_sense() {
    check_steps("{set: 1}", &["3:1 `id` is missing: `id: some_name`"]);
    check_steps("{id: a}", &["3:1 a step needs one of `call`, `set` and `parallel`"]);
    check_steps("{id: a, map: '${input.x}'}", &["3:1 a `map` needs a `call`"]);
    check_steps("{id: a, set: 1, call: p/f}", &["3:9 a step has `call` or `set`, not both"]);
    check_steps(
        "{id: a, set: 1, with: 1, retry: {}, timeout: 1s, as: x, at_once: 1}",
        &[
            "3:17 `with` does not go with `set`",
            "3:26 `retry` does not go with `set`",
            "3:37 `timeout` does not go with `set`",
            "3:50 `as` does not go with `set`",
            "3:57 `at_once` does not go with `set`",
        ],
    );
    check_steps(
        "{id: a, call: p/f, as: x, at_once: 1}",
        &[
            "3:20 `as` does not go with `call`: it belongs to a `map`",
            "3:27 `at_once` does not go with `call`: it belongs to a `map`",
        ],
    );
    check_steps(
        "{id: a, parallel: [], timeout: 1s}",
        &[
            "3:19 a `parallel` needs branches",
            "3:23 `timeout` does not go with `parallel`: write it on the steps inside",
        ],
    );
    check_steps("{id: a, parallel: [[]]}", &["3:20 a branch needs a step"]);
    check_steps(
        "{id: my-step, set: 1}, {id: B, set: 1}, {id: 1, set: 1}, {id: in, set: 1}, {id: '', set: 1}",
        &[
            "3:6 `my-step` is no valid id: write `my_step`",
            "3:29 `B` is no valid id: write `b`",
            "3:46 id must be text, not a number",
            "3:63 `in` is a word of the expression language",
            "3:81 `` is no valid id: a small letter, then small letters, digits and `_`",
        ],
    );
    check_steps(
        "{id: a, set: 1}, {id: a, set: 1}, {id: b, set: 1}, {id: b, parallel: [{id: a, set: 1}]}",
        &[
            "3:23 id `a` is used twice: the other one is in line 3",
            "3:57 id `b` is used twice: the other one is in line 3",
            "3:76 id `a` is used twice: the other one is in line 3",
        ],
    );
}

#[test]
fn values_must_be_of_their_kind() {
    check_steps(
        "{id: a, call: f}, {id: b, call: q/f}, {id: c, call: p/}, {id: d, call: 'p/a b'}, {id: e, call: 1}",
        &[
            "3:15 `call` must be `plugin/function`: write `p/f`",
            "3:33 there is no plugin `q`: the file has p",
            "3:53 `call` must be `plugin/function`",
            "3:72 `call` must be `plugin/function`",
            "3:96 `call` must be text, not a number",
        ],
    );
    check_steps(
        "{id: a, call: p/f, map: x, as: input, at_once: 0}, {id: b, call: p/f, map: '${1}', as: B, at_once: 1001}",
        &[
            "3:25 `map` must be an expression: write `${x}`",
            "3:32 `input` has a meaning of its own",
            "3:48 `at_once` must be a whole number from 1 to 1000",
            "3:88 `B` is no valid name: write `b`",
            "3:100 `at_once` must be a whole number from 1 to 1000",
        ],
    );
    check_steps(
        "{id: a, call: p/f, timeout: 30}, {id: b, call: p/f, timeout: soon}, {id: c, call: p/f, timeout: 0s}, {id: d, call: p/f, timeout: 721h}",
        &[
            "3:29 `timeout` must be a duration: write `30s` for seconds",
            "3:62 `timeout` must be a duration: such as `250ms`, `30s`, `5m` or `1h30m`",
            "3:97 `timeout` must be from 1ms to 30 days",
            "3:130 `timeout` must be from 1ms to 30 days",
        ],
    );
    check_steps(
        "{id: a, call: p/f, retry: {attempts: 0, backoff: {first: 2s, max: 1s, factor: 0.5, jitter: 2}, unless: [traps, 1]}}",
        &[
            "3:38 `attempts` must be a whole number from 1 to 100",
            "3:67 `max` is shorter than the first wait, 2s",
            "3:79 `factor` must be a number from 1 to 100",
            "3:92 `jitter` must be a number from 0 to 1",
            "3:105 `traps` is no kind of failure: did you mean `trap`?",
            "3:112 a kind of failure must be text, not a number",
        ],
    );
    check("{workflow: w, steps: []}", &["1:22 there are no steps"]);
    check("{workflow: w, steps: 1}", &["1:22 `steps` must be a list, not a number"]);
    check(
        "{workflow: w w, version: [], steps: [{id: a, set: 1}]}",
        &[
            "1:12 `w w` is no valid name of a workflow: letters, digits, `-`, `_` and `.`, at most 64",
            "1:26 `version` must be text, not a list",
        ],
    );
    check("{}", &["1:1 `steps` is missing", "1:1 `workflow` is missing: `workflow: some_name`"]);
}

#[test]
fn needs_must_be_steps_and_no_circle() {
    check_steps(
        "{id: extract, set: 1}, {id: b, needs: [extrct, c, 1], set: 1}",
        &[
            "3:40 there is no step `extrct`: did you mean `extract`?",
            "3:48 there is no step `c`",
            "3:51 a need must be text, not a number",
        ],
    );
    check_steps("{id: a, needs: [a], set: 1}", &["3:6 step `a` needs itself"]);
    check_steps(
        "{id: a, needs: [c], set: 1},\n{id: b, set: 1},\n{id: c, set: 1}",
        &["3:6 steps need each other in a circle: `a` needs `c` needs `b` needs `a`"],
    );
    check_steps(
        "{id: a, needs: [b], set: 1},\n{id: b, set: 1},\n{id: c, needs: [d], set: 1},\n{id: d, set: 1}",
        &[
            "3:6 steps need each other in a circle: `a` needs `b` needs `a`",
            "5:6 steps need each other in a circle: `c` needs `d` needs `c`",
        ],
    );
    check_steps(
        "{id: p, parallel: [{id: a, needs: [p], set: 1}]}",
        &["3:6 steps need each other in a circle: `p` needs `a` needs `p`"],
    );
}

#[test]
fn expressions_name_what_is_known_and_done() {
    check_steps(
        "{id: extract, set: 1}, {id: b, set: '${steps.extrat}'}",
        &["3:40 there is no step `extrat`: did you mean `extract`?"],
    );
    check_steps(
        "{id: a, set: '${steps.b}'}, {id: b, set: 1}",
        &["3:17 step `b` is not done here: write this after `b`"],
    );
    check_steps(
        "{id: a, set: 1}, {id: b, needs: [], set: 'x ${1 + steps.a} ${ steps.a }'}",
        &[
            "3:47 step `a` may not be done here: add `a` to the `needs` of this step",
            "3:62 step `a` may not be done here: add `a` to the `needs` of this step",
        ],
    );
    check_steps("{id: a, set: '${steps.a}'}", &["3:17 step `a` cannot use its own result"]);
    check_steps(
        "{id: p, parallel: [{id: a, set: 1}, {id: b, set: '${steps.a}'}]}",
        &["3:53 step `a` may not be done here: add `a` to the `needs` of this step"],
    );
    check_steps(
        "{id: p, when: '${steps.a}', parallel: [{id: a, set: 1}]}",
        &["3:18 step `a` is not done here: write this after `a`"],
    );
    check_steps(
        "{id: a, set: '${inptu.x} ${steps} ${run} ${run.ids} ${doc} ${a}'}",
        &[
            "3:17 unknown name `inptu`: did you mean `input`?",
            "3:28 `steps` is used by a step's id: `steps.some_id`",
            "3:37 `run` is used by its fields: `run.id`, `run.workflow`",
            "3:44 `run` is used by its fields: `run.id`, `run.workflow`",
            "3:55 unknown name `doc`: known here: input, run, steps",
            "3:62 unknown name `a`: write `steps.a`",
        ],
    );
    check_steps(
        "{id: a, call: p/f, map: '${input.l}', as: doc, with: '${docs.x} ${item}'}",
        &[
            "3:57 unknown name `docs`: did you mean `doc`?",
            "3:67 unknown name `item`: known here: input, run, steps, doc, index",
        ],
    );
    check_steps(
        "{id: a, call: p/f, map: '${doc}', as: doc, when: '${index}'}",
        &[
            "3:28 unknown name `doc`: known here: input, run, steps",
            "3:53 unknown name `index`: known here: input, run, steps",
        ],
    );
}

#[test]
fn expressions_must_be_whole_and_call_what_is_there() {
    check_steps(
        "{id: a, when: 'input.x', set: 1}, {id: b, when: 'a ${input.x}', set: 1}, {id: c, when: 1, set: 1}",
        &[
            "3:15 `when` must be an expression: write `${input.x}`",
            "3:49 `when` must be an expression: put all of it into one `${…}`",
            "3:88 `when` must be true or false",
        ],
    );
    check_steps(
        "{id: a, call: p/f, map: input.l}",
        &["3:25 `map` must be an expression: write `${input.l}`"],
    );
    check_steps(
        "{id: a, set: '${1 +}'}, {id: b, set: '${'}, {id: c, set: '${}'}, {id: d, set: '${\"a}'}",
        &[
            "3:17 not CEL: it ends too early",
            "3:39 `${` without its `}`",
            "3:58 an expression is empty",
            "3:80 `${` without its `}`",
        ],
    );
    check_steps(
        "{id: a, set: '${sizee(input.l)} ${input.l.sise()} ${timestamp(1)} ${f(1)} ${has(1)} ${input.l.map(1, 2)} ${size()} ${b\"x\"} ${T{a: 1}} ${[1].map(x, y)}'}",
        &[
            "3:17 there is no function `sizee`: did you mean `size`?",
            "3:35 there is no function `sise`: did you mean `size`?",
            "3:53 `timestamp` is not supported: values are JSON",
            "3:69 there is no function `f`: known here: size, matches, string, int, uint, double, bool, dyn, has",
            "3:77 `has` needs a field: such as `has(input.folder)`",
            "3:87 a loop begins with its variable: `list.map(x, …)`",
            "3:108 `size` is not called this way",
            "3:118 bytes are not supported",
            "3:126 messages such as `T{…}` are not supported",
            "3:137 unknown name `y`: known here: input, run, steps",
        ],
    );
    check_steps(
        "{id: a, set: '${input.matches(\"(\")} x${[1]}'}",
        &["3:17 no pattern: unclosed group", "3:40 a list or mapping cannot be put into a text"],
    );
    check(
        "workflow: w\ninput: {type: object, properties: {folder: {type: object, properties: {}, additionalProperties: false}}, additionalProperties: false}\nsteps:\n  - {id: a, set: '${input.foldr} ${size(input.folder.x)} ${input.folder}'}",
        &["4:21 `input` has no `foldr`: did you mean `folder`?", "4:36 `input.folder` has no `x`"],
    );
    check(
        "workflow: w\nplugins: {p: {path: x, grants: {dirs: [{path: '${steps.a}', as: /in}]}}}\nsteps:\n  - id: a\n    set: |\n      text\n       and ${wrong}\n    when: >\n      ${1 +\n      wrong}",
        &[
            "2:50 no step has run here: only `input` and `run` are known",
            "7:14 unknown name `wrong`: known here: input, run, steps",
            "9:7 unknown name `wrong`: known here: input, run, steps",
        ],
    );
}

#[test]
fn plugins_must_make_sense() {
    check(
        "{workflow: w, plugins: {P: x, q: '', r: 'oci://x', s: 1, t: {}}, steps: [{id: a, set: 1}]}",
        &[
            "1:25 `P` is no valid name of a plugin: a small letter, then small letters, digits, `-` and `_`",
            "1:34 a plugin's path is empty",
            "1:41 plugins by `oci:` are not supported by this version: give the path of a component file",
            "1:55 a plugin must be a mapping, not a number: its keys are `path`, `grants`, `limits`, `determinism`, `concurrency`",
            "1:61 `path` is missing",
        ],
    );
    check(
        "{workflow: w, plugins: {p: {path: x, grants: {dirs: [1, {}, {path: a}, {path: a, as: in}, {path: a, as: /a/../b}, {path: a, as: /in, mode: rx}, {path: a, as: /x}, {path: b, as: /x}]}, limits: {memory: lots, output: 0, log: 65GiB}}}, steps: [{id: a, set: 1}]}",
        &[
            "1:54 a directory must be a mapping, not a number: its keys are `path`, `as`, `mode`",
            "1:57 `path` is missing",
            "1:61 `as` is missing: where the plugin sees it, such as `as: /in`",
            "1:86 `in` is no path in the sandbox: an absolute path without `.` and `..`, such as `/in`",
            "1:105 `/a/../b` is no path in the sandbox: an absolute path without `.` and `..`, such as `/in`",
            "1:140 `mode` must be `ro` or `rw`",
            "1:178 `/x` is given twice",
            "1:202 `memory` must be a size, such as `64KiB`, `256MiB` or a number of bytes",
            "1:216 `output` must be from 1B to 64GiB",
            "1:224 `log` must be from 1B to 1GiB",
        ],
    );
    check(
        "{workflow: w, input: 1, steps: [{id: a, set: 1}]}",
        &["1:22 `input` must be a JSON Schema, not a number: `input: { type: object }`"],
    );
    check(
        "{workflow: w, input: {type: objct}, steps: [{id: a, set: 1}]}",
        &[
            "1:22 `input`: no JSON Schema: at `/type`: the value is not valid under any of the schemas listed in the 'anyOf' keyword",
        ],
    );
    check(
        "{workflow: w, input: {$ref: 'http://example.com/x'}, steps: [{id: a, set: 1}]}",
        &[
            "1:22 `input`: `$ref: http://example.com/x` leads out of the schema, which is not supported",
        ],
    );
    check(
        "{workflow: w, input: {type: string, pattern: '('}, steps: [{id: a, set: 1}]}",
        &["1:22 `input`: no JSON Schema: at `/pattern`: the value is not a \"regex\""],
    );
}

#[test]
fn a_report_shows_each_place() {
    check_report(
        "workflow: w\nsteps:\n\t- x",
        "w.yaml:3:2: error: not YAML: tabs disallowed within this context (block indentation) [yaml]\n3 |  - x\n  |  ^\n",
    );
    check_report(
        "workflow: w\nstps: []\nsteps:\n  - id: a\n    set: ${inptu.x}\n",
        "w.yaml:2:1: error: unknown key `stps` [unknown-key]\n2 | stps: []\n  | ^^^^\n  hint: did you mean `steps`?\n\
         w.yaml:5:12: error: unknown name `inptu` [unknown-name]\n5 |     set: ${inptu.x}\n  |            ^^^^^^^\n\
         \x20 hint: did you mean `input`?\n",
    );
}

#[test]
fn a_report_shows_no_more_than_a_line_and_nothing_that_a_terminal_obeys() {
    let source = format!(
        "workflow: w\n\"\u{202e}bad\": 1\nsteps: [{{id: a, {}set: '${{ä}}'}}]",
        " ".repeat(500)
    );
    let problems = Definition::parse(&source).expect_err("it is refused");
    let report = problems.render("w.yaml", &source);
    assert!(!report.contains(['\u{202e}', '\u{1b}']), "{report}");
    assert!(report.lines().all(|line| line.chars().count() < 200), "{report}");
    let marked = report.lines().rev().find(|line| line.contains('^')).map(str::len);
    assert!(marked.is_some_and(|length| length < 120), "{report}");
    assert_eq!(problems.to_string(), "2 problems in the workflow");
}

#[test]
fn where_and_when_a_step_runs_must_make_sense() {
    let label = "letters, digits, `-`, `_`, `.` and `/`, at most 63";
    let level = "`priority` must be a whole number from -10 to 10: 10 goes first, -10 last; 0 is what holds without it";
    for text in ["11", "-11", "high", "1.5"] {
        check(
            &format!("workflow: w\npriority: {text}\nsteps: [{{id: a, set: 1}}]"),
            &[&format!("2:11 {level}")],
        );
    }
    check(
        "workflow: w\npoison_after: 0\nsteps: [{id: a, set: 1}]",
        &["2:15 `poison_after` must be a whole number from 1 to 100"],
    );
    check(
        "workflow: w\nplugins: {p: {path: ./p.wasm, concurrency: 0}}\nsteps: [{id: a, call: p/f}]",
        &["2:44 `concurrency` must be a whole number from 1 to 1000000"],
    );
    check_steps(
        "{id: a, call: p/f, requires: {gpu: true, n: 3, 'a b': x, c: 'x y'}, queue_timeout: 5}",
        &[
            "3:36 a label's value must be text, not true or false: write `\"true\"`",
            "3:45 a label's value must be text, not a number: write `\"3\"`",
            &format!("3:48 `a b` is no valid name of a label: {label}"),
            &format!("3:61 `x y` is no valid value of a label: {label}"),
            "3:84 `queue_timeout` must be a duration: write `5s` for seconds",
        ],
    );
    check_steps(
        "{id: a, call: p/f, requires: gpu}, {id: b, set: 1, requires: {a: b}}, {id: c, parallel: [{id: d, set: 1}], queue_timeout: 1s}",
        &[
            "3:30 `requires` must be a mapping, not text",
            "3:52 `requires` does not go with `set`",
            "3:108 `queue_timeout` does not go with `parallel`: write it on the steps inside",
        ],
    );
    let many: Vec<String> = (0..17).map(|number| format!("l{number}: x")).collect();
    check_steps(
        &format!("{{id: a, call: p/f, requires: {{{}}}}}", many.join(", ")),
        &["3:30 more than 16 labels"],
    );
}
