//! `wfhost bundle inspect FILE`.

use std::path::PathBuf;

use clap::Args;

use crate::bundle_file;
use crate::command::Context;
use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;
use crate::shown::bundle as shown;

/// Show what is in a bundle
#[derive(Debug, Args)]
#[command(after_help = "\
Every file in it is held against the bundle's digest; nothing of it is run. Who signed is shown, and
not whether that counts: `wfhost bundle verify` says so.

Examples:
  wfhost bundle inspect my-agents-1.2.0.wfb
  wfhost bundle inspect my-agents-1.2.0.wfb --output json | jq '.plugins[].grants'
  wfhost bundle inspect my-agents-1.2.0.wfb --sbom > sbom.json")]
pub(crate) struct InspectArgs {
    /// The bundle
    file: PathBuf,
    /// Write its list of parts (SBOM) and nothing else
    #[arg(long)]
    sbom: bool,
}

impl InspectArgs {
    pub(super) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        let bundle = bundle_file::read(&self.file)?;
        let output = &context.output;
        if self.sbom {
            let none = || CommandError::usage("the bundle has no list of parts (SBOM)");
            let sbom = bundle.sbom.as_ref().ok_or_else(none)?;
            output.json_text(sbom.text.trim_end())?;
            return Ok(ExitCode::Done);
        }
        if output.is_json() {
            output.json(&shown::json(&bundle))?;
        } else {
            output.data(&shown::text(&bundle, output))?;
        }
        Ok(ExitCode::Done)
    }
}
