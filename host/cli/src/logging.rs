//! What the program itself logs, to standard error.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::error::{CommandError, Result};
use crate::output::Output;

/// How log lines and messages are written: for people, or a JSON object a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum LogFormat {
    #[default]
    Text,
    Json,
}

/// How much is logged: `-q`, nothing, `-v`, `-vv`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verbosity {
    pub(crate) quiet: bool,
    pub(crate) verbose: u8,
}

impl Verbosity {
    /// The filter where `WFHOST_LOG` does not say otherwise.
    fn filter(self) -> &'static str {
        match (self.quiet, self.verbose) {
            (true, _) => "error",
            (false, 0) => "warn",
            (false, 1) => {
                "warn,wfhost=info,wfhost_checkpoint=info,wfhost_coordinator=info,wfhost_plugin=info,wfhost_transport=info,wfhost_worker=info"
            }
            (false, 2) => {
                "info,wfhost=debug,wfhost_checkpoint=debug,wfhost_coordinator=debug,wfhost_plugin=debug,wfhost_transport=debug,wfhost_worker=debug"
            }
            (false, _) => {
                "debug,wfhost=trace,wfhost_checkpoint=trace,wfhost_coordinator=trace,wfhost_plugin=trace,wfhost_transport=trace,wfhost_worker=trace"
            }
        }
    }
}

/// Starts logging for the whole process. `filter` is the text of `WFHOST_LOG`.
pub(crate) fn start(
    output: &Output,
    format: LogFormat,
    verbosity: Verbosity,
    filter: Option<&str>,
) -> Result<()> {
    let filter = match filter.filter(|text| !text.trim().is_empty()) {
        None => EnvFilter::new(verbosity.filter()),
        Some(text) => EnvFilter::try_new(text).map_err(|error| {
            CommandError::usage(format!("WFHOST_LOG: `{text}`: {error}"))
                .hint("for example: WFHOST_LOG=info, or WFHOST_LOG=warn,wfhost_coordinator=debug")
        })?,
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(AboveLiveView { output: output.clone(), format })
        .with_ansi(false);
    let started = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started
        .map_err(|error| CommandError::store(anyhow::anyhow!("could not start logging: {error}")))
}

/// Writes log lines so that they don't tear the live view.
struct AboveLiveView {
    output: Output,
    format: LogFormat,
}

/// Collects one event's bytes.
struct Line {
    output: Output,
    format: LogFormat,
    bytes: Vec<u8>,
}

impl<'a> MakeWriter<'a> for AboveLiveView {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { output: self.output.clone(), format: self.format, bytes: Vec::new() }
    }
}

impl io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.bytes);
        let text = text.trim_end_matches('\n');
        match self.format {
            _ if text.is_empty() => {}
            // An event is a line, whatever a guest's text in it would make of it.
            LogFormat::Text => self.output.raw_message(&crate::sanitise::line(text)),
            LogFormat::Json => self.output.json_message(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_harmless_line_in_either_format() {
        use std::io::Write as _;
        let written = |format, text: &str| {
            let output = Output::captured(crate::output::Format::Text);
            let above = AboveLiveView { output: output.clone(), format };
            above.make_writer().write_all(text.as_bytes()).unwrap();
            output.written().stderr
        };
        let text = written(LogFormat::Text, "WARN a\nERROR b\u{9b}\n");
        assert_eq!(text, "WARN a\\nERROR b\\u{9b}\n");
        let json = written(LogFormat::Json, "{\"message\":\"\u{9b}\u{202e}\"}\n");
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["message"], "\u{9b}\u{202e}");
        assert!(!json.chars().any(crate::sanitise::is_unsafe), "{json:?}");
    }

    #[test]
    fn every_verbosity_is_a_filter() {
        for quiet in [true, false] {
            for verbose in 0..4 {
                let text = Verbosity { quiet, verbose }.filter();
                assert!(EnvFilter::try_new(text).is_ok(), "{text}");
            }
        }
    }
}
