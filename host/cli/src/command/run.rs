//! `wfhost run FILE`.
//!
//! Everything that can be refused is refused before anything is stored or started.

pub(crate) mod input;
mod permissions;
pub(crate) mod prepare;

use clap::Args;
use wfhost_transport::client::{RunView, ShownStatus};
use wfhost_workflow::RunId;

use super::Context;
use super::serving::{End, ServeArgs, Serving};
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::outcome;
use crate::server::ServerArgs;
use crate::session::{Requests as _, Session};
use prepare::WorkflowArgs;

/// Run a workflow and write its output
#[derive(Debug, Args)]
#[command(after_help = "\
The output goes to standard output as JSON; progress, run id and errors to standard error.
Where another process holds the data folder, the run is handed to it and followed.

Examples:
  wfhost run hello.yaml
  wfhost run hello.yaml -p name=Ada
  wfhost run brief.yaml --input '{\"folder\": \"texts\"}' --allow-dir texts
  wfhost run brief.yaml --input @input.json --slots 8 --output json > result.json")]
pub(crate) struct RunArgs {
    #[command(flatten)]
    workflow: WorkflowArgs,
    #[command(flatten)]
    serve: ServeArgs,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// How often a run is handed to another process, because the one before was just ending.
const HANDED_OVER_MAX: u32 = 5;

impl RunArgs {
    pub(crate) fn carry_out(&self, context: &Context) -> Result<ExitCode> {
        let make = || self.serve.engine(context);
        let limits = self.serve.operator(&context.config);
        let prepared = self.workflow.prepare(context, &make, limits)?;
        let run = prepared.start.run;
        let purpose = self.serve.purpose(&prepared.engine, &context.config);
        let mut serving = Serving::open(context, purpose)?;
        let mut tries = 0;
        while let Err(error) = prepared.start_in(serving.session()) {
            tries += 1;
            let gone = error.code == ExitCode::Unreachable && !serving.session().is_local();
            if !gone || tries > HANDED_OVER_MAX {
                return Err(error);
            }
            // To start the same run twice is to start it once.
            serving.session().reopen()?;
        }
        let place = match serving.session().holder() {
            Some(holder) => format!(" {}", holder.place()),
            None => String::new(),
        };
        context.output.note(&format!("run {run} of {}{place}", prepared.file.definition.name));
        finish(context, serving, run)
    }
}

/// Follows the run, and writes what came of it.
pub(crate) fn finish(context: &Context, mut serving: Serving<'_>, run: RunId) -> Result<ExitCode> {
    if context.server.is_some() {
        // There is no folder to go on in where the server ends: it is waited for.
        return serving.watch(run);
    }
    match serving.see_to_the_end(run)? {
        End::Interrupted => Ok(serving.stop(run)),
        End::Over(view) => {
            let output = output_of(context, serving.session(), &view)?;
            serving.close();
            outcome::write(&context.output, &view, output.as_ref())
        }
    }
}

/// The output of a run that is over; the process that served it may be leaving.
pub(crate) fn output_of(
    context: &Context,
    session: &mut Session,
    view: &RunView,
) -> Result<Option<wfhost_workflow::Json>> {
    let run = view.run.summary.run;
    match view.run.status {
        ShownStatus::Succeeded => match session.output(run, None) {
            Err(error) if error.code == ExitCode::Unreachable && !session.is_local() => {
                context.ask()?.output(run, None).map(Some)
            }
            output => output.map(Some),
        },
        ShownStatus::Running
        | ShownStatus::Interrupted
        | ShownStatus::Failed
        | ShownStatus::Cancelled => Ok(None),
    }
}
