//! What a check promises: a file without problems does not fail for its types, and nothing is
//! refused that could work. Schemas, values and expressions are made from a seed.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use wfhost_workflow::definition::{Checked, Code, Draft, Offer, Severity};
use wfhost_workflow::expression::{Error, Scope, StepOutputs};
use wfhost_workflow::{Contract, Definition, Json, Schema, StepId};

/// How the outcome of an expression begins that gave nothing.
const EVALUATION: &str = "evaluation";

/// A small generator of choices; the same seed gives the same choices.
struct Choices(u64);

impl Choices {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn pick<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        let at = self.below(of.len() as u64) as usize;
        &of[at]
    }

    fn yes(&mut self) -> bool {
        self.below(2) == 0
    }
}

const NAMES: [&str; 3] = ["x", "y", "z"];
const WORDS: [&str; 4] = ["", "a", "bb", "ccc"];

/// A schema that says everything: closed, and of kinds that do not overlap.
fn schema(choices: &mut Choices, depth: u64) -> Value {
    if depth > 0 && choices.below(5) == 0 {
        let mut kinds: Vec<Value> = Vec::new();
        for of in 0..5 {
            if choices.below(3) == 0 {
                kinds.push(schema_of(choices, of, depth - 1));
            }
        }
        kinds.push(json!({ "type": "null" }));
        return json!({ "anyOf": kinds });
    }
    let of = choices.below(if depth == 0 { 4 } else { 6 });
    schema_of(choices, of, depth.saturating_sub(1))
}

fn schema_of(choices: &mut Choices, kind: u64, depth: u64) -> Value {
    match kind {
        0 => json!({ "type": "boolean" }),
        1 => {
            let kind = *choices.pick(&["integer", "number"]);
            let mut schema = json!({ "type": kind });
            let low = choices.below(4) as i64 - 2;
            if choices.yes() {
                schema["minimum"] = low.into();
            }
            if choices.yes() {
                let keyword = *choices.pick(&["maximum", "exclusiveMaximum"]);
                schema[keyword] = (low + 1 + choices.below(4) as i64).into();
            }
            schema
        }
        2 if choices.yes() => {
            let count = 1 + choices.below(3) as usize;
            json!({ "enum": &WORDS[..count] })
        }
        2 => {
            let mut schema = json!({ "type": "string" });
            if choices.yes() {
                schema["minLength"] = choices.below(2).into();
            }
            if choices.yes() {
                schema["maxLength"] = (2 + choices.below(2)).into();
            }
            schema
        }
        3 => json!({ "const": choices.below(3) }),
        4 => {
            let mut schema = json!({ "type": "array", "items": schema(choices, depth) });
            let min = choices.below(2);
            if choices.yes() {
                schema["minItems"] = min.into();
            }
            if choices.yes() {
                schema["maxItems"] = (min + 1 + choices.below(2)).into();
            }
            schema
        }
        _ => {
            let mut properties = Map::new();
            let mut required = Vec::new();
            for name in NAMES {
                if choices.yes() {
                    properties.insert(name.to_owned(), schema(choices, depth));
                    if choices.below(3) > 0 {
                        required.push(name);
                    }
                }
            }
            json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
        }
    }
}

/// A value that the schema allows.
fn value(choices: &mut Choices, of: &Value) -> Value {
    if let Some(any) = of["anyOf"].as_array() {
        let one = choices.pick(any).clone();
        return value(choices, &one);
    }
    if let Some(listed) = of["enum"].as_array() {
        return choices.pick(listed).clone();
    }
    if !of["const"].is_null() {
        return of["const"].clone();
    }
    match of["type"].as_str() {
        Some("null") => Value::Null,
        Some("boolean") => choices.yes().into(),
        Some(kind @ ("integer" | "number")) => {
            let high =
                of["maximum"].as_i64().or_else(|| Some(of["exclusiveMaximum"].as_i64()? - 1));
            let low = of["minimum"].as_i64().or(high.map(|high| high - 3)).unwrap_or(-3);
            let span = high.map_or(6, |high| (high - low).max(0)) as u64;
            let whole = low + choices.below(span + 1) as i64;
            let room = of["maximum"].as_i64().is_none_or(|high| whole < high);
            if kind == "number" && room && choices.yes() {
                return json!(whole as f64 + 0.5);
            }
            whole.into()
        }
        Some("string") => {
            let (min, max) = (of["minLength"].as_u64(), of["maxLength"].as_u64());
            let fits = |word: &&str| {
                let length = word.len() as u64;
                length >= min.unwrap_or(0) && length <= max.unwrap_or(3)
            };
            let words: Vec<&str> = WORDS.into_iter().filter(|word| fits(word)).collect();
            (*choices.pick(&words)).into()
        }
        Some("array") => {
            let min = of["minItems"].as_u64().unwrap_or(0);
            let max = of["maxItems"].as_u64().unwrap_or(min + 2);
            let count = min + choices.below(max - min + 1);
            (0..count).map(|_| value(choices, &of["items"])).collect()
        }
        _ => {
            let required = of["required"].as_array().cloned().unwrap_or_default();
            let properties = of["properties"].as_object().cloned().unwrap_or_default();
            let mut object = Map::new();
            for (name, property) in &properties {
                if required.iter().any(|one| one == name) || choices.yes() {
                    object.insert(name.clone(), value(choices, property));
                }
            }
            object.into()
        }
    }
}

