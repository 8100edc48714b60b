//! `wfhost bundle …`: what is done with bundles as files. Nothing here asks a server.

mod build;
mod inspect;
mod pack;

use clap::Subcommand;

use super::Context;
use crate::error::Result;
use crate::exit_code::ExitCode;

#[derive(Debug, Subcommand)]
pub(crate) enum BundleCommand {
    Pack(pack::PackArgs),
    Inspect(inspect::InspectArgs),
}

impl BundleCommand {
    pub(crate) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        match self {
            Self::Pack(args) => args.carry_out(context),
            Self::Inspect(args) => args.carry_out(context),
        }
    }
}
