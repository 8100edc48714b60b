//! What the sources themselves must keep to.

use std::fs;
use std::path::{Path, PathBuf};

use wfhost_testkit::guest::workspace;

const LINES_MAX: usize = 800;

/// What the pure core must not name: IO, the time, threads.
const IMPURE: [&str; 9] = [
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "std::os",
    "SystemTime",
    "Instant",
    "tokio",
];

#[test]
fn no_file_is_too_long() {
    let sources: Vec<PathBuf> = ["host", "guest-sdk", "plugins", "examples", "wit"]
        .iter()
        .flat_map(|part| files(&workspace().join(part), &["rs", "wit"]))
        .collect();
    assert!(sources.len() > 50, "the sources are found: {}", sources.len());
    for file in sources {
        let lines = read(&file).lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines, over {LINES_MAX}", file.display());
    }
}

/// The one exception: a foreign parser recurses, so it is lent a bigger stack while its caller
/// waits. Seen from outside that is a function call.
const LENT: (&str, &str) = ("expression/lower.rs", "std::thread");

#[test]
fn the_core_names_no_io_no_time_no_thread() {
    let sources = files(&workspace().join("host/workflow/src"), &["rs"]);
    assert!(sources.len() > 5, "the sources are found: {}", sources.len());
    for file in sources {
        let text = read(&file);
        for line in code(&text) {
            for word in IMPURE {
                if word == LENT.1 && file.ends_with(LENT.0) {
                    continue;
                }
                assert!(!names(line, word), "{} names `{word}`: {line}", file.display());
            }
        }
    }
}

/// What a stranger's text may do to a terminal is prevented in one place.
#[test]
fn one_file_of_the_command_writes_to_the_terminal() {
    let command = workspace().join("host/cli/src");
    let naming: Vec<PathBuf> = files(&command, &["rs"])
        .into_iter()
        .filter(|file| {
            let text = read(file);
            text.contains("stdout()") || text.contains("stderr()")
        })
        .collect();
    assert_eq!(naming, [command.join("output.rs")]);
}

#[test]
fn one_file_of_the_transport_names_zmq() {
    let transport = workspace().join("host/transport/src");
    let naming: Vec<PathBuf> = files(&transport, &["rs"])
        .into_iter()
        .filter(|file| code(&read(file)).any(|line| names(line, "zmq")))
        .collect();
    assert_eq!(naming.len(), 1, "one file of the transport names `zmq`: {naming:?}");
}

/// The lines before the tests, without comments and the text of strings.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .map(|line| line.split("//").next().unwrap_or_default())
        .filter(|line| !line.trim_start().starts_with('#'))
}

/// Whether `word` is in the line as a whole word and not within a string.
fn names(line: &str, word: &str) -> bool {
    let outside: String = line.split('"').step_by(2).collect::<Vec<_>>().join("\"\"");
    outside.match_indices(word).any(|(start, _)| {
        let before = outside[..start].chars().next_back();
        let after = outside[start + word.len()..].chars().next();
        [before, after].iter().flatten().all(|&c| !c.is_alphanumeric() && c != '_')
    })
}

#[test]
fn a_name_is_a_whole_word_outside_strings() {
    assert!(names("use zmq::Context;", "zmq"));
    assert!(names("let x = std::fs::read(\"a\");", "std::fs"));
    assert!(!names("let zmqish = 1;", "zmq"));
    assert!(!names("say(\"over zmq\", 1);", "zmq"));
    assert!(!names("let Instantly = 1;", "Instant"));
    assert_eq!(code("a // b\n#[cfg(test)]\nc").collect::<Vec<_>>(), ["a "]);
}

/// All files below `folder` with one of the extensions; what Cargo builds aside.
pub(crate) fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                found.extend(files(&path, extensions));
            }
        } else if path.extension().is_some_and(|own| extensions.iter().any(|one| own == *one)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

pub(crate) fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}
