//! Ctrl-C, SIGTERM and `kill -9`: the run stays, and `resume` goes on.

use rustix::process::Signal;
use serde_json::json;

use crate::place::Place;

/// Waits an hour before it tries again.
pub(crate) const WAITS: &str = "steps:
  - id: first
    call: p/told
    with: ${null}
  - id: waits
    call: p/fail
    with: retryable
    retry: { attempts: 5, backoff: { first: 1h, factor: 1, max: 1h, jitter: 0 } }
";

/// A few seconds' work.
const LONG: &str = "input: { type: object }
steps:
  - id: first
    call: p/told
    with: ${null}
  - id: many
    map: \"${input.items}\"
    as: item
    at_once: 1
    call: p/told
    with: ${null}
output: { count: \"${size(steps.many)}\", first: \"${steps.first.attempt}\" }
";

fn long(place: &Place) -> [String; 4] {
    let file = place.workflow("long.yaml", "probe", LONG);
    let input = json!({ "items": (0..1500).collect::<Vec<_>>() });
    place.write("input.json", &input.to_string());
    ["run".to_owned(), file, "--input".to_owned(), "@input.json".to_owned()]
}

#[test]
fn the_first_signal_stops_cleanly_and_says_how_to_go_on() {
    let place = Place::new();
    let file = place.workflow("waits.yaml", "probe", WAITS);
    for signal in [Signal::INT, Signal::TERM] {
        let mut run = place.start(&["run", &file]);
        run.wait_for("waits: attempt 1 failed");
        run.signal(signal);
        run.end().exits(130).says("interrupted").says("wfhost resume 01");
    }
    let shown = place.newest();
    assert_eq!(shown["status"], "interrupted");
    assert_eq!(shown["steps"][0]["state"], "done");
}

#[test]
fn an_interrupted_run_is_resumed_and_nothing_done_runs_again() {
    let place = Place::new();
    let arguments = long(&place);
    let mut run = place.start(&arguments.each_ref().map(String::as_str));
    run.wait_for("many: running");
    run.signal(Signal::INT);
    run.end().exits(130);
    let before = place.newest();
    let output = place.wfhost(&["resume"]).ok().json();
    assert_eq!(output, json!({ "count": 1500, "first": 1 }));
    let after = place.newest();
    assert_eq!((&before["run"], &after["status"]), (&after["run"], &json!("succeeded")));
    let events = place.wfhost(&["runs", "events", "latest", "--output", "json"]).ok().json_lines();
    let firsts = events
        .iter()
        .filter(|event| event["step"] == "first" && event["event"] == "attempt-scheduled");
    assert_eq!(firsts.count(), 1);
}

#[test]
fn a_killed_run_is_resumed() {
    let place = Place::new();
    let arguments = long(&place);
    let mut run = place.start(&arguments.each_ref().map(String::as_str));
    run.wait_for("many: running");
    run.signal(Signal::KILL);
    assert_eq!(run.end().code, None);
    assert_eq!(place.newest()["status"], "interrupted");
    let output = place.wfhost(&["runs", "resume", "latest"]).ok().json();
    assert_eq!(output["count"], 1500);
}

#[test]
fn an_interrupted_run_can_be_cancelled() {
    let place = Place::new();
    let file = place.workflow("waits.yaml", "probe", WAITS);
    let mut run = place.start(&["run", &file]);
    run.wait_for("waits: attempt 1 failed");
    run.signal(Signal::KILL);
    run.end();
    place.wfhost(&["runs", "rm", "latest"]).exits(3);
    place.wfhost(&["runs", "cancel", "latest", "--reason", "no use"]).ok().says("cancelled");
    let shown = place.newest();
    assert_eq!(shown["status"], "cancelled");
    assert!(shown["error"].as_str().unwrap().contains("no use"), "{shown}");
    place.wfhost(&["resume", "latest"]).exits(3);
}
