//! The commands, one file each.

mod cache;
mod check;
mod compile_component;
mod completions;
mod keygen;
mod limits;
mod plugin;
mod resume;
mod run;
mod runs;
mod sandbox_args;
mod serve;
mod serving;
mod start;
mod worker;
mod workers;

use clap::Subcommand;

use crate::config::Config;
use crate::data_folder::DataDir;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::logging::Verbosity;
use crate::output::Output;
use crate::session::{Purpose, Session};

pub(crate) use compile_component::COMPILE_COMPONENT;
pub(crate) use sandbox_args::SandboxArgs;

/// What a command has to work with.
pub(crate) struct Context {
    pub(crate) data: DataDir,
    pub(crate) config: Config,
    pub(crate) output: Output,
    pub(crate) verbosity: Verbosity,
}

impl Context {
    /// A session that runs no steps.
    pub(crate) fn ask(&self) -> Result<Session> {
        Session::open(&self.data, &Purpose::Ask)
    }

    /// A session with the process that serves, if there is one.
    pub(crate) fn reach(&self) -> Result<Session> {
        Session::open(&self.data, &Purpose::Reach)
    }

    /// The same, without waiting for one that is just beginning.
    pub(crate) fn reach_once(&self) -> Result<Session> {
        Session::reach_once(&self.data)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(run::RunArgs),
    Start(start::StartArgs),
    Resume(resume::ResumeArgs),
    Check(check::CheckArgs),
    Serve(serve::ServeCommandArgs),
    Worker(worker::WorkerArgs),
    Keygen(keygen::KeygenArgs),
    /// Look at runs and change them
    #[command(subcommand)]
    Runs(runs::RunsCommand),
    /// Look at workers and change how many there are
    #[command(subcommand)]
    Workers(workers::WorkersCommand),
    /// Work on plugins
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// Look at what is kept of compiled plugins, and remove it
    #[command(subcommand)]
    Cache(cache::CacheCommand),
    Limits(limits::LimitsArgs),
    Completions(completions::CompletionsArgs),
    #[command(hide = true)]
    CompileComponent(compile_component::CompileComponentArgs),
}

impl Command {
    pub(crate) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        match self {
            Self::Run(args) => args.carry_out(context),
            Self::Start(args) => args.carry_out(context),
            Self::Resume(args) => args.carry_out(context),
            Self::Check(args) => args.carry_out(context),
            Self::Serve(args) => args.carry_out(context),
            Self::Worker(args) => args.carry_out(context),
            Self::Keygen(args) => args.carry_out(context),
            Self::Runs(command) => command.carry_out(context),
            Self::Workers(command) => command.carry_out(context),
            Self::Plugin(command) => command.carry_out(context),
            Self::Cache(command) => command.carry_out(context),
            Self::Limits(args) => args.carry_out(context),
            Self::Completions(args) => args.carry_out(context),
            Self::CompileComponent(args) => args.carry_out(),
        }
    }
}
