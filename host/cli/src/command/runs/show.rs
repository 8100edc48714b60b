//! `wfhost runs show RUN`.

use clap::Args;
use wfhost_transport::client::{Request, RunView, ShownStatus, StepView};
use wfhost_workflow::{Json, TimestampMs};

use super::failures::Failures;
use crate::command::Context;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::output::Output;
use crate::session::Requests as _;
use crate::{clock, json_text, provenance, sanitise, shown};

const ERROR_CHARS_MAX: usize = 200;

/// Show one run with its steps
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wfhost runs show latest
  wfhost runs show 01J9 --output json | jq '.steps[] | select(.state == \"failed\")'")]
pub(crate) struct ShowArgs {
    /// A unique beginning of the run's id, or `latest`
    #[arg(default_value = "latest")]
    run: String,
}

impl ShowArgs {
    pub(crate) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        let mut session = context.ask()?;
        let run = session.find(&self.run)?;
        let view = session.view(Request::Show { run })?;
        let failures = Failures::of(&mut session, run)?;
        session.close_at_once();
        write(&context.output, &view, &failures, clock::now())?;
        Ok(ExitCode::Done)
    }
}

fn write(output: &Output, view: &RunView, failures: &Failures, now: TimestampMs) -> Result<()> {
    if output.is_json() {
        let mut value = shown::view_json(view);
        if let serde_json::Value::Object(object) = &mut value {
            object.insert("failures".to_owned(), failures.json());
        }
        return output.json(&value);
    }
    output.data(&heading(output, view, now))?;
    if let Some(failures) = failures.text() {
        output.data(&format!("{:<9} {failures}", "failures"))?;
    }
    let mut table =
        shown::table(output, &["STEP", "KIND", "STATE", "ITEMS", "ATTEMPT", "TIME", "REMARK"]);
    for step in &view.steps {
        table.add_row([
            sanitise::line_of(&step.name, 60),
            step.kind.clone(),
            shown::state_name(step.state).to_owned(),
            step.items.map_or_else(String::new, |(done, total)| format!("{done}/{total}")),
            if step.attempt == 0 { String::new() } else { step.attempt.to_string() },
            step_span(step, view, now),
            sanitise::line_of(&remark(step, view), ERROR_CHARS_MAX),
        ]);
    }
    output.data("")?;
    output.data(&shown::coloured(output, &table, "STATE", shown::tone_of_state))?;
    for (name, value) in [("input", &view.input), ("output", &view.output)] {
        if let Some(value) = value {
            output.data(&format!("\n{name}\n{}", json_block(value)))?;
        }
    }
    Ok(())
}

fn heading(output: &Output, view: &RunView, now: TimestampMs) -> String {
    let run = &view.run;
    let summary = &run.summary;
    let mut lines = vec![
        ("run", summary.run.to_string()),
        (
            "workflow",
            format!(
                "{} (version {})",
                sanitise::line(&summary.workflow),
                sanitise::line(&summary.version)
            ),
        ),
        ("status", output.paint(shown::status_tone(run.status), shown::status_name(run.status))),
        ("started", clock::local(summary.started_at)),
    ];
    let changed = if summary.status.is_over() { "ended" } else { "changed" };
    lines.push((changed, clock::local(summary.changed_at)));
    lines.push(("time", clock::span(shown::run_span(run, now))));
    if let Some(error) = &summary.error {
        lines.push(("error", sanitise::line(error).into_owned()));
    }
    for plugin in &view.plugins {
        let dirs = shown::dirs_text(plugin);
        let plugin = provenance::plugin_text(plugin);
        lines.push(("plugin", format!("{plugin} {dirs}").trim_end().to_owned()));
    }
    let versions = provenance::lines(view);
    lines.extend(versions.iter().map(|(name, value)| (name.as_str(), value.clone())));
    lines.iter().map(|(name, value)| format!("{name:<9} {value}")).collect::<Vec<_>>().join("\n")
}

/// Which version it is of, why it waits, where it runs, or what went wrong last.
fn remark(step: &StepView, view: &RunView) -> String {
    let mut parts: Vec<String> = provenance::of_step(step, view).into_iter().collect();
    if !step.workers.is_empty() {
        parts.push(format!("on {}", step.workers.join(", ")));
    }
    parts.extend(step.why.clone());
    parts.extend(step.error.clone());
    parts.join("; ")
}

fn step_span(step: &StepView, view: &RunView, now: TimestampMs) -> String {
    let Some(started) = step.started_at else { return String::new() };
    let until = match view.run.status {
        ShownStatus::Running => now,
        ShownStatus::Interrupted
        | ShownStatus::Succeeded
        | ShownStatus::Failed
        | ShownStatus::Cancelled => view.run.summary.changed_at,
    };
    clock::span(step.ended_at.unwrap_or(until) - started)
}

