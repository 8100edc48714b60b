//! `wfhost plugin …`.

mod call;

use clap::Subcommand;

use super::Context;
use crate::error::Result;
use crate::exit_code::ExitCode;

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    Call(call::CallArgs),
}

impl PluginCommand {
    pub(crate) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        match self {
            Self::Call(args) => args.carry_out(context),
        }
    }
}
