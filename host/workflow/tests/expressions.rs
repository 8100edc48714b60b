//! `${ … }`: what expressions give, what they refuse, what they may take.

use wfhost_workflow::definition::{Definition, StepKind};
use wfhost_workflow::expression::{Error, Item, RunFacts, Scope, StepOutputs, Template};
use wfhost_workflow::{Json, RunId, StepId};

/// What the expressions of these tests see.
struct World {
    input: Json,
    first: Json,
    run: RunFacts,
}

impl World {
    fn new(input: &str, first: &str) -> Self {
        Self {
            input: json(input),
            first: json(first),
            run: RunFacts { id: RunId::from_bytes([7; 16]), workflow: "w".into() },
        }
    }

    fn scope(&self) -> Scope<'_> {
        Scope { run: Some(&self.run), input: &self.input, steps: self, item: None }
    }
}

impl StepOutputs for World {
    fn output(&self, step: StepId) -> Option<Json> {
        (step == StepId(0)).then(|| self.first.clone())
    }
}

fn json(text: &str) -> Json {
    Json::parse(text).expect("the test's JSON is valid")
}

/// Compiles `value` (YAML) as the `set` of a second step.
fn compile(value: &str) -> Result<Template, String> {
    let source = format!("{{workflow: w, steps: [{{id: a, set: 1}}, {{id: b, set: {value}}}]}}");
    let mut definition = Definition::parse(&source).map_err(|problems| {
        problems.found().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    })?;
    match definition.steps.pop().map(|step| step.kind) {
        Some(StepKind::Set(value)) => Ok(value),
        other => panic!("{other:?}"),
    }
}

const INPUT: &str = r#"{"folder":"/tmp","n":2,"big":18446744073709551615,"x":2.0,"z":1,"a":2,
    "list":[1,2,3],"names":["b","a"],"people":[{"name":"Ann","age":31},{"name":"Bob","age":25}],
    "nothing":null,"yes":true,"odd key":{"in":[[5]]},"text":"a \"b\"\n\u00e4"}"#;

const FIRST: &str = r#"{"documents":[{"id":1},{"id":2}],"total":2}"#;

/// The value of a `set`, or the message.
fn evaluate(value: &str) -> String {
    let world = World::new(INPUT, FIRST);
    match compile(value) {
        Ok(template) => match template.evaluate(&world.scope()) {
            Ok(value) => value.as_str().to_owned(),
            Err(error) => format!("error: {error}"),
        },
        Err(problems) => format!("refused: {problems}"),
    }
}

/// One expression.
#[track_caller]
fn check(expression: &str, expected: &str) {
    let quoted = serde_json::Value::from(format!("${{{expression}}}")).to_string();
    let found = evaluate(&quoted);
    assert_eq!(found, expected, "{expression}");
}

