//! The view on a terminal: one line for the run, one for each step that is under way.
//!
//! What is finished is written above and scrolls away, so that a workflow of thousands of
//! steps needs no more lines than there are steps at once.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use wfhost_transport::client::{RunView, StepShown, StepView};
use wfhost_workflow::TimestampMs;

use super::lines;
use crate::output::{Output, Tone};
use crate::{clock, sanitise};

/// Lines for steps; the terminal may be small, and the rest is counted.
const ROWS_MAX: usize = 8;
const NAME_CHARS_MAX: usize = 32;
const ERROR_CHARS_MAX: usize = 300;
const BAR_CELLS: u64 = 24;
const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// The lines on the terminal.
pub(crate) struct Live {
    output: Output,
    area: MultiProgress,
    /// Cuts a row at the terminal's edge, and fills it up to there.
    wide: ProgressStyle,
    /// For the last row: `^C` is echoed behind it, and must not wrap.
    short: ProgressStyle,
    rows: Vec<ProgressBar>,
    before: Vec<StepView>,
}

impl Live {
    pub(crate) fn new(output: &Output) -> Self {
        let area = MultiProgress::new();
        output.attach(area.clone());
        Self {
            output: output.clone(),
            area,
            wide: style("{wide_msg}"),
            short: style("{msg}"),
            rows: Vec::new(),
            before: Vec::new(),
        }
    }

    pub(crate) fn show(&mut self, view: &RunView) {
        let now = clock::now();
        for (position, step) in view.steps.iter().enumerate() {
            if let Some(line) = self.finished_line(self.before.get(position), step, now) {
                self.output.raw_message(&line);
            }
        }
        self.before.clone_from(&view.steps);
        let rows = self.rows(view, now);
        self.draw(&rows);
    }

    pub(crate) fn end(&mut self) {
        // A terminal that is gone needs no clearing.
        let _ignored = self.area.clear();
        // Rows draw themselves once more when they are dropped.
        self.area.set_draw_target(ProgressDrawTarget::hidden());
        self.rows.clear();
        self.output.detach();
    }

    fn draw(&mut self, rows: &[String]) {
        while self.rows.len() > rows.len() {
            if let Some(row) = self.rows.pop() {
                row.finish_and_clear();
                self.area.remove(&row);
            }
        }
        while self.rows.len() < rows.len() {
            let row = ProgressBar::no_length().with_style(self.wide.clone());
            self.rows.push(self.area.add(row));
        }
        for (position, (row, text)) in self.rows.iter().zip(rows).enumerate() {
            let last = position + 1 == rows.len();
            row.set_style(if last { self.short.clone() } else { self.wide.clone() });
            row.set_message(self.output.live_row(text));
            row.tick();
        }
    }

    fn rows(&self, view: &RunView, now: TimestampMs) -> Vec<String> {
        let under_way: Vec<&StepView> =
            view.steps.iter().filter(|step| is_under_way(step)).collect();
        let mut rows: Vec<String> =
            under_way.iter().take(ROWS_MAX).map(|step| self.step_row(step, now)).collect();
        if under_way.len() > ROWS_MAX {
            rows.push(
                self.output.paint_message(
                    Tone::Dim,
                    &format!("  … and {} more", under_way.len() - ROWS_MAX),
                ),
            );
        }
        rows.push(self.run_row(view, now));
        rows
    }

    fn run_row(&self, view: &RunView, now: TimestampMs) -> String {
        let summary = &view.run.summary;
        let done = view
            .steps
            .iter()
            .filter(|step| matches!(step.state, StepShown::Done | StepShown::Skipped))
            .count();
        format!(
            "{} {} {}/{} steps  {}",
            self.output
                .paint_message(Tone::Strong, &sanitise::line_of(&summary.workflow, NAME_CHARS_MAX)),
            self.output.paint_message(Tone::Dim, &summary.run.to_string()),
            done,
            view.steps.len(),
            clock::span(now - summary.started_at),
        )
    }

    fn step_row(&self, step: &StepView, now: TimestampMs) -> String {
        let mark = match step.state {
            StepShown::Backoff => self.output.paint_message(Tone::Warn, "↻"),
            StepShown::Quarantined => self.output.paint_message(Tone::Warn, "!"),
            StepShown::Queued => self.output.paint_message(Tone::Dim, "·"),
            _ => self.output.paint_message(Tone::Busy, &spinner(now).to_string()),
        };
        let mut row = format!("{mark} {}", sanitise::line_of(&step.name, NAME_CHARS_MAX));
        if let Some((done, total)) = step.items {
            row.push_str(&format!("  {} {done}/{total}", bar(u64::from(done), u64::from(total))));
            if step.running > 0 {
                row.push_str(&format!("  {} running", step.running));
            }
        }
        if step.attempt > 1 && step.items.is_none() {
            row.push_str(&format!("  attempt {}", step.attempt));
        }
        match step.state {
            StepShown::Queued if step.items.is_none_or(|(done, _)| done == 0) => {
                row.push_str("  waits for a slot");
            }
            StepShown::Backoff => {
                let error =
                    sanitise::line_of(step.error.as_deref().unwrap_or_default(), ERROR_CHARS_MAX);
                let next = step
                    .retry_at
                    .map_or_else(String::new, |at| format!("  again in {}", clock::span(at - now)));
                row.push_str(&format!("{next}  {}", self.output.paint_message(Tone::Dim, &error)));
            }
            StepShown::Quarantined => {
                let error =
                    sanitise::line_of(step.error.as_deref().unwrap_or_default(), ERROR_CHARS_MAX);
                row.push_str(&format!("  {}", self.output.paint_message(Tone::Warn, &error)));
            }
            _ => {
                if let Some(started) = step.started_at {
                    row.push_str(&format!("  {}", clock::span(now - started)));
                }
            }
        }
        if let Some(progress) = &step.progress {
            row.push_str(&self.output.paint_message(Tone::Dim, &progress_text(progress)));
        }
        row
    }

