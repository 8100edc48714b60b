//! A coordinator and workers as processes of their own, over TCP with keys; and their deaths.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::place::{Place, Started, guest_path};

/// Nothing here takes so long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A coordinator; killed where the test ends first.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    pub(crate) key: String,
}

impl Server {
    /// Serves the place's data folder on a port of its own, or where it served before.
    pub(crate) fn start(place: &Place, bind: &str) -> Self {
        let mut arguments = vec!["serve", "--output", "json", "--bind", bind];
        arguments.extend(["--workers", "workers.keys", "--clients", "clients.keys"]);
        let mut child =
            place.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        let text = |name: &str| said["addresses"][0][name].as_str().unwrap().to_owned();
        Self { child, address: text("address"), key: text("server_key") }
    }

    /// `kill -9`, and the next life at the same address.
    fn replace(mut self, place: &Place) -> Self {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        Self::start(place, &self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ignored = self.child.kill();
        let _ignored = self.child.wait();
    }
}

/// A place with two workers' keys in the list, and a key in none.
pub(crate) fn place() -> Place {
    let place = Place::new();
    for name in ["one", "two"] {
        let key = format!("{name}.key");
        let line = place.wfhost(&["keygen", "--out", &key]).ok().stdout;
        let list = std::fs::read_to_string(place.path("workers.keys")).unwrap_or_default();
        place.write("workers.keys", &(list + &line));
    }
    place.wfhost(&["keygen", "--out", "stranger.key"]).ok();
    place.write("clients.keys", "");
    place
}

/// A worker that has joined.
pub(crate) fn worker(place: &Place, server: &Server, name: &str) -> Started {
    let key = format!("{name}.key");
    let mut worker = place.start(&[
        "worker",
        "--data",
        name,
        "--name",
        name,
        "--slots",
        "4",
        "--join",
        &server.address,
        "--server-key",
        &server.key,
        "--key",
        &key,
    ]);
    worker.wait_for("joined");
    worker
}

/// Three steps at once that sleep, and one after them.
fn sleepers(place: &Place, seconds: u64) -> String {
    let text = format!(
        "workflow: sleepers\nversion: 1\nplugins:\n  p: {}\nsteps:\n  - {{ id: nap, map: [{seconds}, {seconds}, {seconds}], as: s, at_once: 3, call: p/chance, with: \"${{s}}\" }}\n  - {{ id: last, call: p/chance, with: 0 }}\noutput: \"${{steps.nap.size()}}\"\n",
        guest_path("probe").display()
    );
    place.write("sleepers.yaml", &text).display().to_string()
}

fn start(place: &Place, workflow: &str) -> String {
    let started = place.wfhost(&["start", workflow, "--output", "json"]).ok().json();
    started["run"].as_str().unwrap().to_owned()
}

/// The run as soon as it is as wanted.
#[track_caller]
fn when(place: &Place, run: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let shown = place.wfhost(&["runs", "show", run, "--output", "json"]).ok().json();
        if is(&shown) {
            return shown;
        }
        assert!(started.elapsed() < PATIENCE, "never {what}: {shown:#}");
    }
}

fn events(place: &Place, run: &str, name: &str) -> usize {
    let events = place.wfhost(&["runs", "events", run, "--output", "json"]).ok().json_lines();
    events.iter().filter(|event| event["event"] == name).count()
}

fn are_running(shown: &Value, count: u64) -> bool {
    shown["steps"][0]["running"] == count
}

fn is_done(shown: &Value) -> bool {
    shown["status"] == "succeeded"
}

#[test]
fn steps_run_on_a_worker_elsewhere() {
    let place = place();
    let server = Server::start(&place, "tcp://127.0.0.1:0");
    let worker = worker(&place, &server, "one");
    let workflow = sleepers(&place, 0);
    let outcome = place.wfhost(&["run", &workflow, "--output", "json"]).ok();
    assert_eq!(outcome.json()["output"], 3);
    worker.signal(Signal::TERM);
    worker.end().ok();
}

#[test]
fn a_worker_whose_key_is_in_no_list_never_joins() {
    let place = place();
    let server = Server::start(&place, "tcp://127.0.0.1:0");
    let mut stranger = place.start(&[
        "worker",
        "--data",
        "stranger",
        "--join",
        &server.address,
        "--server-key",
        &server.key,
        "--key",
        "stranger.key",
    ]);
    stranger.wait_for("no answer from");
    // The others are served.
    worker(&place, &server, "one");
}

#[test]
fn the_steps_of_a_worker_that_is_killed_run_on_another() {
    let place = place();
    let server = Server::start(&place, "tcp://127.0.0.1:0");
    let first = worker(&place, &server, "one");
    let run = start(&place, &sleepers(&place, 2));
    when(&place, &run, "under way", |shown| are_running(shown, 3));
    first.signal(Signal::KILL);
    let _second = worker(&place, &server, "two");
    when(&place, &run, "done", is_done);
    assert_eq!(events(&place, &run, "attempt-lost"), 3);
    assert_eq!(events(&place, &run, "attempt-succeeded"), 4);
}

