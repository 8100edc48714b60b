//! The command line: what holds for every command. Each command's own part is in its file.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::LazyLock;

use clap::{ArgAction, Args, Parser};

use crate::command::Command;
use crate::data_folder::DataDir;
use crate::exit_code::ExitCode;
use crate::logging::LogFormat;
use crate::output::Format;

/// Runs workflows of sandboxed steps; no crash loses a run.
#[derive(Debug, Parser)]
#[command(
    name = "wfhost",
    version,
    long_version = LONG_VERSION.as_str(),
    after_help = after_help(),
    arg_required_else_help = true,
    subcommand_required = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// The folder that holds runs [default: the platform's user data folder]
    #[arg(long, global = true, value_name = "PATH", env = "WFHOST_DATA", hide_env_values = true)]
    pub(crate) data: Option<PathBuf>,
    /// The operator's configuration [default: wfhost/config.toml in the platform's folder]
    #[arg(long, global = true, value_name = "PATH", env = "WFHOST_CONFIG", hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,
    /// What is written to standard output
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t)]
    pub(crate) output: Format,
    /// Say nothing but results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more: -v what is done, -vv why, -vvv everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// How messages on standard error are written; WFHOST_LOG=FILTER says which
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t)]
    pub(crate) log_format: LogFormat,
}

impl Global {
    /// The same for another process of this program, which says less: it is not asked by anybody.
    pub(crate) fn alike(&self, data: &DataDir) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["--data".into(), data.path().into()];
        if let Some(config) = &self.config {
            let config = std::path::absolute(config).unwrap_or_else(|_| config.clone());
            arguments.extend(["--config".into(), config.into()]);
        }
        match self.verbose {
            0 => arguments.push("--quiet".into()),
            times => arguments.push(format!("-{}", "v".repeat(times.into())).into()),
        }
        if self.log_format == LogFormat::Json {
            arguments.extend(["--log-format".into(), "json".into()]);
        }
        arguments
    }
}

/// The parser wants a text that lives as long as the process.
static LONG_VERSION: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{}\nprotocol {}\nstore {}",
        env!("CARGO_PKG_VERSION"),
        wfhost_transport::message::PROTOCOL,
        crate::session::store_format(),
    )
});

fn after_help() -> String {
    format!(
        "\
Examples:
  wfhost run brief.yaml -p folder=texts --allow-dir texts
  wfhost resume
  wfhost runs list
  wfhost runs show latest

{}

A run is named by any unique beginning of its id, or by `latest`.
Environment: WFHOST_DATA (as --data), WFHOST_CONFIG (as --config), WFHOST_CACHE (the folder of compiled plugins), WFHOST_LOG
(a log filter, such as debug), NO_COLOR.
WFHOST_SERVER, WFHOST_SERVER_KEY and WFHOST_KEY stand for --server, --server-key and --key.",
        ExitCode::HELP
    )
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_examples() {
        fn visit(command: &clap::Command) {
            if command.get_subcommands().next().is_none() {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("Examples:"), "`{}` has no examples", command.get_name());
            }
            command.get_subcommands().for_each(visit);
        }
        visit(&Cli::command());
    }
}
