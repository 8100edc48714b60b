//! A guest that puts what a terminal would act on into every text it can say, through every
//! command: none of it arrives as it is, neither in a pipe nor on a terminal, and JSON keeps it.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::place::{Outcome, Place, guest_path};

/// What the guest says; the same text as in its source.
const PAINT: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\rOWNED\u{202e}\u{9b}31m\u{fdd2}\u{7f}\u{2028}\u{200b}\nerror: forged";
/// How its beginning is shown.
const SHOWN: &str =
    "\\u{1b}]0;owned\\u{7}\\u{1b}[2J\\rOWNED\\u{202e}\\u{9b}31m\\u{fdd2}\\u{7f}\\u{2028}\\u{200b}";

const PAINTING: &str = "version: \"1\\u202e\\u200b\"\nsteps:\n  - id: a\n    call: p/paint\n    with: {}\noutput: \"${steps.a}\"\n";
const FAILING: &str = "steps:\n  - id: b\n    call: p/blame\n    with: {}\n";
const AGAIN: &str = "steps:\n  - id: c\n    call: p/again\n    with: {}\n    retry: { attempts: 2, backoff: { first: 400ms, factor: 1, max: 1s, jitter: 0 } }\n";
const LINGERING: &str = "steps:\n  - id: d\n    call: p/linger\n    with: {}\n";
const TRAPPING: &str = "steps:\n  - id: e\n    call: p/panic\n    with: {}\n";
const PICKY: &str = "steps:\n  - id: f\n    call: p/picky\n    with: { wrong: 1 }\n";

/// A terminal would act on it, or could be made to.
fn is_forbidden(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{202e}' | '\u{fdd2}' | '\u{2028}' | '\u{200b}')
}

#[track_caller]
fn clean(text: &str) {
    assert!(!text.chars().any(is_forbidden), "{text:?}");
    assert!(!text.lines().any(|line| line.starts_with("error: forged")), "{text}");
}

#[track_caller]
fn harmless(outcome: &Outcome) {
    clean(&outcome.stdout);
    clean(&outcome.stderr);
}

#[track_caller]
fn said_harmlessly(outcome: &Outcome) {
    harmless(outcome);
    let all = format!("{}{}", outcome.stdout, outcome.stderr);
    // As a line shows it, or JSON, or a report with a mark below a column.
    let shown = [
        "\\u{1b}]0;owned\\u{7}",
        "\u{fffd}]0;owned\u{fffd}",
        "\\u001b]0;owned\\u0007",
        "\\u{202e}",
    ];
    assert!(
        shown.iter().any(|shown| all.contains(shown)),
        "nothing of the guest's is shown:\n{all}"
    );
}

struct Painted {
    place: Place,
    guest: String,
}

impl Painted {
    fn new() -> Self {
        Self { place: Place::new(), guest: guest_path("graffiti").display().to_string() }
    }

    fn workflow(&self, name: &str, rest: &str) -> String {
        self.place.workflow(name, "graffiti", rest)
    }

    fn wfhost(&self, arguments: &[&str]) -> Outcome {
        self.place.wfhost(arguments)
    }

    fn json(&self, arguments: &[&str], code: i32) -> Value {
        let outcome = self.wfhost(&[arguments, &["--output", "json"]].concat()).exits(code);
        clean(&outcome.stdout);
        clean(&outcome.stderr);
        outcome.json()
    }

    fn call(&self, function: &str, code: i32) {
        let outcome = self.wfhost(&["plugin", "call", &self.guest, function, "{}"]).exits(code);
        said_harmlessly(&outcome);
    }
}

#[test]
fn a_plugins_words_are_harmless_in_text() {
    let painted = Painted::new();
    said_harmlessly(&painted.wfhost(&["plugin", "inspect", &painted.guest]).ok());
    said_harmlessly(&painted.wfhost(&["plugin", "inspect", &painted.guest, "--wit"]).ok());
    painted.call("paint", 0);
    painted.call("s\u{202e}\u{fdd2}", 0);
    painted.call("blame", 1);
    painted.call("again", 1);
    painted.call("panic", 1);
    painted.call("picky", 3);
    let none = painted.wfhost(&["plugin", "call", &painted.guest, PAINT]).exits(2);
    said_harmlessly(&none);
}