fn json_block(value: &Json) -> String {
    json_text::pretty(value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::{NOON, step, view};
    use crate::output::Format;
    use wfhost_transport::client::StepShown;
    use wfhost_workflow::run::{Era, MadeBy};
    use wfhost_workflow::{Digest, Origin, PinnedPlugin, PluginOrigin, Revision};

    fn failed_view() -> RunView {
        let mut failed = step("analyse", StepShown::Failed);
        failed.error = Some("trap: \u{1b}]0;x\u{7}".to_owned());
        failed.ended_at = Some(TimestampMs(NOON.0 + 700));
        let mut view = view(3, ShownStatus::Failed, vec![step("extract", StepShown::Done), failed]);
        view.input = Json::parse("{\"folder\":\"x\"}").ok();
        view
    }

    #[test]
    fn text_has_the_run_and_its_steps() {
        let output = Output::captured(Format::Text);
        write(&output, &failed_view(), &Failures::default(), NOON).unwrap();
        let stdout = output.written().stdout;
        for part in [
            "workflow  brief (version 1)",
            "status    failed",
            "trap: \\u{1b}]0;x\\u{7}",
            "700ms",
            "\"folder\": \"x\"",
        ] {
            assert!(stdout.contains(part), "{part} is missing in\n{stdout}");
        }
    }

    #[test]
    fn a_step_says_where_it_runs_and_why_it_waits() {
        let mut running = step("a", StepShown::Running);
        running.workers = vec!["node1".to_owned(), "node2".to_owned()];
        let mut waits = step("b", StepShown::Queued);
        waits.why = Some("no worker has the label gpu=true".to_owned());
        waits.error = Some("attempt 1 failed".to_owned());
        let output = Output::captured(Format::Text);
        let view = view(1, ShownStatus::Running, vec![running, waits]);
        write(&output, &view, &Failures::default(), NOON).unwrap();
        let stdout = output.written().stdout;
        for part in ["on node1, node2", "no worker has the label gpu=true; attempt 1 failed"] {
            assert!(stdout.contains(part), "{part} is missing in\n{stdout}");
        }
    }

    #[test]
    fn each_step_says_which_version_it_is_of() {
        let origin = |version: &str, signers: &[&str]| Origin {
            bundle: "agents".to_owned(),
            version: version.to_owned(),
            digest: Digest::of(version.as_bytes()),
            signers: signers.iter().map(|&signer| signer.to_owned()).collect(),
        };
        let era = |version: &str, signers: &[&str], since| Era {
            version: version.to_owned(),
            definition: Digest::of(b""),
            plugins: vec![PinnedPlugin {
                alias: "p".into(),
                digest: Digest::of(version.as_bytes()),
                dirs: Vec::new(),
                limits: wfhost_workflow::Limits::default(),
                determinism: wfhost_workflow::Determinism::default(),
                plugin: Some(PluginOrigin { name: "text".to_owned(), version: version.to_owned() }),
            }],
            origin: Some(origin(version, signers)),
            since: Revision(since),
        };
        let by = |era, items| MadeBy { era, plugin: Some(0), items };
        let (mut a, mut b) = (step("a", StepShown::Done), step("b", StepShown::Running));
        a.made_by = vec![by(0, 0)];
        b.made_by = vec![by(0, 3), by(1, 2)];
        let mut view = view(1, ShownStatus::Running, vec![a, b]);
        view.versions = vec![era("1.0.0", &["ed25519:k \u{1b}[2J"], 1)];
        let text = |view: &RunView| {
            let output = Output::captured(Format::Text);
            write(&output, view, &Failures::default(), NOON).unwrap();
            output.written().stdout
        };
        let digest = &Digest::of(b"1.0.0").to_string()[..19];
        let bundle = format!("agents 1.0.0 {digest}, signed by ed25519:k \\u{{1b}}[2J");
        assert!(text(&view).contains(&format!("bundle    {bundle}")), "{}", text(&view));
        view.versions.push(era("1.1.0", &[], 7));
        let stdout = text(&view);
        for part in [
            &*format!("version 1 1.0.0 of {bundle}"),
            "version 2 1.1.0 of agents 1.1.0",
            "not signed",
            "3 of version 1, 2 of version 2",
        ] {
            assert!(stdout.contains(part), "{part} is missing in\n{stdout}");
        }
        let output = Output::captured(Format::Json);
        write(&output, &view, &Failures::default(), NOON).unwrap();
        let value: serde_json::Value = serde_json::from_str(&output.written().stdout).unwrap();
        let made_by = &value["steps"][1]["made_by"];
        assert_eq!(made_by[1]["items"], 2);
        assert_eq!(made_by[1]["bundle"]["version"], "1.1.0");
        assert_eq!(made_by[0]["plugin"]["digest"], Digest::of(b"1.0.0").to_string());
        assert_eq!(made_by[0]["plugin"]["name"], "text");
        assert_eq!(value["versions"][0]["bundle"]["signers"][0], "ed25519:k \u{1b}[2J");
    }

    #[test]
    fn json_has_values_not_texts() {
        let output = Output::captured(Format::Json);
        write(&output, &failed_view(), &Failures::default(), NOON).unwrap();
        let value: serde_json::Value = serde_json::from_str(&output.written().stdout).unwrap();
        assert_eq!(value["input"]["folder"], "x");
        assert_eq!(value["output"], serde_json::Value::Null);
        assert_eq!(value["steps"][1]["error"], "trap: \u{1b}]0;x\u{7}");
        assert_eq!(value["steps"][1]["state"], "failed");
    }
}
