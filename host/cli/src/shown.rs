//! Runs, steps and events as JSON for scripts and as tables for people.

pub(crate) mod bundle;
pub(crate) mod bundle_diff;
pub(crate) mod workers;

use comfy_table::{Cell, ColumnConstraint, ContentArrangement, Table, presets};
use serde_json::{Value, json};
use wfhost_transport::client::{RunView, ShownEvent, ShownRun, ShownStatus, StepShown, StepView};
use wfhost_workflow::{Json, PinnedPlugin, TimestampMs};

use crate::output::{Output, Tone};
use crate::{clock, provenance, sanitise};

/// The word in lists, filters and JSON.
pub(crate) const fn status_name(status: ShownStatus) -> &'static str {
    match status {
        ShownStatus::Running => "running",
        ShownStatus::Interrupted => "interrupted",
        ShownStatus::Succeeded => "succeeded",
        ShownStatus::Failed => "failed",
        ShownStatus::Cancelled => "cancelled",
    }
}

pub(crate) const fn status_tone(status: ShownStatus) -> Tone {
    match status {
        ShownStatus::Running => Tone::Busy,
        ShownStatus::Interrupted => Tone::Warn,
        ShownStatus::Succeeded => Tone::Good,
        ShownStatus::Failed => Tone::Bad,
        ShownStatus::Cancelled => Tone::Dim,
    }
}

/// The word in tables and JSON.
pub(crate) const fn state_name(state: StepShown) -> &'static str {
    match state {
        StepShown::Waiting => "waiting",
        StepShown::Queued => "queued",
        StepShown::Running => "running",
        StepShown::Backoff => "backoff",
        StepShown::Quarantined => "quarantined",
        StepShown::Done => "done",
        StepShown::Skipped => "skipped",
        StepShown::Failed => "failed",
        StepShown::Stopped => "stopped",
    }
}

pub(crate) const fn state_tone(state: StepShown) -> Tone {
    match state {
        StepShown::Waiting | StepShown::Skipped | StepShown::Stopped => Tone::Dim,
        StepShown::Queued | StepShown::Running => Tone::Busy,
        StepShown::Backoff | StepShown::Quarantined => Tone::Warn,
        StepShown::Done => Tone::Good,
        StepShown::Failed => Tone::Bad,
    }
}

/// Until when the run's time counts: now, where it is running.
pub(crate) fn run_span(run: &ShownRun, now: TimestampMs) -> wfhost_workflow::DurationMs {
    let until = match run.status {
        ShownStatus::Running => now,
        ShownStatus::Interrupted
        | ShownStatus::Succeeded
        | ShownStatus::Failed
        | ShownStatus::Cancelled => run.summary.changed_at,
    };
    until - run.summary.started_at
}

/// A line of `runs list --output json`.
pub(crate) fn run_json(run: &ShownRun) -> Value {
    let summary = &run.summary;
    let over = summary.status.is_over();
    json!({
        "run": summary.run.to_string(),
        "workflow": &*summary.workflow,
        "version": summary.version,
        "status": status_name(run.status),
        "revision": summary.revision.0,
        "started_at": clock::rfc3339(summary.started_at),
        "changed_at": clock::rfc3339(summary.changed_at),
        "ended_at": over.then(|| clock::rfc3339(summary.changed_at)),
        "steps_done": summary.steps_done,
        "steps_total": summary.steps_total,
        "error": summary.error,
    })
}

/// `runs show --output json`.
pub(crate) fn view_json(view: &RunView) -> Value {
    let mut value = run_json(&view.run);
    if let Value::Object(object) = &mut value {
        object.insert("definition".to_owned(), view.run.summary.definition.to_string().into());
        object.insert("input".to_owned(), json_or_null(view.input.as_ref()));
        object.insert("output".to_owned(), json_or_null(view.output.as_ref()));
        object.insert("plugins".to_owned(), view.plugins.iter().map(plugin_json).collect());
        object.insert("versions".to_owned(), provenance::versions_json(view));
        let steps =
            view.steps.iter().map(|step| provenance::with_made_by(step_json(step), step, view));
        object.insert("steps".to_owned(), steps.collect());
    }
    value
}

pub(crate) fn json_or_null(json: Option<&Json>) -> Value {
    json.map_or(Value::Null, Json::to_value)
}

fn plugin_json(plugin: &PinnedPlugin) -> Value {
    json!({
        "alias": &*plugin.alias,
        "digest": plugin.digest.to_string(),
        "plugin": plugin.plugin.as_ref().map(|of| &of.name),
        "version": plugin.plugin.as_ref().map(|of| &of.version),
        "dirs": plugin.dirs,
        "limits": plugin.limits,
        "determinism": plugin.determinism.name(),
    })
}

