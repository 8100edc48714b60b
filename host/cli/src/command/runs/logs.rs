//! `wfhost runs logs RUN`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use wfhost_transport::client::{Answer, Request, ShownLogLine, ShownStatus};
use wfhost_transport::message::LogLevel;
use wfhost_workflow::RunId;

use crate::command::Context;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::log_line;
use crate::output::Output;
use crate::session::{Requests, unexpected};

/// Between two looks with `--follow`.
const FOLLOW_WAIT_MS: u64 = 500;
const FOLLOW_PAUSE: Duration = Duration::from_millis(200);

/// Show what a run's steps logged
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wfhost runs logs latest
  wfhost runs logs 01J9 --step analyse --level warn
  wfhost runs logs latest --follow
  wfhost runs logs latest --output json | jq .message    (one object a line)")]
pub(crate) struct LogsArgs {
    /// A unique beginning of the run's id, or `latest`
    #[arg(default_value = "latest")]
    run: String,
    /// Go on until the run ends or nobody serves it
    #[arg(short, long)]
    follow: bool,
    /// Only lines of this step
    #[arg(long, value_name = "STEP")]
    step: Option<String>,
    /// Only lines of this level or worse
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "trace")]
    level: LevelArg,
}

/// A level on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LevelArg {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

impl From<LevelArg> for LogLevel {
    fn from(level: LevelArg) -> Self {
        match level {
            LevelArg::Trace => Self::Trace,
            LevelArg::Debug => Self::Debug,
            LevelArg::Info => Self::Info,
            LevelArg::Warn => Self::Warn,
            LevelArg::Error => Self::Error,
        }
    }
}

/// Which lines are wanted.
struct Wanted {
    run: RunId,
    step: Option<String>,
    level: LogLevel,
}

impl LogsArgs {
    pub(crate) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        let mut session = context.ask()?;
        let run = session.find(&self.run)?;
        let wanted = Wanted { run, step: self.step, level: self.level.into() };
        let mut offset = write(&mut session, &context.output, &wanted, 0)?;
        let mut seen = 0;
        let mut follows = self.follow;
        while follows {
            let view = session.view(Request::Watch { run, seen, wait_ms: FOLLOW_WAIT_MS })?;
            seen = view.tick;
            offset = write(&mut session, &context.output, &wanted, offset)?;
            follows = view.run.status == ShownStatus::Running;
            if follows {
                std::thread::sleep(FOLLOW_PAUSE);
            }
        }
        session.close_at_once();
        Ok(ExitCode::Done)
    }
}

/// Writes all lines after `offset` and says where to go on.
fn write(session: &mut dyn Requests, output: &Output, wanted: &Wanted, offset: u64) -> Result<u64> {
    let mut offset = offset;
    loop {
        let (lines, next) = match session.request(Request::Logs { run: wanted.run, offset })? {
            Answer::Logs { lines, offset } => (lines, offset),
            other => return Err(unexpected(other)),
        };
        for line in lines.iter().filter(|line| wanted.includes(line)) {
            if output.is_json() {
                output.json_line(&log_line::json(line))?;
            } else {
                output.data(&log_line::text(line, output))?;
            }
        }
        if next <= offset {
            return Ok(offset);
        }
        offset = next;
    }
}

impl Wanted {
    fn includes(&self, line: &ShownLogLine) -> bool {
        line.line.level >= self.level && self.step.as_ref().is_none_or(|step| *step == line.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::{Fake, run_named};
    use crate::output::Format;
    use wfhost_transport::message::LogLine;

    fn line(step: &str, level: LogLevel, message: &str) -> ShownLogLine {
        let line = LogLine { at_ms: 0, level, message: message.to_owned(), fields: vec![] };
        ShownLogLine { step: step.to_owned(), index: None, attempt: 1, line }
    }

    #[test]
    fn lines_are_read_to_the_end_and_filtered() {
        let mut fake = Fake::answering([
            Answer::Logs {
                lines: vec![line("a", LogLevel::Info, "one"), line("b", LogLevel::Warn, "two")],
                offset: 10,
            },
            Answer::Logs { lines: vec![line("a", LogLevel::Error, "three")], offset: 15 },
            Answer::Logs { lines: vec![], offset: 15 },
        ]);
        let output = Output::captured(Format::Text);
        let run = run_named("a", 1).summary.run;
        let wanted = Wanted { run, step: Some("a".to_owned()), level: LogLevel::Warn };
        assert_eq!(write(&mut fake, &output, &wanted, 0).unwrap(), 15);
        let stdout = output.written().stdout;
        assert_eq!(stdout.lines().count(), 1);
        assert!(stdout.ends_with("a error three\n"), "{stdout}");
    }
}
