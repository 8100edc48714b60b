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
    assert_eq!(evaluate(&quoted), expected, "{expression}");
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
