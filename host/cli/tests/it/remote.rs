//! Commands that ask a server on the network, and the workers that it has.

use std::net::TcpListener;

use rustix::process::Signal;

use crate::interrupting::WAITS;
use crate::place::{Outcome, Place, Started};

const HELLO: &str = "steps:\n  - id: greet\n    call: p/greet\n    with: { name: Ada }\noutput: \"${steps.greet.greeting}\"\n";

/// `wfhost serve`, in a data folder of its own.
pub(crate) struct Server {
    process: Started,
    /// How it is asked.
    flags: Vec<String>,
}

impl Server {
    /// Asked through its data folder.
    pub(crate) fn local(place: &Place, more: &[&str]) -> Self {
        let data = place.path("served").display().to_string();
        let mut process = place.start(&[&["serve", "--data", &data], more].concat());
        process.wait_for("serving ");
        Self { process, flags: vec!["--data".to_owned(), data] }
    }

    /// Asked over TCP, by `client.key`; workers join with `worker.key`.
    pub(crate) fn network(place: &Place, address: &str, more: &[&str]) -> Self {
        let data = place.path("served").display().to_string();
        for role in ["client", "worker"] {
            if !place.path(&format!("{role}.key")).exists() {
                let file = format!("{role}.key");
                let list = place.wfhost(&["keygen", "--out", &file]).ok().stdout;
                place.write(&format!("{role}s.keys"), &list);
            }
        }
        let lists = ["--workers", "workers.keys", "--clients", "clients.keys"];
        let serve = ["serve", "--data", &data, "--bind", address];
        let mut process = place.start(&[&serve[..], &lists, more].concat());
        let line = process.wait_for("wfhost worker --join ");
        let word = |after: &str| {
            let rest = line.split(after).nth(1).unwrap().trim_start();
            rest.split_whitespace().next().unwrap().to_owned()
        };
        let flags = ["--server", &word("--join"), "--server-key", &word("--server-key")];
        let key = ["--key".to_owned(), "client.key".to_owned()];
        Self { process, flags: flags.into_iter().map(str::to_owned).chain(key).collect() }
    }

    fn with<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        arguments.iter().copied().chain(self.flags.iter().map(String::as_str)).collect()
    }

    pub(crate) fn asks(&self, place: &Place, arguments: &[&str]) -> Outcome {
        place.wfhost(&self.with(arguments))
    }

    fn starts(&self, place: &Place, arguments: &[&str]) -> Started {
        place.start(&self.with(arguments))
    }

    fn address(&self) -> &str {
        &self.flags[1]
    }

    fn key(&self) -> &str {
        &self.flags[3]
    }

    fn worker(&self, place: &Place, name: &str, more: &[&str]) -> Started {
        let join = ["worker", "--join", self.address(), "--server-key", self.key()];
        let own = ["--key", "worker.key", "--name", name];
        place.start(&[&join[..], &own, more].concat())
    }

    /// Waits until the list of workers is as wanted.
    fn workers_when(
        &self,
        place: &Place,
        wanted: impl Fn(&[serde_json::Value]) -> bool,
    ) -> serde_json::Value {
        for _ in 0..2_000 {
            let list = self.asks(place, &["workers", "list", "--output", "json"]).ok().json();
            if wanted(list.as_array().unwrap()) {
                return list;
            }
        }
        panic!("the workers never became as wanted");
    }
}

