//! `wfhost workers list`.

use clap::Args;
use wfhost_transport::client::ShownWorker;

use super::{pool, workers};
use crate::command::Context;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::output::Output;
use crate::session::Session;
use crate::shown::workers as shown_workers;
use crate::{clock, sanitise, shown};

const NAME_CHARS_MAX: usize = 40;
const LABELS_CHARS_MAX: usize = 120;

/// List the workers that have joined
#[derive(Debug, Args)]
#[command(after_help = "\
Those that the process that serves keeps itself are called managed. What they are short of, and
why, is said below the list.

Examples:
  wfhost workers list
  wfhost workers list --output json | jq -r '.[] | select(.busy == 0) | .worker'")]
pub(crate) struct ListArgs {}

impl ListArgs {
    pub(super) fn carry_out(self, context: &Context, session: &mut Session) -> Result<ExitCode> {
        write(&context.output, &workers(session)?)?;
        if let Some(pool) = pool(session)?.filter(|pool| pool.max > 0 || !pool.members.is_empty()) {
            context.output.note(&shown_workers::pool_line(&pool));
            if let Some(trouble) = shown_workers::pool_trouble(&pool) {
                context.output.warn(&trouble);
            }
        }
        Ok(ExitCode::Done)
    }
}

fn write(output: &Output, workers: &[ShownWorker]) -> Result<()> {
    if output.is_json() {
        return output.json(&workers.iter().map(shown_workers::json).collect::<Vec<_>>());
    }
    if workers.is_empty() {
        output.note("no worker has joined");
        return Ok(());
    }
    let headings = [
        "WORKER", "NAME", "STATE", "BUSY", "DONE", "FAILED", "JOINED", "VERSION", "MANAGED",
        "LABELS",
    ];
    let mut table = shown::table(output, &headings);
    for worker in workers {
        table.add_row([
            shown_workers::short(&worker.id).to_owned(),
            sanitise::line_of(&worker.name, NAME_CHARS_MAX),
            shown_workers::state_name(worker.state).to_owned(),
            format!("{}/{}", worker.busy, worker.slots),
            worker.counts.done.to_string(),
            worker.counts.failed.to_string(),
            clock::local(worker.joined_at),
            sanitise::line_of(&worker.version, NAME_CHARS_MAX),
            worker.managed.map_or_else(String::new, |pid| format!("process {pid}")),
            sanitise::line_of(&shown_workers::labels(worker), LABELS_CHARS_MAX),
        ]);
    }
    output.data(&shown::coloured(output, &table, "STATE", shown_workers::tone_of_state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::worker;
    use crate::output::Format;

    #[test]
    fn text_is_a_table_and_json_an_array() {
        let mut one = worker(&"ab".repeat(32), "node\u{1b}[2J");
        one.managed = Some(77);
        one.labels = [("gpu".to_owned(), "true".to_owned())].into();
        let text = Output::captured(Format::Text);
        write(&text, std::slice::from_ref(&one)).unwrap();
        let stdout = text.written().stdout;
        assert_eq!(stdout.lines().count(), 2, "{stdout}");
        for part in
            ["abababababab ", "node\\u{1b}[2J", "ready", "1/4", "1.0.0", "process 77", "gpu=true"]
        {
            assert!(stdout.contains(part), "`{part}` is missing in\n{stdout}");
        }
        let json = Output::captured(Format::Json);
        write(&json, &[one]).unwrap();
        let value: serde_json::Value = serde_json::from_str(&json.written().stdout).unwrap();
        assert_eq!(value[0]["worker"], "ab".repeat(32));
        assert_eq!((&value[0]["busy"], &value[0]["labels"]["gpu"]), (&1.into(), &"true".into()));
        let none = Output::captured(Format::Json);
        write(&none, &[]).unwrap();
        assert_eq!(none.written().stdout, "[]\n");
    }
}
