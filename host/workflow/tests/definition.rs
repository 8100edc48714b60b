//! Workflow files: what is accepted and what it becomes, what is refused and where.

use wfhost_workflow::definition::{Definition, StepKind};
use wfhost_workflow::{DirMode, DurationMs, FailureKind, StepId};

/// The example of the design document, word for word but for what comes later.
const BRIEF: &str = r#"workflow: brief
version: 1
input:                       # JSON Schema; a run with a bad input is refused before anything starts
  type: object
  required: [folder]
  properties: { folder: { type: string } }
plugins:
  text: { path: ./plugins/text.wasm, grants: { dirs: [ { path: "${input.folder}", as: /in, mode: ro } ] } }
steps:
  - id: extract
    call: text/extract                    # plugin / exported function
    with: { folder: "${input.folder}" }
    timeout: 30s
    retry: { attempts: 4, backoff: { first: 200ms, factor: 2, max: 10s, jitter: 0.2 }, unless: [invalid-input] }
  - id: analyse
    map: "${steps.extract.documents}"     # one step an item, results in order
    as: doc
    at_once: 8
    call: text/analyse
    with: { text: "${doc.text}" }
  - id: report
    when: "${steps.analyse.exists(a, a.risk > 0.8)}"
    call: text/report
    with: { analyses: "${steps.analyse}" }
output: "${steps.report}"
"#;

#[track_caller]
fn parse(source: &str) -> Definition {
    match Definition::parse(source) {
        Ok(definition) => definition,
        Err(problems) => panic!("{}", problems.render("test.yaml", source)),
    }
}

/// Steps below a head that every such test shares: their lines begin at 3.
fn steps(text: &str) -> String {
    format!("{{workflow: w, plugins: {{p: ./p.wasm}},\nsteps: [\n{text}\n]}}")
}

/// Names, needs by name and kinds, a step a word.
fn outline(definition: &Definition) -> String {
    let name = |id: &StepId| definition.steps[id.position()].name.to_string();
    let names = |ids: &[StepId]| ids.iter().map(name).collect::<Vec<_>>().join(",");
    definition
        .steps
        .iter()
        .map(|step| {
            let kind = match &step.kind {
                StepKind::Call(_) => "",
                StepKind::Map(_) => "*",
                StepKind::Set(_) => "=",
                StepKind::Parallel(_) => "|",
            };
            let gates = "?".repeat(step.gates.len());
            format!("{}{kind}{gates}({})", step.name, names(&step.needs))
        })
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn the_example_of_the_design_is_read() {
    let definition = parse(BRIEF);
    assert_eq!(&*definition.name, "brief");
    assert_eq!(definition.version, "1");
    assert_eq!(outline(&definition), "extract() analyse*(extract) report?(analyse)");
    assert!(definition.input.is_some());
    let [plugin] = definition.plugins.as_slice() else { panic!("one plugin") };
    assert_eq!((&*plugin.alias, plugin.path.as_str()), ("text", "./plugins/text.wasm"));
    let [dir] = plugin.dirs.as_slice() else { panic!("one directory") };
    assert_eq!((dir.guest_path.as_str(), dir.mode), ("/in", DirMode::ReadOnly));
    let extract = &definition.steps[0];
    assert_eq!(extract.timeout, DurationMs::from_secs(30));
    assert_eq!(extract.retry.attempts, 4);
    assert_eq!(extract.retry.first, DurationMs(200));
    assert_eq!(extract.retry.unless, [FailureKind::InvalidInput].into());
    assert_eq!(extract.dependents, [StepId(1)]);
    let StepKind::Map(map) = &definition.steps[1].kind else { panic!("a map") };
    assert_eq!((map.at_once, map.call.function.as_str()), (8, "analyse"));
    assert!(definition.is_heavy(), "its `when` is an expression");
}
