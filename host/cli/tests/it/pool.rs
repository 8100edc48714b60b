//! The workers that `wfhost serve` keeps: how many there are, and what becomes of their steps.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::Value;

use crate::place::{Place, Started, guest_path};

/// Nothing here takes so long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(90);

/// A process that serves, and says so.
fn serve(place: &Place, more: &[&str]) -> Started {
    let mut server = place.start(&[&["serve", "--worker-slots", "2"][..], more].concat());
    server.wait_for("serving ");
    server
}

#[track_caller]
fn until<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let started = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => assert!(started.elapsed() < PATIENCE, "never {what}: {seen}"),
        }
    }
}

/// The pool, as `workers scale` tells it.
fn pool(place: &Place) -> Value {
    place.wfhost(&["workers", "scale", "--output", "json"]).ok().json()
}

#[track_caller]
fn pool_when(place: &Place, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    until(what, || {
        let shown = pool(place);
        if is(&shown) { Ok(shown) } else { Err(format!("{shown:#}")) }
    })
}

/// Exactly so many processes, and all of them have joined.
fn are_ready(shown: &Value, count: usize) -> bool {
    let members = shown["members"].as_array().unwrap();
    members.len() == count && members.iter().all(|member| member["state"] == "ready")
}

fn pids(shown: &Value) -> BTreeSet<u64> {
    let members = shown["members"].as_array().unwrap();
    members.iter().map(|member| member["pid"].as_u64().unwrap()).collect()
}

fn signal(pid: u64, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// Not one that has ended, and that whoever adopts orphans here has not waited for.
fn is_alive(pid: u64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    if stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')) {
        return false;
    }
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::test_kill_process(pid).is_ok()
}

/// `count` steps at once that sleep, and one after them. None is tried again when it fails.
fn sleepers(place: &Place, count: usize, seconds: u64) -> String {
    let naps = vec![seconds.to_string(); count].join(", ");
    let text = format!(
        "workflow: sleepers\nversion: 1\nplugins:\n  p: {}\nsteps:\n  - {{ id: nap, map: [{naps}], as: s, at_once: {count}, call: p/chance, with: \"${{s}}\" }}\n  - {{ id: last, call: p/chance, with: 0 }}\noutput: \"${{steps.nap.size()}}\"\n",
        guest_path("probe").display()
    );
    place.write("sleepers.yaml", &text).display().to_string()
}

fn start(place: &Place, workflow: &str) -> String {
    let started = place.wfhost(&["start", workflow, "--output", "json"]).ok().json();
    started["run"].as_str().unwrap().to_owned()
}

#[track_caller]
fn when(place: &Place, run: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    until(what, || {
        let shown = place.wfhost(&["runs", "show", run, "--output", "json"]).ok().json();
        if is(&shown) { Ok(shown) } else { Err(format!("{shown:#}")) }
    })
}

#[track_caller]
fn succeeds(place: &Place, run: &str) {
    when(place, run, "done", |shown| {
        assert_ne!(shown["status"], "failed", "{shown:#}");
        shown["status"] == "succeeded"
    });
}

fn running(count: u64) -> impl Fn(&Value) -> bool {
    move |shown| shown["steps"][0]["running"] == count
}

fn events(place: &Place, run: &str, name: &str) -> usize {
    let events = place.wfhost(&["runs", "events", run, "--output", "json"]).ok().json_lines();
    events.iter().filter(|event| event["event"] == name).count()
}

#[test]
fn who_serves_alone_has_a_worker_that_leaves_with_it() {
    let place = Place::new();
    let server = serve(&place, &[]);
    let shown = pool_when(&place, "a worker", |shown| are_ready(shown, 1));
    assert_eq!((&shown["min"], &shown["max"], &shown["slots"]), (&1.into(), &1.into(), &2.into()));
    let pid = *pids(&shown).first().unwrap();
    let listed = place.wfhost(&["workers", "list", "--output", "json"]).ok().json();
    assert_eq!((&listed[0]["managed"], &listed[0]["pid"]), (&true.into(), &pid.into()));
    assert_eq!(listed[0]["name"], "pool-1");
    let run = start(&place, &sleepers(&place, 2, 1));
    when(&place, &run, "under way", running(2));
    // What has begun is finished, and counts; the rest runs when it serves again.
    server.signal(Signal::TERM);
    server.end().ok();
    assert!(!is_alive(pid));
    let server = serve(&place, &[]);
    succeeds(&place, &run);
    assert_eq!(events(&place, &run, "attempt-failed"), 0);
    assert_eq!(events(&place, &run, "attempt-succeeded"), 3);
    server.signal(Signal::TERM);
    server.end().ok();
}

