//! A folder that another process holds: it is asked over its socket.

use rustix::process::Signal;

use crate::interrupting::WAITS;
use crate::place::Place;

const HELLO: &str = "steps:\n  - id: greet\n    call: p/greet\n    with: { name: Ada }\noutput: \"${steps.greet.greeting}\"\n";

#[test]
fn the_holder_answers_and_takes_runs() {
    let place = Place::new();
    let waits = place.workflow("waits.yaml", "probe", WAITS);
    let hello = place.workflow("hello.yaml", "hello", HELLO);
    let mut holder = place.start(&["run", &waits]);
    holder.wait_for("waits: attempt 1 failed");

    let shown = place.newest();
    assert_eq!(
        (&shown["status"], &shown["steps"][1]["state"]),
        (&"running".into(), &"backoff".into())
    );
    let outcome = place.wfhost(&["run", &hello]).ok().says(&format!("in process {}", holder.pid()));
    assert_eq!(outcome.stdout, "\"Hello, Ada!\"\n");
    assert_eq!(
        place.wfhost(&["runs", "list", "--output", "json"]).ok().json().as_array().unwrap().len(),
        2
    );

    let first = shown["run"].as_str().unwrap();
    place.wfhost(&["runs", "rm", first]).exits(3);
    place.wfhost(&["runs", "cancel", first]).ok();
    holder.end().exits(1).says("cancelled");
}

#[test]
fn two_runs_that_begin_alike_are_both_named() {
    let place = Place::new();
    let hello = place.workflow("hello.yaml", "hello", HELLO);
    place.wfhost(&["run", &hello]).ok();
    place.wfhost(&["run", &hello]).ok();
    let outcome = place.wfhost(&["runs", "show", "01"]).exits(2).says("did you mean");
    let runs = place.wfhost(&["runs", "list", "--output", "json"]).ok().json();
    for run in runs.as_array().unwrap() {
        assert!(outcome.stderr.contains(run["run"].as_str().unwrap()), "{}", outcome.stderr);
    }
}

#[test]
fn a_run_goes_on_where_its_process_ends() {
    let place = Place::new();
    let waits = place.workflow("waits.yaml", "probe", WAITS);
    let mut holder = place.start(&["run", &waits]);
    holder.wait_for("waits: attempt 1 failed");
    for signal in [Signal::INT, Signal::KILL] {
        let mut next = place.start(&["run", &waits]);
        next.wait_for("waits: attempt 1 failed");
        holder.signal(signal);
        holder.end();
        next.wait_for("going on with it in this process");
        holder = next;
    }
    let run = place.newest()["run"].as_str().unwrap().to_owned();
    place.wfhost(&["runs", "cancel", &run]).ok();
    holder.end().exits(1).says("cancelled");
}

#[test]
fn who_follows_a_run_elsewhere_can_leave_it() {
    let place = Place::new();
    let waits = place.workflow("waits.yaml", "probe", WAITS);
    let mut holder = place.start(&["run", &waits]);
    holder.wait_for("waits: attempt 1 failed");
    let mut second = place.start(&["resume", "latest"]);
    second.wait_for("following");
    second.signal(Signal::INT);
    second.end().exits(130).says("goes on in process");
    assert_eq!(place.newest()["status"], "running");
    holder.signal(Signal::INT);
    holder.end().exits(130);
}
