//! Log lines of an attempt: counted, bounded, handed to its sink.
//!
//! A guest that writes more than its limit fails by name: a flood that is only dropped
//! would still cost a core for as long as the attempt lasts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::ability::{LogLevel, StepSink};
use crate::bindings::log;
use crate::limits::OverLimit;
use crate::state::AttemptState;

/// What a line counts beside its texts, so that empty lines are not free.
const LINE_OVERHEAD_BYTES: u64 = 32;

/// Where all lines of an attempt pass through: `log`, standard output and error.
pub(crate) struct LogPipe {
    sink: Arc<dyn StepSink>,
    used: AtomicU64,
    max: u64,
}

impl LogPipe {
    pub(crate) fn new(sink: Arc<dyn StepSink>, max: u64) -> Self {
        Self { sink, used: AtomicU64::new(0), max }
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
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) <= self.max {
            return Ok(());
        }
        let over = OverLimit {
            setting: "log-bytes",
            max: self.max,
            what: "the step's log lines, standard output and error together".to_owned(),
        };
        // Once: the first line over the limit ends the attempt, but streams that are
        // closed afterwards still bring their last lines here.
        if before <= self.max {
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
