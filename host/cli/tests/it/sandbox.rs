//! Limits, traps and determinism as a run shows them.

use crate::place::{Place, guest_path};

fn workflow(place: &Place, plugin: &str, steps: &str) -> String {
    let guest = guest_path("probe").display().to_string();
    let text = format!(
        "workflow: w\nplugins:\n  p: {{ path: {guest}, {plugin} }}\nsteps:\n{steps}\noutput: \"${{steps.a}}\"\n"
    );
    place.write("w.yaml", &text).display().to_string()
}

#[test]
fn failures_are_summed_up_by_kind_and_limit() {
    let place = Place::new();
    let steps = "  - { id: a, call: p/write-log, with: \"x\", retry: { attempts: 2, backoff: { first: 1ms } } }";
    let file = workflow(&place, "limits: { log: 40 }", steps);
    place.wfhost(&["run", &file]).exits(1).says("set `plugins.p.limits.log` in the workflow");
    let shown = place.wfhost(&["runs", "show", "latest"]).ok().stdout;
    assert!(shown.contains("failures  limit log 2"), "{shown}");
    let json = place.wfhost(&["runs", "show", "latest", "--output", "json"]).ok().json();
    assert_eq!(json["failures"][0]["limit"], "log");
    assert_eq!(json["failures"][0]["count"], 2);
    assert_eq!(json["plugins"][0]["limits"]["log"], 40);
}

#[test]
fn a_traps_frames_stand_in_the_events() {
    let place = Place::new();
    let steps = "  - { id: a, call: p/fail, with: panic }";
    let file = workflow(&place, "determinism: relaxed", steps);
    place.wfhost(&["run", &file, "--core-dump", "dumps"]).exits(1);
    assert_eq!(std::fs::read_dir(place.path("dumps")).unwrap().count(), 1);
    let events = place.wfhost(&["runs", "events", "latest"]).ok().stdout;
    assert!(events.contains("kind=\"trap\""), "{events}");
    let frame = events.lines().any(|line| line.starts_with("    ") && line.contains("lib.rs:"));
    assert!(frame && events.contains("core dump: "), "{events}");
    let json = place.wfhost(&["runs", "events", "latest", "--output", "json"]).ok().stdout;
    assert!(json.contains("\\n"), "{json}");
}

#[test]
fn a_strict_plugin_is_pinned_with_its_run() {
    let place = Place::new();
    let steps = "  - { id: a, call: p/chance, with: 3600 }";
    let file = workflow(&place, "determinism: strict", steps);
    let output = place.wfhost(&["run", &file]).ok().stdout;
    assert!(output.contains("\"slept_ns\":3600000000000"), "{output}");
    let json = place.wfhost(&["runs", "show", "latest", "--output", "json"]).ok().json();
    assert_eq!(json["plugins"][0]["determinism"], "strict");
}

#[test]
fn the_lower_of_workflow_and_operator_is_pinned() {
    let place = Place::new();
    let steps = "  - { id: a, call: p/write-log, with: \"x\" }";
    let file = workflow(&place, "limits: { log: 1MiB, memory: 64MiB }", steps);
    place.wfhost(&["run", &file, "--limit", "log=100KiB", "--limit", "memory=1GiB"]).ok();
    let json = place.wfhost(&["runs", "show", "latest", "--output", "json"]).ok().json();
    assert_eq!(json["plugins"][0]["limits"]["log"], 100 << 10);
    assert_eq!(json["plugins"][0]["limits"]["memory"], 64 << 20);
}

/// More memory than the budget has for two: they run one after the other.
#[test]
fn steps_that_do_not_fit_together_wait_for_one_another() {
    let place = Place::new();
    let config = place.write("config.toml", "pool = { slots = 4, memory = \"600MiB\" }\n");
    let steps = "  - { id: a, map: \"${[1, 2, 3, 4, 5, 6]}\", as: n, at_once: 6, call: p/write-log, with: \"x\" }";
    let file = workflow(&place, "limits: { memory: 512MiB }", steps);
    let config = config.display().to_string();
    place.wfhost(&["run", &file, "--config", &config]).ok();
}
