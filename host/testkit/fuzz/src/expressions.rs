//! Values with `${ … }` in them, over a fixed scope.
//!
//! Any text: refused or compiled, in bounded time; what it gives is JSON, the same each time, and
//! the same once the part that no item changes was bound. A text whose `${` are escaped gives
//! itself. What works for every item is not refused by the check of
//! types.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde_json::Value;
use wfhost_workflow::definition::{Definition, Draft, Offer, StepKind};
use wfhost_workflow::expression::{
    BUILT_BYTES_MAX, Error, Item, RunFacts, Scope, StepOutputs, Template,
};
use wfhost_workflow::{Contract, Json, Name, RunId, StepId};

use crate::given::Given;
use crate::value;

const INPUT: &str = r#"{"folder":"/tmp","n":2,"big":18446744073709551615,"x":2.0,"z":-1,"a":1e300,
    "list":[1,2,3],"names":["b","a",""],"people":[{"name":"Ann","age":31},{"name":"Bob","age":25}],
    "nothing":null,"yes":true,"odd key":{"in":[[5]]},"text":"a \"b\"\n\u00e4\ud83d\ude00"}"#;

/// What expressions see: small, so that a slow input is slow by itself.
struct World {
    input: Json,
    first: Json,
    item: Json,
    run: RunFacts,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let json = |text| Json::parse(text).expect("valid JSON");
    World {
        input: json(INPUT),
        first: json(r#"{"documents":[{"id":1,"text":"x"},{"id":2}],"total":2,"": [[],{}]}"#),
        item: json(r#"{"name":"Cy","age":40,"tags":["t",7]}"#),
        run: RunFacts { id: RunId::from_bytes([7; 16]), workflow: "w".into() },
    }
});

impl World {
    fn scope(&self) -> Scope<'_> {
        let item = Some(Item { value: &self.item, index: 3 });
        Scope { run: Some(&self.run), input: &self.input, steps: self, item }
    }
}

impl StepOutputs for World {
    fn output(&self, step: StepId) -> Option<Json> {
        (step == StepId(0)).then(|| self.first.clone())
    }
}

/// Text is one value of a step; after a first byte of 255, the rest makes a value with pieces of
/// expressions in it.
pub(crate) fn run(bytes: &[u8]) {
    match bytes.split_first() {
        Some((255, rest)) => made(&mut Given::new(rest)),
        _ => {
            let text = String::from_utf8_lossy(bytes);
            escaped(&text);
            evaluate(&Value::from(text.as_ref()));
        }
    }
}

/// Compiles `value` as what each item of a map is called with.
fn compile(value: &Value) -> Option<Template> {
    let source = format!(
        "{{workflow: w, plugins: {{p: x}}, steps: [{{id: a, set: 1}},
          {{id: b, map: '${{input.people}}', as: p, call: p/f, with: {value}}}]}}"
    );
    match Definition::parse(&source) {
        Ok(mut definition) => match definition.steps.pop()?.kind {
            StepKind::Map(map) => Some(map.call.with),
            StepKind::Call(_) | StepKind::Set(_) | StepKind::Parallel(_) => {
                panic!("a map became something else")
            }
        },
        Err(problems) => {
            let report = problems.render("w.yaml", &source);
            assert!(report.len() < 400_000, "a report of {} bytes", report.len());
            None
        }
    }
}

fn evaluate(value: &Value) {
    let Some(template) = compile(value) else { return };
    let scope = WORLD.scope();
    let given = template.evaluate(&scope);
    if let Ok(json) = &given {
        assert!(json.len_bytes() <= BUILT_BYTES_MAX, "{} bytes", json.len_bytes());
        let read = Json::parse(json.as_str());
        assert!(matches!(&read, Ok(read) if read == json), "no JSON: {json:?}: {read:?}");
    }
    assert_eq!(template.evaluate(&scope), given, "a second evaluation gives something else");
    let bound = template.bind(&scope).and_then(|bound| bound.evaluate(&scope));
    match (&given, &bound) {
        (Ok(given), Ok(bound)) => assert_eq!(given, bound, "binding changes the value"),
        (Err(_), Err(_)) => {}
        // The cost is counted for the parts together or apart.
        (Err(Error::TooCostly { .. } | Error::TooLarge { .. } | Error::TooManyParts { .. }), _)
        | (_, Err(Error::TooCostly { .. } | Error::TooLarge { .. } | Error::TooManyParts { .. })) =>
            {}
        _ => panic!("binding changes the outcome: {given:?} {bound:?}"),
    }
    works_where_it_works(value, &template);
    drop(template.evaluate_bool(&scope));
    drop(template.evaluate_list(&scope));
}

/// What the input of this module is an example of.
const INPUT_SCHEMA: &str = r#"{"type":"object","required":["folder","n","big","x","z","a","list",
    "names","people","nothing","yes","odd key","text"],"properties":{"folder":{"type":"string"},
    "n":{"type":"integer"},"big":{"type":"integer"},"x":{"type":"number"},"z":{"type":"integer"},
    "a":{"type":"number"},"list":{"type":"array","items":{"type":"integer"}},"names":{"type":"array",
    "items":{"type":"string"}},"people":{"type":"array","items":{"type":"object","required":["name",
    "age"],"properties":{"name":{"type":"string"},"age":{"type":"integer"}}}},"nothing":{"type":
    "null"},"yes":{"type":"boolean"},"odd key":{"type":"object"},"text":{"type":"string"}}}"#;

