//! `wfhost runs …`: looks at runs and changes them.

mod cancel;
mod events;
mod failures;
pub(crate) mod list;
mod logs;
mod output;
mod pace;
mod release;
mod retry;
mod rm;
mod show;
pub(crate) mod watch;

use clap::{Args, Subcommand};

use super::Context;
use super::resume::ResumeArgs;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::server::ServerArgs;

/// Look at runs and change them
#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    #[command(subcommand)]
    pub(crate) command: RunsCommand,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Watch(watch::WatchArgs),
    Events(events::EventsArgs),
    Logs(logs::LogsArgs),
    Output(output::OutputArgs),
    Resume(ResumeArgs),
    Retry(retry::RetryArgs),
    Release(release::ReleaseArgs),
    Cancel(cancel::CancelArgs),
    Rm(rm::RmArgs),
}

impl RunsCommand {
    pub(crate) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        match self {
            Self::List(args) => args.carry_out(context),
            Self::Show(args) => args.carry_out(context),
            Self::Watch(args) => args.carry_out(context),
            Self::Events(args) => args.carry_out(context),
            Self::Logs(args) => args.carry_out(context),
            Self::Output(args) => args.carry_out(context),
            Self::Resume(args) => args.carry_out(context),
            Self::Retry(args) => args.carry_out(context),
            Self::Release(args) => args.carry_out(context),
            Self::Cancel(args) => args.carry_out(context),
            Self::Rm(args) => args.carry_out(context),
        }
    }
}
