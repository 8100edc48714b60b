//! Files and expressions that are written to do harm: refused, quickly, with a message.
//!
//! The times are generous multiples of what the machine needs: they catch what grows the
//! wrong way, not what is a little slower.

use std::fmt::Write as _;
use std::time::Duration;

use wfhost_workflow::definition::{Definition, Problems, StepKind};
use wfhost_workflow::expression::{
    COST_MAX, EXPRESSION_BYTES_MAX, Error, Item, Scope, StepOutputs, Template,
};
use wfhost_workflow::{Json, StepId};

#[expect(clippy::disallowed_methods, reason = "a test that takes time has to read it")]
fn timed<T>(what: impl FnOnce() -> T) -> (T, Duration) {
    let begin = std::time::Instant::now();
    let result = what();
    (result, begin.elapsed())
}

/// Runs within `millis`.
#[track_caller]
fn within<T>(millis: u64, what: impl FnOnce() -> T) -> T {
    let (result, took) = timed(what);
    assert!(took < Duration::from_millis(millis), "took {took:?}, not {millis} ms");
    result
}

#[track_caller]
fn refused(source: &str) -> Problems {
    within(2_000, || Definition::parse(source)).expect_err("it must be refused")
}

/// Refused with one problem, whose message begins like this.
#[track_caller]
fn check(source: &str, message: &str) {
    let problems = refused(source);
    let found = problems.found()[0].to_string();
    assert!(found.contains(message), "{found}");
    assert!(problems.found().len() <= 100);
}

struct NoSteps;

impl StepOutputs for NoSteps {
    fn output(&self, _: StepId) -> Option<Json> {
        None
    }
}

fn step(value: &str) -> String {
    let value = serde_json::Value::from(value);
    format!("{{workflow: w, steps: [{{id: a, set: {value}}}]}}")
}

fn compile(value: &str) -> Result<Template, String> {
    let mut definition =
        Definition::parse(&step(value)).map_err(|problems| problems.found()[0].to_string())?;
    match definition.steps.pop().map(|step| step.kind) {
        Some(StepKind::Set(value)) => Ok(value),
        other => panic!("{other:?}"),
    }
}

fn evaluate(value: &str, input: &Json) -> Result<Json, Error> {
    let scope = Scope { run: None, input, steps: &NoSteps, item: None };
    compile(value).expect("it compiles").evaluate(&scope)
}

fn numbers(count: usize) -> String {
    let list: Vec<String> = (0..count).map(|n| n.to_string()).collect();
    format!("[{}]", list.join(","))
}

#[test]
fn ten_megabytes_are_refused_at_once() {
    let source = format!("workflow: w\nsteps: [{}]", "{id: a, set: 1},".repeat(650_000));
    assert!(source.len() > 10_000_000);
    let problems = within(50, || Definition::parse(&source)).expect_err("too large");
    assert_eq!(
        problems.found()[0].to_string(),
        format!("1:1 the file has {} bytes, more than 4194304", source.len())
    );
}

#[test]
fn what_fits_but_is_senseless_is_refused() {
    check(&"[".repeat(100_000), "nested more than 64 deep");
    check(&"- ".repeat(100_000), "nested more than 64 deep");
    check(&"{a: ".repeat(100_000), "nested more than 64 deep");
    check(&format!("[{}]", "a,".repeat(1_000_000)), "more than 600000 values");
    check(&"a\n".repeat(1_000_000), "must be a mapping");
    check(&format!("workflow: {}", "x".repeat(3 << 20)), "`steps` is missing");
    check(&"\u{0}".repeat(1000), "not YAML");
    check(&"a: 1\n".repeat(500_000), "written twice");
    check(&"? ".repeat(200_000), "a key must be text");
    check(&"\"".repeat(1_000_000), "not YAML");
    check(&"'${".repeat(500_000), "not YAML");
    check(&"#".repeat(4_000_000), "the file is empty");
    check(&"&a ".repeat(100_000), "anchors are not supported");
}

