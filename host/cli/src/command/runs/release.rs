//! `wfhost runs release RUN`.

use clap::Args;
use serde_json::json;
use wfhost_transport::client::Request;

use crate::command::Context;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::session::Requests as _;

/// Let quarantined steps go on: those whose attempts were the last that several workers ran
#[derive(Debug, Args)]
#[command(after_help = "\
A step whose worker has died is begun again elsewhere; after several workers the step is taken for the
cause, and waits until it is released. `wfhost runs show` says which steps do.

Examples:
  wfhost runs release latest
  wfhost runs release 01J9 --step analyse")]
pub(crate) struct ReleaseArgs {
    /// A unique beginning of the run's id, or `latest`
    run: String,
    /// Only this step
    #[arg(long, value_name = "STEP")]
    step: Option<String>,
}

impl ReleaseArgs {
    pub(crate) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        let mut session = context.ask()?;
        let run = session.find(&self.run)?;
        session.done(Request::Release { run, step: self.step.clone() })?;
        let served = !session.is_local();
        session.close_at_once();
        if context.output.is_json() {
            context.output.json(&json!({ "run": run.to_string(), "step": self.step }))?;
        } else {
            context.output.note(&format!("released {run}"));
        }
        if !served {
            context.output.note(&format!("`wfhost resume {run}` goes on with it"));
        }
        Ok(ExitCode::Done)
    }
}
