//! Log lines of an attempt: counted, bounded, handed to its sink.
//!
//! A guest that writes more than its limit fails by name: a flood that is only dropped
//! would still cost a core for as long as the attempt lasts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use wfhost_workflow::{Limit, Limits};

use crate::ability::{LogLevel, StepSink};
use crate::bindings::log;
use crate::clock;
use crate::limits::OverLimit;
use crate::state::AttemptState;

/// What a line counts beside its texts, so that empty lines are not free.
const LINE_OVERHEAD_BYTES: u64 = 32;

/// Where all lines of an attempt pass through: `log`, standard output and error.
pub(crate) struct LogPipe {
    sink: Arc<dyn StepSink>,
    bytes_max: u64,
    lines_per_second_max: u64,
    written: Mutex<Written>,
}

/// What the attempt has written so far.
#[derive(Default)]
struct Written {
    bytes: u64,
    /// Since when lines are counted, for at most a second.
    since: Option<Instant>,
    lines: u64,
    /// A limit has been reported.
    over: bool,
}

const SECOND: Duration = Duration::from_secs(1);

impl LogPipe {
    /// `timeless`: lines are not counted by time.
    pub(crate) fn new(sink: Arc<dyn StepSink>, limits: &Limits, timeless: bool) -> Self {
        let lines_per_second_max = if timeless { u64::MAX } else { limits[Limit::LogRate] };
        Self {
            sink,
            bytes_max: limits[Limit::Log],
            lines_per_second_max,
            written: Mutex::default(),
        }
    }

    pub(crate) fn sink(&self) -> &dyn StepSink {
        &*self.sink
    }

    /// Passes one line of the guest's on, unless that would be over the limit.
    pub(crate) fn write(
        &self,
        level: LogLevel,
        message: String,
        fields: Vec<(String, String)>,
    ) -> Result<(), OverLimit> {
        let texts: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.count((message.len() + texts) as u64 + LINE_OVERHEAD_BYTES)?;
        self.sink.log(level, message, fields);
        Ok(())
    }

    /// A line of the host's own about this attempt; not counted.
    pub(crate) fn host_line(&self, level: LogLevel, message: String) {
        self.sink.log(level, message, Vec::new());
    }

    fn count(&self, bytes: u64) -> Result<(), OverLimit> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.bytes = written.bytes.saturating_add(bytes);
        let now = clock::now();
        if written.since.is_none_or(|since| now.duration_since(since) >= SECOND) {
            (written.since, written.lines) = (Some(now), 0);
        }
        written.lines += 1;
        let over = if written.bytes > self.bytes_max {
            let what = "the step's log lines, standard output and error together";
            OverLimit::new(Limit::Log, self.bytes_max, what)
        } else if written.lines > self.lines_per_second_max {
            let what = "the step's log lines in one second";
            OverLimit::new(Limit::LogRate, self.lines_per_second_max, what)
        } else {
            return Ok(());
        };
        // Once: the first line over the limit ends the attempt, but streams that are
        // closed afterwards still bring their last lines here.
        let is_first = !std::mem::replace(&mut written.over, true);
        drop(written);
        if is_first {
            self.host_line(LogLevel::Warn, format!("no more lines are kept: {over}"));
        }
        Err(over)
    }
}

impl log::Host for AttemptState {
    fn write(
        &mut self,
        level: log::Level,
        message: String,
        fields: Vec<log::Field>,
    ) -> wasmtime::Result<()> {
        let fields = fields.into_iter().map(|field| (field.name, field.value)).collect();
        Ok(self.log.write(LogLevel::from(level), message, fields)?)
    }
}

impl From<log::Level> for LogLevel {
    fn from(level: log::Level) -> Self {
        match level {
            log::Level::Trace => Self::Trace,
            log::Level::Debug => Self::Debug,
            log::Level::Info => Self::Info,
            log::Level::Warn => Self::Warn,
            log::Level::Error => Self::Error,
        }
    }
}