#[test]
fn aliases_never_multiply() {
    let mut source = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..50 {
        let before = level - 1;
        let aliases = vec![format!("*a{before}"); 9].join(", ");
        writeln!(source, "a{level}: &a{level} [{aliases}]").expect("text grows");
    }
    let problems = refused(&source);
    assert!(problems.found().iter().any(|problem| problem.message.starts_with("aliases")));
    assert!(problems.left_out() > 100, "only a hundred are kept");
}

#[test]
fn twenty_thousand_mistakes_are_reported_in_bounded_size() {
    let mut source = String::from("workflow: w\nsteps:\n");
    for n in 0..20_000 {
        writeln!(source, "  - {{id: s{n}, set: '${{steps.t{n}}}'}}").expect("text grows");
    }
    let problems = within(3_000, || Definition::parse(&source)).expect_err("unknown names");
    assert_eq!((problems.found().len(), problems.left_out()), (100, 19_900));
    let report = problems.render("w.yaml", &source);
    assert!(report.len() < 40_000 && report.ends_with("and 19900 more\n"));
}

#[test]
fn ten_thousand_steps_are_read_quickly() {
    let mut chain = String::from("workflow: w\nplugins: {p: x}\nsteps:\n");
    let mut fan = chain.clone();
    for n in 0..10_000 {
        let before = if n == 0 { "input".to_owned() } else { format!("steps.s{}", n - 1) };
        let with = format!("{{a: '${{{before}}}', b: '${{steps.s0}}', c: '${{input.x + {n}}}'}}");
        let with = if n == 0 { "1".to_owned() } else { with };
        writeln!(chain, "  - {{id: s{n}, call: p/f, with: {with}}}").expect("text grows");
        let needs = if n == 0 { "[]" } else { "[s0]" };
        writeln!(fan, "  - {{id: s{n}, needs: {needs}, set: {{a: '${{input.x}}'}}}}")
            .expect("text grows");
    }
    let chain = within(5_000, || Definition::parse(&chain)).expect("a chain is valid");
    assert_eq!(chain.steps.len(), 10_000);
    let fan = within(1_000, || Definition::parse(&fan)).expect("a fan is valid");
    assert_eq!(fan.steps[0].dependents.len(), 9_999);
}

#[test]
fn too_many_steps_and_needs_are_refused() {
    let steps: Vec<String> = (0..20_001).map(|n| format!("{{id: s{n}, set: 1}}")).collect();
    check(&format!("{{workflow: w, steps: [\n{}]}}", steps.join(",\n")), "more than 20000 steps");
    let all: Vec<String> = (0..500).map(|n| format!("s{n}")).collect();
    let all = all.join(",");
    let dense: Vec<String> =
        (0..500).map(|n| format!("{{id: s{n}, needs: [{all}], set: 1}}")).collect();
    check(&format!("{{workflow: w, steps: [\n{}]}}", dense.join(",\n")), "more than 200000 needs");
    let mut nested = "{id: x, set: 1}".to_owned();
    for n in 0..40 {
        nested = format!("{{id: p{n}, parallel: [{nested}]}}");
    }
    check(&format!("{{workflow: w, steps: [{nested}]}}"), "nested more than 64 deep");
}

#[test]
fn large_expressions_are_refused_when_the_file_is_read() {
    let refused = |value: &str| within(3_000, || compile(value)).expect_err("it must be refused");
    let deep = "1".to_owned() + &"+1".repeat(2_000);
    assert!(refused(&format!("${{{deep}}}")).contains("nested more than 64 deep"));
    let deep = "1".to_owned() + &"+1".repeat(64);
    assert!(refused(&format!("${{{deep}}}")).contains("nested more than 64 deep"));
    let long = format!("${{'{}'}}", "x".repeat(EXPRESSION_BYTES_MAX));
    assert!(refused(&long).contains("more than 4096 bytes"));
    // The parser's own report of such an expression panics when it is shown.
    let bad = format!("${{{} + }}", "x".repeat(70_000));
    assert!(refused(&bad).contains("more than 4096 bytes"));
    for hostile in [
        "(".repeat(2_000) + &")".repeat(2_000),
        "(".repeat(60) + &")".repeat(60),
        "[".repeat(65) + &"]".repeat(65),
        "a?".repeat(1_300),
        "true?1:".repeat(500) + "1",
        "a.".repeat(2_000) + "b",
        "input".to_owned() + &"[0]".repeat(1_300) + "+1",
        "{".repeat(60) + &"}".repeat(60),
        "1,".repeat(2_000),
        "x.map(".repeat(300),
        "@#%".repeat(1_000),
        "\u{1f600}".repeat(1_000),
        "a && ".repeat(700) + "b",
        "in in ".repeat(600),
    ] {
        let message = refused(&format!("${{{hostile}}}"));
        assert!(message.len() < 800, "{message}");
    }
    for (sign, operand) in [("!", "true"), ("-", "1")] {
        let flat = format!("${{{}{operand}}}", sign.repeat(4_000));
        let kept = within(3_000, || compile(&flat)).expect("a chain without depth");
        assert_eq!(kept.constant_text(), Some(operand));
    }
}

