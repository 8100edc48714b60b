//! Tests of the store from outside, in one program.

mod committer;
mod conformance;
mod content;
mod damage;
mod folder;
mod full_disk;
mod model;
mod power_cut;
mod support;