#[test]
fn plain_paths_are_cut_out_as_they_are() {
    check("input.folder", "\"/tmp\"");
    check("input.n", "2");
    check("input.x", "2.0");
    check("input.big", "18446744073709551615");
    check("steps.a", FIRST);
    check("steps.a.documents[1].id", "2");
    check("input['odd key']", r#"{"in":[[5]]}"#);
    check("input[\"odd key\"].in[0][0]", "5");
    check(" input.nothing ", "null");
    check("run.workflow", "\"w\"");
}

#[test]
fn expressions_are_evaluated() {
    check("input.n + 1", "3");
    check("steps.a.total > 1 && input.yes", "true");
    check("input.people.filter(p, p.age > 30).map(p, p.name)", r#"["Ann"]"#);
    check("{'z': 1, 'a': [input.n]}", r#"{"z":1,"a":[2]}"#);
}

/// A YAML value in flow style.
#[track_caller]
fn check_value(value: &str, expected: &str) {
    let found = evaluate(value);
    assert_eq!(found, expected, "{value}");
}

#[test]
fn texts_mix_constants_and_expressions() {
    check_value("'a ${input.n} b ${input.folder}'", "\"a 2 b /tmp\"");
    check_value("'${input.text}!'", "\"a \\\"b\\\"\\n\\u00e4!\"");
    check_value("'${input.yes} ${input.nothing} ${input.x} ${1 + 1}'", "\"true null 2.0 2\"");
    check_value("'$${input.n} $x $ $$ $${'", "\"${input.n} $x $ $$ ${\"");
    check_value("'${input.n}${input.n}'", "\"22\"");
    check_value("\"x${'}' + '{'}y\"", "\"x}{y\"");
    check_value(
        "'list: ${input.list}'",
        "error: `input.list` must be text or a number inside a text, not a list",
    );
    check_value(
        "'object: ${steps.a}'",
        "error: `steps.a` must be text or a number inside a text, not an object",
    );
    check_value(
        "'x ${input.list.map(x, x)}'",
        "refused: 1:58 a list or mapping cannot be put into a text",
    );
    check_value(
        "'x ${true ? input.list : []}'",
        "error: `true ? input.list : []` must be text or a number inside a text, not a list",
    );
    check_value("'x ${\"a\\\"\"} ${1.5} ${null}'", "\"x a\\\" 1.5 null\"");
}

#[test]
fn values_keep_their_shape() {
    check_value(
        "{b: '${input.n}', a: [1, '${input.yes}', {x: ~}], c: text, d: 1.50}",
        "{\"b\":2,\"a\":[1,true,{\"x\":null}],\"c\":\"text\",\"d\":1.5}",
    );
    check_value("{'a \"b\"': '${input.n}'}", "{\"a \\\"b\\\"\":2}");
    check_value(
        "[0x10, 0o17, -1, +2, 1e3, .5, 18446744073709551615, 'null', yes, ~, 2.0]",
        "[16,15,-1,2,1000.0,0.5,18446744073709551615,\"null\",\"yes\",null,2.0]",
    );
    check_value(
        "99999999999999999999",
        "refused: 1:53 a number this large cannot be kept exactly: put it in quotes",
    );
    check_value(".inf", "refused: 1:53 JSON has no such number");
    check_value("'${42}'", "42");
    check_value("'${ \"x\" }'", "\"x\"");
}

#[test]
fn what_is_missing_is_named() {
    check("input.foldr", "error: `input` has no `foldr`: did you mean `folder`?");
    check("steps.a.documets", "error: `steps.a` has no `documets`: did you mean `documents`?");
    check("steps.a.x", "error: `steps.a` has no `x`; it has `documents`, `total`");
    check(
        "steps.a.documents[2]",
        "error: `steps.a.documents` has no item 2; it has 2, the last is 1",
    );
    check(
        "steps.a.documents.id",
        "error: `steps.a.documents` is a list, so `steps.a.documents.id` is nothing",
    );
    check("steps.a.total.x", "error: `steps.a.total` is a number, so `steps.a.total.x` is nothing");
    check("input.nothing.x", "error: `input.nothing` is null, so `input.nothing.x` is nothing");
    check("input['odd key'].out", "error: `input[\"odd key\"]` has no `out`; it has `in`");
    check(
        "size(input.foldr)",
        "error: `size(input.foldr)`: `input` has no `foldr`: did you mean `folder`?",
    );
    check(
        "input.people.map(p, p.nme)",
        "error: `input.people.map(p, p.nme)`: the object has no `nme`: did you mean `name`?",
    );
    check(
        "input.people[size(input.list)]",
        "error: `input.people[size(input.list)]`: the list has no item 3; it has 2, the last is 1",
    );
    check(
        "input.people[-1]",
        "error: `input.people[-1]`: the list has no item -1; it has 2, the last is 1",
    );
    check("{'a': 1}.b", "error: `{'a': 1}.b`: the object has no `b`; it has `a`");
}

#[test]
fn has_asks_without_failing() {
    check("has(input.folder)", "true");
    check("has(input.nope)", "false");
    check("has(input.nothing)", "true");
    check("has(input.nothing.x)", "false");
    check("has(input.people[0].name)", "true");
    check("has(input.nope) ? input.nope : 'default'", "\"default\"");
    check("input.people.filter(p, has(p.nope))", "[]");
    check("input.people.all(p, has(p.name))", "true");
    check("[null].map(x, has(x.y))", "[false]");
    check(
        "[1].map(x, has(x.y))",
        "error: `[1].map(x, has(x.y))`: a number has no fields, `y` is asked",
    );
}

#[test]
fn numbers_are_exact_and_mix() {
    check("input.big == 18446744073709551615u", "true");
    check("input.big - 1u", "18446744073709551614");
    check(
        "input.big + 1",
        "error: `input.big + 1`: the result of `+` is too large for a whole number",
    );
    check(
        "9223372036854775807 + 1",
        "error: `9223372036854775807 + 1`: the result of `+` is too large for a whole number",
    );
    check(
        "-9223372036854775808 - 1",
        "error: `-9223372036854775808 - 1`: the result of `-` is too large for a whole number",
    );
    check(
        "9223372036854775807 * 9223372036854775807",
        "error: `9223372036854775807 * 9223372036854775807`: the result of `*` is too large for a whole number",
    );
    check(
        "-(-9223372036854775808)",
        "error: `-(-9223372036854775808)`: the result of `-` is too large for a whole number",
    );
    check("7 / 2", "3");
    check("-7 / 2", "-3");
    check("-7 % 2", "-1");
    check("1 / 0", "error: `1 / 0`: division by zero");
    check("1 % 0", "error: `1 % 0`: division by zero");
    check("1.0 / 0.0", "error: `1.0 / 0.0`: the result is inf, which JSON does not have");
    check("1.5 % 2", "error: `1.5 % 2`: `%` needs whole numbers");
    check("0.5 * 100", "50.0");
    check("1 + 1.5", "2.5");
    check("2.0", "2.0");
    check("input.x", "2.0");
    check("input.x + 0", "2.0");
    check("1 == 1.0 && 1u == 1 && 1 < 1.5 && 2u > 1.5 && -1 < 1u", "true");
    check("9007199254740993 == 9007199254740992.0", "false");
    check("9007199254740993 > 9007199254740992.0", "true");
    check("9223372036854775807 < 9223372036854775808.0", "true");
    check("-1 < 18446744073709551615u", "true");
    check("1e308 * 10.0", "error: `1e308 * 10.0`: the result is inf, which JSON does not have");
    check("int('12') + int(2.9) + int(3u)", "17");
    check("uint(3) == 3u && double('1.5') == 1.5 && bool('true')", "true");
    check("int('x')", "error: `int('x')`: `x` is not a whole number");
    check("int(1e19)", "error: `int(1e19)`: the number does not fit into a whole number");
    check("uint(-1)", "error: `uint(-1)`: the number does not fit into a whole number from 0");
    check("string(1) + string(true) + string(1.5) + string('x') + string(2u)", "\"1true1.5x2\"");
    check("string([1])", "error: `string([1])`: a list cannot be made text");
}

#[test]
fn logic_hides_failures_that_do_not_matter() {
    check("true || input.nope", "true");
    check("input.nope || true", "true");
    check("false && input.nope", "false");
    check("input.nope && false", "false");
    check(
        "input.nope || false",
        "error: `input.nope || false`: `input` has no `nope`; it has `folder`, `n`, `big`, `x`, `z`, `a`, `list`, `names`, …",
    );
    check(
        "true && input.nope",
        "error: `true && input.nope`: `input` has no `nope`; it has `folder`, `n`, `big`, `x`, `z`, `a`, `list`, `names`, …",
    );
    check("1 || false", "error: `1 || false`: `||` needs true or false, not a number");
    check("false || 1", "error: `false || 1`: `||` needs true or false, not a number");
    check("!1", "error: `!1`: `!` needs true or false, not a number");
    check("1 ? 2 : 3", "error: `1 ? 2 : 3`: `?` needs true or false, not a number");
    check("[1, 2, 3].exists(x, x == 2 || x / 0 == 1)", "true");
    check("[1, 0].exists(x, 1 / x == 1)", "true");
    check("[0, 1].exists(x, 1 / x == 1)", "true");
    check(
        "[0, 2].exists(x, 1 / x == 1)",
        "error: `[0, 2].exists(x, 1 / x == 1)`: division by zero",
    );
    check("[0, 2].all(x, 1 / x == 1)", "false");
    check("[0, 1].all(x, 1 / x == 1)", "error: `[0, 1].all(x, 1 / x == 1)`: division by zero");
}

#[test]
fn lists_and_objects() {
    check("input.list.map(x, x * 2)", "[2,4,6]");
    check("input.list.map(x, x > 1, x * 2)", "[4,6]");
    check("input.list.filter(x, x != 2)", "[1,3]");
    check("input.list.exists_one(x, x == 2)", "true");
    check("input.list.exists_one(x, x > 1)", "false");
    check("input.list.all(x, x > 0) && !input.list.all(x, x > 1)", "true");
    check("[].all(x, false) && ![].exists(x, true)", "true");
    check("input.list + [4] == [1, 2, 3, 4.0]", "true");
    check("2 in input.list && !('2' in input.list) && 2.0 in input.list", "true");
    check("'a' in {'a': 1} && !('b' in {'a': 1}) && 'folder' in input", "true");
    check(
        "'a' in 'abc'",
        "error: `'a' in 'abc'`: `in` needs a list or an object: of text ask `.contains(…)`",
    );
    check("1 in 1", "error: `1 in 1`: `in` needs a list or an object, not a number");
    check("size(input.list) + size({'a': 1}) + size('äö') + input.list.size()", "9");
    check("size(1)", "error: `size(1)`: a number has no size");
    check("input.list[input.n]", "3");
    check("input.list[0.0]", "1");
    check("input.list['a']", "error: `input.list` is a list, so `input.list.a` is nothing");
    check("input[input.names[1]]", "2");
    check("{'b': 1, 'a': 2}", r#"{"b":1,"a":2}"#);
    check("{'b': 1, 'a': 2}.map(k, k)", r#"["b","a"]"#);
    check("steps.a.documents.map(d, d)", r#"[{"id":1},{"id":2}]"#);
    check("{'a': 1, 'b': [2]} == {'b': [2.0], 'a': 1u}", "true");
    check("{'a': 1} == {'a': 2} || {'a': 1} == {'b': 1} || [1] == [1, 2]", "false");
    check("{1: 2}", "error: `{1: 2}`: a key must be text, not a number");
    check("{'a': 1, 'a': 2}", "error: `{'a': 1, 'a': 2}`: key `a` is there twice");
    check("input.list.map(x, input.list.map(y, x * y))", "[[1,2,3],[2,4,6],[3,6,9]]");
    check("input.list.map(x, [x].map(x, x + 1))", "[[2],[3],[4]]");
    check("[1, 2].map(input, input + 1)", "[2,3]");
    check("1.map(x, x)", "error: `1.map(x, x)`: a number cannot be gone through");
    check(
        "input.list.filter(x, x)",
        "error: `input.list.filter(x, x)`: the condition must be true or false, not a number",
    );
    check("null == null && null != 1 && 'a' < 'b' && false < true", "true");
    check("1 < 'a'", "error: `1 < 'a'`: `<` cannot compare a number and text");
    check("1 + 'a'", "error: `1 + 'a'`: `+` cannot work on a number and text");
    check("[1] < [2]", "error: `[1] < [2]`: `<` cannot compare a list and a list");
    check("-'a'", "error: `-'a'`: `-` cannot negate text");
}

#[test]
fn functions_on_text() {
    check("'äpfel'.contains('pf') && 'abc'.startsWith('ab') && 'abc'.endsWith('bc')", "true");
    check("'abc'.matches('^[a-c]+$') && matches('abc', 'b')", "true");
    check("input.folder.matches('^' + input.folder)", "true");
    check(
        "input.folder.matches(input.folder + '(')",
        "error: `input.folder.matches(input.folder + '(')`: no pattern: unclosed group",
    );
    check("' Ab '.trim().lowerAscii() + 'x'.upperAscii()", "\"abX\"");
    check("'a,b'.split(',') + ['c']", r#"["a","b","c"]"#);
    check("'äb'.split('')", r#"["ä","b"]"#);
    check("['a', 'b'].join() + ['a', 'b'].join('-')", "\"aba-b\"");
    check("[1].join()", "error: `[1].join()`: `join` works on text, not on a number");
    check("'banana'.replace('a', 'o')", "\"bonono\"");
    check(
        "'abc'.contains(1)",
        "error: `'abc'.contains(1)`: `contains` cannot work on text and a number",
    );
    check(
        "1.contains('a')",
        "error: `1.contains('a')`: `contains` cannot work on a number and text",
    );
    check("dyn(1) + 1", "2");
    check(r#"'\u00e4\n' + r'\n' + """a"b""""#, r#""ä\n\\na\"b""#);
}

#[test]
fn the_run_is_known() {
    check("run.id.size()", "26");
    check("run.workflow + '!'", "\"w!\"");
}

/// The `with` and the items of a map over `input.people` whose item is `p`.
fn compile_map(with: &str) -> Template {
    let source = format!(
        "{{workflow: w, plugins: {{p: x}}, steps: [{{id: a, set: 1}},
          {{id: b, map: '${{input.people}}', as: p, call: p/f, with: {with}}}]}}"
    );
    let mut definition = Definition::parse(&source).expect("the test's workflow is valid");
    match definition.steps.pop().map(|step| step.kind) {
        Some(StepKind::Map(map)) => map.call.with,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check_item(with: &str, expected: &str) {
    let world = World::new(INPUT, FIRST);
    let template = compile_map(with);
    let value = json(r#"{"name":"Cy","age":40}"#);
    let item = Some(Item { value: &value, index: 2 });
    let direct = template.evaluate(&Scope { item, ..world.scope() });
    let bound = template.bind(&world.scope()).and_then(|bound| {
        // What is bound needs nothing but the item.
        let empty = World::new("null", "null");
        bound.evaluate(&Scope { item, ..empty.scope() })
    });
    assert_eq!(direct, bound, "{with}");
    assert_eq!(direct.expect("it evaluates").as_str(), expected, "{with}");
}

#[test]
fn binding_changes_nothing_but_the_cost() {
    check_item(
        "{who: '${p.name}', n: '${index}', all: '${input.list}'}",
        r#"{"who":"Cy","n":2,"all":[1,2,3]}"#,
    );
    check_item("'${p.name} ${input.n} ${index + input.n}'", "\"Cy 2 4\"");
    check_item("['${input.people.filter(q, q.age < p.age).map(q, q.name)}']", r#"[["Ann","Bob"]]"#);
    check_item(
        "{constant: 1, run: '${run.workflow}', sum: '${input.n + 1}'}",
        r#"{"constant":1,"run":"w","sum":3}"#,
    );
    check_item("'${has(input.nope) ? input.nope : p.name}'", "\"Cy\"");
    check_item("'${p}'", r#"{"name":"Cy","age":40}"#);
    check_item("'${p.age > 39 || input.nope}'", "true");
}

#[test]
fn binding_fails_where_every_item_would() {
    let world = World::new(INPUT, FIRST);
    let error = compile_map("['${p.name}', '${input.nope}']").bind(&world.scope());
    assert!(matches!(error, Err(Error::Missing { .. })), "{error:?}");
}

#[test]
fn only_what_is_named_is_asked_for() {
    struct Refusing;
    impl StepOutputs for Refusing {
        fn output(&self, _: StepId) -> Option<Json> {
            panic!("nobody needs it")
        }
    }
    let input = json(INPUT);
    let scope = Scope { run: None, input: &input, steps: &Refusing, item: None };
    let template = compile("'${input.yes ? input.n : steps.a.total}'").expect("valid");
    assert_eq!(template.evaluate(&scope).as_ref().map(Json::as_str), Ok("2"));
}

#[test]
fn a_condition_is_true_or_false() {
    let world = World::new(INPUT, FIRST);
    let bool_of = |value| compile(value).expect("valid").evaluate_bool(&world.scope());
    assert_eq!(bool_of("'${input.yes}'"), Ok(true));
    assert_eq!(bool_of("'${input.n > 2}'"), Ok(false));
    assert_eq!(bool_of("false"), Ok(false));
    let message = |value| bool_of(value).expect_err("no condition").to_string();
    assert_eq!(message("'${input.n}'"), "`input.n` must be true or false, not a number");
    assert_eq!(message("'${input.nothing}'"), "`input.nothing` must be true or false, not null");
    assert_eq!(message("'true'"), "`\"true\"` must be true or false, not text");
}

#[test]
fn a_list_is_given_item_by_item() {
    let world = World::new(INPUT, FIRST);
    let list_of = |value| compile(value).expect("valid").evaluate_list(&world.scope());
    let texts = |value| {
        let items = list_of(value).expect("a list");
        items.iter().map(|item| item.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(texts("'${steps.a.documents}'"), [r#"{"id":1}"#, r#"{"id":2}"#]);
    assert_eq!(texts("[1, '${input.folder}', [2, 3]]"), ["1", "\"/tmp\"", "[2,3]"]);
    assert_eq!(
        texts("'${input.list.map(x, [x, \"],[\"])}'"),
        [r#"[1,"],["]"#, r#"[2,"],["]"#, r#"[3,"],["]"#]
    );
    assert_eq!(texts("[]"), [""; 0]);
    let error = list_of("'${steps.a}'").expect_err("no list").to_string();
    assert_eq!(error, "`steps.a` must be a list, not an object");
}

#[test]
fn only_plain_paths_and_literals_are_light() {
    let heavy = |value| compile(value).expect("valid").is_heavy();
    assert!(!heavy("{a: '${input.n}', b: ['x ${steps.a.total}', '${true}', 1]}"));
    assert!(heavy("{a: ['${input.n + 1}']}"));
    assert!(heavy("'x ${input.n + 1}'"));
}
