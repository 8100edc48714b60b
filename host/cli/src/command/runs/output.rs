//! `wfhost runs output RUN [STEP]`.

use clap::Args;

use crate::command::Context;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::session::Requests as _;

/// Write the output of a run, or of one of its steps, as JSON
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wfhost runs output latest
  wfhost runs output latest | jq .title
  wfhost runs output 01J9 extract")]
pub(crate) struct OutputArgs {
    /// A unique beginning of the run's id, or `latest`
    #[arg(default_value = "latest")]
    run: String,
    /// A step's id; without it, the run's own output
    step: Option<String>,
}

impl OutputArgs {
    pub(crate) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        let mut session = context.ask()?;
        let run = session.find(&self.run)?;
        let output = session.output(run, self.step)?;
        session.close_at_once();
        context.output.json_text(output.as_str())?;
        Ok(ExitCode::Done)
    }
}