    /// What stays on the terminal: ends, skips and failed attempts.
    fn finished_line(
        &self,
        before: Option<&StepView>,
        step: &StepView,
        now: TimestampMs,
    ) -> Option<String> {
        let (tone, text) = lines::change(before, step, now)?;
        let mark = match step.state {
            StepShown::Done => "✓",
            StepShown::Failed => "✗",
            StepShown::Skipped | StepShown::Stopped => "-",
            StepShown::Backoff => "↻",
            StepShown::Quarantined => "!",
            StepShown::Waiting | StepShown::Queued | StepShown::Running => return None,
        };
        let mark = self.output.paint_message(tone.unwrap_or(Tone::Dim), mark);
        let name = sanitise::line_of(&step.name, NAME_CHARS_MAX);
        Some(format!("{mark} {name}  {text}"))
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn is_under_way(step: &StepView) -> bool {
    matches!(
        step.state,
        StepShown::Queued | StepShown::Running | StepShown::Backoff | StepShown::Quarantined
    )
}

fn spinner(now: TimestampMs) -> char {
    let frame = usize::try_from(now.0 / 100 % 10).unwrap_or_default();
    SPINNER.get(frame).copied().unwrap_or(' ')
}

fn bar(done: u64, total: u64) -> String {
    let full = (done.min(total) * BAR_CELLS).checked_div(total).unwrap_or(BAR_CELLS);
    (0..BAR_CELLS).map(|cell| if cell < full { '━' } else { '┄' }).collect()
}

fn progress_text(progress: &wfhost_transport::message::Progress) -> String {
    let counted = match (progress.done, progress.total) {
        (0, 0) => String::new(),
        (done, 0) => format!("  {done}"),
        (done, total) => format!("  {done}/{total}"),
    };
    let message = sanitise::line_of(&progress.message, 80);
    if message.is_empty() { counted } else { format!("{counted}  {message}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::{NOON, step, view};
    use crate::output::Format;
    use wfhost_transport::client::ShownStatus;
    use wfhost_transport::message::Progress;

    fn rows(steps: Vec<StepView>) -> Vec<String> {
        let live = Live::new(&Output::captured(Format::Text));
        let view = view(1, ShownStatus::Running, steps);
        live.rows(&view, TimestampMs(NOON.0 + 1_200))
    }

    #[test]
    fn steps_under_way_have_a_row() {
        let mut map = step("analyse", StepShown::Running);
        map.items = Some((6, 12));
        map.running = 4;
        let mut backoff = step("fetch", StepShown::Backoff);
        backoff.attempt = 2;
        backoff.error = Some("busy".to_owned());
        backoff.retry_at = Some(TimestampMs(NOON.0 + 2_000));
        let mut talking = step("talk", StepShown::Running);
        talking.progress = Some(Progress { done: 1, total: 2, message: "\u{1b}c".to_owned() });
        let rows = rows(vec![
            step("a", StepShown::Done),
            map,
            backoff,
            talking,
            step("z", StepShown::Waiting),
        ]);
        assert_eq!(rows.len(), 4, "{rows:#?}");
        assert!(
            rows[0].contains("analyse  ━━━━━━━━━━━━┄┄┄┄┄┄┄┄┄┄┄┄ 6/12  4 running  1.2s"),
            "{rows:#?}"
        );
        assert_eq!(rows[1], "↻ fetch  attempt 2  again in 800ms  busy");
        assert!(rows[2].ends_with("talk  1.2s  1/2  \\u{1b}c"), "{rows:#?}");
        assert!(rows[3].contains("1/5 steps  1.2s"), "{rows:#?}");
    }

    #[test]
    fn many_steps_are_counted() {
        let rows = rows((0..1000).map(|n| step(&format!("s{n}"), StepShown::Queued)).collect());
        assert_eq!(rows.len(), ROWS_MAX + 2);
        assert_eq!(rows[ROWS_MAX], "  … and 992 more");
    }

    #[test]
    fn bars_never_overflow() {
        assert_eq!(bar(0, 0).chars().filter(|c| *c == '━').count(), 24);
        assert_eq!(bar(5, 2).chars().filter(|c| *c == '━').count(), 24);
        assert_eq!(bar(1, 1000).chars().filter(|c| *c == '━').count(), 0);
    }
}
