//! Compiled plugins are kept, and what is wrong with the cache costs a warning only.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::place::{Outcome, Place, guest_path};

const GREETED: &str = "{\"greeting\":\"Hello, Ada!\"}\n";

fn greet(place: &Place) -> Outcome {
    let hello = guest_path("hello").display().to_string();
    let outcome = place.wfhost(&["plugin", "call", &hello, "greet", "{\"name\":\"Ada\"}"]).ok();
    assert_eq!(outcome.stdout, GREETED);
    outcome
}

/// Nothing is wrong with the cache; what takes long on a busy machine may be said.
fn greet_quietly(place: &Place) {
    let stderr = greet(place).stderr;
    assert!(!stderr.contains("anew") && !stderr.contains("cache"), "{stderr}");
}

/// Every file of an entry: native code, its header, facts, contracts.
fn files(place: &Place) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for part in ["native", "facts", "contracts"] {
        for entry in fs::read_dir(place.path("cache").join(part)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files.extend(fs::read_dir(path).unwrap().map(|file| file.unwrap().path()));
            } else {
                files.push(path);
            }
        }
    }
    files
}

fn alter(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn what_is_altered_is_said_and_made_anew() {
    let place = Place::new();
    greet_quietly(&place);
    greet_quietly(&place);
    let names: Vec<PathBuf> = files(&place);
    assert_eq!(names.len(), 4, "{names:?}");
    for file in names {
        // `plugin call` does not ask for facts.
        if file.starts_with(place.path("cache/facts")) {
            continue;
        }
        alter(&file);
        greet(&place).says("is damaged or was altered").says("anew");
        greet_quietly(&place);
    }
}

#[test]
fn what_another_installation_made_is_not_loaded() {
    let place = Place::new();
    greet(&place);
    fs::write(place.path("cache/key"), [7; 32]).unwrap();
    greet(&place).says("was made with the key of another installation");
    greet_quietly(&place);
}

#[test]
fn a_cache_that_others_can_enter_is_not_used() {
    let place = Place::new();
    greet(&place);
    let cache = place.path("cache");
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o755)).unwrap();
    greet(&place).says("without a cache").says("chmod 700");
    place.wfhost(&["cache", "list"]).exits(5).says("can be entered by other users (mode 755)");
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o700)).unwrap();
    greet_quietly(&place);
}

#[test]
fn a_cache_that_cannot_be_made_costs_only_the_cache() {
    let place = Place::new();
    let file = place.write("file", "");
    let hello = guest_path("hello").display().to_string();
    let output = place
        .command(&["plugin", "call", &hello, "greet", "{\"name\":\"Ada\"}"])
        .env("WFHOST_CACHE", file.join("cache"))
        .output()
        .unwrap();
    let outcome = Outcome::from(output).ok().says("components are compiled without a cache");
    assert_eq!(outcome.stdout, GREETED);
}

#[test]
fn a_cache_that_cannot_be_written_is_said_once() {
    let place = Place::new();
    greet(&place);
    let native = place.path("cache/native");
    let entry = fs::read_dir(&native).unwrap().next().unwrap().unwrap().path();
    fs::remove_dir_all(&entry).unwrap();
    fs::write(&entry, "no folder").unwrap();
    fs::remove_dir_all(place.path("cache/contracts")).unwrap();
    let outcome = greet(&place).says("is not kept for the next time");
    assert_eq!(outcome.stderr.matches("is not kept").count(), 1, "{}", outcome.stderr);
}

#[test]
fn one_of_several_processes_compiles() {
    let place = Place::new();
    let text = guest_path("text").display().to_string();
    let started: Vec<_> = (0..4)
        .map(|_| {
            place
                .command(&["plugin", "call", &text, "no-such-function"])
                .env("WFHOST_LOG", "wfhost_plugin=debug")
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let said: String = started
        .into_iter()
        .map(|child| Outcome::from(child.wait_with_output().unwrap()).exits(2).stderr)
        .collect();
    assert_eq!(said.matches(" compiled ").count(), 1, "{said}");
    assert_eq!(fs::read_dir(place.path("cache/locks")).unwrap().count(), 0);
}

#[test]
fn the_cache_is_listed_and_cleared() {
    let place = Place::new();
    place.wfhost(&["cache", "list"]).ok().says("the cache is empty");
    assert!(!place.path("cache").exists(), "looking makes nothing");
    greet(&place);
    let listed = place.wfhost(&["cache", "list", "--output", "json"]).ok().json();
    let digest = listed[0]["digest"].as_str().unwrap().to_owned();
    assert!(listed[0]["bytes"].as_u64().unwrap() > 100_000, "{listed}");
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    let table = place.wfhost(&["cache", "list"]).ok().stdout;
    assert!(table.contains(&digest["sha256:".len()..][..12]), "{table}");

    place.wfhost(&["cache", "clear", "00000000000000"]).exits(2).says("nothing in the cache");
    place.wfhost(&["cache", "clear", "../x"]).exits(2);
    place.wfhost(&["cache", "clear", &digest]).ok().says("removed 1 component, ");
    place.wfhost(&["cache", "list"]).ok().says("the cache is empty");
    let cleared = place.wfhost(&["cache", "clear", "--output", "json"]).ok().json();
    assert_eq!(cleared["components"], 0);
    greet_quietly(&place);
}