#[test]
fn a_nested_loop_is_refused_before_it_is_evaluated() {
    let input = Json::parse(&format!("{{\"l\":{}}}", numbers(400))).expect("valid");
    let thrice = "${input.l.map(x, input.l.map(y, input.l.map(z, x)))}";
    let error = within(100, || evaluate(thrice, &input)).expect_err("too costly");
    let Error::TooCostly { estimate, limit, .. } = error else { panic!("{error}") };
    assert!(estimate > 64_000_000 && limit == COST_MAX);
    let twice = "${size(input.l.map(x, input.l.map(y, x * y)))}";
    assert_eq!(evaluate(twice, &input).expect("160,000 are few").as_str(), "400");
    let filtered = "${input.l.filter(x, true).map(x, input.l.map(y, y).exists(z, input.l.exists(q, q == -z)))}";
    assert!(matches!(within(100, || evaluate(filtered, &input)), Err(Error::TooCostly { .. })));
}

#[test]
fn what_the_estimate_cannot_see_is_stopped_by_the_count() {
    // The inner lists are part of the items.
    let lists: Vec<String> = (0..200).map(|_| numbers(400)).collect();
    let input = Json::parse(&format!("{{\"l\":[{}]}}", lists.join(","))).expect("valid");
    let hidden = "${input.l.all(a, a.all(x, a.all(y, x + y >= 0)))}";
    let error = within(10_000, || evaluate(hidden, &input)).expect_err("too costly");
    assert!(matches!(error, Error::TooCostly { .. }), "{error}");
    let compared = "${input.l.all(a, input.l.all(b, a == b && input.l == input.l))}";
    let error = within(10_000, || evaluate(compared, &input)).expect_err("too costly");
    assert!(matches!(error, Error::TooCostly { .. }), "{error}");
}

#[test]
fn memory_is_bounded() {
    let text = "x".repeat(1 << 20);
    let input =
        Json::from_value(&serde_json::json!({ "t": text, "n": (0..200).collect::<Vec<_>>() }));
    for value in [
        "${input.n.map(x, input.t + input.t)}",
        "${input.n.map(x, input.t).join()}",
        "${input.t.split('').map(x, x)}",
        "${input.t.replace('x', 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx')}",
    ] {
        let error = within(5_000, || evaluate(value, &input)).expect_err(value);
        assert!(matches!(error, Error::TooLarge { .. }), "{value}: {error}");
    }
    // Shared while it is built, but not in the text that it becomes.
    let error = within(5_000, || evaluate("${input.n.map(x, input.t)}", &input));
    assert!(error.is_err(), "200 MB of text");
    let all = vec!["${input.t}"; 70].concat();
    assert!(matches!(evaluate(&all, &input), Err(Error::TooLarge { .. })));
    let large = Json::from_value(&serde_json::json!({ "t": "x".repeat(17 << 20) }));
    assert!(matches!(evaluate("${size(input.t)}", &large), Err(Error::TooLarge { .. })));
    assert_eq!(evaluate("${input.t}", &large).expect("only cut out").len_bytes(), (17 << 20) + 2);
}

