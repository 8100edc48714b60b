//! The commands, one file each.

mod bundle;
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

use std::ffi::OsString;

use clap::Subcommand;
use wfhost_transport::Coordinator;

use crate::config::Config;
use crate::data_folder::DataDir;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::logging::Verbosity;
use crate::output::Output;
use crate::server::ServerArgs;
use crate::session::{Purpose, Session};

pub(crate) use compile_component::COMPILE_COMPONENT;
pub(crate) use keygen::key_error;
pub(crate) use sandbox_args::SandboxArgs;
pub(crate) use worker::ServerKey;

/// What a command has to work with.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) data: DataDir,
    /// Who is asked in the place of the data folder's holder.
    pub(crate) server: Option<Coordinator>,
    pub(crate) config: Config,
    pub(crate) output: Output,
    pub(crate) verbosity: Verbosity,
    /// What other processes of this program are told to do alike.
    pub(crate) alike: Vec<OsString>,
}

impl Context {
    /// A session that runs no steps.
    pub(crate) fn ask(&self) -> Result<Session> {
        self.open(&Purpose::Ask)
    }

    /// A session with the process that serves, if there is one.
    pub(crate) fn reach(&self) -> Result<Session> {
        self.open(&Purpose::Reach)
    }

    /// The same, without waiting for one that is just beginning.
    pub(crate) fn reach_once(&self) -> Result<Session> {
        match &self.server {
            Some(server) => Session::of_server(server, &Purpose::Reach),
            None => Session::reach_once(&self.data),
        }
    }

    /// Whoever serves the data folder, or the server that was named.
    pub(crate) fn open(&self, purpose: &Purpose) -> Result<Session> {
        match &self.server {
            Some(server) => Session::of_server(server, purpose),
            None => Session::open(&self.data, purpose),
        }
    }

    /// The same for a command that may ask a server.
    fn asking(&self, args: &ServerArgs) -> Result<Self> {
        Ok(Self { server: args.server()?, ..self.clone() })
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
    Runs(runs::RunsArgs),
    Workers(workers::WorkersArgs),
    /// Work on plugins
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// Pack, sign and compare bundles: what a team deploys
    #[command(subcommand)]
    Bundle(bundle::BundleCommand),
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
            Self::Run(args) => args.carry_out(&context.asking(&args.server)?),
            Self::Start(args) => args.carry_out(&context.asking(&args.server)?),
            Self::Resume(args) => args.carry_out(&context.asking(&args.server)?),
            Self::Check(args) => args.carry_out(context),
            Self::Serve(args) => args.carry_out(context),
            Self::Worker(args) => args.carry_out(context),
            Self::Keygen(args) => args.carry_out(context),
            Self::Runs(args) => args.command.carry_out(&context.asking(&args.server)?),
            Self::Workers(args) => args.command.carry_out(&context.asking(&args.server)?),
            Self::Plugin(command) => command.carry_out(context),
            Self::Bundle(command) => command.carry_out(context),
            Self::Cache(command) => command.carry_out(context),
            Self::Limits(args) => args.carry_out(context),
            Self::Completions(args) => args.carry_out(context),
            Self::CompileComponent(args) => args.carry_out(),
        }
    }
}