/// A workflow that gives a function that takes `wanted` what an expression gives.
struct Case {
    input: Value,
    definition: Definition,
    is_readable: bool,
    wanted: Schema,
    checked: Checked,
}

fn case(input: Value, wanted: &Value, expression: &str) -> Case {
    let takes = json!({ "type": "object", "properties": { "v": wanted }, "required": ["v"], "additionalProperties": false });
    let contract = Contract {
        name: "f".to_owned(),
        docs: String::new(),
        input_schema: Json::from_value(&takes),
        output_schema: Json::from_value(&json!({ "type": "null" })),
    };
    let source = json!({
        "workflow": "w",
        "input": input,
        "plugins": { "p": "./p.wasm" },
        "steps": [{ "id": "s", "call": "p/f", "with": { "v": format!("${{{expression}}}") } }],
        "output": "${[steps.s, input]}",
    })
    .to_string();
    let offer = Offer { contracts: Some(Arc::new(vec![contract])), ..Offer::default() };
    let checked = Draft::read(&source).check(&[("p".into(), offer)].into(), Vec::new());
    let wanted = Schema::compile(&Json::from_value(&takes)).expect("it is a schema");
    let definition = Draft::read(&source).into_definition().expect("it can be read");
    // What the file's own check refuses is not evaluated, and its value is `null`.
    let is_readable = Definition::parse(&source).is_ok();
    Case { input, definition, is_readable, wanted, checked }
}

struct NoSteps;

impl StepOutputs for NoSteps {
    fn output(&self, _step: StepId) -> Option<Json> {
        None
    }
}

impl Case {
    /// What becomes of a value: whether it is accepted, or why not.
    fn outcome(&self, input: &Value) -> Result<(), String> {
        let call = self.definition.steps[0].kind.call().expect("it is a call");
        let input = Json::from_value(input);
        let scope = Scope { run: None, input: &input, steps: &NoSteps, item: None };
        match call.with.evaluate(&scope) {
            Ok(given) => self.wanted.check(&given).map_err(|refused| refused.join(", ")),
            // What depends on more than types.
            Err(Error::Failed { message, .. })
                if message.contains("division by zero") || message.contains("too large") =>
            {
                Ok(())
            }
            Err(error) => Err(format!("{EVALUATION}: {error}")),
        }
    }

    fn problems(&self) -> Vec<String> {
        let fed = self.checked.problems.iter().filter(|problem| problem.code != Code::UnusedResult);
        fed.map(|problem| format!("{}[{}] {problem}", problem.severity.name(), problem.code.name()))
            .collect()
    }
}

/// An expression over `input.x`, `input.y` and `input.z`.
fn expression(choices: &mut Choices, depth: u64) -> String {
    let part = |choices: &mut Choices| {
        if depth == 0 {
            format!("input.{}", choices.pick(&NAMES))
        } else {
            expression(choices, depth - 1)
        }
    };
    let path = format!("input.{}", choices.pick(&NAMES));
    match choices.below(22) {
        0..=2 => path,
        3 => format!("{path}.{}", choices.pick(&NAMES)),
        4 => format!("has({path}) ? {} : {}", part(choices), part(choices)),
        5 => format!("{path} != null ? {} : {}", part(choices), part(choices)),
        6 => format!("({} + {})", part(choices), part(choices)),
        7 => format!("({} * {})", part(choices), part(choices)),
        8 => format!("size({})", part(choices)),
        9 => format!("[{}, {}]", part(choices), part(choices)),
        10 => format!("{{'x': {}, 'y': {}}}", part(choices), part(choices)),
        11 => format!("({} < {})", part(choices), part(choices)),
        12 => format!("({} == {})", part(choices), part(choices)),
        13 => format!("(!{})", part(choices)),
        14 => format!("({} && {})", part(choices), part(choices)),
        15 => format!("{}.map(i, i)", part(choices)),
        16 => format!("{path}.filter(i, i != null)"),
        17 => format!("{path}.filter(i, has(i.x)).map(i, i.x)"),
        18 => format!("string({})", part(choices)),
        19 => format!("(has({path}) && {path} == {})", part(choices)),
        20 => format!("({path} == null || {path} < {})", part(choices)),
        _ => format!("({} in {})", part(choices), part(choices)),
    }
}