#[test]
fn a_client_with_its_key_does_over_the_network_what_it_does_in_a_folder() {
    let place = Place::new();
    let server = Server::network(&place, "tcp://127.0.0.1:0", &["--slots", "2"]);
    let hello = place.workflow("hello.yaml", "hello", HELLO);
    let started = server.asks(&place, &["start", &hello]).ok().says("at tcp://127.0.0.1:");
    let run = started.stdout.trim().to_owned();
    let watched = server.asks(&place, &["runs", "watch", &run]).ok();
    assert_eq!(watched.stdout, "\"Hello, Ada!\"\n");
    assert_eq!(server.asks(&place, &["run", &hello]).ok().stdout, "\"Hello, Ada!\"\n");
    let list = server.asks(&place, &["runs", "list", "--output", "json"]).ok().json();
    assert_eq!(list.as_array().unwrap().len(), 2);
    for command in ["show", "events", "logs", "output"] {
        server.asks(&place, &["runs", command, &run]).ok();
    }
    server.asks(&place, &["resume", &run]).exits(3);
    server.asks(&place, &["runs", "rm", &run]).ok();
    let workers = server.asks(&place, &["workers", "list"]).ok().stdout;
    assert!(workers.contains("embedded"), "{workers}");
    server.asks(&place, &["workers", "scale", "2"]).ok().says("2 workers are wanted");
    server.workers_when(&place, |workers| {
        workers.iter().filter(|worker| worker["managed"] == true).count() == 2
    });
    server.asks(&place, &["workers", "remove", "embedded"]).exits(3);
    assert!(!place.path("data/store").exists(), "nothing is held here");

    let mut by_environment = place.command(&["runs", "list", "--output", "json"]);
    by_environment.env("WFHOST_SERVER", server.address());
    by_environment.env("WFHOST_SERVER_KEY", server.key()).env("WFHOST_KEY", "client.key");
    let list = Outcome::from(by_environment.output().unwrap()).ok().json();
    assert_eq!(list.as_array().unwrap().len(), 1);
}

#[test]
fn who_is_not_let_in_is_told_what_to_do() {
    let place = Place::new();
    let server = Server::network(&place, "tcp://127.0.0.1:0", &[]);
    let ask = |address: &str, server_key: &str, key: &str| {
        let keys = ["--server-key", server_key, "--key", key];
        place.wfhost(&[&["runs", "list", "--server", address][..], &keys].concat())
    };
    let (address, key) = (server.address(), server.key());
    ask(address, key, "client.key").ok();
    ask(address, key, "worker.key").exits(4).says("list of workers");
    place.wfhost(&["keygen", "--out", "stranger.key"]).ok();
    ask(address, key, "stranger.key").exits(4).says("does not let this key in").says("clients");
    ask(address, &"ab".repeat(32), "client.key").exits(4).says("has another key");
    // A port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    ask(&format!("tcp://{free}"), key, "client.key").exits(6).says("does `wfhost serve` run there");
    ask(address, key, "none.key").exits(2).says("none.key");
    place.wfhost(&["runs", "list", "--server", address, "--key", "client.key"]).exits(2);
    place.wfhost(&["runs", "list", "--server", "nonsense"]).exits(2);
}

#[test]
fn a_client_on_the_network_gives_no_folder_of_the_servers_machine() {
    let place = Place::new();
    let server = Server::network(&place, "tcp://127.0.0.1:0", &["--slots", "1"]);
    let (log, guest) = (place.path("log"), crate::place::guest_path("probe"));
    std::fs::create_dir_all(&log).unwrap();
    let with = |path: &str| {
        let text = format!(
            "workflow: w\nplugins:\n  p:\n    path: {}\n    grants: {{ dirs: [ {{ path: \"{path}\", as: /log, mode: rw }} ] }}\nsteps:\n  - {{ id: a, call: p/append, retry: {{ attempts: 1 }}, with: {{ file: /log/lines, number: 1 }} }}\n",
            guest.display()
        );
        place.write("w.yaml", &text).display().to_string()
    };
    let allowed = format!("{}:rw", log.display());
    let file = with(&log.display().to_string());
    server.asks(&place, &["start", &file, "--allow-dir", &allowed]).exits(4).says("such as `@in`");
    assert_eq!(server.asks(&place, &["runs", "list", "--output", "json"]).ok().stdout, "[]\n");
    // By its name it is the workers' matter: the one here has none.
    let file = with("@in");
    server.asks(&place, &["start", &file, "--wait"]).exits(1).says("directory of workers");
    assert!(!log.join("lines").exists());
    // Who can enter the data folder may give what is the same user's.
    let local = ["start", &with(&log.display().to_string()), "--allow-dir", &allowed, "--wait"];
    let data = place.path("served").display().to_string();
    place.wfhost(&[&local[..], &["--data", &data]].concat()).ok();
    assert!(log.join("lines").exists());
}

