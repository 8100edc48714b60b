//! `wfhost workers show WORKER`.

use clap::Args;
use wfhost_transport::client::ShownWorker;
use wfhost_workflow::DurationMs;

use super::find;
use crate::command::Context;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::log_line::place;
use crate::output::Output;
use crate::session::Session;
use crate::shown::workers as shown_workers;
use crate::{clock, sanitise, shown};

/// Show one worker with what it runs
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wfhost workers show node1
  wfhost workers show 3f0c --output json | jq '.running[].run'")]
pub(crate) struct ShowArgs {
    /// The worker's name, or a unique beginning of its id
    worker: String,
}

impl ShowArgs {
    pub(super) fn carry_out(self, context: &Context, session: &mut Session) -> Result<ExitCode> {
        write(&context.output, &find(session, &self.worker)?)?;
        Ok(ExitCode::Done)
    }
}

fn write(output: &Output, worker: &ShownWorker) -> Result<()> {
    if output.is_json() {
        return output.json(&shown_workers::json(worker));
    }
    output.data(&heading(output, worker))?;
    if worker.running.is_empty() {
        return Ok(());
    }
    let mut table = shown::table(output, &["RUN", "STEP", "WORKFLOW"]);
    for attempt in &worker.running {
        table.add_row([
            attempt.run.to_string(),
            place(&attempt.step, attempt.index, Some(attempt.attempt)),
            sanitise::line(&attempt.workflow).into_owned(),
        ]);
    }
    output.data("")?;
    output.data(&shown::coloured(output, &table, "RUN", |_| None))
}

fn heading(output: &Output, worker: &ShownWorker) -> String {
    let counts = worker.counts;
    let state = output
        .paint(shown_workers::state_tone(worker.state), shown_workers::state_name(worker.state));
    let lines = [
        ("worker", worker.id.clone()),
        ("name", sanitise::line(&worker.name).into_owned()),
        ("key", worker.key.clone().unwrap_or_else(|| "none: it is on this machine".to_owned())),
        ("managed", worker.managed.map_or_else(String::new, |pid| format!("as process {pid}"))),
        ("version", sanitise::line(&worker.version).into_owned()),
        ("state", state),
        ("slots", format!("{} of {} busy", worker.busy, worker.slots)),
        ("labels", sanitise::line(&shown_workers::labels(worker)).into_owned()),
        ("joined", clock::local(worker.joined_at)),
        ("heard", format!("{} ago", clock::span(DurationMs(worker.heard_ms_ago)))),
        (
            "attempts",
            format!(
                "{} done, {} failed, {} late, {} not its own",
                counts.done, counts.failed, counts.late_refused, counts.forged
            ),
        ),
    ];
    let lines = lines.iter().filter(|(_, value)| !value.is_empty());
    lines.map(|(name, value)| format!("{name:<9} {value}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::worker;
    use crate::output::Format;

    #[test]
    fn text_has_the_worker_and_what_it_runs() {
        let output = Output::captured(Format::Text);
        let managed = ShownWorker { managed: Some(77), ..worker("ab", "node\u{9b}1") };
        write(&output, &managed).unwrap();
        let stdout = output.written().stdout;
        let parts = [
            "worker    ab",
            "name      node\\u{9b}1",
            "1 of 4 busy",
            "as process 77",
            "fetch[2]#3",
        ];
        for part in parts {
            assert!(stdout.contains(part), "`{part}` is missing in\n{stdout}");
        }
    }
}
