//! `kill -9` in the middle of a run of 200 steps, again and again: nothing that was done is lost
//! or done again, and the result is that of a run that nobody disturbed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::place::{Place, Started, guest_path};

const ROUNDS: u64 = 50;
const STEPS: usize = 200;
const SLOTS: usize = 4;
const AT_ONCE: usize = 8;

/// A run that has stopped making progress for this long hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// 20 steps one after another around a `map` of 180, each of which notes in a file that it runs.
fn workflow(place: &Place) -> String {
    let log = place.path("log");
    fs::create_dir_all(&log).unwrap();
    let mut text = format!(
        "workflow: many\nversion: 1\nplugins:\n  p:\n    path: {}\n    grants: {{ dirs: [ {{ path: \"{}\", as: /log, mode: rw }} ] }}\nsteps:\n",
        guest_path("probe").display(),
        log.display(),
    );
    let call = "call: p/append, retry: { attempts: 1 }";
    let mut before = "1".to_owned();
    let mut sequence = |from: usize, before: &mut String| {
        for number in from..from + 10 {
            text.push_str(&format!(
                "  - {{ id: s{number}, {call}, with: {{ file: /log/lines, number: \"${{{before}}}\" }} }}\n"
            ));
            *before = format!("steps.s{number}");
        }
        std::mem::take(&mut text)
    };
    let mut whole = sequence(0, &mut before);
    let items: Vec<String> = (0..STEPS - 20).map(|item| item.to_string()).collect();
    whole.push_str(&format!(
        "  - {{ id: m, map: [{}], as: it, at_once: {AT_ONCE}, {call}, with: {{ file: /log/lines, number: \"${{it + {before}}}\" }} }}\n",
        items.join(", ")
    ));
    before = "steps.m[7]".to_owned();
    whole.push_str(&sequence(10, &mut before));
    whole.push_str(&format!("output: {{ all: \"${{steps.m}}\", last: \"${{{before}}}\" }}\n"));
    place.write("many.yaml", &whole).display().to_string()
}

fn lines(file: &Path) -> Vec<String> {
    fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Waits until so many steps have begun.
#[track_caller]
fn wait_for_lines(file: &Path, count: usize) {
    let mut changed = (Instant::now(), 0);
    loop {
        let now = lines(file).len();
        if now >= count {
            return;
        }
        if now != changed.1 {
            changed = (Instant::now(), now);
        }
        assert!(changed.0.elapsed() < PATIENCE, "stuck at {now} of {count} steps");
        std::thread::yield_now();
    }
}

/// The steps whose completion is in `events`, as they are named in the file.
fn completed(place: &Place) -> BTreeSet<String> {
    let events = place.wfhost(&["runs", "events", "latest", "--output", "json"]).ok();
    events
        .json_lines()
        .iter()
        .filter(|event| event["event"] == "attempt-succeeded")
        .map(|event| {
            let index = event["index"].as_u64().map_or_else(String::new, |index| index.to_string());
            format!("{}[{index}]", event["step"].as_str().unwrap())
        })
        .collect()
}

fn kill(run: Started) {
    run.signal(Signal::KILL);
    run.end();
}

struct Round {
    place: Place,
    file: PathBuf,
}

impl Round {
    fn run(&self, workflow: &str) -> Started {
        let log = format!("{}:rw", self.place.path("log").display());
        self.place.start(&["run", workflow, "--slots", &SLOTS.to_string(), "--allow-dir", &log])
    }

    fn resume(&self) -> Started {
        self.place.start(&["resume", "latest", "--slots", &SLOTS.to_string()])
    }

    /// Kills the run at its `at`-th beginning of a step; gives what it had completed by then.
    fn kill_at(&self, run: Started, at: usize) -> (BTreeSet<String>, usize) {
        wait_for_lines(&self.file, at);
        let done = completed(&self.place);
        kill(run);
        (done, lines(&self.file).len())
    }
}

fn undisturbed() -> Value {
    let place = Place::new();
    let file = place.path("log/lines");
    let workflow = workflow(&place);
    let round = Round { place, file };
    let output = round.run(&workflow).end().ok().json();
    assert_eq!(lines(&round.file).len(), STEPS);
    output
}

fn round(seed: u64, expected: &Value) {
    let mut random = fastrand::Rng::with_seed(seed);
    let place = Place::new();
    let workflow = workflow(&place);
    let file = place.path("log/lines");
    let round = Round { place, file };
    let mut run = round.run(&workflow);
    let mut kills = Vec::new();
    let mut at = 0;
    for _ in 0..random.usize(1..=2) {
        if STEPS - at.min(STEPS) < 2 {
            break;
        }
        at = random.usize(at + 1..=at + (STEPS - at) / 2).min(STEPS - 1);
        let killed = round.kill_at(run, at);
        at = killed.1;
        kills.push(killed);
        run = round.resume();
    }
    let ended = run.end();
    // A run that is near its end may be over before the signal arrives.
    let was_over = ended.code == Some(3) && ended.stderr.contains("it has succeeded");
    let ended = if was_over { round.place.wfhost(&["runs", "output", "latest"]) } else { ended };
    assert_eq!(&ended.ok().json(), expected, "seed {seed}");
    let lines = lines(&round.file);
    for (done, begun) in &kills {
        for line in &lines[*begun..] {
            let step = line.split(' ').next().unwrap_or_default();
            assert!(!done.contains(step), "seed {seed}: {step} was complete and ran again");
        }
    }
    check_counts(seed, kills.len(), &lines, &completed(&round.place));
}

fn check_counts(seed: u64, kills: usize, lines: &[String], done: &BTreeSet<String>) {
    assert_eq!(done.len(), STEPS, "seed {seed}");
    let mut counts = BTreeMap::new();
    for line in lines {
        *counts.entry(line.split(' ').next().unwrap_or_default()).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), STEPS, "seed {seed}");
    let most = counts.values().copied().max().unwrap_or_default();
    assert!(most <= 1 + kills, "seed {seed}: a step ran {most} times after {kills} kills");
    // Only what was under way at a kill may have run twice: of the map, no more than `at_once`.
    let extra = lines.len() - STEPS;
    assert!(extra <= kills * AT_ONCE, "seed {seed}: {extra} repetitions after {kills} kills");
}

#[test]
fn a_run_that_is_killed_at_random_points_ends_as_if_nothing_had_happened() {
    let expected = undisturbed();
    for seed in 0..ROUNDS {
        round(seed, &expected);
    }
}
