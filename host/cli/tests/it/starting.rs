//! `start` hands a run to the process that serves, `runs watch` follows it there.

use rustix::process::Signal;

use crate::interrupting::WAITS;
use crate::place::{Place, Started};

const HELLO: &str = "steps:\n  - id: greet\n    call: p/greet\n    with: { name: Ada }\noutput: \"${steps.greet.greeting}\"\n";

/// A process that holds the folder, busy with a run that waits.
fn holder(place: &Place) -> (Started, String) {
    let waits = place.workflow("waits.yaml", "probe", WAITS);
    let mut holder = place.start(&["run", &waits]);
    holder.wait_for("waits: attempt 1 failed");
    let run = place.newest()["run"].as_str().unwrap().to_owned();
    (holder, run)
}

#[test]
fn a_run_is_started_and_its_id_written_at_once() {
    let place = Place::new();
    let (_holder, _) = holder(&place);
    let hello = place.workflow("hello.yaml", "hello", HELLO);
    let started = place.wfhost(&["start", &hello]).ok().says("in process");
    let started = started.says("serves only until its own run is over");
    let run = started.stdout.trim();
    assert_eq!(run.len(), 26, "{run}");
    let watched = place.wfhost(&["runs", "watch", run]).ok();
    assert_eq!(watched.stdout, "\"Hello, Ada!\"\n");
    let json = place.wfhost(&["start", &hello, "--output", "json"]).ok().json();
    let run = json["run"].as_str().unwrap();
    assert_eq!(json["workflow"], "hello");
    place.wfhost(&["runs", "show", run]).ok();
    let waited = place.wfhost(&["start", &hello, "--wait", "--output", "json"]).ok().json();
    assert_eq!(
        (&waited["status"], &waited["output"]),
        (&"succeeded".into(), &"Hello, Ada!".into())
    );
}

#[test]
fn what_is_refused_is_refused_before_it_is_sent() {
    let place = Place::new();
    let hello = place.workflow("hello.yaml", "hello", HELLO);
    for _ in 0..2 {
        place
            .wfhost(&["start", &hello])
            .exits(6)
            .says("no process serves the data folder")
            .says("hint: `wfhost serve --data");
        // Nor does a folder help that was used.
        place.wfhost(&["run", &hello]).ok();
    }
    let (_holder, waits) = holder(&place);
    let wrong = place.workflow("wrong.yaml", "hello", "steps:\n  - id: a\n    call: p/none\n");
    place.wfhost(&["start", &wrong]).exits(3);
    let runs = place.wfhost(&["runs", "list", "--output", "json"]).ok().json();
    assert_eq!(runs.as_array().unwrap().len(), 3);
    assert_eq!(runs[0]["run"], waits.as_str());
}

#[test]
fn a_run_that_is_over_is_watched_to_its_end_at_once() {
    let place = Place::new();
    let hello = place.workflow("hello.yaml", "hello", HELLO);
    place.wfhost(&["run", &hello]).ok();
    assert_eq!(place.wfhost(&["runs", "watch"]).ok().stdout, "\"Hello, Ada!\"\n");
    let fails = "steps:\n  - id: broken\n    call: p/fail\n    with: permanent\n";
    let fails = place.workflow("fails.yaml", "probe", fails);
    place.wfhost(&["run", &fails]).exits(1);
    place.wfhost(&["runs", "watch", "latest"]).exits(1).says("failed");
    place.wfhost(&["runs", "watch", "0ZZ"]).exits(2);
}

#[test]
fn watching_survives_the_process_that_serves() {
    let place = Place::new();
    let (mut serving, run) = holder(&place);
    let mut watch = place.start(&["runs", "watch", &run]);
    watch.wait_for("waits: attempt 1 failed");
    for signal in [Signal::KILL, Signal::TERM] {
        serving.signal(signal);
        serving.end();
        watch.wait_for("the run is no longer served: waiting");
        serving = place.start(&["resume", &run]);
        watch.wait_for("the run is served again");
    }
    place.wfhost(&["runs", "cancel", &run]).ok();
    let watched = watch.end().exits(1).says("cancelled");
    let told = |text: &str| watched.stderr.matches(text).count();
    assert_eq!(told("no longer served"), 2, "{}", watched.stderr);
    assert_eq!(told("waits: attempt 1 failed"), 1, "it goes on from where it was");
}

#[test]
fn a_run_that_ends_while_nobody_is_seen_to_serve_it_is_over() {
    let place = Place::new();
    let (serving, run) = holder(&place);
    serving.signal(Signal::KILL);
    serving.end();
    let mut watch = place.start(&["runs", "watch", &run]);
    watch.wait_for("nobody serves the run: waiting");
    place.wfhost(&["runs", "cancel", &run]).ok();
    watch.end().exits(1).says("cancelled");
}

#[test]
fn ctrl_c_and_patience_end_the_watching_only() {
    let place = Place::new();
    let (serving, run) = holder(&place);
    let mut watch = place.start(&["runs", "watch", &run]);
    watch.wait_for("waits: attempt 1 failed");
    watch.signal(Signal::INT);
    watch.end().exits(130).says("no longer watching");
    assert_eq!(place.newest()["status"], "running");
    serving.signal(Signal::KILL);
    serving.end();
    let mut watch = place.start(&["runs", "watch", &run]);
    watch.wait_for("waiting");
    watch.signal(Signal::INT);
    watch.end().exits(130);
    place
        .wfhost(&["runs", "watch", &run, "--give-up-after", "200ms"])
        .exits(6)
        .says("nobody serves run")
        .says("wfhost resume");
}
