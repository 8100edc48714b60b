//! Tests of the store from outside, in one program.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]
#![expect(clippy::print_stdout, reason = "tests print their seeds, counts and rates")]

mod committer;
mod conformance;
mod content;
mod damage;
mod first_format;
mod folder;
mod full_disk;
mod growth;
mod model;
mod power_cut;
mod support;
