//! Every committed input, through the function that the fuzzer drives.

use std::fs;
use std::path::PathBuf;

use wfhost_fuzz::{TARGETS, Target, folder};

fn inputs(kind: &str, target: &Target) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder().join(kind).join(target.name)) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.expect("a readable folder").path()).collect();
    files.sort();
    files
}

fn replay(kind: &str) {
    for target in &TARGETS {
        for file in inputs(kind, target) {
            let bytes = fs::read(&file).expect("a readable input");
            let run = std::panic::AssertUnwindSafe(|| (target.run)(&bytes));
            let outcome = std::panic::catch_unwind(run);
            assert!(outcome.is_ok(), "{}: {}", target.name, file.display());
        }
    }
}

#[test]
fn what_was_found_once_stays_fixed() {
    replay("regressions");
}

#[test]
fn every_seed_passes() {
    replay("corpus");
}

#[test]
fn every_target_has_seeds_and_its_dictionary() {
    for target in &TARGETS {
        assert!(inputs("corpus", target).len() >= 3, "{} has seeds", target.name);
        if let Some(dictionary) = target.dictionary {
            assert!(folder().join("dictionaries").join(dictionary).is_file(), "{dictionary}");
        }
    }
}
