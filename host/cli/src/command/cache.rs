//! `wfhost cache …`.

mod clear;
mod list;

use clap::Subcommand;
use wfhost_plugin::cache::{CacheError, CacheOptions};

use super::Context;
use crate::cache_folder;
use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;

#[derive(Debug, Subcommand)]
pub(crate) enum CacheCommand {
    List(list::ListArgs),
    Clear(clear::ClearArgs),
}

impl CacheCommand {
    pub(crate) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        match self {
            Self::List(args) => args.carry_out(context),
            Self::Clear(args) => args.carry_out(context),
        }
    }
}

fn options() -> Result<CacheOptions> {
    cache_folder::options(None).ok_or_else(|| {
        CommandError::usage("there is no home folder with a cache")
            .hint("WFHOST_CACHE names the cache's folder")
    })
}

fn failed(error: CacheError) -> CommandError {
    CommandError::store(error).context("the cache cannot be used")
}
