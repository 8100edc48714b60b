//! `wfhost workers scale N`.

use clap::Args;
use serde_json::json;
use wfhost_transport::client::Request;

use crate::command::Context;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::session::{Requests as _, Session};

/// Say how many workers the process that serves keeps on its own machine
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wfhost workers scale 4
  wfhost workers scale 0")]
pub(crate) struct ScaleArgs {
    /// How many
    #[arg(value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1024))]
    workers: u32,
}

impl ScaleArgs {
    pub(super) fn carry_out(self, context: &Context, session: &mut Session) -> Result<ExitCode> {
        session.done(Request::Scale { workers: self.workers })?;
        if context.output.is_json() {
            context.output.json(&json!({ "workers": self.workers }))?;
        } else {
            context.output.note(&format!("{} workers are wanted", self.workers));
        }
        Ok(ExitCode::Done)
    }
}
