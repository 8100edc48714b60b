//! `wfhost resume [RUN]`.

use clap::Args;
use wfhost_transport::client::{Request, ShownStatus};
use wfhost_workflow::RunId;

use super::Context;
use super::run::finish;
use super::runs::list::list;
use super::serving::{ServeArgs, Serving};
use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;
use crate::output::Output;
use crate::server::ServerArgs;
use crate::session::Requests;

/// Go on with an interrupted run: what is done is not done again
#[derive(Debug, Args)]
#[command(after_help = "\
The run goes on with the workflow and the plugins that it was started with, whatever the files
are now. A run that another process serves is followed.

Examples:
  wfhost resume                the newest interrupted run
  wfhost resume 01J9 --slots 4")]
pub(crate) struct ResumeArgs {
    /// A unique beginning of the run's id, or `latest` [default: the newest interrupted run]
    run: Option<String>,
    #[command(flatten)]
    serve: ServeArgs,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

impl ResumeArgs {
    pub(crate) fn carry_out(&self, context: &Context) -> Result<ExitCode> {
        if context.server.is_none() && !context.data.is_used() {
            return Err(CommandError::usage("there is no run yet")
                .hint("`wfhost run FILE` starts one; `--data` names another data folder"));
        }
        let engine = self.serve.engine(context)?;
        let mut serving = Serving::open(context, self.serve.purpose(&engine, &context.config))?;
        let found = match &self.run {
            Some(prefix) => serving.session().find(prefix),
            None => newest_interrupted(serving.session(), &context.output),
        };
        let run = found?;
        self.serve.warn_if_elsewhere(context, serving.session());
        serving.skip_logs(run);
        serving.session().done(Request::Resume { run })?;
        match serving.session().holder() {
            Some(holder) => {
                context.output.note(&format!("following {run} {}", holder.place()));
            }
            None => context.output.note(&format!("resuming {run}")),
        }
        finish(context, serving, run)
    }
}

fn newest_interrupted(session: &mut dyn Requests, output: &Output) -> Result<RunId> {
    let runs = list(session, &[ShownStatus::Interrupted], usize::MAX)?;
    let interrupted = runs.iter().map(|run| run.summary.run).collect::<Vec<_>>();
    match interrupted.as_slice() {
        [] => {
            Err(CommandError::usage("no run is interrupted")
                .hint("`wfhost runs list` shows all runs"))
        }
        [run] => Ok(*run),
        [run, others @ ..] => {
            output.note(&format!(
                "{} more interrupted: `wfhost runs list --status interrupted` shows them",
                others.len()
            ));
            Ok(*run)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::{Fake, run_named};
    use crate::output::Format;
    use wfhost_transport::client::Answer;

    #[test]
    fn the_newest_interrupted_run_is_meant() {
        let output = Output::captured(Format::Text);
        let (new, old) = (run_named("a", 2), run_named("a", 1));
        let mut fake =
            Fake::answering([Answer::Runs(vec![new.clone(), old]), Answer::Runs(vec![])]);
        assert_eq!(newest_interrupted(&mut fake, &output).unwrap(), new.summary.run);
        assert!(output.written().stderr.contains("1 more interrupted"));
        let error =
            newest_interrupted(&mut Fake::answering([Answer::Runs(vec![])]), &output).unwrap_err();
        assert_eq!(error.code, ExitCode::Usage);
    }
}