static OFFERS: LazyLock<BTreeMap<Name, Offer>> = LazyLock::new(|| {
    let any = || Json::from_trusted("true");
    let contract = Contract {
        name: "f".to_owned(),
        docs: String::new(),
        input_schema: any(),
        output_schema: any(),
    };
    let contracts = Some(Arc::new(vec![contract]));
    [(Name::from("p"), Offer { contracts, ..Offer::default() })].into_iter().collect()
});

/// What may leave a part of itself out: what is wrong there is reported, and does not show here.
const LEAVES_OUT: [&str; 8] = ["&&", "||", "?", "all", "exists", "filter", "map", "has"];

/// Evaluated for every item of a real run, it gives a value: then the check must let it pass.
fn works_where_it_works(value: &Value, template: &Template) {
    let text = value.to_string();
    if LEAVES_OUT.iter().any(|word| text.contains(word)) {
        return;
    }
    let items = WORLD.input.to_value()["people"].take();
    let works = items.as_array().into_iter().flatten().zip(0..).all(|(item, index)| {
        let item = Json::from_value(item);
        let item = Some(Item { value: &item, index });
        template.evaluate(&Scope { item, ..WORLD.scope() }).is_ok()
    });
    if !works {
        return;
    }
    let source = format!(
        "{{workflow: w, input: {INPUT_SCHEMA}, plugins: {{p: x}}, steps: [{{id: a, set: {}}},
          {{id: b, map: '${{input.people}}', as: p, call: p/f, with: {value}}}]}}",
        WORLD.first
    );
    let checked = Draft::read(&source).check(&OFFERS, Vec::new());
    assert!(!checked.is_refused(), "it works and is refused: {value}: {:?}", checked.problems);
}

/// A text without expressions is what it says.
fn escaped(text: &str) {
    let value = Value::from(text.replace("${", "$${"));
    // YAML has no way to write some characters, and a file is bounded.
    let Some(template) = compile(&value) else { return };
    let given = template.evaluate(&WORLD.scope());
    // `$` before an escaped one is taken for a part of it.
    if !text.contains("$${") {
        assert_eq!(given, Ok(Json::from_value(&Value::from(text))), "escaped");
    }
}

const OPERANDS: [&str; 26] = [
    "input",
    "input.n",
    "input.big",
    "input.x",
    "input.z",
    "input.a",
    "input.list",
    "input.names",
    "input.people",
    "input.nothing",
    "input.yes",
    "input.text",
    "input['odd key']",
    "steps.a",
    "steps.a.documents",
    "p",
    "p.age",
    "p.tags",
    "index",
    "run.id",
    "q",
    "q.name",
    "null",
    "true",
    "[1, 2, 3]",
    "{'a': 1, 'b': [2]}",
];
const BINARY: [&str; 14] =
    ["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "in"];
const CALLS: [&str; 26] = [
    "size",
    "int",
    "uint",
    "double",
    "string",
    "bool",
    "dyn",
    "has",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "map",
    "filter",
    "all",
    "exists",
    "exists_one",
    "split",
    "join",
    "replace",
    "trim",
    "lowerAscii",
    "upperAscii",
    "abs",
    "min",
    "max",
];

/// An expression that mostly compiles.
fn expression(given: &mut Given<'_>, depth: usize) -> String {
    if depth == 0 || given.is_empty() {
        return match given.below(6) {
            0 => given.number().to_string(),
            1 => format!("{}u", given.number()),
            2 => format!("{:?}", given.float()),
            3 => format!("'{}'", given.text(12).replace(['\'', '\\', '\n', '\r'], "_")),
            _ => given.one_of(&OPERANDS).to_owned(),
        };
    }
    let inner = |given: &mut Given<'_>| expression(given, depth - 1);
    match given.below(8) {
        0 => format!("({} {} {})", inner(given), given.one_of(&BINARY), inner(given)),
        1 => format!("({} ? {} : {})", inner(given), inner(given), inner(given)),
        2 => format!("{}{}", given.one_of(&["!", "-"]), inner(given)),
        3 => format!("{}[{}]", inner(given), inner(given)),
        4 => format!("{}({})", given.one_of(&CALLS), inner(given)),
        5 => format!("{}.{}()", inner(given), given.one_of(&CALLS)),
        6 => {
            let call = given.one_of(&["map", "filter", "all", "exists", "exists_one"]);
            format!("{}.{call}(q, {})", inner(given), inner(given))
        }
        _ => format!("{}.{}({})", inner(given), given.one_of(&CALLS), inner(given)),
    }
}

fn made(given: &mut Given<'_>) {
    let text = |given: &mut Given<'_>| {
        let mut text = String::new();
        for _ in 0..=given.below(2) {
            if given.once_in(4) {
                text.push_str(&given.text(10));
            }
            text.push_str(&format!("${{{}}}", expression(given, 4)));
        }
        Value::from(text)
    };
    let value = match given.below(4) {
        0 => Value::from(vec![text(given), value::json(given, 2), text(given)]),
        1 => serde_json::json!({ "a": text(given), "b": [value::json(given, 2)] }),
        _ => text(given),
    };
    evaluate(&value);
}
