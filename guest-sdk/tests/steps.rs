//! Steps as the host sees them: described, and run on JSON texts.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wfhost_guest::{
    Context, Error, ErrorKind, OrFail, Result, Steps, export, step, steps, testing,
};

#[derive(Deserialize, JsonSchema)]
struct Input {
    /// Whom to greet.
    name: String,
    #[serde(default)]
    times: Option<u8>,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    greeting: String,
}

/// Greets somebody by name.
///
/// As often as it is told to.
#[step]
fn greet(input: Input) -> Output {
    let once = format!("Hello, {}!", input.name);
    Output { greeting: vec![once; input.times.unwrap_or(1).into()].join(" ") }
}

#[step(name = "where-am-i")]
fn context(_: (), context: &Context) -> Value {
    json!([
        context.step,
        context.attempt,
        context.index,
        context.remaining() <= Duration::from_secs(60)
    ])
}

/// Functions may have the names that the macro's own code has.
#[step]
fn run(input: u32, context: Context) -> Result<u32> {
    let factor = context.attempt;
    input.checked_mul(factor).or_permanent("too-big")
}

#[step]
fn parse_number(input: String) -> Result<i64, std::num::ParseIntError> {
    input.parse()
}

#[step]
fn nothing(_: Vec<u8>) -> Result<()> {
    Ok(())
}

mod inner {
    /// In a module, taken by its path.
    #[wfhost_guest::step]
    pub(super) fn up(text: String) -> String {
        text.to_uppercase()
    }
}

export!(greet, context, run, parse_number, nothing, inner::up);

fn all() -> Steps {
    steps![greet, context, run, parse_number, nothing, inner::up]
}

#[track_caller]
fn answers(name: &str, input: &str, expected: &Value) {
    let answer = all().run(name, testing::context(), input).expect("the step answers");
    assert_eq!(serde_json::from_str::<Value>(&answer).expect("the answer is JSON"), *expected);
}

#[track_caller]
fn fails(name: &str, input: &str, kind: ErrorKind, code: &str, message: &str) {
    let error = all().run(name, testing::context(), input).expect_err("the step fails");
    assert_eq!((error.kind(), error.code(), error.message()), (kind, code, message));
}

#[test]
fn answers_in_every_shape() {
    answers("greet", r#"{"name": "Ada"}"#, &json!({"greeting": "Hello, Ada!"}));
    answers(
        "greet",
        r#"{"name": "Ada", "times": 2}"#,
        &json!({"greeting": "Hello, Ada! Hello, Ada!"}),
    );
    answers("where-am-i", "null", &json!(["step", 1, null, true]));
    answers("run", "21", &json!(21));
    answers("parse-number", r#""-3""#, &json!(-3));
    answers("nothing", "[1, 2]", &json!(null));
    answers("up", r#""tea""#, &json!("TEA"));
}

#[test]
fn failures_in_every_shape() {
    fails(
        "run",
        "4294967296",
        ErrorKind::InvalidInput,
        "invalid-input",
        "invalid value: integer `4294967296`, expected u32 at line 1 column 10",
    );
    fails(
        "greet",
        "{}",
        ErrorKind::InvalidInput,
        "invalid-input",
        "missing field `name` at line 1 column 2",
    );
    fails(
        "greet",
        "not JSON",
        ErrorKind::InvalidInput,
        "invalid-input",
        "expected ident at line 1 column 2",
    );
    fails(
        "parse-number",
        r#""three""#,
        ErrorKind::Retryable,
        "failed",
        "invalid digit found in string",
    );
    fails(
        "shout",
        "{}",
        ErrorKind::Permanent,
        "unknown-step",
        "there is no step `shout`; there is `greet`, `where-am-i`, `run`, `parse-number`, `nothing`, `up`",
    );
}

#[test]
fn the_attempts_context_reaches_the_step() {
    let mut context = testing::context().with_remaining(Duration::ZERO);
    (context.attempt, context.index) = (3, Some(7));
    let answer = all().run("where-am-i", context.clone(), "null").expect("the step answers");
    assert_eq!(answer, r#"["step",3,7,true]"#);
    assert_eq!(context.remaining(), Duration::ZERO);
    let error = all().run("run", context, "4000000000").expect_err("over 32 bits");
    assert_eq!(error, Error::permanent("too-big", "a value is missing"));
}

#[test]
fn descriptions_hold_docs_and_both_schemas() {
    let described = all().describe();
    let names: Vec<&str> = described.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["greet", "where-am-i", "run", "parse-number", "nothing", "up"]);
    assert_eq!(described[0].docs, "Greets somebody by name.\n\nAs often as it is told to.");
    let schema = |text: &str| serde_json::from_str::<Value>(text).expect("a schema is JSON");
    assert_eq!(
        schema(&described[0].input_schema),
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "Input",
            "type": "object",
            "properties": {
                "name": {"description": "Whom to greet.", "type": "string"},
                "times": {"type": ["integer", "null"], "format": "uint8", "minimum": 0, "maximum": 255, "default": null},
            },
            "required": ["name"],
        })
    );
    assert_eq!(
        schema(&described[0].output_schema),
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "Output",
            "type": "object",
            "properties": {"greeting": {"type": "string"}},
            "required": ["greeting"],
        })
    );
    assert_eq!(
        schema(&described[3].output_schema)["type"],
        "integer",
        "of what is in the `Result`"
    );
}

#[test]
#[should_panic(expected = "two steps have one name")]
fn two_steps_of_one_name_are_refused() {
    const TWICE: &[wfhost_guest::Step] =
        &[<greet as wfhost_guest::StepFunction>::STEP, <greet as wfhost_guest::StepFunction>::STEP];
    let _steps = Steps::new(TWICE);
}
