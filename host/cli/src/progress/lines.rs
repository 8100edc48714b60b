//! One line for each change of a step's state.

use wfhost_transport::client::{RunView, StepShown, StepView};
use wfhost_workflow::TimestampMs;

use crate::output::{Output, Tone};
use crate::{clock, sanitise};

/// An error in a line is cut here; `runs show` has all of it.
const ERROR_CHARS_MAX: usize = 300;

/// Compares each view with the one before.
pub(crate) struct Lines {
    output: Output,
    before: Vec<StepView>,
}

impl Lines {
    pub(crate) fn new(output: &Output) -> Self {
        Self { output: output.clone(), before: Vec::new() }
    }

    pub(crate) fn show(&mut self, view: &RunView) {
        let now = clock::now();
        for (position, step) in view.steps.iter().enumerate() {
            if let Some((tone, text)) = change(self.before.get(position), step, now) {
                let text = match tone {
                    Some(tone) => self.output.paint_message(tone, &text),
                    None => text,
                };
                let name = sanitise::line(&step.name);
                self.output.note(&format!("{} {name}: {text}", clock::time_of_day(now)));
            }
        }
        self.before.clone_from(&view.steps);
    }
}

/// What there is to say about a step since it was last seen.
pub(super) fn change(
    before: Option<&StepView>,
    step: &StepView,
    now: TimestampMs,
) -> Option<(Option<Tone>, String)> {
    // A `map` goes to and fro between the two: that is no news.
    let is_open = |step: &StepView| {
        step.items.is_some() && matches!(step.state, StepShown::Queued | StepShown::Running)
    };
    if is_open(step) && before.is_some_and(is_open) {
        return quarter(before, step).map(|text| (None, text));
    }
    let same_state = before.is_some_and(|before| before.state == step.state);
    let same_attempt = before.is_some_and(|before| before.attempt == step.attempt);
    let was_in_backoff = before.is_some_and(|before| before.state == StepShown::Backoff);
    let error = || {
        sanitise::line_of(step.error.as_deref().unwrap_or("no reason is known"), ERROR_CHARS_MAX)
    };
    if same_state && (step.state != StepShown::Running || same_attempt) {
        return None;
    }
    match step.state {
        StepShown::Queued if step.items.is_some() && !was_in_backoff => Some((None, running(step))),
        StepShown::Waiting | StepShown::Queued => None,
        StepShown::Running if step.attempt > 1 && step.items.is_none() => {
            Some((None, format!("running (attempt {})", step.attempt)))
        }
        StepShown::Running if same_state || (was_in_backoff && step.items.is_some()) => None,
        StepShown::Running => Some((None, running(step))),
        StepShown::Backoff => Some((Some(Tone::Warn), retrying(step, &error(), now))),
        StepShown::Quarantined => Some((Some(Tone::Warn), error())),
        StepShown::Done => Some((Some(Tone::Good), done(step))),
        StepShown::Skipped => Some((Some(Tone::Dim), "skipped".to_owned())),
        StepShown::Failed => Some((Some(Tone::Bad), format!("failed: {}", error()))),
        StepShown::Stopped => before.is_some().then(|| (Some(Tone::Dim), "stopped".to_owned())),
    }
}

fn running(step: &StepView) -> String {
    match step.items {
        Some((_, total)) => format!("running, {total} items"),
        None => "running".to_owned(),
    }
}

pub(super) fn retrying(step: &StepView, error: &str, now: TimestampMs) -> String {
    match step.retry_at {
        Some(at) => {
            format!("attempt {} failed, next in {}: {error}", step.attempt, clock::span(at - now))
        }
        None => format!("attempt {} failed: {error}", step.attempt),
    }
}

pub(super) fn done(step: &StepView) -> String {
    let mut text = "done".to_owned();
    if let (Some(started), Some(ended)) = (step.started_at, step.ended_at) {
        text.push_str(&format!(" in {}", clock::span(ended - started)));
    }
    if let Some((_, total)) = step.items {
        text.push_str(&format!(", {total} items"));
    }
    if step.attempt > 1 && step.items.is_none() {
        text.push_str(&format!(", attempt {}", step.attempt));
    }
    text
}

/// A long `map` says something at each quarter of its items.
fn quarter(before: Option<&StepView>, step: &StepView) -> Option<String> {
    let (was, _) = before?.items.unwrap_or_default();
    let (is, total) = step.items?;
    let quarters = |items: u32| u64::from(items) * 4 / u64::from(total.max(1));
    (total >= 8 && quarters(is) > quarters(was)).then(|| format!("{is}/{total} items"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::{NOON, step};

    fn check(before: Option<&StepView>, after: &StepView, said: Option<&str>) {
        assert_eq!(change(before, after, NOON).map(|(_, text)| text).as_deref(), said);
    }

    #[test]
    fn each_change_is_said_once() {
        let waiting = step("a", StepShown::Waiting);
        let running = step("a", StepShown::Running);
        let mut done = step("a", StepShown::Done);
        done.ended_at = Some(TimestampMs(NOON.0 + 1_500));
        check(None, &waiting, None);
        check(Some(&waiting), &step("a", StepShown::Queued), None);
        check(Some(&waiting), &running, Some("running"));
        check(Some(&running), &running, None);
        check(Some(&running), &done, Some("done in 1.5s"));
        check(None, &done, Some("done in 1.5s"));
        check(Some(&done), &done, None);
        check(Some(&waiting), &step("a", StepShown::Skipped), Some("skipped"));
        check(Some(&waiting), &step("a", StepShown::Stopped), Some("stopped"));
        check(None, &step("a", StepShown::Stopped), None);
    }

    #[test]
    fn failures_and_retries_say_why() {
        let running = step("a", StepShown::Running);
        let mut backoff = step("a", StepShown::Backoff);
        backoff.error = Some("retryable: busy\u{1b}[0m".to_owned());
        backoff.retry_at = Some(TimestampMs(NOON.0 + 2_000));
        check(
            Some(&running),
            &backoff,
            Some("attempt 1 failed, next in 2.0s: retryable: busy\\u{1b}[0m"),
        );
        let mut second = running.clone();
        second.attempt = 2;
        check(Some(&backoff), &second, Some("running (attempt 2)"));
        check(Some(&running), &second, Some("running (attempt 2)"));
        let mut failed = step("a", StepShown::Failed);
        failed.error = Some("trap: unreachable".to_owned());
        check(Some(&second), &failed, Some("failed: trap: unreachable"));
    }

    #[test]
    fn a_map_is_said_at_its_quarters() {
        let at = |done, state| {
            let mut step = step("m", state);
            step.items = Some((done, 100));
            step
        };
        check(
            Some(&step("m", StepShown::Waiting)),
            &at(0, StepShown::Running),
            Some("running, 100 items"),
        );
        check(Some(&at(0, StepShown::Running)), &at(24, StepShown::Running), None);
        check(Some(&at(24, StepShown::Running)), &at(25, StepShown::Running), Some("25/100 items"));
        check(Some(&at(25, StepShown::Running)), &at(49, StepShown::Queued), None);
        check(Some(&at(49, StepShown::Queued)), &at(49, StepShown::Running), None);
        check(Some(&at(49, StepShown::Queued)), &at(51, StepShown::Running), Some("51/100 items"));
        check(Some(&at(60, StepShown::Backoff)), &at(61, StepShown::Running), None);
        let mut done = at(100, StepShown::Done);
        done.attempt = 3;
        check(Some(&at(99, StepShown::Running)), &done, Some("done, 100 items"));
    }
}
