//! `check`, and what `run` refuses before anything is stored.

use crate::place::{Place, guest_path};

const HELLO: &str = "input:
  type: object
  required: [name]
  properties: { name: { type: string } }
steps:
  - id: greet
    call: p/greet
    with: { name: \"${input.name}\" }
output: \"${steps.greet.greeting}\"
";

#[track_caller]
fn refused(place: &Place, text: &str, parts: &[&str]) {
    let file = place.write("wrong.yaml", text).display().to_string();
    for command in ["check", "run"] {
        let outcome = place.wfhost(&[command, &file]).exits(3);
        for part in parts {
            assert!(
                outcome.stderr.contains(part),
                "{command}: `{part}` is missing in\n{}",
                outcome.stderr
            );
        }
    }
    assert!(!place.path("data/store").exists(), "nothing was stored");
}

#[test]
fn a_valid_workflow_is_summed_up() {
    let place = Place::new();
    let file = place.workflow("hello.yaml", "hello", HELLO);
    let text = place.wfhost(&["check", &file]).ok().stdout;
    assert!(
        text.contains("workflow hello (version 1), 1 steps") && text.contains("greet"),
        "{text}"
    );
    let json = place.wfhost(&["check", &file, "--output", "json"]).ok().json();
    assert_eq!(json["valid"], true);
    assert_eq!(json["plugins"][0]["functions"][0]["name"], "greet");
    assert_eq!(json["plugins"][0]["functions"][0]["input_schema"]["type"], "object");
    assert!(!place.path("data").exists(), "checking stores nothing");
}

#[test]
fn problems_have_their_place_and_a_hint() {
    let place = Place::new();
    refused(&place, "workflow: [", &["wrong.yaml:1:"]);
    refused(&place, "workflow: w\nstpes: []\n", &["wrong.yaml:2:1", "^", "did you mean `steps`?"]);
    refused(
        &place,
        "workflow: w\nsteps:\n  - id: extract\n    set: 1\n  - id: b\n    set: \"${steps.extrakt}\"\n",
        &["wrong.yaml:6:", "did you mean"],
    );
    refused(
        &place,
        "workflow: w\nsteps:\n  - id: a\n    set: 1\n  - id: a\n    set: 2\n",
        &["wrong.yaml:5:"],
    );
}

#[test]
fn plugins_are_checked_too() {
    let place = Place::new();
    refused(
        &place,
        "workflow: w\nplugins:\n  p: ./none.wasm\nsteps:\n  - id: a\n    call: p/f\n",
        &["none.wasm"],
    );
    let wasm = place.write("text.wasm", "this is no component").display().to_string();
    let text = format!("workflow: w\nplugins:\n  p: {wasm}\nsteps:\n  - id: a\n    call: p/f\n");
    refused(&place, &text, &["not a WebAssembly component"]);
    let file = place.workflow("hello.yaml", "hello", &HELLO.replace("p/greet", "p/great"));
    place.wfhost(&["check", &file]).exits(3).says("did you mean `greet`?");
}

#[test]
fn problems_are_json_where_that_is_wanted() {
    let place = Place::new();
    let file = place.write("wrong.yaml", "workflow: w\nstpes: []\n").display().to_string();
    let json = place.wfhost(&["check", &file, "--output", "json"]).exits(3).json();
    assert_eq!(json["valid"], false);
    let problems = json["problems"].as_array().unwrap();
    let unknown = problems.iter().find(|problem| problem["line"] == 2).unwrap();
    assert_eq!(
        (&unknown["column"], &unknown["hint"]),
        (&1.into(), &"did you mean `steps`?".into())
    );
}

#[test]
fn a_missing_file_is_wrong_usage() {
    Place::new().wfhost(&["check", "none.yaml"]).exits(2).says("could not read none.yaml");
}

#[test]
fn a_component_that_opens_files_and_asks_for_none_is_noted() {
    let place = Place::new();
    let steps = "steps:\n  - id: a\n    call: p/told\n    with: ${null}\noutput: ${steps.a}\n";
    // Away from its plugin.toml it asks for nothing.
    std::fs::copy(guest_path("probe"), place.path("alone.wasm")).unwrap();
    let text = format!("workflow: w\nplugins: {{ p: ./alone.wasm }}\n{steps}");
    let file = place.write("alone.yaml", &text).display().to_string();
    let checked = place.wfhost(&["check", &file]).ok();
    assert!(checked.stderr.contains("[grant-unused]"), "{}", checked.stderr);
    let hello = place.workflow("hello.yaml", "hello", HELLO);
    let checked = place.wfhost(&["check", &hello]).ok();
    assert!(!checked.stderr.contains("grant-unused"), "{}", checked.stderr);
}

#[test]
fn with_and_nothing_after_it_is_a_problem() {
    let place = Place::new();
    for nothing in ["null", "~", ""] {
        let steps = format!("steps:\n  - id: a\n    call: p/told\n    with: {nothing}\n");
        let file = place.workflow("w.yaml", "probe", &steps);
        place.wfhost(&["check", &file]).exits(3).says("`with` has no value").says("${null}");
    }
}

#[test]
fn a_manifest_keeps_functions_from_workflows_and_lowers_limits() {
    let place = Place::new();
    std::fs::copy(guest_path("hello"), place.path("own.wasm")).unwrap();
    let manifest = "name = \"own\"\nversion = \"1.0.0\"\n";
    let text = format!("workflow: own\nplugins: {{ p: ./own.wasm }}\n{HELLO}");
    let file = place.write("own.yaml", &text).display().to_string();
    place.write("own.plugin.toml", &format!("{manifest}exports = []\n"));
    refused(&place, &text, &["`greet` is not among the `exports` of", "own.plugin.toml"]);
    place.write("own.plugin.toml", &format!("{manifest}exports = [\"greet\"]\n"));
    place.wfhost(&["check", &file]).ok();
    place.write("own.plugin.toml", &format!("{manifest}limits = {{ memory = \"64KiB\" }}\n"));
    let run = place.wfhost(&["run", &file, "-p", "name=x"]);
    assert_ne!(run.code, Some(0), "it needs more: {}", run.stderr);
    assert!(run.stderr.contains("memory"), "{}", run.stderr);
    place.write("own.plugin.toml", &format!("{manifest}limits = {{ memory = \"1GiB\" }}\n"));
    place.wfhost(&["run", &file, "-p", "name=x"]).ok();
}