#[test]
fn watching_survives_a_restart_of_the_server() {
    let place = Place::new();
    let mut server = Server::network(&place, "tcp://127.0.0.1:0", &["--slots", "2"]);
    let waits = place.workflow("waits.yaml", "probe", WAITS);
    let run = server.asks(&place, &["start", &waits]).ok().stdout.trim().to_owned();
    let mut watch = server.starts(&place, &["runs", "watch", &run]);
    watch.wait_for("waits: attempt 1 failed");
    for signal in [Signal::KILL, Signal::TERM] {
        let address = server.address().to_owned();
        server.process.signal(signal);
        server.process.end();
        watch.wait_for("the run is no longer served: waiting");
        server = Server::network(&place, &address, &["--slots", "2"]);
        watch.wait_for("the run is served again");
    }
    server.asks(&place, &["runs", "cancel", &run]).ok();
    let watched = watch.end().exits(1).says("cancelled");
    let told = |text: &str| watched.stderr.matches(text).count();
    assert_eq!((told("no longer served"), told("waits: attempt 1 failed")), (2, 1));
}

#[test]
fn workers_are_seen_drained_and_removed() {
    let place = Place::new();
    let server = Server::network(&place, "tcp://127.0.0.1:0", &[]);
    let steps =
        "steps:\n  - { id: slow, call: p/chance, with: 600, requires: { gpu: \"true\" } }\n";
    let slow = place.workflow("slow.yaml", "probe", steps);
    let run = server.asks(&place, &["start", &slow]).ok().stdout.trim().to_owned();
    let step = || server.asks(&place, &["runs", "show", &run, "--output", "json"]).ok().json();
    assert_eq!(step()["steps"][0]["why"], "there is no worker");
    let shown = server.asks(&place, &["runs", "show", &run]).ok().stdout;
    assert!(shown.contains("there is no worker"), "{shown}");

    let first = server.worker(&place, "node1", &["--slots", "3", "--label", "gpu=true"]);
    let list = server.workers_when(&place, |list| list.iter().any(|worker| worker["busy"] == 1));
    assert_eq!((&list[0]["name"], &list[0]["slots"]), (&"node1".into(), &3.into()));
    assert_eq!((&list[0]["state"], &list[0]["labels"]["gpu"]), (&"ready".into(), &"true".into()));
    let id = list[0]["worker"].as_str().unwrap().to_owned();
    assert!(place.wfhost(&["keygen", "--public", "worker.key"]).ok().stdout.starts_with(&id));
    let where_it_is = step()["steps"][0]["workers"][0].as_str().unwrap().to_owned();
    assert!(where_it_is.starts_with("node1 ("), "{where_it_is}");
    let shown = server.asks(&place, &["workers", "show", &id[..6]]).ok().stdout;
    for part in ["1 of 3 busy", "gpu=true", "slow", &run] {
        assert!(shown.contains(part), "`{part}` is missing in\n{shown}");
    }
    server.asks(&place, &["workers", "show", "node9"]).exits(2).says("workers list");

    server.asks(&place, &["workers", "drain", "node1"]).ok().says("runs 1 of its 3 slots");
    server.workers_when(&place, |list| list[0]["state"] == "draining");
    server.asks(&place, &["runs", "cancel", &run]).ok();
    first.end().ok();
    server.workers_when(&place, <[_]>::is_empty);

    let second = server.worker(&place, "node2", &[]);
    server.workers_when(&place, |list| list.len() == 1);
    server.asks(&place, &["workers", "remove", "node2"]).ok().says("removed");
    second.end().says("removed by an operator");
    server.workers_when(&place, <[_]>::is_empty);
}
