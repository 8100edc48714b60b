//! `wfhost bundle inspect FILE`.

use std::path::PathBuf;

use clap::Args;

use crate::bundle_file;
use crate::command::Context;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::shown::bundle as shown;

/// Show what is in a bundle
#[derive(Debug, Args)]
#[command(after_help = "\
Every file in it is held against the bundle's digest; nothing of it is run. Who signed is shown, and
not whether that counts: `wfhost bundle verify` says so.

Examples:
  wfhost bundle inspect my-agents-1.2.0.wfb
  wfhost bundle inspect my-agents-1.2.0.wfb --output json | jq '.plugins[].grants'")]
pub(crate) struct InspectArgs {
    /// The bundle
    file: PathBuf,
}

impl InspectArgs {
    pub(super) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        let bundle = bundle_file::read(&self.file)?;
        let output = &context.output;
        if output.is_json() {
            output.json(&shown::json(&bundle))?;
        } else {
            output.data(&shown::text(&bundle, output))?;
        }
        Ok(ExitCode::Done)
    }
}