#[test]
fn workers_that_leave_and_come_back_one_after_the_other_fail_no_step() {
    let place = place();
    let server = Server::start(&place, "tcp://127.0.0.1:0");
    let mut workers = VecDeque::from(["one", "two"].map(|name| worker(&place, &server, name)));
    let naps = ["1"; 40].join(", ");
    let text = std::fs::read_to_string(sleepers(&place, 1)).unwrap();
    let many = text.replace("[1, 1, 1]", &format!("[{naps}]")).replace("at_once: 3", "at_once: 40");
    let run = start(&place, &place.write("many.yaml", &many).display().to_string());
    when(&place, &run, "under way", |shown| are_running(shown, 8));
    for name in ["one", "two"] {
        let leaves = workers.pop_front().unwrap();
        leaves.signal(Signal::TERM);
        leaves.end().ok();
        workers.push_back(worker(&place, &server, name));
    }
    let shown = when(&place, &run, "done", |shown| shown["status"] != "running");
    assert!(is_done(&shown), "{shown:#}");
    assert_eq!(events(&place, &run, "attempt-failed"), 0);
    assert_eq!(events(&place, &run, "attempt-succeeded"), 41);
}

#[test]
fn a_coordinator_that_is_killed_adopts_what_its_workers_still_run() {
    let place = place();
    let server = Server::start(&place, "tcp://127.0.0.1:0");
    let _worker = worker(&place, &server, "one");
    let run = start(&place, &sleepers(&place, 3));
    when(&place, &run, "under way", |shown| are_running(shown, 3));
    let _server = server.replace(&place);
    when(&place, &run, "done", is_done);
    assert_eq!(events(&place, &run, "attempt-lost"), 0);
    assert_eq!(events(&place, &run, "attempt-succeeded"), 4);
}

#[test]
fn a_worker_that_is_stopped_for_longer_than_its_lease_loses_its_steps_and_comes_back() {
    let place = place();
    let server = Server::start(&place, "tcp://127.0.0.1:0");
    let stopped = worker(&place, &server, "one");
    let run = start(&place, &sleepers(&place, 1));
    when(&place, &run, "under way", |shown| are_running(shown, 3));
    stopped.signal(Signal::STOP);
    let other = worker(&place, &server, "two");
    when(&place, &run, "done", is_done);
    assert_eq!(events(&place, &run, "attempt-lost"), 3);
    stopped.signal(Signal::CONT);
    other.signal(Signal::TERM);
    other.end().ok();
    // What it has done meanwhile is refused; what comes now is its.
    let again = start(&place, &sleepers(&place, 0));
    when(&place, &again, "done", is_done);
    assert_eq!(events(&place, &run, "attempt-succeeded"), 4);
}

#[test]
fn a_key_that_is_taken_off_the_list_ends_its_worker() {
    let place = place();
    let server = Server::start(&place, "tcp://127.0.0.1:0");
    let revoked = worker(&place, &server, "one");
    let list = std::fs::read_to_string(place.path("workers.keys")).unwrap();
    let left: String = list.lines().filter(|line| !line.ends_with("one")).collect();
    place.write("workers.keys", &left);
    revoked.end().exits(4).says("taken off");
    let _other = worker(&place, &server, "two");
}

#[test]
fn a_step_that_workers_die_of_is_kept_from_more_of_them_until_it_is_released() {
    let place = place();
    let server = Server::start(&place, "tcp://127.0.0.1:0");
    let text = format!(
        "workflow: poison\nversion: 1\npoison_after: 2\nplugins:\n  p: {}\nsteps:\n  - {{ id: nap, call: p/chance, with: 2 }}\n",
        guest_path("probe").display()
    );
    let run = start(&place, &place.write("poison.yaml", &text).display().to_string());
    for deaths in 1..=2 {
        let victim = worker(&place, &server, "one");
        when(&place, &run, "under way", |shown| are_running(shown, 1));
        victim.signal(Signal::KILL);
        let lost = || events(&place, &run, "attempt-lost") == deaths;
        let started = Instant::now();
        while !lost() {
            assert!(started.elapsed() < PATIENCE);
        }
    }
    let kept = when(&place, &run, "kept", |shown| shown["steps"][0]["state"] == "quarantined");
    assert_eq!(kept["status"], "running");
    let said = place.wfhost(&["runs", "show", &run]).ok().stdout;
    assert!(said.contains("release"), "it says what to do: {said}");
    let _other = worker(&place, &server, "two");
    place.wfhost(&["runs", "release", &run]).ok();
    when(&place, &run, "done", is_done);
}
