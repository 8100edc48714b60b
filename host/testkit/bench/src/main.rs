//! `cargo xtask bench`: measures what wfhost promises, and prints a table.
//!
//! Each scenario is a process of its own, so that memory and written bytes are its own. Figures
//! that depend on the machine are compared with a measure of the machine taken in the same
//! process, interleaved. Nothing here asserts: a figure is read, not tested.

mod bundles;
mod call;
mod check;
mod clock;
mod compile;
mod host;
mod hostile;
mod machine;
mod map;
mod memory;
mod nodes;
mod report;
mod runs;
mod stats;

use std::process::{Command, ExitCode};

use report::Row;

/// What is measured, by name.
type Scenario = (&'static str, fn() -> Vec<Row>);

const SCENARIOS: [Scenario; 12] = [
    ("call", call::measure),
    ("single", runs::measure_single),
    ("throughput", runs::measure_throughput),
    ("durability", runs::measure_durability),
    ("map", map::measure),
    ("backoff", memory::measure),
    ("hostile", hostile::measure),
    ("compile", compile::measure),
    ("check", check::measure),
    ("nodes", nodes::measure),
    ("bundles", bundles::measure),
    ("prefetch", nodes::prefetch::measure),
];

const HELP: &str = "\
Measures wfhost on this machine.

Usage: cargo xtask bench [SCENARIO ...]

Scenarios: call, single, throughput, durability, map, backoff, hostile, compile, check, nodes, bundles, prefetch; all of them by default.

Examples:
  cargo xtask bench
  cargo xtask bench call single
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        report::line(HELP);
        return ExitCode::SUCCESS;
    }
    if arguments == [compile::COMPILER] {
        return match wfhost_plugin::compile::serve() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_host_is_gone) => ExitCode::FAILURE,
        };
    }
    if let [flag, name] = &arguments[..]
        && flag == "--child"
    {
        return child(name);
    }
    let unknown = arguments.iter().find(|name| scenario(name).is_none());
    if let Some(unknown) = unknown {
        report::error(&format!("there is no scenario `{unknown}`\n\n{HELP}"));
        return ExitCode::from(2);
    }
    let chosen = SCENARIOS
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| arguments.is_empty() || arguments.iter().any(|argument| argument == name));
    report::line(&machine::describe());
    let mut failed = false;
    for name in chosen {
        match in_child(name) {
            Ok(rows) => rows.iter().for_each(report::row),
            Err(reason) => {
                failed = true;
                report::error(&format!("{name}: {reason}"));
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn scenario(name: &str) -> Option<fn() -> Vec<Row>> {
    SCENARIOS.iter().find(|(of, _)| *of == name).map(|(_, measure)| *measure)
}

fn child(name: &str) -> ExitCode {
    let Some(measure) = scenario(name) else { return ExitCode::from(2) };
    match serde_json::to_string(&measure()) {
        Ok(rows) => {
            report::line(&rows);
            ExitCode::SUCCESS
        }
        Err(error) => {
            report::error(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn in_child(name: &str) -> Result<Vec<Row>, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new(program)
        .args(["--child", name])
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("the scenario ended with {}", output.status));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())
}