#[test]
fn workers_are_scaled_live_under_load() {
    let place = Place::new();
    let _server = serve(&place, &["--workers-min", "1"]);
    let workflow = sleepers(&place, 3, 1);
    let mut runs: Vec<String> = (0..3).map(|_| start(&place, &workflow)).collect();
    for count in [4_usize, 1, 0, 2] {
        let scaled = place.wfhost(&["workers", "scale", &count.to_string()]).ok();
        assert!(scaled.stderr.contains(&format!("{count} workers are wanted")));
        runs.push(start(&place, &workflow));
        let shown = pool_when(&place, "as many as wanted", |shown| are_ready(shown, count));
        assert_eq!((&shown["min"], &shown["max"]), (&count.into(), &count.into()));
        let listed = place.wfhost(&["workers", "list", "--output", "json"]).ok().json();
        assert_eq!(listed.as_array().unwrap().len(), count, "{listed:#}");
    }
    for run in runs {
        succeeds(&place, &run);
        assert_eq!(events(&place, &run, "attempt-succeeded"), 4);
        assert_eq!(events(&place, &run, "attempt-failed"), 0);
    }
}

#[test]
fn as_many_workers_are_kept_as_the_queue_needs() {
    let place = Place::new();
    let more = ["--workers-min", "0", "--workers-max", "3", "--workers-idle", "1s"];
    let _server = serve(&place, &more);
    assert_eq!(pool(&place)["wanted"], 0);
    let run = start(&place, &sleepers(&place, 12, 1));
    pool_when(&place, "the most", |shown| are_ready(shown, 3));
    succeeds(&place, &run);
    pool_when(&place, "the least", |shown| are_ready(shown, 0));
    // What no worker without a label may take is no reason to start one.
    let text = fs::read_to_string(sleepers(&place, 1, 0)).unwrap();
    let labelled = text.replace("call: p/chance,", "call: p/chance, requires: { gpu: yes },");
    let run = start(&place, &place.write("labelled.yaml", &labelled).display().to_string());
    let waits = |shown: &Value| shown["steps"][0]["why"].is_string();
    when(&place, &run, "waiting", waits);
    let other = start(&place, &sleepers(&place, 1, 0));
    succeeds(&place, &other);
    pool_when(&place, "the least", |shown| are_ready(shown, 0));
    when(&place, &run, "waiting still", waits);
}

#[test]
fn a_worker_that_is_killed_is_replaced_and_its_steps_run_again() {
    let place = Place::new();
    let _server = serve(&place, &[]);
    let before = pids(&pool_when(&place, "a worker", |shown| are_ready(shown, 1)));
    let run = start(&place, &sleepers(&place, 2, 2));
    when(&place, &run, "under way", running(2));
    signal(*before.first().unwrap(), Signal::KILL);
    succeeds(&place, &run);
    assert_eq!(events(&place, &run, "attempt-lost"), 2);
    let after = pool_when(&place, "a worker", |shown| are_ready(shown, 1));
    assert!(before.is_disjoint(&pids(&after)), "{after:#}");
    assert!(after["last_failure"].as_str().unwrap().contains("signal 9"), "{after:#}");
}

#[test]
fn a_worker_that_is_drained_hands_back_what_has_not_begun() {
    let place = Place::new();
    // An attempt is granted 512 MiB: one at a time begins, the other waits in the worker.
    place.write("config.toml", "[pool]\nmemory = \"512MiB\"\n");
    let _server = serve(&place, &["--config", "config.toml"]);
    let before = pids(&pool_when(&place, "a worker", |shown| are_ready(shown, 1)));
    let run = start(&place, &sleepers(&place, 2, 3));
    when(&place, &run, "under way", running(2));
    place.wfhost(&["workers", "drain", "pool-1"]).ok();
    succeeds(&place, &run);
    assert!(events(&place, &run, "attempt-lost") >= 1);
    assert_eq!(events(&place, &run, "attempt-failed"), 0);
    let after = pool_when(&place, "another worker", |shown| are_ready(shown, 1));
    assert!(before.is_disjoint(&pids(&after)), "{after:#}");
    assert_eq!(after["failures"], 0);
}

#[test]
fn a_restarted_coordinator_counts_the_workers_that_are_still_there() {
    let place = Place::new();
    let server = serve(&place, &["--workers-min", "2"]);
    let before = pids(&pool_when(&place, "two workers", |shown| are_ready(shown, 2)));
    let run = start(&place, &sleepers(&place, 4, 3));
    when(&place, &run, "under way", running(4));
    server.signal(Signal::KILL);
    drop(server);
    let server = serve(&place, &["--workers-min", "2"]);
    let after = pool_when(&place, "two workers", |shown| are_ready(shown, 2));
    assert_eq!(pids(&after), before);
    succeeds(&place, &run);
    assert_eq!(events(&place, &run, "attempt-lost"), 0);
    assert_eq!(events(&place, &run, "attempt-succeeded"), 5);
    // They leave with it, though they are not its children.
    server.signal(Signal::TERM);
    server.end().ok();
    assert!(before.iter().all(|pid| !is_alive(*pid)));
}

