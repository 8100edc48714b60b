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

/// `37 MB`, as in a list of files.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        1_000_000..1_000_000_000 => {
            format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
        }
        _ => format!("{}.{} GB", bytes / 1_000_000_000, bytes % 1_000_000_000 / 100_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        let check = |bytes, text: &str| assert_eq!(size(bytes), text);
        check(999, "999 B");
        check(1_001, "2 kB");
        check(37_060_000, "37.0 MB");
        check(2_147_483_648, "2.1 GB");
    }
}
