//! What an attempt says of itself, held back a moment so that much of it travels at once.
//!
//! Logs are a courtesy: past a bound, lines are dropped and counted, and the count is a line.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wfhost_transport::message::{LogLevel, LogLine, Progress};
use wfhost_workflow::AttemptId;

use crate::clock;
use crate::report::{Report, Reports};

/// Text of one line, fields included.
const LINE_BYTES_MAX: usize = 32 << 10;

/// Text that waits to be sent, per attempt; with the framing it stays below a frame's bound.
const WAITING_BYTES_MAX: usize = 256 << 10;

/// Lines that wait to be sent, per attempt: empty lines take memory too.
const WAITING_LINES_MAX: usize = 2000;

/// Progress is shown on one line.
const PROGRESS_BYTES_MAX: usize = 1 << 10;

/// Takes an attempt's log lines and progress; any thread may call it, and it never blocks long.
pub struct AttemptSink {
    attempt: AttemptId,
    reports: Reports,
    waiting: Mutex<Waiting>,
    stage: AtomicU8,
}

/// Stages of an attempt: it leaves the first one once, by whoever comes first.
const NOT_BEGUN: u8 = 0;
const BEGUN: u8 = 1;
const HANDED_BACK: u8 = 2;

#[derive(Default)]
struct Waiting {
    lines: Vec<LogLine>,
    bytes: usize,
    dropped: u64,
    progress: Option<Progress>,
    /// The worker's thread knows that there is something.
    noted: bool,
}

impl AttemptSink {
    pub(crate) fn new(attempt: AttemptId, reports: Reports) -> Self {
        Self { attempt, reports, waiting: Mutex::default(), stage: AtomicU8::new(NOT_BEGUN) }
    }

    /// One log line; `fields` are names and JSON texts.
    pub fn log(&self, level: LogLevel, mut message: String, mut fields: Vec<(String, String)>) {
        let of_fields: usize = fields.iter().map(|(name, text)| name.len() + text.len()).sum();
        if message.len() + of_fields > LINE_BYTES_MAX {
            // A field that is cut is no JSON: it is all of them or none.
            fields.clear();
            cut(&mut message, LINE_BYTES_MAX);
            message.push_str(" […]");
        }
        let mut waiting = self.waiting();
        let bytes = message.len() + if fields.is_empty() { 0 } else { of_fields };
        let full =
            waiting.bytes + bytes > WAITING_BYTES_MAX || waiting.lines.len() >= WAITING_LINES_MAX;
        if full {
            waiting.dropped += 1;
        } else {
            waiting.bytes += bytes;
            let at_ms = clock::unix_ms();
            waiting.lines.push(LogLine { at_ms, level, message, fields });
        }
        self.note(waiting);
    }

    /// The attempt's work begins; `false`: it was handed back, and must not.
    pub fn begins(&self) -> bool {
        let moved = self.leave_first_stage(BEGUN);
        moved || self.stage.load(Ordering::SeqCst) == BEGUN
    }

    /// The attempt is given back to the coordinator; `false`: it has begun.
    pub(crate) fn hand_back(&self) -> bool {
        self.leave_first_stage(HANDED_BACK)
    }

    pub(crate) fn is_handed_back(&self) -> bool {
        self.stage.load(Ordering::SeqCst) == HANDED_BACK
    }

    fn leave_first_stage(&self, to: u8) -> bool {
        self.stage.compare_exchange(NOT_BEGUN, to, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// The attempt waits for its turn, at most so long: its timeout has not begun.
    pub fn waits(&self, at_most: Duration) {
        let at_most_ms = u64::try_from(at_most.as_millis()).unwrap_or(u64::MAX);
        self.reports.send(Report::Waiting { attempt: self.attempt, at_most_ms });
    }

    /// The newest progress; `total` 0 is unknown.
    pub fn progress(&self, done: u64, total: u64, mut message: String) {
        cut(&mut message, PROGRESS_BYTES_MAX);
        let mut waiting = self.waiting();
        waiting.progress = Some(Progress { done, total, message });
        self.note(waiting);
    }

    /// What has come since this was last asked.
    pub(crate) fn take(&self) -> (Vec<LogLine>, Option<Progress>) {
        let mut waiting = std::mem::take(&mut *self.waiting());
        if waiting.dropped > 0 {
            let lines = waiting.dropped;
            let message = format!("{lines} log lines were dropped here: too many at once");
            let at_ms = clock::unix_ms();
            waiting.lines.push(LogLine {
                at_ms,
                level: LogLevel::Warn,
                message,
                fields: Vec::new(),
            });
        }
        (waiting.lines, waiting.progress)
    }

    /// Lines that could not be sent are counted as dropped.
    pub(crate) fn lost(&self, lines: usize) {
        self.waiting().dropped += lines as u64;
    }

    fn note(&self, mut waiting: MutexGuard<'_, Waiting>) {
        let first = !std::mem::replace(&mut waiting.noted, true);
        drop(waiting);
        if first {
            self.reports.send(Report::Noted(self.attempt));
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Valid between any two statements: a panic elsewhere leaves it usable.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for AttemptSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AttemptSink").field("attempt", &self.attempt).finish_non_exhaustive()
    }
}

fn cut(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
    }
}
