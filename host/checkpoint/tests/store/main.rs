//! Tests of the store from outside, in one program.

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
