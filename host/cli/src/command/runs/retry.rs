//! `wfhost runs retry RUN` and `wfhost runs retry --all`.

use clap::Args;
use wfhost_transport::client::{Request, ShownRun, ShownStatus};
use wfhost_workflow::TimestampMs;

use super::list;
use super::pace::{Pace, Paced};
use crate::clock;
use crate::command::Context;
use crate::command::run::finish;
use crate::command::serving::{ServeArgs, Serving};
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::session::Requests as _;

/// Go on with failed runs from what failed: what is done is not done again
#[derive(Debug, Args)]
#[command(after_help = "\
The steps that failed begin anew, with all their attempts; those that were stopped with them begin
too. The run keeps its workflow, its plugins and its results.

Where a process serves, it runs the steps, and the command ends as soon as the run goes on, unless
--wait is given; where none does, this process runs them. With --all, no more runs than --at-once are
open together and no more than --per-second are begun, so that a system that has just recovered is not
flooded; --all asks first on a terminal.

Examples:
  wfhost runs retry latest
  wfhost runs retry 01J9 --wait
  wfhost runs retry --all --workflow brief --since 2h --dry-run
  wfhost runs retry --all --since 2026-11-23T12:00 --at-once 8 --yes")]
pub(crate) struct RetryArgs {
    /// A unique beginning of the run's id, or `latest`
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    run: Option<String>,
    /// Every failed run
    #[arg(long)]
    all: bool,
    /// With --all: only runs of this workflow
    #[arg(long, value_name = "NAME", requires = "all")]
    workflow: Option<String>,
    /// With --all: only runs that failed since then: a time, or a span until now such as 2h
    #[arg(long, value_name = "TIME", requires = "all", value_parser = clock::parse_since)]
    since: Option<TimestampMs>,
    /// With --all: show which runs these are, and change nothing
    #[arg(long, requires = "all")]
    dry_run: bool,
    /// With --all: do not ask
    #[arg(long, requires = "all")]
    yes: bool,
    /// With --all: at most so many of the runs are open together
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1000))]
    at_once: u32,
    /// With --all: at most so many are begun in a second
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    per_second: u32,
    /// Follow the run to its end, or wait for the ends of all
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    serve: ServeArgs,
}

impl RetryArgs {
    pub(crate) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        match &self.run {
            Some(run) => self.retry_one(context, run),
            None => self.retry_all(context),
        }
    }

    fn retry_one(&self, context: &Context, prefix: &str) -> Result<ExitCode> {
        let mut session = context.ask()?;
        let run = session.find(prefix)?;
        session.close_at_once();
        let engine = self.serve.engine(context)?;
        let mut serving = Serving::open(context, self.serve.purpose(&engine, &context.config))?;
        self.serve.warn_if_elsewhere(context, serving.session());
        serving.skip_logs(run);
        serving.session().done(Request::Retry { run })?;
        match serving.session().holder() {
            Some(holder) if holder.serves() && !self.wait => {
                context.output.note(&format!("{run} goes on {}", holder.place()));
                serving.close();
                if context.output.is_json() {
                    context.output.json(&serde_json::json!({
                        "run": run.to_string(), "status": "running",
                    }))?;
                }
                Ok(ExitCode::Done)
            }
            Some(holder) => {
                context.output.note(&format!("following {run} {}", holder.place()));
                finish(context, serving, run)
            }
            None => {
                context.output.note(&format!("retrying {run}"));
                finish(context, serving, run)
            }
        }
    }

    fn retry_all(&self, context: &Context) -> Result<ExitCode> {
        let mut session = context.ask()?;
        let mut runs = list::list(&mut session, &[ShownStatus::Failed], usize::MAX)?;
        session.close_at_once();
        runs.retain(|run| self.is_meant(run));
        // The oldest has waited longest.
        runs.reverse();
        if runs.is_empty() || self.dry_run {
            list::write(&context.output, &runs, clock::now())?;
            context.output.note(&match runs.len() {
                0 => "no failed run to retry".to_owned(),
                count => format!("{count} runs would be retried"),
            });
            return Ok(ExitCode::Done);
        }
        if !self.is_wanted(context, &runs)? {
            context.output.note("nothing is retried");
            return Ok(ExitCode::Done);
        }
        let engine = self.serve.engine(context)?;
        let serving = Serving::open(context, self.serve.purpose(&engine, &context.config))?;
        let pace =
            Pace { at_once: self.at_once as usize, per_second: self.per_second, wait: self.wait };
        let ids = runs.iter().map(|run| run.summary.run).collect();
        Paced::new(serving, pace, ids).retry(context)
    }

    fn is_meant(&self, run: &ShownRun) -> bool {
        let summary = &run.summary;
        run.status == ShownStatus::Failed
            && self.workflow.as_ref().is_none_or(|name| *summary.workflow == **name)
            && self.since.is_none_or(|since| summary.changed_at >= since)
    }

    /// Asks where somebody can answer.
    fn is_wanted(&self, context: &Context, runs: &[ShownRun]) -> Result<bool> {
        if self.yes || !context.output.can_ask() {
            return Ok(true);
        }
        list::write(&context.output, runs, clock::now())?;
        let question = format!("retry these {} runs? [y]es, [N]o: ", runs.len());
        let answer = context.output.ask(&question).unwrap_or_default().to_lowercase();
        Ok(matches!(answer.as_str(), "y" | "yes"))
    }
}
