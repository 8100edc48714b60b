//! `wfhost compile-component`: what wfhost starts to have a component compiled.

use clap::Args;

use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;

/// The command's name.
pub(crate) const COMPILE_COMPONENT: &str = "compile-component";

/// Compile a component from standard input: wfhost itself starts this, within limits
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  none: `wfhost run` and others start it")]
pub(crate) struct CompileComponentArgs {}

impl CompileComponentArgs {
    pub(crate) fn carry_out(self) -> Result<ExitCode> {
        wfhost_plugin::compile::serve().map_err(CommandError::store)?;
        Ok(ExitCode::Done)
    }
}