#[test]
fn a_runs_words_are_harmless_in_text() {
    let painted = Painted::new();
    let file = painted.workflow("painting.yaml", PAINTING);
    said_harmlessly(&painted.wfhost(&["check", &file]).ok());
    said_harmlessly(&painted.wfhost(&["run", &file]).ok());
    for command in ["show", "events", "logs", "output"] {
        said_harmlessly(&painted.wfhost(&["runs", command, "latest"]).ok());
    }
    for (name, rest) in
        [("failing.yaml", FAILING), ("trapping.yaml", TRAPPING), ("again.yaml", AGAIN)]
    {
        let file = painted.workflow(name, rest);
        // A trap has no words of the guest's: those went to its standard error.
        let look = if name == "trapping.yaml" { harmless } else { said_harmlessly };
        for more in [&["-v"][..], &["-vvv"], &["-q"], &["--log-format", "json", "-vv"]] {
            look(&painted.wfhost(&[&["run", &file], more].concat()).exits(1));
        }
        for command in [&["list"][..], &["show"], &["events"]] {
            look(&painted.wfhost(&[&["runs"], command].concat()).ok());
        }
        said_harmlessly(&painted.wfhost(&["runs", "logs"]).ok());
    }
    let picky = painted.workflow("picky.yaml", PICKY);
    said_harmlessly(&painted.wfhost(&["check", &picky]).exits(3));
    said_harmlessly(&painted.wfhost(&["run", &picky]).exits(3));
}

#[test]
fn names_of_files_are_harmless_in_text() {
    let painted = Painted::new();
    let odd = "x\u{1b}]0;owned\u{7}\u{202e}\nerror: forged";
    let text = format!(
        "workflow: odd\nplugins: {{ p: {} }}\nsteps:\n  - id: a\n    call: p/none\n",
        painted.guest
    );
    let file = painted.place.write(&format!("{odd}.yaml"), &text).display().to_string();
    said_harmlessly(&painted.wfhost(&["check", &file]).exits(3));
    said_harmlessly(&painted.wfhost(&["run", &file]).exits(3));
    let plugin = painted.place.path(&format!("{odd}.wasm")).display().to_string();
    for command in ["inspect", "call"] {
        let missing = painted
            .wfhost(&["plugin", command, &plugin, "paint"][..3 + usize::from(command == "call")]);
        said_harmlessly(&missing.exits(2));
    }
    std::fs::copy(&painted.guest, &plugin).unwrap();
    said_harmlessly(&painted.wfhost(&["plugin", "inspect", &plugin]).ok());
    painted.place.write(&format!("{odd}.plugin.toml"), &format!("name = {:?}", "x"));
    said_harmlessly(&painted.wfhost(&["plugin", "inspect", &plugin]).exits(3));
    said_harmlessly(&painted.wfhost(&["run", &file, &format!("--{odd}")]).exits(2));
}

#[test]
fn json_keeps_every_word_of_a_plugin() {
    let painted = Painted::new();
    let told = painted.json(&["plugin", "inspect", &painted.guest], 0);
    assert_eq!(told["steps"][0]["docs"], PAINT);
    assert_eq!(told["steps"][6]["name"], "s\u{202e}\u{fdd2}");
    let picky = &told["steps"][5]["input_schema"];
    assert_eq!((&picky["title"], &picky["required"][0]), (&json!(PAINT), &json!(PAINT)));
    assert_eq!(picky["properties"][PAINT]["enum"][0], PAINT);
    assert_eq!(told["functions"][0]["name"], "test:graffiti/walls#spray");
    assert_eq!(told["functions"][0]["docs"], PAINT);
    let called = painted.json(&["plugin", "call", &painted.guest, "paint", "{}"], 0);
    assert_eq!(called, json!({ PAINT: PAINT }));
    let failed = painted.json(&["plugin", "call", &painted.guest, "blame", "{}"], 1);
    assert_eq!(
        (&failed["failure"]["code"], &failed["failure"]["message"]),
        (&json!(PAINT), &json!(PAINT))
    );
}

#[test]
fn json_keeps_every_word_of_a_run() {
    let painted = Painted::new();
    let file = painted.workflow("painting.yaml", PAINTING);
    let run = painted.json(&["run", &file], 0);
    assert_eq!(run["output"], json!({ PAINT: PAINT }));
    assert_eq!(run["version"], "1\u{202e}\u{200b}");
    assert_eq!(painted.json(&["runs", "output", "latest"], 0), json!({ PAINT: PAINT }));
    assert_eq!(painted.json(&["runs", "show", "latest"], 0)["output"], json!({ PAINT: PAINT }));
    let logs = painted.wfhost(&["runs", "logs", "latest", "--output", "json"]).ok();
    clean(&logs.stdout);
    let lines = logs.json_lines();
    assert!(
        lines.iter().any(|line| line["message"] == PAINT && line["fields"][PAINT] == PAINT),
        "{lines:#?}"
    );
    let split = "split \u{6f22} and broken \u{fffd}\u{fffd}";
    assert!(lines.iter().any(|line| line["message"] == split), "{lines:#?}");
    let id = run["run"].as_str().unwrap();
    let stored =
        std::fs::read_to_string(painted.place.path(&format!("data/logs/{id}.jsonl"))).unwrap();
    let painted_line = stored.lines().find(|line| line.contains("owned")).unwrap();
    assert!(painted_line.contains("\u{202e}"), "kept as it was said: {painted_line}");

    let file = painted.workflow("failing.yaml", FAILING);
    let failed = painted.json(&["run", &file], 1);
    assert!(failed["error"].as_str().unwrap().contains(PAINT), "{failed}");
    let listed = painted.json(&["runs", "list"], 0);
    assert!(listed[0]["error"].as_str().unwrap().contains(PAINT), "{listed}");
    let events = painted.wfhost(&["runs", "events", "latest", "--output", "json"]).ok();
    clean(&events.stdout);
    let told = events.json_lines().iter().any(|event| has(event, PAINT));
    assert!(told, "{}", events.stdout);
}

