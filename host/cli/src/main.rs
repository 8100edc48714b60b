//! The command `wfhost`: coordinator, worker and client in one binary.

mod allowed_dir;
mod args;
mod bundle_check;
mod bundle_file;
mod cache_folder;
mod clock;
mod command;
mod component_contracts;
mod component_facts;
mod config;
mod data_folder;
mod engine;
mod error;
mod exit_code;
#[cfg(test)]
mod fakes;
mod follow;
mod interrupt;
mod json_text;
mod log_line;
mod logging;
mod outcome;
mod output;
mod pool;
mod problems;
mod process;
mod progress;
mod provenance;
mod run_id;
mod sanitise;
mod schema_text;
mod server;
mod session;
mod shown;
mod trust_file;
mod workflow_file;

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(feature = "crash-points")]
    wfhost_checkpoint::crash_points::set_up();
    process::main().into()
}
