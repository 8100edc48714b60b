//! `plugin call`: one attempt without a data folder.

use crate::place::{Place, guest_path};

fn call(place: &Place, guest: &str, arguments: &[&str]) -> crate::place::Outcome {
    let guest = guest_path(guest).display().to_string();
    let mut all = vec!["plugin", "call", &guest];
    all.extend(arguments);
    place.wfhost(&all)
}

#[test]
fn a_function_is_called_and_nothing_is_stored() {
    let place = Place::new();
    let outcome = call(&place, "hello", &["greet", "{\"name\":\"Ada\"}"]).ok();
    assert_eq!(outcome.stdout, "{\"greeting\":\"Hello, Ada!\"}\n");
    place.write("input.json", "{\"name\":\"File\"}");
    assert!(call(&place, "hello", &["greet", "@input.json"]).ok().stdout.contains("File"));
    assert!(!place.path("data").exists());
}

#[test]
fn log_lines_go_to_standard_error() {
    let outcome = call(&Place::new(), "probe", &["write-log", "\"Ada\""]).ok();
    assert!(outcome.stderr.contains("info hello Ada who=\"Ada\" list=[1,2]"), "{}", outcome.stderr);
    assert_eq!(outcome.stdout, "null\n");
}

#[test]
fn wrong_calls_have_their_codes() {
    let place = Place::new();
    call(&place, "hello", &["great", "{}"]).exits(2).says("it has greet");
    call(&place, "hello", &["greet", "{}"]).exits(3).says("name");
    call(&place, "hello", &["greet", "{"]).exits(2).says("not JSON");
    let outcome = call(&place, "probe", &["fail", "\"permanent\"", "--output", "json"])
        .exits(1)
        .says("permanent (c): never");
    assert_eq!(outcome.json()["failure"]["code"], "c");
    call(&place, "probe", &["fail", "\"panic\""]).exits(1).says("trap");
}

#[test]
fn a_directory_is_given_by_the_path_that_the_guest_sees() {
    let place = Place::new();
    std::fs::create_dir(place.path("texts")).unwrap();
    place.write("texts/one.txt", "One short text.\n");
    let input = "{\"folder_inside\":\"/in\"}";
    let outcome = call(&place, "text", &["extract", input, "--dir", "/in=texts"]).ok();
    assert!(outcome.stdout.contains("One short text"), "{}", outcome.stdout);
    call(&place, "text", &["extract", input]).exits(1);
    call(&place, "text", &["extract", input, "--dir", "texts"]).exits(2).says("/GUEST=PATH");
}

/// Knows nothing of wfhost: its functions are called by their WIT types.
#[test]
fn a_function_of_any_component_is_called() {
    let place = Place::new();
    let greet = call(&place, "echo-types", &["greet", "{\"name\":\"Ada\"}"]).ok();
    assert_eq!(greet.stdout, "\"Hello, Ada!\"\n");
    for name in ["test:echo/arithmetic#divide", "test:echo/arithmetic@1.2.0#divide"] {
        let divide = call(&place, "echo-types", &[name, "{\"a\":7,\"b\":-2}"]).ok();
        assert_eq!(divide.stdout, "-3\n");
    }
    let divide = "test:echo/arithmetic#divide";
    call(&place, "echo-types", &[divide, "{\"a\":7,\"b\":0}"]).exits(1).says("by-zero");
    call(&place, "echo-types", &[divide, "{\"a\":7,\"b\":\"x\"}"])
        .exits(3)
        .says("at .b: expected s32 (-2147483648 to 2147483647), found \"x\"");
    call(&place, "echo-types", &["test:echo/files#rename", "{}"])
        .exits(3)
        .says("`.file` is a borrowed resource");
    call(&place, "echo-types", &["gret", "{}"]).exits(2).says("it has ");
}
