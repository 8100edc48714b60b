//! `wfhost runs rm RUN…`.

use clap::Args;
use wfhost_transport::client::{Request, ShownStatus};
use wfhost_workflow::{DurationMs, RunId, TimestampMs};

use super::list::list;
use crate::clock;
use crate::command::Context;
use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;
use crate::session::Requests;

/// Remove ended runs with all that is stored of them
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wfhost runs rm 01J9 01JA
  wfhost runs rm --all-ended
  wfhost runs rm --all-ended --older-than 30d")]
pub(crate) struct RmArgs {
    /// Unique beginnings of the runs' ids, or `latest`
    #[arg(required_unless_present = "all_ended", conflicts_with = "all_ended")]
    run: Vec<String>,
    /// Every run that has ended
    #[arg(long)]
    all_ended: bool,
    /// With --all-ended: only those that ended so long ago
    #[arg(long, value_name = "SPAN", requires = "all_ended", value_parser = clock::parse_span)]
    older_than: Option<DurationMs>,
}

impl RmArgs {
    pub(crate) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        let mut session = context.ask()?;
        let runs = if self.all_ended {
            ended(&mut session, self.older_than, clock::now())?
        } else {
            // All are found before any is removed: a slip in one name removes nothing.
            self.run.iter().map(|run| session.find(run)).collect::<Result<Vec<_>>>()?
        };
        let (removed, failure) = remove(&mut session, runs);
        session.close_at_once();
        if context.output.is_json() {
            context.output.json(&serde_json::json!({ "removed": removed.iter().map(RunId::to_string).collect::<Vec<_>>() }))?;
        } else {
            for run in &removed {
                context.output.note(&format!("removed {run}"));
            }
            if removed.is_empty() && failure.is_none() {
                context.output.note("no run to remove");
            }
        }
        failure.map_or(Ok(ExitCode::Done), Err)
    }
}

/// Ended runs that are old enough.
fn ended(
    session: &mut dyn Requests,
    older_than: Option<DurationMs>,
    now: TimestampMs,
) -> Result<Vec<RunId>> {
    let status = [ShownStatus::Succeeded, ShownStatus::Failed, ShownStatus::Cancelled];
    let runs = list(session, &status, usize::MAX)?;
    let old = |ended: TimestampMs| older_than.is_none_or(|span| now - ended >= span);
    Ok(runs.iter().filter(|run| old(run.summary.changed_at)).map(|run| run.summary.run).collect())
}

/// Removes as many as it can, and gives the first failure.
fn remove(session: &mut dyn Requests, runs: Vec<RunId>) -> (Vec<RunId>, Option<CommandError>) {
    let (mut removed, mut failure) = (Vec::new(), None);
    for run in runs {
        match session.done(Request::Remove { run }) {
            Ok(()) => removed.push(run),
            Err(error) => {
                failure.get_or_insert_with(|| error.context(format!("could not remove {run}")));
            }
        }
    }
    (removed, failure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::{Fake, NOON, run_named};
    use wfhost_transport::client::{Answer, Refusal};

    #[test]
    fn only_old_runs_are_removed() {
        let mut old = run_named("a", 1);
        old.summary.changed_at = TimestampMs(NOON.0 - 10_000);
        let new = run_named("a", 2);
        let check = |span, runs: &[RunId]| {
            let mut fake = Fake::answering([
                Answer::Runs(vec![new.clone(), old.clone()]),
                Answer::Runs(vec![]),
            ]);
            assert_eq!(ended(&mut fake, span, TimestampMs(NOON.0 + 2_500)).unwrap(), runs);
        };
        check(Some(DurationMs(5_000)), &[old.summary.run]);
        check(Some(DurationMs(60_000)), &[]);
        check(None, &[new.summary.run, old.summary.run]);
    }

    #[test]
    fn one_refusal_does_not_stop_the_others() {
        let refused = Answer::Refused(Refusal::WrongState("is running".to_owned()));
        let mut fake = Fake::answering([Answer::Done, refused, Answer::Done]);
        let runs: Vec<RunId> = (1..=3).map(|n| run_named("a", n).summary.run).collect();
        let (removed, failure) = remove(&mut fake, runs.clone());
        assert_eq!(removed, [runs[0], runs[2]]);
        let failure = failure.unwrap();
        assert_eq!(failure.code, ExitCode::Invalid);
        assert_eq!(failure.message(), format!("could not remove {}: is running", runs[1]));
    }
}
