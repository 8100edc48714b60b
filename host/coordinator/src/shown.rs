//! From a run's state to what clients see of it.

use std::collections::BTreeMap;

use wfhost_transport::client::{RunView, ShownEvent, ShownRun, ShownStatus, StepShown, StepView};
use wfhost_workflow::run::{Event, Record, Run, StepOutput, StepProgress, StepStanding, Upgraded};
use wfhost_workflow::{Definition, Json, Origin, StepId, TaskId};

use crate::runs::Live;

/// Larger values are left out of views: there is `runs output` for them.
const VALUE_BYTES_MAX: usize = 4 << 10;

/// Everything that `runs show` and live progress need.
pub(crate) fn run_view(run: &Run, live: Option<&Live>, tick: u64) -> RunView {
    let summary = run.summary();
    let status = ShownStatus::of(summary.status, live.is_some());
    let says_where = summary.upgrades > 0 || summary.origin.is_some();
    let step_view = |mut progress: StepProgress<'_>| {
        if !says_where {
            progress.made_by = Vec::new();
        }
        step_view(progress, live)
    };
    RunView {
        tick,
        run: ShownRun { summary, status },
        steps: run.progress().map(step_view).collect(),
        input: small(&run.input()),
        output: run.output().and_then(small),
        plugins: run.plugins().to_vec(),
        versions: if says_where { run.eras() } else { Vec::new() },
    }
}

fn small(value: &Json) -> Option<Json> {
    (value.len_bytes() <= VALUE_BYTES_MAX).then(|| value.clone())
}

fn step_view(progress: StepProgress<'_>, live: Option<&Live>) -> StepView {
    let leased = live.map_or(0, |live| tasks_of(&live.leased, progress.id).count() as u32);
    let newest = live.and_then(|live| tasks_of(&live.progress, progress.id).next_back());
    let state = match progress.standing {
        StepStanding::Waiting => StepShown::Waiting,
        StepStanding::UnderWay if leased > 0 => StepShown::Running,
        StepStanding::UnderWay => StepShown::Queued,
        StepStanding::Backoff => StepShown::Backoff,
        StepStanding::Quarantined => StepShown::Quarantined,
        StepStanding::Done => StepShown::Done,
        StepStanding::Skipped => StepShown::Skipped,
        StepStanding::Failed => StepShown::Failed,
        StepStanding::Stopped => StepShown::Stopped,
    };
    StepView {
        name: progress.step.name.to_string(),
        kind: progress.step.kind.name().to_owned(),
        state,
        items: progress.items,
        attempt: progress.attempt.map_or(0, |attempt| attempt.0),
        running: leased,
        started_at: progress.started_at,
        ended_at: progress.ended_at,
        error: progress.error,
        retry_at: progress.retry_at,
        progress: newest.map(|(_, progress)| progress.clone()),
        workers: Vec::new(),
        why: None,
        made_by: progress.made_by,
    }
}

fn tasks_of<T>(
    map: &BTreeMap<TaskId, T>,
    step: StepId,
) -> impl DoubleEndedIterator<Item = (&TaskId, &T)> {
    map.range(TaskId::of(step)..=TaskId::item(step, u32::MAX))
}

/// The events of a record, with step names.
pub(crate) fn events(record: Record, definition: &Definition) -> Vec<ShownEvent> {
    let Record { revision, at, events } = record;
    events
        .into_iter()
        .map(|event| {
            let (name, about, details) = describe(event);
            let step = about.step.and_then(|step| definition.steps.get(step.position()));
            ShownEvent {
                revision,
                at,
                event: name.to_owned(),
                step: step.map(|step| step.name.to_string()),
                index: about.index,
                attempt: about.attempt,
                details,
            }
        })
        .collect()
}

#[derive(Default)]
struct About {
    step: Option<StepId>,
    index: Option<u32>,
    attempt: Option<u32>,
}

impl About {
    const fn step(step: StepId) -> Self {
        Self { step: Some(step), index: None, attempt: None }
    }

    const fn attempt(task: TaskId, attempt: wfhost_workflow::Attempt) -> Self {
        Self { step: Some(task.step), index: task.index, attempt: Some(attempt.0) }
    }
}

type Details = BTreeMap<String, Json>;