/// An input that has all three names, or some.
fn input_schema(choices: &mut Choices) -> Value {
    let properties: Map<String, Value> =
        NAMES.iter().map(|name| ((*name).to_owned(), schema(choices, 2))).collect();
    let required: Vec<&str> = NAMES.into_iter().filter(|_| choices.below(4) > 0).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn schemas_that_are_known_are_compared_exactly(seed in any::<u64>()) {
        let mut choices = Choices(seed);
        let (given, wanted) = (schema(&mut choices, 2), schema(&mut choices, 2));
        let input = json!({ "type": "object", "properties": { "v": given }, "required": ["v"], "additionalProperties": false });
        let case = case(input, &wanted, "input.v");
        let problems = case.problems();
        for _ in 0..20 {
            let input = value(&mut choices, &case.input);
            let outcome = case.outcome(&input);
            if problems.is_empty() && !unites_numbers(&given) && !unites_numbers(&wanted) {
                prop_assert!(outcome.is_ok(), "{outcome:?}: {given} into {wanted}: {input}");
            }
            if outcome.is_ok() {
                prop_assert_eq!(case.checked.errors, 0, "{:?}: {} into {}: {}", problems, given, wanted, input);
            }
        }
    }

    #[test]
    fn what_is_checked_does_not_fail_and_what_works_is_not_refused(seed in any::<u64>()) {
        let mut choices = Choices(seed);
        let input = input_schema(&mut choices);
        let expression = expression(&mut choices, 2);
        let wanted = schema(&mut choices, 2);
        let case = case(input, &wanted, &expression);
        let problems = case.problems();
        let feeds: Vec<_> = case.checked.problems.iter()
            .filter(|problem| problem.severity == Severity::Error && problem.at.column > 1)
            .collect();
        for _ in 0..10 {
            let input = value(&mut choices, &case.input);
            let outcome = case.outcome(&input);
            let failed = outcome.as_ref().is_err_and(|error| {
                (is_exact(&expression)
                    && !unites_numbers(&case.input)
                    && !unites_numbers(&wanted))
                    || error.starts_with(EVALUATION)
            });
            if problems.is_empty() {
                prop_assert!(!failed, "{outcome:?}: {expression} into {wanted}: {input}: {}", case.input);
            }
            // A part that is wrong may stand where it is not evaluated.
            if outcome.is_ok() && case.is_readable && !may_skip(&expression) {
                prop_assert!(feeds.is_empty(), "{outcome:?} {:?}: {} into {}: {}: {}", problems, expression, wanted, input, case.input);
            }
        }
    }
}

/// Whether some place may hold numbers of several alternatives: of those, only the least and
/// the greatest are known.
fn unites_numbers(schema: &Value) -> bool {
    let has_numbers = |schema: &Value| {
        let typed = schema.get("type").is_some_and(|kind| kind == "integer" || kind == "number");
        typed || schema.get("const").is_some_and(Value::is_number)
    };
    match schema {
        Value::Object(parts) => {
            let alternatives = parts.get("anyOf").and_then(Value::as_array);
            let of_numbers = alternatives
                .map_or(0, |parts| parts.iter().filter(|part| has_numbers(part)).count());
            of_numbers > 1 || parts.values().any(unites_numbers)
        }
        Value::Array(parts) => parts.iter().any(unites_numbers),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Whether the result's type is known exactly, and not only where it lies.
fn is_exact(expression: &str) -> bool {
    !["?", "[", "+", "*", "size", "map", "filter", "string"]
        .iter()
        .any(|part| expression.contains(part))
}

fn may_skip(expression: &str) -> bool {
    ["?", "&&", "||", "map", "filter"].iter().any(|part| expression.contains(part))
}
