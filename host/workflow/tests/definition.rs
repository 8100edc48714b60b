//! Workflow files: what is accepted and what it becomes, what is refused and where.

use wfhost_workflow::definition::{Definition, StepKind};
use wfhost_workflow::{Determinism, DirMode, DurationMs, FailureKind, Limit, Limits, StepId};

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

#[track_caller]
fn check_outline(text: &str, expected: &str) {
    assert_eq!(outline(&parse(&steps(text))), expected, "{text}");
}

#[test]
fn steps_follow_one_another_unless_they_say_otherwise() {
    check_outline("{id: a, set: 1}, {id: b, set: 1}, {id: c, set: 1}", "a=() b=(a) c=(b)");
    check_outline("{id: a, set: 1}, {id: b, needs: [], set: 1}", "a=() b=()");
    check_outline("{id: a, set: 1}, {id: b, needs: , set: 1}", "a=() b=()");
    check_outline("{id: a, needs: b, set: 1}, {id: b, needs: [], set: 1}", "b=() a=(b)");
    check_outline(
        "{id: a, set: 1}, {id: b, needs: [], set: 1}, {id: c, needs: [b, a, b], set: 1}",
        "a=() b=() c=(a,b)",
    );
}

#[test]
fn a_parallel_becomes_its_branches_and_a_join() {
    check_outline(
        "{id: a, set: 1}, {id: p, parallel: [{id: b, set: 1}, {id: c, set: 1}]}, {id: d, set: 1}",
        "a=() b=(a) c=(a) p|(b,c) d=(p)",
    );
    check_outline(
        "{id: p, parallel: [[{id: b, set: 1}, {id: c, set: 1}], {id: d, set: 1}]}",
        "b=() c=(b) d=() p|(c,d)",
    );
    check_outline(
        "{id: x, set: 1}, {id: p, needs: [], parallel: [{id: b, set: 1}]}",
        "x=() b=() p|(b)",
    );
    check_outline(
        "{id: x, set: 1}, {id: p, parallel: [[{id: b, set: 1}, {id: c, needs: [], set: 1}]]}",
        "x=() b=(x) c=(x) p|(c)",
    );
    check_outline(
        "{id: p, parallel: [{id: q, parallel: [{id: a, set: 1}, {id: b, set: 1}]}, {id: c, set: 1}]}",
        "a=() b=() q|(a,b) c=() p|(q,c)",
    );
}

#[test]
fn the_when_of_a_parallel_holds_for_all_inside_it_and_the_join() {
    check_outline(
        "{id: a, set: 1}, {id: p, when: '${steps.a > 0}', parallel: [
            {id: b, set: 1, when: '${steps.a > 1}'}, [{id: c, set: 1}, {id: d, set: 1}]]}, {id: e, set: 1}",
        "a=() b=??(a) c=?(a) d=?(c) p|?(b,d) e=(p)",
    );
    let definition = parse(&steps("{id: p, parallel: [{id: b, set: 1}, {id: c, set: 1}]}"));
    let StepKind::Parallel(branches) = &definition.steps[2].kind else { panic!("a join") };
    let branches: Vec<_> = branches.iter().map(|b| (&*b.name, b.last)).collect();
    assert_eq!(branches, [("b", StepId(0)), ("c", StepId(1))]);
}

#[test]
fn defaults_hold_where_nothing_is_written() {
    let definition = parse(
        "workflow: w\nplugins: {p: x}\nsteps:\n  - {id: a, call: p/ns:pkg/iface#f}\n  - {id: b, map: '${input}', call: p/f}",
    );
    assert_eq!(definition.version, "1");
    assert_eq!(definition.output.constant_text(), Some("null"));
    let StepKind::Call(call) = &definition.steps[0].kind else { panic!("a call") };
    assert_eq!((call.function.as_str(), call.with.constant_text()), ("ns:pkg/iface#f", Some("{}")));
    assert_eq!(definition.steps[0].timeout, DurationMs::from_secs(300));
    assert_eq!(definition.steps[0].retry, wfhost_workflow::definition::RetryPolicy::default());
    let StepKind::Map(map) = &definition.steps[1].kind else { panic!("a map") };
    assert_eq!(map.at_once, 16);
    assert_eq!(definition.step_named("b"), Some(StepId(1)));
    assert_eq!(definition.step_named("c"), None);
    assert!(!definition.is_heavy());
}

#[test]
fn limits_and_durations_are_read_in_their_units() {
    let definition = parse(
        "workflow: w\nversion: 1.10\nplugins: {p: {path: x, determinism: strict, limits: {memory: 256MiB, output: 1024, log: 64 KiB, kv_total: 2MB, cpu_time: 1m30s, handles: 9}}}
steps:\n  - {id: a, call: p/f, timeout: 1h30m5s250ms, retry: {backoff: {first: 1m}}}",
    );
    let wanted = Limits::default()
        .with(Limit::Memory, 256 << 20)
        .with(Limit::Output, 1024)
        .with(Limit::Log, 64 << 10)
        .with(Limit::KvTotal, 2_000_000)
        .with(Limit::CpuTime, 90_000)
        .with(Limit::Handles, 9);
    assert_eq!(definition.plugins[0].limits, wanted);
    assert_eq!(definition.plugins[0].determinism, Determinism::Strict);
    assert_eq!(definition.version, "1.10", "as it is written");
    let step = &definition.steps[0];
    assert_eq!(step.timeout, DurationMs(5_405_250));
    assert_eq!((step.retry.first, step.retry.max), (DurationMs(60_000), DurationMs(60_000)));
    assert!(step.retry.unless.is_empty(), "a policy that is written repeats what it does not name");
}

#[test]
fn where_and_when_steps_run_is_read() {
    let definition = parse(
        "workflow: w\npriority: -3\npoison_after: 5\nplugins: {p: {path: ./p.wasm, concurrency: 2}, q: ./q.wasm}\nsteps:\n  - {id: a, call: p/f, requires: {gpu: \"true\", zone: eu-1}, queue_timeout: 10m}\n  - {id: b, map: [1], call: q/f}",
    );
    assert_eq!((definition.priority.level(), definition.poison_after), (-3, 5));
    let concurrency: Vec<Option<u32>> =
        definition.plugins.iter().map(|plugin| plugin.concurrency).collect();
    assert_eq!(concurrency, [Some(2), None]);
    let [a, b] = &definition.steps[..] else { panic!("{:?}", definition.steps) };
    let labels: Vec<(&str, &str)> =
        a.requires.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(labels, [("gpu", "true"), ("zone", "eu-1")]);
    assert_eq!(a.queue_timeout, Some(DurationMs::from_secs(600)));
    assert!(b.requires.is_empty());
    assert_eq!(b.queue_timeout, None);
    let plain = parse("workflow: w\nsteps: [{id: a, set: 1}]");
    assert_eq!((plain.priority.level(), plain.poison_after), (0, 3));
}