fn describe(event: Event) -> (&'static str, About, Details) {
    match event {
        Event::Started(started) => {
            let details = Details::new()
                .and("workflow", &text(&started.workflow))
                .and("version", &text(&started.version))
                .and("definition", &text(&started.definition.to_string()))
                .and("input", &started.input);
            ("started", About::default(), origin_details(details, started.origin.as_ref()))
        }
        Event::StepSkipped { step } => ("step-skipped", About::step(step), Details::new()),
        Event::StepCompleted { step, output } => {
            let details = match &output {
                StepOutput::Value(output) => Details::new().and("output", output),
                StepOutput::Parts => Details::new(),
            };
            ("step-completed", About::step(step), details)
        }
        Event::MapOpened { step, items, .. } => {
            ("map-opened", About::step(step), Details::new().and("items", &number(items.into())))
        }
        Event::AttemptScheduled { task, attempt } => {
            ("attempt-scheduled", About::attempt(task, attempt), Details::new())
        }
        Event::AttemptSucceeded { task, attempt, output, kv } => {
            let mut details = Details::new().and("output", &output);
            if !kv.is_empty() {
                details = details.and("kv-writes", &number(kv.len() as u64));
            }
            ("attempt-succeeded", About::attempt(task, attempt), details)
        }
        Event::AttemptFailed { task, attempt, failure, retry_at } => {
            let mut details = failure_details(&failure);
            if let Some(at) = retry_at {
                details = details.and("retry-at", &number(at.0));
            }
            ("attempt-failed", About::attempt(task, attempt), details)
        }
        Event::AttemptLost { task, attempt, reason, worker } => {
            let mut details = Details::new().and("reason", &text(&reason));
            if let Some(worker) = worker {
                details = details.and("worker", &text(&worker));
            }
            ("attempt-lost", About::attempt(task, attempt), details)
        }
        Event::StepQuarantined { task, attempt, workers } => {
            let workers = Json::from_value(&serde_json::Value::from(workers));
            let details = Details::new().and("workers", &workers);
            ("step-quarantined", About::attempt(task, attempt), details)
        }
        Event::StepReleased { task } => {
            let about = About { index: task.index, ..About::step(task.step) };
            ("step-released", about, Details::new())
        }
        Event::Upgraded(upgraded) => ("upgraded", About::default(), upgrade_details(&upgraded)),
        Event::RunRetried => ("run-retried", About::default(), Details::new()),
        Event::Succeeded { output } => {
            ("succeeded", About::default(), Details::new().and("output", &output))
        }
        Event::Failed { task, failure } => {
            let about = task.map_or_else(About::default, |task| About {
                index: task.index,
                ..About::step(task.step)
            });
            ("failed", about, failure_details(&failure))
        }
        Event::Cancelled { reason } => {
            ("cancelled", About::default(), Details::new().and("reason", &text(&reason)))
        }
    }
}

fn upgrade_details(upgraded: &Upgraded) -> Details {
    let details = Details::new()
        .and("version", &text(&upgraded.version))
        .and("definition", &text(&upgraded.definition.to_string()));
    origin_details(details, upgraded.origin.as_ref())
}

/// The bundle that something came from.
fn origin_details(details: Details, origin: Option<&Origin>) -> Details {
    let Some(origin) = origin else { return details };
    let signers = Json::from_value(&serde_json::Value::from(origin.signers.clone()));
    details
        .and("bundle", &text(&format!("{}@{}", origin.bundle, origin.version)))
        .and("bundle-digest", &text(&origin.digest.to_string()))
        .and("signers", &signers)
}

fn failure_details(failure: &wfhost_workflow::Failure) -> Details {
    Details::new()
        .and("kind", &text(failure.kind.name()))
        .and("code", &text(&failure.code))
        .and("message", &message(&failure.message))
}

/// A message is cut where other values are left out: it says what happened.
fn message(whole: &str) -> Json {
    // Each byte may take six in JSON.
    let lengths = [VALUE_BYTES_MAX - 2, VALUE_BYTES_MAX * 3 / 4, VALUE_BYTES_MAX / 6 - 4];
    let cut = |bytes_max: usize| {
        if whole.len() <= bytes_max {
            return text(whole);
        }
        text(&format!("{}…", &whole[..whole.floor_char_boundary(bytes_max)]))
    };
    let fits = lengths.into_iter().map(cut).find(|json| json.len_bytes() <= VALUE_BYTES_MAX);
    fits.unwrap_or_else(|| text("…"))
}

fn text(text: &str) -> Json {
    Json::from_value(&serde_json::Value::from(text))
}

fn number(number: u64) -> Json {
    Json::from_value(&serde_json::Value::from(number))
}

trait And {
    /// With one more detail, unless it is too large.
    fn and(self, name: &str, value: &Json) -> Self;
}

impl And for Details {
    fn and(mut self, name: &str, value: &Json) -> Self {
        if let Some(value) = small(value) {
            self.insert(name.to_owned(), value);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_and_not_left_out() {
        let shown = |whole: &str| match message(whole).to_value() {
            serde_json::Value::String(text) => text,
            other => panic!("{other}"),
        };
        assert_eq!(shown("short"), "short");
        let long = shown(&"x".repeat(20_000));
        assert!(long.len() > 3000 && long.ends_with('…'), "{}", long.len());
        let escaped = shown(&"\u{1b}".repeat(20_000));
        assert!(escaped.len() > 600, "{}", escaped.len());
    }
}
