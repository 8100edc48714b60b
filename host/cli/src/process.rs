//! From the command line to the exit code.

use std::backtrace::{Backtrace, BacktraceStatus};

use clap::Parser as _;
use clap::error::ErrorKind;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::args::Cli;
use crate::command::{Command, Context};
use crate::config::{self, Config};
use crate::data_folder::{DataDir, Surroundings};
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::logging::{self, LogFormat, Verbosity};
use crate::output::{self, Output, OutputOptions};
use crate::sanitise;

/// Sockets and the store share one limit: at its end the store would fail.
const OPEN_FILES_WANTED: u64 = 65_536;

pub(crate) fn main() -> ExitCode {
    // A panic's words may quote a stranger's.
    std::panic::set_hook(Box::new(|panic| {
        output::last_words(&panic.to_string());
        // Only where RUST_BACKTRACE asks for it.
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            output::last_words(&trace.to_string());
        }
    }));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return say_usage(&error),
    };
    let output = Output::new(OutputOptions {
        format: cli.global.output,
        json_messages: cli.global.log_format == LogFormat::Json,
        quiet: cli.global.quiet,
    });
    match carry_out(cli, &output) {
        Ok(code) => code,
        Err(error) => {
            output.error(&error);
            error.code
        }
    }
}

fn carry_out(cli: Cli, output: &Output) -> Result<ExitCode> {
    // It has neither folders nor an environment, and holds itself to limits first of all.
    if let Command::CompileComponent(args) = cli.command {
        return args.carry_out();
    }
    let verbosity = Verbosity { quiet: cli.global.quiet, verbose: cli.global.verbose };
    let filter = std::env::var("WFHOST_LOG").ok();
    logging::start(output, cli.global.log_format, verbosity, filter.as_deref())?;
    raise_open_files();
    let data = DataDir::resolve(cli.global.data.as_deref(), &Surroundings::of_process())?;
    let alike = cli.global.alike(&data);
    let config = cli.global.config.as_deref();
    let config = Config::read(config, &config::Surroundings::of_process())?;
    let output = output.clone();
    let context = Context { data, server: None, config, output, verbosity, alike };
    cli.command.carry_out(&context)
}

/// Help and version go to standard output and are no errors.
fn say_usage(error: &clap::Error) -> ExitCode {
    let is_odd = |argument: String| argument.chars().any(|c| c == '\n' || sanitise::is_unsafe(c));
    if std::env::args_os().any(|argument| is_odd(argument.to_string_lossy().into_owned())) {
        // Arguments may be file names, and those come from anywhere: all of it on a line.
        output::last_words(&sanitise::line(error.render().to_string().trim_end()));
    } else {
        // A closed pipe is no reason to fail.
        let _ignored = error.print();
    }
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::Done,
        _ => ExitCode::Usage,
    }
}

fn raise_open_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(OPEN_FILES_WANTED, |maximum| maximum.min(OPEN_FILES_WANTED));
    if current.is_some_and(|current| current < wanted)
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })
    {
        tracing::debug!(%error, wanted, "could not raise the limit on open files");
    }
}
