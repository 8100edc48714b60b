//! `wfhost runs events RUN`.

use clap::Args;
use wfhost_transport::client::{Answer, Request, ShownEvent};
use wfhost_workflow::{Revision, RunId};

use crate::command::Context;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::log_line::place;
use crate::output::Output;
use crate::session::{Requests, unexpected};
use crate::{clock, sanitise, shown};

/// Records in one request.
const PAGE: u32 = 500;
const DETAIL_CHARS_MAX: usize = 200;
/// Of a message with several lines.
const FRAME_LINES_MAX: usize = 50;

/// Show what happened in a run, as it was stored
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wfhost runs events latest
  wfhost runs events 01J9 --after 40
  wfhost runs events latest --output json | jq -r .event    (one object a line)")]
pub(crate) struct EventsArgs {
    /// A unique beginning of the run's id, or `latest`
    #[arg(default_value = "latest")]
    run: String,
    /// Only what was stored after this revision
    #[arg(long, value_name = "REVISION", default_value_t = 0)]
    after: u64,
}

impl EventsArgs {
    pub(crate) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        let mut session = context.ask()?;
        let run = session.find(&self.run)?;
        write(&mut session, &context.output, run, Revision(self.after))?;
        session.close_at_once();
        Ok(ExitCode::Done)
    }
}

fn write(session: &mut dyn Requests, output: &Output, run: RunId, after: Revision) -> Result<()> {
    let mut after = after;
    loop {
        let (events, next) = match session.request(Request::Events { run, after, limit: PAGE })? {
            Answer::Events { events, next } => (events, next),
            other => return Err(unexpected(other)),
        };
        for event in &events {
            if output.is_json() {
                output.json_line(&shown::event_json(event))?;
            } else {
                output.data(&event_text(event))?;
            }
        }
        match next {
            Some(next) if next > after => after = next,
            _ => return Ok(()),
        }
    }
}

fn event_text(event: &ShownEvent) -> String {
    let mut text = format!(
        "{} {:>5} {}",
        clock::local(event.at),
        event.revision.0,
        sanitise::line(&event.event)
    );
    if let Some(step) = &event.step {
        text.push(' ');
        text.push_str(&place(step, event.index, event.attempt));
    }
    let mut below = String::new();
    for (name, value) in &event.details {
        let mut shown = value.as_str().to_owned();
        // A back-trace: its first line is the message, the frames stand below.
        if let serde_json::Value::String(value) = value.to_value()
            && let Some((first, rest)) = value.split_once('\n')
        {
            shown = serde_json::Value::from(first).to_string();
            below = frames(rest);
        }
        text.push_str(&format!(
            " {}={}",
            sanitise::line(name),
            sanitise::line_of(&shown, DETAIL_CHARS_MAX)
        ));
    }
    text + &below
}

fn frames(lines: &str) -> String {
    lines
        .lines()
        .take(FRAME_LINES_MAX)
        .map(|line| format!("\n    {}", sanitise::line_of(line, DETAIL_CHARS_MAX)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::{Fake, NOON, run_named};
    use crate::output::Format;
    use wfhost_workflow::Json;

    fn event(revision: u64) -> ShownEvent {
        ShownEvent {
            revision: Revision(revision),
            at: NOON,
            event: "attempt-failed".to_owned(),
            step: Some("fetch".to_owned()),
            index: Some(2),
            attempt: Some(3),
            details: [("reason".to_owned(), Json::from_value(&"a\u{9b}b".into()))].into(),
        }
    }

    fn written(format: Format) -> (String, usize) {
        let mut fake = Fake::answering([
            Answer::Events { events: vec![event(1)], next: Some(Revision(1)) },
            Answer::Events { events: vec![event(2)], next: None },
        ]);
        let output = Output::captured(format);
        write(&mut fake, &output, run_named("a", 1).summary.run, Revision(0)).unwrap();
        (output.written().stdout, fake.asked().len())
    }

    #[test]
    fn every_page_is_written() {
        let (text, requests) = written(Format::Text);
        assert_eq!(requests, 2);
        assert_eq!(text.lines().count(), 2);
        assert!(text.contains("    2 attempt-failed fetch[2]#3 reason=\"a\\u{9b}b\""), "{text}");
    }

    #[test]
    fn a_back_trace_stands_below_its_message() {
        let mut event = event(1);
        let message = "wasm trap\n   0: 0x1 - inner\n at a.rs:1\u{1b}[2J";
        event.details = [("message".to_owned(), Json::from_value(&message.into()))].into();
        let text = event_text(&event);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].ends_with("message=\"wasm trap\""), "{text}");
        assert_eq!(lines[1..], ["       0: 0x1 - inner", "     at a.rs:1\\u{1b}[2J"]);
    }

    #[test]
    fn json_is_an_object_a_line() {
        let (text, _) = written(Format::Json);
        let values: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(values.len(), 2);
        assert_eq!(values[1]["details"]["reason"], "a\u{9b}b");
        assert_eq!(values[1]["revision"], 2);
    }
}
