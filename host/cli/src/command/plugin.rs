//! `wfhost plugin …`.

mod call;
mod inspect;

use clap::Subcommand;

use super::Context;
use crate::error::Result;
use crate::exit_code::ExitCode;

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    Inspect(inspect::InspectArgs),
    Call(call::CallArgs),
}

impl PluginCommand {
    pub(crate) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        match self {
            Self::Inspect(args) => args.carry_out(context),
            Self::Call(args) => args.carry_out(context),
        }
    }
}
