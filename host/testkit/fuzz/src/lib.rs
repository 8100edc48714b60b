//! What is fuzzed: one function a target, from bytes to nothing; a panic is a finding.
//!
//! `cargo xtask fuzz` drives these by libFuzzer; the ordinary tests run them over the committed
//! inputs: `corpus/` holds the seeds, `regressions/` what was once found. Nothing in here knows of
//! the fuzzer, so that a finding is replayed in any build.

pub mod bundle;
mod component_bytes;
mod expressions;
pub mod given;
mod json_wit;
pub mod made;
mod messages;
mod plugin_manifest;
mod schema;
mod store_records;
pub mod value;
mod workflow_file;

use std::path::PathBuf;

/// One thing to fuzz.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// As on the command line, and the folder of its inputs.
    pub name: &'static str,
    /// Takes any bytes; panics if something is wrong.
    pub run: fn(&[u8]),
    /// Longer inputs are not tried.
    pub bytes_max: usize,
    /// Words that the fuzzer puts into inputs: a file in `dictionaries/`.
    pub dictionary: Option<&'static str>,
}

/// All targets.
pub const TARGETS: [Target; 9] = [
    Target {
        name: "bundle",
        run: bundle::run,
        bytes_max: 4 << 10,
        dictionary: Some("bundle.dict"),
    },
    Target {
        name: "component-bytes",
        run: component_bytes::run,
        bytes_max: 8 << 10,
        dictionary: Some("component-bytes.dict"),
    },
    Target {
        name: "expressions",
        run: expressions::run,
        bytes_max: 2 << 10,
        dictionary: Some("expressions.dict"),
    },
    Target {
        name: "json-wit",
        run: json_wit::run,
        bytes_max: 2 << 10,
        dictionary: Some("json-wit.dict"),
    },
    Target { name: "messages", run: messages::run, bytes_max: 4 << 10, dictionary: None },
    Target {
        name: "plugin-manifest",
        run: plugin_manifest::run,
        bytes_max: 1 << 10,
        dictionary: None,
    },
    Target {
        name: "schema",
        run: schema::run,
        bytes_max: 4 << 10,
        dictionary: Some("schema.dict"),
    },
    Target { name: "store-records", run: store_records::run, bytes_max: 4 << 10, dictionary: None },
    Target {
        name: "workflow-file",
        run: workflow_file::run,
        bytes_max: 8 << 10,
        dictionary: Some("workflow-file.dict"),
    },
];

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// This package's folder, with the inputs.
#[must_use]
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
