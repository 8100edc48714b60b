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

/// Guest, limit and host: told apart by the kind in JSON, all with the code of a failure.
#[test]
fn whose_fault_it_was_is_in_the_json() {
    let place = Place::new();
    let kind = |arguments: &[&str]| {
        let mut all = arguments.to_vec();
        all.extend(["--output", "json"]);
        let failure = call(&place, "probe", &all).exits(1).json()["failure"].clone();
        let text = |name: &str| failure[name].as_str().unwrap().to_owned();
        (text("kind"), text("code"), text("message"))
    };
    let (trap, code, message) = kind(&["fail", "\"panic\""]);
    assert_eq!((trap.as_str(), code.as_str()), ("trap", "unreachable"));
    assert!(message.contains("probe/src/lib.rs:"), "{message}");
    let (limit, code, message) = kind(&["write-log", "\"x\"", "--limit", "log=40"]);
    assert_eq!((limit.as_str(), code.as_str()), ("limit", "log"));
    assert!(message.contains("`log` of 40B") && message.ends_with("`--limit log=…`"), "{message}");
    let (timeout, code, _) = kind(&["chance", "3600", "--timeout", "50ms"]);
    assert_eq!((timeout.as_str(), code.as_str()), ("timeout", "timeout"));
    std::fs::create_dir(place.path("gone")).unwrap();
    let (permanent, ..) = kind(&["fail", "\"permanent\""]);
    assert_eq!(permanent, "permanent");
}

#[test]
fn a_strict_call_is_the_same_each_time_and_sleeps_no_time() {
    let place = Place::new();
    let strict = || call(&place, "probe", &["chance", "3600", "--strict"]).ok().stdout;
    let once = strict();
    assert_eq!(once, strict());
    assert!(once.contains("\"slept_ns\":3600000000000"), "{once}");
}

#[test]
fn a_core_dump_is_written_to_the_folder_that_is_named() {
    let place = Place::new();
    let outcome = call(&place, "probe", &["fail", "\"panic\"", "--core-dump", "dumps"]).exits(1);
    let files: Vec<_> = std::fs::read_dir(place.path("dumps")).unwrap().collect();
    assert_eq!(files.len(), 1);
    assert!(outcome.stderr.contains(".coredump.wasm"), "{}", outcome.stderr);
}

#[test]
fn the_operators_configuration_holds_and_its_mistakes_are_named() {
    let place = Place::new();
    let config = place.write("config.toml", "[limits]\nlog = \"40B\"\n").display().to_string();
    let arguments = ["write-log", "\"x\"", "--config", &config];
    call(&place, "probe", &arguments).exits(1).says("`limits.log` in config.toml");
    // The lower of both.
    let with_flag = ["write-log", "\"x\"", "--config", &config, "--limit", "log=30"];
    call(&place, "probe", &with_flag).exits(1).says("of 30B");
    place.write("config.toml", "[limits]\nlgo = \"40B\"\n");
    call(&place, "probe", &arguments).exits(2).says("config.toml:2:1").says("did you mean `log`?");
    call(&place, "probe", &["write-log", "\"x\"", "--limit", "lgo=1"]).exits(2).says("`log`");
    let limits = place.wfhost(&["limits"]).ok().stdout;
    assert!(limits.contains("memory") && limits.contains("512MiB"), "{limits}");
}

/// What is left under `ulimit -v` is a smaller pool, and no failure.
#[test]
fn a_short_address_space_makes_the_pool_smaller() {
    let place = Place::new();
    let guest = guest_path("hello").display().to_string();
    // Compiling has a process of its own with limits of its own; it is done before.
    call(&place, "hello", &["greet", "{\"name\":\"Ada\"}"]).ok();
    for kib in [24_000_000, 12_000_000] {
        let command = place.command(&[]);
        let program = command.get_program().to_owned();
        let mut shell = std::process::Command::new("/bin/sh");
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                shell.env(name, value);
            }
        }
        let line = format!("ulimit -v {kib}; exec \"$0\" \"$@\"");
        let output = shell
            .arg("-c")
            .arg(line)
            .arg(program)
            .args(["plugin", "call", &guest, "greet", "{\"name\":\"Ada\"}"])
            .current_dir(place.path("."))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{kib}: {said}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("Hello, Ada"), "{said}");
    }
}