#[test]
fn trees_of_many_small_objects_are_refused() {
    let objects = Json::parse(&format!("[{}{{\"a\":1}}]", "{\"a\":1},".repeat(700_000)));
    let input = objects.expect("valid");
    let error = within(2_000, || evaluate("${size(input)}", &input)).expect_err("too many");
    assert!(matches!(error, Error::TooManyParts { .. }), "{error}");
    assert_eq!(evaluate("${input[600000].a}", &input).expect("only cut out").as_str(), "1");
}

#[test]
fn patterns_are_bounded() {
    let input = Json::from_value(&serde_json::json!({ "t": "a".repeat(100_000), "p": "(a+)+$" }));
    let linear = within(1_000, || evaluate("${(input.t + 'b').matches('(a+)+$')}", &input));
    assert_eq!(linear.expect("linear").as_str(), "false");
    let large = r"${'a'.matches('((\\w{50}){50}){50}')}";
    let message = within(1_000, || compile(large)).expect_err("too large");
    assert!(message.contains("the pattern is too large"), "{message}");
    let long = format!("${{'a'.matches('{}')}}", "a".repeat(1_100));
    assert!(compile(&long).expect_err("too long").contains("more than 1024 bytes"));
    let many = "${[0,1,2,3,4,5,6,7,8,9].all(a, [0,1,2,3,4,5,6,7,8,9].all(b, [0,1,2,3,4,5,6,7,8,9].all(c, 'a'.matches(input.p))))}";
    let stopped = within(5_000, || evaluate(many, &input)).expect_err("too costly");
    assert!(matches!(stopped, Error::TooCostly { .. }), "{stopped}");
}

#[test]
fn deep_values_are_refused_not_lost() {
    let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(Json::parse(&deep(127)).is_ok());
    assert!(Json::parse(&deep(128)).is_err());
    assert!(
        Json::parse(&format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000))).is_err()
    );
    let input = Json::parse(&deep(127)).expect("just fits");
    assert_eq!(evaluate("${input}", &input).expect("as it is"), input);
    let scope = Scope { run: None, input: &input, steps: &NoSteps, item: None };
    let source = "{workflow: w, steps: [{id: a, set: ['${input}']}]}";
    let definition = Definition::parse(source).expect("valid");
    let StepKind::Set(template) = &definition.steps[0].kind else { panic!("a set") };
    assert_eq!(template.evaluate(&scope), Err(Error::TooDeep { limit: 127 }));
    assert_eq!(evaluate("${[input]}", &input), Err(Error::TooDeep { limit: 127 }));
    assert_eq!(evaluate("${[input][0]}", &input).as_ref(), Ok(&input));
}

#[test]
fn lists_for_a_map_are_bounded() {
    let input = Json::parse(&numbers(100_001)).expect("valid");
    let scope = Scope { run: None, input: &input, steps: &NoSteps, item: None };
    let template = compile("${input}").expect("valid");
    let error = within(1_000, || template.evaluate_list(&scope)).expect_err("too long");
    assert_eq!(error, Error::TooManyItems { count: 100_001, limit: 100_000 });
}

#[test]
fn ten_thousand_items_over_ten_megabytes_stay_linear() {
    let filler: Vec<String> = (0..10_000).map(|n| format!("{n:01000}")).collect();
    let input = Json::from_value(&serde_json::json!({ "filler": filler, "n": 3, "small": [1, 2] }));
    assert!(input.len_bytes() > 10_000_000);
    let source = "{workflow: w, plugins: {p: x}, steps: [{id: a, map: '${input.filler}', as: text,
        call: p/f, with: {text: '${text}', n: '${input.n}', sum: '${index + input.small[1]}'}}]}";
    let definition = Definition::parse(source).expect("valid");
    let StepKind::Map(map) = &definition.steps[0].kind else { panic!("a map") };
    let scope = Scope { run: None, input: &input, steps: &NoSteps, item: None };
    let items = within(2_000, || map.items.evaluate_list(&scope)).expect("a list");
    let with = within(2_000, || map.call.with.bind(&scope)).expect("it binds");
    let bytes = within(2_000, || {
        let each = items.iter().zip(0..).map(|(value, index)| {
            let item = Some(Item { value, index });
            with.evaluate(&Scope { item, ..scope }).expect("it evaluates").len_bytes()
        });
        each.sum::<usize>()
    });
    assert!(bytes > 10_000_000);
}
