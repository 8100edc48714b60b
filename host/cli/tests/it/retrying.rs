//! `runs retry` and `runs release`: what failed goes on.

use crate::place::{Outcome, Place};
use crate::remote::Server;

/// The second step fails until there is a folder `sub`.
fn workflow(place: &Place, name: &str) -> String {
    let steps = "steps:
  - { id: first, call: p/append, with: { file: /log/lines, number: 1 } }
  - { id: second, call: p/append, retry: { attempts: 1 }, with: { file: /log/sub/lines, number: 2 } }
output: done
";
    let (log, guest) = (place.path("log"), crate::place::guest_path("probe"));
    std::fs::create_dir_all(&log).unwrap();
    let text = format!(
        "workflow: {name}\nplugins:\n  p:\n    path: {}\n    grants: {{ dirs: [ {{ path: \"{}\", as: /log, mode: rw }} ] }}\n{steps}",
        guest.display(),
        log.display()
    );
    place.write(&format!("{name}.yaml"), &text).display().to_string()
}

fn run(place: &Place, file: &str) -> Outcome {
    let log = format!("{}:rw", place.path("log").display());
    place.wfhost(&["run", file, "--allow-dir", &log])
}

fn lines(place: &Place) -> usize {
    std::fs::read_to_string(place.path("log/lines")).unwrap().lines().count()
}

#[test]
fn a_failed_run_goes_on_from_what_failed() {
    let place = Place::new();
    run(&place, &workflow(&place, "w")).exits(1);
    place.wfhost(&["resume", "latest"]).exits(3).says("retry it");
    place.wfhost(&["runs", "retry", "latest"]).exits(1).says("retrying 01");
    std::fs::create_dir(place.path("log/sub")).unwrap();
    let done = place.wfhost(&["runs", "retry", "latest"]).ok().says("succeeded");
    assert_eq!(done.stdout, "\"done\"\n");
    assert_eq!(lines(&place), 1, "what was done is not done again");
    place.wfhost(&["runs", "retry", "latest"]).exits(3).says("it has succeeded");
    let events = place.wfhost(&["runs", "events", "latest", "--output", "json"]).ok().json_lines();
    let retried = events.iter().filter(|event| event["event"] == "run-retried").count();
    assert_eq!(retried, 2);
}

#[test]
fn all_that_is_meant_is_retried_at_a_pace() {
    let place = Place::new();
    let (one, other) = (workflow(&place, "one"), workflow(&place, "other"));
    for file in [&one, &one, &other] {
        run(&place, file).exits(1);
    }
    let only = ["runs", "retry", "--all", "--workflow", "one"];
    let with = |more: &[&str]| place.wfhost(&[&only[..], more].concat());
    let dry = with(&["--dry-run", "--output", "json"]).ok().says("2 runs would be retried");
    assert_eq!(dry.json().as_array().unwrap().len(), 2);
    with(&["--since", "2020-01-01", "--dry-run"]).ok().says("2 runs");
    with(&["--since", "0s", "--dry-run"]).ok().says("no failed run to retry");
    assert_eq!(place.newest()["status"], "failed");

    std::fs::create_dir(place.path("log/sub")).unwrap();
    let retried = with(&["--yes", "--at-once", "1", "--output", "json"]).ok();
    let retried = retried.says("2/2 retrying").json();
    assert_eq!((&retried["succeeded"], &retried["failed"]), (&2.into(), &0.into()));
    let failed = place.wfhost(&["runs", "list", "--status", "failed", "--output", "json"]);
    let failed = failed.ok().json();
    assert_eq!((failed.as_array().unwrap().len(), &failed[0]["workflow"]), (1, &"other".into()));
    place.wfhost(&["runs", "retry", "--all"]).ok().says("1 of 1 runs retried: 1 succeeded");
}

#[test]
fn a_process_that_serves_goes_on_with_it() {
    let place = Place::new();
    let server = Server::local(&place, &["--slots", "2"]);
    let file = workflow(&place, "w");
    let log = format!("{}:rw", place.path("log").display());
    let failed = server.asks(&place, &["start", &file, "--allow-dir", &log, "--wait"]);
    failed.exits(1);
    std::fs::create_dir(place.path("log/sub")).unwrap();
    server.asks(&place, &["runs", "retry", "latest"]).ok().says("goes on in process");
    let watched = server.asks(&place, &["runs", "watch", "latest"]).ok();
    assert_eq!(watched.stdout, "\"done\"\n");
    assert_eq!(lines(&place), 1);
    let nothing = server.asks(&place, &["runs", "retry", "--all", "--yes"]).ok();
    nothing.says("no failed run to retry");
}

#[test]
fn only_what_is_quarantined_is_released() {
    let place = Place::new();
    run(&place, &workflow(&place, "w")).exits(1);
    place.wfhost(&["runs", "release", "latest"]).exits(3).says("the run is over");
    let waits = place.workflow("waits.yaml", "probe", crate::interrupting::WAITS);
    let mut holder = place.start(&["run", &waits]);
    holder.wait_for("waits: attempt 1 failed");
    place.wfhost(&["runs", "release", "latest"]).exits(3).says("not quarantined");
    let release = ["runs", "release", "latest", "--step"];
    place.wfhost(&[&release[..], &["waits"]].concat()).exits(3).says("is not quarantined");
    place.wfhost(&[&release[..], &["none"]].concat()).exits(2).says("no step `none`");
}
