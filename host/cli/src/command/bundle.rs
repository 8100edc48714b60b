//! `wfhost bundle …`: what is done with bundles as files. Nothing here asks a server.

mod build;
mod diff;
mod inspect;
mod keygen;
mod pack;
mod sign;
mod unpack;
mod verify;

use clap::Subcommand;

use super::Context;
use crate::error::Result;
use crate::exit_code::ExitCode;

#[derive(Debug, Subcommand)]
pub(crate) enum BundleCommand {
    Pack(pack::PackArgs),
    Inspect(inspect::InspectArgs),
    Verify(verify::VerifyArgs),
    Diff(diff::DiffArgs),
    Unpack(unpack::UnpackArgs),
    Sign(sign::SignArgs),
    Keygen(keygen::KeygenArgs),
}

impl BundleCommand {
    pub(crate) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        match self {
            Self::Pack(args) => args.carry_out(context),
            Self::Inspect(args) => args.carry_out(context),
            Self::Verify(args) => args.carry_out(context),
            Self::Diff(args) => args.carry_out(context),
            Self::Unpack(args) => args.carry_out(context),
            Self::Sign(args) => args.carry_out(context),
            Self::Keygen(args) => args.carry_out(context),
        }
    }
}
