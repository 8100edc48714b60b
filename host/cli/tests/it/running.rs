//! `run`: from a file to its output.

use crate::place::Place;

const HELLO: &str = "input:
  type: object
  required: [name]
  properties: { name: { type: string }, times: { type: integer, default: 2 } }
steps:
  - id: greet
    call: p/greet
    with: { name: \"${input.name}\" }
output: { text: \"${steps.greet.greeting}\", times: \"${input.times}\" }
";

const FAIL: &str = "steps:
  - id: fine
    set: 1
  - id: broken
    call: p/fail
    with: permanent
  - id: never
    set: 2
";

#[test]
fn the_output_is_all_that_is_on_standard_output() {
    let place = Place::new();
    let file = place.workflow("hello.yaml", "hello", HELLO);
    let outcome = place.wfhost(&["run", &file, "-p", "name=Ada"]).ok();
    assert_eq!(outcome.stdout, "{\"text\":\"Hello, Ada!\",\"times\":2}\n");
    assert!(outcome.stderr.contains("greet: done"), "{}", outcome.stderr);
    let quiet = place.wfhost(&["run", &file, "-p", "name=Ada", "-q"]).ok();
    assert_eq!(quiet.stderr, "");
}

#[test]
fn input_comes_from_where_it_is_wanted() {
    let place = Place::new();
    let file = place.workflow("hello.yaml", "hello", HELLO);
    place.write("input.json", "{\"name\": \"File\", \"times\": 7}");
    let check = |arguments: &[&str], stdin: &str, text: &str, times: i32| {
        let mut all = vec!["run", &file];
        all.extend(arguments);
        let output = place.wfhost_reading(&all, stdin).ok().json();
        assert_eq!(
            (output["text"].as_str(), output["times"].as_i64()),
            (Some(text), Some(times.into()))
        );
    };
    check(&["--input", "{\"name\":\"Json\"}"], "", "Hello, Json!", 2);
    check(&["--input", "@input.json"], "", "Hello, File!", 7);
    check(&["--input", "-"], "{\"name\":\"Pipe\"}", "Hello, Pipe!", 2);
    check(&["--input", "@input.json", "-p", "name=12", "-p", "times=3"], "", "Hello, 12!", 3);
}

#[test]
fn a_bad_input_is_refused_before_anything_starts() {
    let place = Place::new();
    let file = place.workflow("hello.yaml", "hello", HELLO);
    place.wfhost(&["run", &file]).exits(3).says("name");
    place.wfhost(&["run", &file, "-p", "name=x", "-p", "times=many"]).exits(3).says("times");
    place
        .wfhost(&["run", &file, "--input", "{\"name\":1,\"times\":\"x\"}"])
        .exits(3)
        .says("times")
        .says("name");
    place.wfhost(&["run", &file, "--input", "{"]).exits(2).says("not JSON");
    assert!(!place.path("data/store").exists(), "nothing was stored");
}

#[test]
fn json_has_the_run_with_its_steps() {
    let place = Place::new();
    let file = place.workflow("hello.yaml", "hello", HELLO);
    let json = place.wfhost(&["run", &file, "-p", "name=Ada", "--output", "json"]).ok().json();
    assert_eq!(json["status"], "succeeded");
    assert_eq!(json["workflow"], "hello");
    assert_eq!(json["output"]["text"], "Hello, Ada!");
    assert_eq!(json["steps"][0]["state"], "done");
    assert_eq!(json["run"].as_str().map(str::len), Some(26));
}

#[test]
fn a_failed_run_is_code_1_and_names_the_step() {
    let place = Place::new();
    let file = place.workflow("fail.yaml", "probe", FAIL);
    let outcome =
        place.wfhost(&["run", &file]).exits(1).says("broken").says("never").says("runs show");
    assert_eq!(outcome.stdout, "");
    let json = place.wfhost(&["run", &file, "--output", "json"]).exits(1).json();
    assert_eq!(json["status"], "failed");
    let states: Vec<_> =
        json["steps"].as_array().unwrap().iter().map(|step| step["state"].clone()).collect();
    assert_eq!(states, ["done", "failed", "stopped"]);
}

#[test]
fn what_a_step_logs_is_shown_as_wanted() {
    let place = Place::new();
    let file = place.workflow(
        "log.yaml",
        "probe",
        "steps:\n  - id: say\n    call: p/write-log\n    with: Ada\n",
    );
    let plain = place.wfhost(&["run", &file]).ok().stderr;
    assert!(
        plain.contains(" say warn w")
            && plain.contains(" say error e")
            && !plain.contains("hello Ada"),
        "{plain}"
    );
    let verbose = place.wfhost(&["run", &file, "-v"]).ok().stderr;
    assert!(
        verbose.contains("say info hello Ada who=\"Ada\"") && !verbose.contains("say debug"),
        "{verbose}"
    );
}

#[test]
fn every_durability_works() {
    let place = Place::new();
    let file = place.workflow("hello.yaml", "hello", HELLO);
    for durability in ["sync", "os", "none"] {
        place.wfhost(&["run", &file, "-p", "name=Ada", "--durability", durability]).ok();
    }
    assert_eq!(
        place.wfhost(&["runs", "list", "--output", "json"]).ok().json().as_array().unwrap().len(),
        3
    );
}

#[test]
fn the_data_folder_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let file = place.workflow("hello.yaml", "hello", HELLO);
    place.wfhost(&["run", &file, "-p", "name=Ada"]).ok();
    let mode = std::fs::metadata(place.path("data")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

const ANY: &str = "steps:
  - id: greet
    call: p/greet
    with: { name: Ada }
  - id: divide
    call: p/test:echo/arithmetic#divide
    with: { a: 7, b: 2 }
  - id: again
    call: p/test:echo/arithmetic@1.2.0#divide
    with: { a: \"${steps.divide}\", b: 3 }
output: { greeting: \"${steps.greet}\", quotient: \"${steps.again}\" }
";

#[test]
fn functions_of_any_component_are_steps() {
    let place = Place::new();
    let file = place.workflow("any.yaml", "echo-types", ANY);
    let text = place.wfhost(&["check", &file]).ok().stdout;
    assert!(text.contains("test:echo/arithmetic@1.2.0#divide"), "{text}");
    let outcome = place.wfhost(&["run", &file]).ok();
    assert_eq!(outcome.stdout, "{\"greeting\":\"Hello, Ada!\",\"quotient\":1}\n");
    let failing = ANY.replace("b: 2", "b: 0");
    let file = place.workflow("failing.yaml", "echo-types", &failing);
    place.wfhost(&["run", &file]).exits(1).says("by-zero");
    let handles = ANY.replace("arithmetic#divide", "files#rename");
    let file = place.workflow("handles.yaml", "echo-types", &handles);
    place.wfhost(&["check", &file]).exits(3).says("borrow<file>");
    let wrong = ANY.replace("b: 2", "b: two");
    let file = place.workflow("wrong.yaml", "echo-types", &wrong);
    place.wfhost(&["check", &file]).exits(3).says("wrong.yaml:");
}