pub(crate) fn step_json(step: &StepView) -> Value {
    json!({
        "step": step.name,
        "kind": step.kind,
        "state": state_name(step.state),
        "items_done": step.items.map(|(done, _)| done),
        "items_total": step.items.map(|(_, total)| total),
        "attempt": step.attempt,
        "running": step.running,
        "started_at": step.started_at.map(clock::rfc3339),
        "ended_at": step.ended_at.map(clock::rfc3339),
        "error": step.error,
        "retry_at": step.retry_at.map(clock::rfc3339),
        "workers": step.workers,
        "why": step.why,
    })
}

/// A line of `runs events --output json`.
pub(crate) fn event_json(event: &ShownEvent) -> Value {
    let details: serde_json::Map<_, _> =
        event.details.iter().map(|(name, value)| (name.clone(), value.to_value())).collect();
    json!({
        "revision": event.revision.0,
        "at": clock::rfc3339(event.at),
        "event": event.event,
        "step": event.step,
        "index": event.index,
        "attempt": event.attempt,
        "details": details,
    })
}

/// An empty table with these headings, as wide as the terminal.
pub(crate) fn table(output: &Output, headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(columns) = output.stdout_columns() {
        table.set_width(columns);
    }
    table.set_header(headings.iter().map(Cell::new));
    if let Some(first) = table.column_mut(0) {
        first.set_padding((0, 1));
    }
    // Ids and words stay whole on a narrow terminal: only the last column, the error, is broken.
    for position in 0..headings.len().saturating_sub(1) {
        if let Some(column) = table.column_mut(position) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table
}

/// The table's lines without the spaces at their ends.
pub(crate) fn table_text(table: &Table) -> String {
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// `/in ← /home/u/texts (ro)`.
pub(crate) fn dirs_text(plugin: &PinnedPlugin) -> String {
    plugin
        .dirs
        .iter()
        .map(|dir| {
            format!(
                "{} ← {} ({})",
                sanitise::line(&dir.guest_path),
                sanitise::line(&dir.host_path),
                dir.mode.name()
            )
        })
        .collect::<Vec<_>>()
        .join(", ")
}

/// The table's text; the words under `heading` get their colour on a terminal.
///
/// Colours are set after the columns were measured, since they would count as text.
pub(crate) fn coloured(
    output: &Output,
    table: &Table,
    heading: &str,
    tone_of: fn(&str) -> Option<Tone>,
) -> String {
    let text = table_text(table);
    let Some(column) = text.lines().next().and_then(|line| line.find(heading)) else { return text };
    let mut lines = text.lines();
    let mut coloured: Vec<String> =
        lines.next().map(|line| output.paint(Tone::Strong, line)).into_iter().collect();
    for line in lines {
        // Cells before it are padded to whole columns; wide characters only shift it, and then
        // the word stays as it is.
        let at = line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
        let (before, rest) = line.split_at(at);
        let end = rest.find(' ').unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        coloured.push(match tone_of(word) {
            Some(tone) => format!("{before}{}{after}", output.paint(tone, word)),
            None => line.to_owned(),
        });
    }
    coloured.join("\n")
}

/// The colour of a status' word.
pub(crate) fn tone_of_status(word: &str) -> Option<Tone> {
    use ShownStatus::{Cancelled, Failed, Interrupted, Running, Succeeded};
    [Running, Interrupted, Succeeded, Failed, Cancelled]
        .into_iter()
        .find(|status| status_name(*status) == word)
        .map(status_tone)
}

/// The colour of a step's state's word.
pub(crate) fn tone_of_state(word: &str) -> Option<Tone> {
    use StepShown::{Backoff, Done, Failed, Queued, Running, Skipped, Stopped, Waiting};
    [Waiting, Queued, Running, Backoff, Done, Skipped, Failed, Stopped]
        .into_iter()
        .find(|state| state_name(*state) == word)
        .map(state_tone)
}

/// `37 MB`, as in a list of files.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        1_000_000..1_000_000_000 => {
            format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
        }
        _ => format!("{}.{} GB", bytes / 1_000_000_000, bytes % 1_000_000_000 / 100_000_000),
    }
}

/// `1 step`, `2 steps`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        let check = |bytes, text: &str| assert_eq!(size(bytes), text);
        check(999, "999 B");
        check(1_001, "2 kB");
        check(37_060_000, "37.0 MB");
        check(2_147_483_648, "2.1 GB");
    }
}
