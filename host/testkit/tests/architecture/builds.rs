//! Each dependency is compiled once: one profile, one set of features, for the host, its tests,
//! build scripts and macros. Asked of Cargo's own plan, which compiles nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;
use wfhost_testkit::guest::workspace;

/// The package selections of `cargo xtask`: demo and bench; test; xtask itself.
const BUILD: &[&str] = &["build", "--release", "--workspace"];
const TEST: &[&str] = &["test", "--no-run", "--release", "--workspace"];
const XTASK: &[&str] = &["build", "--release", "--package", "xtask"];

/// What `cargo xtask faults` builds besides, with crash points.
const CRASHING: &[&str] =
    &["build", "--release", "--workspace", "--bin", "wfhost", "--features", "wfhost/crash-points"];

/// What may not be in anything that the pure core is built with.
const IO: [&str; 12] = [
    "tokio",
    "mio",
    "socket2",
    "rustix",
    "reqwest",
    "hyper",
    "ureq",
    "rustls",
    "zmq",
    "sled",
    "wasmtime",
    "async-std",
];

#[test]
fn no_dependency_is_compiled_twice() {
    let mut ways: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for unit in [BUILD, TEST, XTASK].into_iter().flat_map(plan) {
        let package = unit["pkg_id"].as_str().and_then(|id| id.split('#').next_back());
        let what = format!("{} {} {}", package.expect("an id"), name(&unit), unit["mode"]);
        let how = format!("{} {} {}", unit["features"], unit["platform"], unit["profile"]);
        ways.entry(what).or_default().insert(how);
    }
    assert!(ways.len() > 200, "the plan is complete: {}", ways.len());
    ways.retain(|_, ways| ways.len() > 1);
    assert!(ways.is_empty(), "compiled more than once, with other features or settings: {ways:#?}");
}

#[test]
fn crash_points_compile_only_our_own_again() {
    let built: BTreeMap<String, Value> = plan(BUILD).iter().map(of_dependency).collect();
    let crashing: BTreeMap<String, Value> = plan(CRASHING).iter().map(of_dependency).collect();
    assert!(crashing.keys().any(|unit| unit.contains("fail@")), "it has crash points");
    assert!(!built.keys().any(|unit| unit.contains("fail@")), "what ships has none");
    for (unit, how) in crashing {
        let is_same = built.get(&unit).is_none_or(|built| *built == how);
        assert!(is_same, "{unit} is compiled again: {how}, and was {}", built[&unit]);
    }
}

/// Which unit it is, and how it is compiled; our own are all alike.
fn of_dependency(unit: &Value) -> (String, Value) {
    let id = unit["pkg_id"].as_str().expect("an id");
    if id.starts_with("path+") {
        return ("our own".to_owned(), Value::Null);
    }
    let what = format!("{id} {} {} {}", name(unit), unit["mode"], unit["platform"]);
    (what, unit["features"].clone())
}

#[test]
fn the_tool_box_builds_alone() {
    let names: Vec<String> = plan(XTASK).iter().map(name).collect();
    assert_eq!(names, ["xtask"]);
}

#[test]
fn the_core_is_built_with_nothing_that_does_io() {
    let units = plan(BUILD);
    let core = units
        .iter()
        .position(|unit| name(unit) == "wfhost_workflow" && unit["mode"] == "build")
        .expect("the core is in the plan");
    let mut reached = BTreeSet::new();
    let mut waiting = vec![core];
    while let Some(index) = waiting.pop() {
        // What runs while compiling may read files.
        let compiles = matches!(
            units[index]["target"]["kind"][0].as_str(),
            Some("proc-macro" | "custom-build")
        );
        if compiles || !reached.insert(index) {
            continue;
        }
        let needs = units[index]["dependencies"].as_array().expect("a list");
        waiting.extend(needs.iter().filter_map(|need| need["index"].as_u64()).map(|i| i as usize));
    }
    assert!(reached.len() > 10, "its dependencies are found: {}", reached.len());
    for index in reached {
        let name = name(&units[index]);
        assert!(!IO.contains(&name.as_str()), "wfhost-workflow is built with `{name}`");
    }
}

fn name(unit: &Value) -> String {
    unit["target"]["name"].as_str().expect("a name").to_owned()
}

/// What Cargo would do for a selection.
fn plan(selection: &[&str]) -> Vec<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(selection)
        .args(["--offline", "--unit-graph", "-Zunstable-options"])
        // The plan is shown by this option only, which is not stable yet.
        .env("RUSTC_BOOTSTRAP", "1")
        .current_dir(workspace())
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo has no plan: {said}");
    let plan: Value = serde_json::from_slice(&output.stdout).expect("a plan in JSON");
    plan["units"].as_array().expect("a list of units").clone()
}
