//! `wfhost runs list`.

use clap::{Args, ValueEnum};
use wfhost_transport::client::{Request, ShownRun, ShownStatus};
use wfhost_workflow::TimestampMs;

use crate::command::Context;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::output::Output;
use crate::session::Requests;
use crate::{clock, sanitise, shown};

/// What one request asks for; more than fits a screen.
const PAGE: u32 = 500;
const ERROR_CHARS_MAX: usize = 60;

/// List runs, newest first
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wfhost runs list
  wfhost runs list --status failed,interrupted
  wfhost runs list --all --output json | jq -r '.[].run'")]
pub(crate) struct ListArgs {
    /// Only runs with one of these statuses
    #[arg(long, value_enum, value_delimiter = ',', value_name = "STATUS")]
    status: Vec<StatusArg>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20, conflicts_with = "all")]
    limit: u32,
    /// Every run
    #[arg(long)]
    all: bool,
}

/// A status on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusArg {
    Running,
    Interrupted,
    Succeeded,
    Failed,
    Cancelled,
}

impl From<StatusArg> for ShownStatus {
    fn from(status: StatusArg) -> Self {
        match status {
            StatusArg::Running => Self::Running,
            StatusArg::Interrupted => Self::Interrupted,
            StatusArg::Succeeded => Self::Succeeded,
            StatusArg::Failed => Self::Failed,
            StatusArg::Cancelled => Self::Cancelled,
        }
    }
}

impl ListArgs {
    pub(crate) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        let mut session = context.ask()?;
        let status: Vec<ShownStatus> = self.status.into_iter().map(ShownStatus::from).collect();
        let limit =
            if self.all { usize::MAX } else { usize::try_from(self.limit).unwrap_or(usize::MAX) };
        let runs = list(&mut session, &status, limit)?;
        session.close_at_once();
        write(&context.output, &runs, clock::now())?;
        Ok(ExitCode::Done)
    }
}

/// The newest runs, page by page.
pub(crate) fn list(
    session: &mut dyn Requests,
    status: &[ShownStatus],
    limit: usize,
) -> Result<Vec<ShownRun>> {
    let mut runs: Vec<ShownRun> = Vec::new();
    while runs.len() < limit {
        let wanted = u32::try_from(limit - runs.len()).unwrap_or(u32::MAX).min(PAGE);
        let before = runs.last().map(|run| run.summary.run);
        let page =
            session.runs(Request::List { before, limit: wanted, status: status.to_vec() })?;
        if page.is_empty() {
            break;
        }
        runs.extend(page);
    }
    Ok(runs)
}

pub(crate) fn write(output: &Output, runs: &[ShownRun], now: TimestampMs) -> Result<()> {
    if output.is_json() {
        return output.json(&runs.iter().map(shown::run_json).collect::<Vec<_>>());
    }
    if runs.is_empty() {
        output.note("no runs");
        return Ok(());
    }
    let mut table =
        shown::table(output, &["RUN", "WORKFLOW", "STATUS", "STARTED", "TIME", "STEPS", "ERROR"]);
    for run in runs {
        let summary = &run.summary;
        table.add_row([
            summary.run.to_string(),
            sanitise::line_of(&summary.workflow, 40),
            shown::status_name(run.status).to_owned(),
            clock::local(summary.started_at),
            clock::span(shown::run_span(run, now)),
            format!("{}/{}", summary.steps_done, summary.steps_total),
            sanitise::line_of(summary.error.as_deref().unwrap_or_default(), ERROR_CHARS_MAX),
        ]);
    }
    output.data(&shown::coloured(output, &table, "STATUS", shown::tone_of_status))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::{Fake, NOON, run_named};
    use crate::output::Format;
    use wfhost_transport::client::Answer;

    #[test]
    fn pages_are_asked_for_until_there_is_no_more() {
        let (new, old) = (run_named("a", 2), run_named("a", 1));
        let mut fake = Fake::answering([
            Answer::Runs(vec![new.clone()]),
            Answer::Runs(vec![old.clone()]),
            Answer::Runs(vec![]),
        ]);
        let runs = list(&mut fake, &[], usize::MAX).unwrap();
        assert_eq!(runs, [new.clone(), old.clone()]);
        let before: Vec<_> = fake
            .asked()
            .iter()
            .map(|request| match request {
                Request::List { before, limit: PAGE, .. } => *before,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(before, [None, Some(new.summary.run), Some(old.summary.run)]);
    }

    #[test]
    fn a_limit_asks_for_no_more() {
        let mut fake = Fake::answering([Answer::Runs(vec![run_named("a", 2)])]);
        assert_eq!(list(&mut fake, &[], 1).unwrap().len(), 1);
        assert!(matches!(fake.asked(), [Request::List { limit: 1, .. }]));
    }

    #[test]
    fn text_is_a_table_and_json_an_array() {
        let mut failed = run_named("brief", 1);
        failed.status = ShownStatus::Failed;
        failed.summary.error = Some("trap\u{1b}[0m: \nunreachable".to_owned());
        let text = Output::captured(Format::Text);
        write(&text, std::slice::from_ref(&failed), NOON).unwrap();
        let stdout = text.written().stdout;
        assert_eq!(stdout.lines().count(), 2, "{stdout}");
        assert!(
            stdout.contains("trap\\u{1b}[0m: \\nunreachable") && stdout.contains("2.5s"),
            "{stdout}"
        );
        let json = Output::captured(Format::Json);
        write(&json, &[failed], NOON).unwrap();
        let value: serde_json::Value = serde_json::from_str(&json.written().stdout).unwrap();
        assert_eq!(value[0]["status"], "failed");
        assert_eq!(value[0]["error"], "trap\u{1b}[0m: \nunreachable");
    }

    #[test]
    fn an_empty_list_is_an_empty_array() {
        let json = Output::captured(Format::Json);
        write(&json, &[], NOON).unwrap();
        assert_eq!(json.written().stdout, "[]\n");
    }
}
