//! `wfhost runs cancel RUN`.

use clap::Args;
use wfhost_transport::client::Request;

use crate::command::Context;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::session::Requests as _;

/// End an open run: its steps are stopped, and it cannot be resumed
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wfhost runs cancel latest
  wfhost runs cancel 01J9 --reason 'wrong folder'")]
pub(crate) struct CancelArgs {
    /// A unique beginning of the run's id, or `latest`
    run: String,
    /// Why, for those who look at the run later
    #[arg(long, value_name = "TEXT", default_value = "cancelled by the user")]
    reason: String,
}

impl CancelArgs {
    pub(crate) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        let mut session = context.ask()?;
        let run = session.find(&self.run)?;
        let cancel = Request::Cancel { run, reason: self.reason };
        match session.done(cancel.clone()) {
            // The process that served the run ends with it, and its answer may be lost with it;
            // to cancel twice is to cancel once.
            Err(error) if error.code == ExitCode::Unreachable => {
                session = context.ask()?;
                session.done(cancel)?;
            }
            done => done?,
        }
        session.close_at_once();
        if context.output.is_json() {
            context
                .output
                .json(&serde_json::json!({ "run": run.to_string(), "status": "cancelled" }))?;
        } else {
            context.output.note(&format!("cancelled {run}"));
        }
        Ok(ExitCode::Done)
    }
}