#[test]
fn a_second_signal_ends_the_workers_too() {
    let place = Place::new();
    let mut server = serve(&place, &[]);
    let before = pids(&pool_when(&place, "a worker", |shown| are_ready(shown, 1)));
    let run = start(&place, &sleepers(&place, 2, 60));
    when(&place, &run, "under way", running(2));
    server.signal(Signal::TERM);
    server.wait_for("stopping");
    assert_eq!(
        pool_when(&place, "leaving", |shown| shown["members"][0]["state"] == "leaving")["wanted"],
        1
    );
    server.signal(Signal::TERM);
    server.end().exits(130);
    until("gone", || match before.iter().any(|pid| is_alive(*pid)) {
        true => Err("it lives".to_owned()),
        false => Ok(()),
    });
}

/// A copy of the program below the test's folder, which may be replaced.
fn own_program(place: &Place) -> std::path::PathBuf {
    let path = place.path("wfhost");
    fs::copy(env!("CARGO_BIN_EXE_wfhost"), &path).unwrap();
    path
}

/// Puts another file where the program is, in one step.
fn replace(program: &Path, with: impl FnOnce(&Path)) {
    let new = program.with_extension("new");
    with(&new);
    fs::rename(&new, program).unwrap();
}

#[test]
fn workers_of_a_program_that_is_replaced_are_replaced_one_by_one() {
    let place = Place::new();
    let program = own_program(&place);
    let _server = serve_with(&place, &program, &["--workers-min", "2"]);
    let before = pids(&pool_when(&place, "two workers", |shown| are_ready(shown, 2)));
    let workflow = sleepers(&place, 4, 1);
    let mut runs = vec![start(&place, &workflow)];
    when(&place, &runs[0], "under way", running(4));
    // The same program in another file.
    replace(&program, |new| assert!(fs::copy(&program, new).unwrap() > 0));
    until("replaced", || {
        let shown = pool(&place);
        let ready = shown["members"].as_array().unwrap().iter();
        let ready = ready.filter(|member| member["state"] == "ready").count();
        assert!(ready >= 2 || shown["members"].as_array().unwrap().len() >= 2, "{shown:#}");
        if runs.len() < 10 {
            runs.push(start(&place, &workflow));
        }
        let done = are_ready(&shown, 2) && before.is_disjoint(&pids(&shown));
        if done { Ok(()) } else { Err(format!("{shown:#}")) }
    });
    for run in runs {
        succeeds(&place, &run);
        assert_eq!(events(&place, &run, "attempt-succeeded"), 5);
        assert_eq!(events(&place, &run, "attempt-failed"), 0);
    }
}

/// As [`serve`], by another file.
fn serve_with(place: &Place, program: &Path, more: &[&str]) -> Started {
    let arguments = [&["serve", "--worker-slots", "2"][..], more].concat();
    let mut server = place.start_program(program, &arguments);
    server.wait_for("serving ");
    server
}

#[test]
fn workers_that_crash_again_and_again_are_started_with_growing_pauses() {
    let place = Place::new();
    let program = own_program(&place);
    let mut server = serve_with(&place, &program, &[]);
    let before = pids(&pool_when(&place, "a worker", |shown| are_ready(shown, 1)));
    let kept = place.path("kept");
    fs::rename(&program, &kept).unwrap();
    fs::copy("/bin/false", &program).unwrap();
    // The old one stays while its successors crash.
    let shown = pool_when(&place, "failing", |shown| shown["failures"].as_u64() >= Some(3));
    assert!(pids(&shown).is_superset(&before), "{shown:#}");
    assert!(shown["last_failure"].as_str().unwrap().contains("exit code 1"), "{shown:#}");
    server.wait_for("failure 3 in a row");
    let listed = place.wfhost(&["workers", "list"]).ok();
    listed.says("failures of workers in a row");
    signal(*before.first().unwrap(), Signal::KILL);
    let run = start(&place, &sleepers(&place, 1, 0));
    pool_when(&place, "failing", |shown| shown["pause_ms"].as_u64() >= Some(1_000));
    // Another program: what failed before says nothing.
    fs::rename(&kept, &program).unwrap();
    succeeds(&place, &run);
    pool_when(&place, "a worker", |shown| are_ready(shown, 1));
}

#[test]
fn a_worker_whose_coordinator_does_not_come_back_leaves() {
    let place = Place::new();
    let socket = place.path("nobody.sock");
    let join = format!("ipc://{}", socket.display());
    let worker = place.start(&["worker", "--join", &join, "--leave-after", "1s"]);
    worker.end().exits(6).says("the coordinator is gone");
}

#[test]
fn numbers_that_do_not_fit_are_refused() {
    let place = Place::new();
    let more = ["--workers-min", "3", "--workers-max", "2"];
    place.wfhost(&[&["serve"][..], &more].concat()).exits(2).says("at least 3 workers");
}
