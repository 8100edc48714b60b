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

/// What the fuzzer does, without its wits: finds only what is wrong with most inputs.
#[test]
fn random_inputs_pass() {
    let mut state = 7_u64;
    let mut byte = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    for target in &TARGETS {
        for round in 0..300_u32 {
            let mut bytes: Vec<u8> = (0..usize::from(byte())).map(|_| byte()).collect();
            // Where targets look for what the others are.
            let place = (round % 3) as usize;
            if place < 2 && bytes.len() > 2 {
                bytes[place] = 255;
            }
            (target.run)(&bytes);
        }
    }
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
