//! `check` of feeds, grants and structure, by real plugins.

use crate::place::Place;

/// A workflow whose plugin is `guest`, the rest as it is written.
fn check(place: &Place, guest: &str, rest: &str, arguments: &[&str]) -> crate::place::Outcome {
    let file = place.workflow("w.yaml", guest, rest);
    let mut all = vec!["check", file.as_str()];
    all.extend(arguments);
    place.wfhost(&all)
}

#[test]
fn what_a_step_is_fed_is_held_against_its_contract() {
    let place = Place::new();
    let rest = "steps:\n  - id: a\n    call: p/greet\n    with: { name: 7 }\n  - id: b\n    call: p/greet\n    with: { nam: x }\n  - id: c\n    set: \"${steps.a.greting}\"\noutput: \"${steps.c}\"\n";
    let outcome = check(&place, "hello", rest, &[]).exits(3);
    let report = outcome.stderr.replace(&place.path("w.yaml").display().to_string(), "w.yaml");
    for part in [
        "w.yaml:7:19: error: `name` must be text, not a number [wrong-type]\n7 |     with: { name: 7 }\n  |                   ^\n",
        "`greet` requires `name`, and it is missing [missing-field]",
        "w.yaml:12:13: error: `steps.a` has no `greting` [unknown-field]\n",
        "hint: did you mean `greeting`?",
        "w.yaml has 3 errors",
    ] {
        assert!(report.contains(part), "`{part}` is missing in\n{report}");
    }
    place.wfhost(&["run", &place.path("w.yaml").display().to_string()]).exits(3).says("greting");
    assert!(!place.path("data/store").exists(), "nothing was stored");
}

#[test]
fn warnings_refuse_a_file_only_where_that_is_wanted() {
    let place = Place::new();
    let rest = "input: { type: object, properties: { name: { type: string } } }\nsteps:\n  - id: a\n    call: p/greet\n    with: { name: \"${input.name}\" }\noutput: \"${steps.a}\"\n";
    let outcome = check(&place, "hello", rest, &[]).ok();
    assert!(outcome.stderr.contains("warning: `input.name` may be missing [may-be-missing]"));
    assert!(outcome.stdout.contains("1 warning"), "{}", outcome.stdout);
    check(&place, "hello", rest, &["--strict"]).exits(3).says("may be missing");
    let json = check(&place, "hello", rest, &["--output", "json"]).ok().json();
    let problem = &json["problems"][0];
    assert_eq!(
        (&problem["severity"], &problem["code"]),
        (&"warning".into(), &"may-be-missing".into())
    );
    assert_eq!(
        (&problem["line"], &problem["column"], &problem["end_column"]),
        (&8.into(), &22.into(), &32.into())
    );
    assert_eq!((&json["warnings"], &json["errors"]), (&1.into(), &0.into()));
    assert_eq!((&json["fan_out"]["calls"], &json["fan_out"]["at_once"]), (&1.into(), &1.into()));
    place.wfhost(&["run", &place.path("w.yaml").display().to_string(), "-p", "name=Ada"]).ok();
}

#[test]
fn one_plugin_that_is_missing_does_not_hide_the_others() {
    let place = Place::new();
    let rest = "  q: ./none.wasm\nsteps:\n  - id: a\n    call: p/great\n  - id: b\n    call: q/x\n  - id: c\n    tmeout: 1s\n    set: 1\noutput: \"${steps}\"\n";
    let outcome = check(&place, "hello", rest, &[]).exits(3);
    for part in [
        "none.wasm",
        "[plugin-unusable]",
        "did you mean `greet`?",
        "[unknown-function]",
        "[unknown-key]",
    ] {
        assert!(outcome.stderr.contains(part), "`{part}` is missing in\n{}", outcome.stderr);
    }
}

#[test]
fn directories_are_compared_with_what_is_asked_for() {
    let place = Place::new();
    let steps = "steps:\n  - id: a\n    call: p/extract\n    with: { folder_inside: /in }\noutput: \"${steps.a}\"\n";
    check(&place, "text", steps, &[]).ok().says("[grant-not-given]");
    let given = |dirs: &str| {
        let text = format!(
            "workflow: w\nplugins:\n  p: {{ path: {}, grants: {{ dirs: [{dirs}] }} }}\n{steps}",
            crate::place::guest_path("text").display()
        );
        place.write("given.yaml", &text).display().to_string()
    };
    let file = given("{ path: ., as: /in }");
    assert!(!place.wfhost(&["check", &file]).ok().stderr.contains("[grant"));
    let file = given("{ path: ./none, as: /in }");
    place.wfhost(&["check", &file]).exits(3).says("[grant-unusable]");
    let file = given("{ path: ., as: /in }, { path: ., as: /other }");
    place.wfhost(&["check", &file]).exits(3).says("[grant-not-asked]");
}

#[test]
fn a_kind_of_problem_is_explained() {
    let place = Place::new();
    let outcome = place.wfhost(&["check", "--explain", "may-be-null"]).ok();
    assert!(outcome.stdout.starts_with("may-be-null: "), "{}", outcome.stdout);
    place.wfhost(&["check", "--explain", "none"]).exits(2).says("may-be-null");
    place.wfhost(&["check"]).exits(2);
}