/// Whether a text anywhere in `value` has `part`.
fn has(value: &Value, part: &str) -> bool {
    match value {
        Value::String(text) => text.contains(part),
        Value::Array(items) => items.iter().any(|item| has(item, part)),
        Value::Object(members) => members.values().any(|member| has(member, part)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// What arrives on a terminal of 100 columns.
fn on_a_terminal(place: &Place, arguments: &[&str]) -> String {
    let quoted: Vec<String> =
        arguments.iter().map(|argument| format!("'{}'", argument.replace('\'', "'\\''"))).collect();
    let command = format!(
        "stty cols 100 rows 40; exec {} {}",
        env!("CARGO_BIN_EXE_wfhost"),
        quoted.join(" ")
    );
    // `script` makes a terminal; it belongs to every Linux.
    let output = Command::new("script")
        .args(["--quiet", "--command", &command, "/dev/null"])
        .current_dir(place.path(""))
        .env_clear()
        .envs([("TERM", "xterm-256color"), ("SHELL", "/bin/sh"), ("PATH", "/usr/bin:/bin")])
        .envs([("HOME", place.path("")), ("WFHOST_DATA", place.path("data"))])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Our own colours and the live view's moves are all that is left of control characters.
#[track_caller]
fn clean_on_a_terminal(text: &str) {
    let mut rest = text.replace("\r\n", "\n");
    for own in [
        "\u{1b}[0m",
        "\u{1b}[1m",
        "\u{1b}[2m",
        "\u{1b}[32m",
        "\u{1b}[33m",
        "\u{1b}[36m",
        "\u{1b}[1;31m",
    ] {
        rest = rest.replace(own, "");
    }
    // The live view goes up, to the line's beginning, and clears it.
    for moves in ["\u{1b}[2K", "\u{1b}[1A", "\u{1b}[1B"] {
        rest = rest.replace(moves, "");
    }
    let rest = rest.replace("\rOWNED", "\u{1b}OWNED").replace('\r', "");
    clean(&rest);
}

#[test]
fn a_terminal_gets_our_colours_and_nothing_of_the_guests() {
    let painted = Painted::new();
    let place = &painted.place;
    let file = painted.workflow("painting.yaml", PAINTING);
    let failing = painted.workflow("failing.yaml", FAILING);
    let guest = painted.guest.as_str();
    let commands: [&[&str]; 12] = [
        &["plugin", "inspect", guest],
        &["plugin", "call", guest, "paint", "{}"],
        &["plugin", "call", guest, "blame", "{}"],
        &["plugin", "call", guest, "picky", "{}"],
        &["check", &file],
        &["run", &file, "-v"],
        &["runs", "output"],
        &["runs", "logs"],
        &["run", &failing],
        &["runs", "show"],
        &["runs", "events"],
        &["runs", "list", "--output", "json"],
    ];
    for command in commands {
        let seen = on_a_terminal(place, command);
        clean_on_a_terminal(&seen);
        let told = seen.contains("]0;owned") || seen.contains("s\\u{202e}");
        assert!(told, "{command:?}: {seen:?}");
    }
    let coloured = on_a_terminal(place, &["plugin", "inspect", guest]);
    assert!(coloured.contains("\u{1b}[1mSTEPS\u{1b}[0m"), "{coloured:?}");
}

#[test]
fn the_live_view_shows_progress_and_failures_harmlessly() {
    let painted = Painted::new();
    for (name, rest) in [("again.yaml", AGAIN), ("lingering.yaml", LINGERING)] {
        let file = painted.workflow(name, rest);
        let seen = on_a_terminal(&painted.place, &["run", &file]);
        clean_on_a_terminal(&seen);
        assert!(seen.contains("\u{1b}[1A") || seen.contains("\u{1b}[2K"), "not live: {seen:?}");
        assert!(seen.contains(&SHOWN[..12]), "{name}: {seen:?}");
    }
}
