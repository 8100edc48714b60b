//! A step's log line, as text and as JSON.

use serde_json::json;
use wfhost_transport::client::ShownLogLine;
use wfhost_transport::message::LogLevel;
use wfhost_workflow::TimestampMs;

use crate::output::{Output, Tone};
use crate::{clock, sanitise};

/// `16:24:00 analyse[3]#2 warn  message name="value"`, harmless for a terminal.
pub(crate) fn text(shown: &ShownLogLine, output: &Output) -> String {
    let level = shown.line.level.name();
    let level = match shown.line.level {
        LogLevel::Trace | LogLevel::Debug => output.paint_message(Tone::Dim, level),
        LogLevel::Info => level.to_owned(),
        LogLevel::Warn => output.paint_message(Tone::Warn, level),
        LogLevel::Error => output.paint_message(Tone::Bad, level),
    };
    let mut text = format!(
        "{} {} {level} {}",
        clock::time_of_day(TimestampMs(shown.line.at_ms)),
        place(&shown.step, shown.index, Some(shown.attempt)),
        sanitise::line(&shown.line.message),
    );
    for (name, value) in &shown.line.fields {
        text.push_str(&format!(" {}={}", sanitise::line(name), sanitise::line(value)));
    }
    text
}

/// The same for a script.
pub(crate) fn json(shown: &ShownLogLine) -> serde_json::Value {
    let fields: serde_json::Map<_, _> = shown
        .line
        .fields
        .iter()
        .map(|(name, value)| {
            let value = serde_json::from_str(value).unwrap_or_else(|_| value.clone().into());
            (name.clone(), value)
        })
        .collect();
    json!({
        "at": clock::rfc3339(TimestampMs(shown.line.at_ms)),
        "step": shown.step,
        "index": shown.index,
        "attempt": shown.attempt,
        "level": shown.line.level.name(),
        "message": shown.line.message,
        "fields": fields,
    })
}

/// `analyse[3]#2`: step, item and attempt; the first attempt is not named.
pub(crate) fn place(step: &str, index: Option<u32>, attempt: Option<u32>) -> String {
    let mut place = sanitise::line(step).into_owned();
    if let Some(index) = index {
        place.push_str(&format!("[{index}]"));
    }
    if let Some(attempt @ 2..) = attempt {
        place.push_str(&format!("#{attempt}"));
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;
    use wfhost_transport::message::LogLine;

    #[test]
    fn guests_cannot_draw_on_the_terminal() {
        let shown = ShownLogLine {
            step: "analyse".to_owned(),
            index: Some(3),
            attempt: 2,
            line: LogLine {
                at_ms: 0,
                level: LogLevel::Warn,
                message: "\u{1b}[2Jgone\n".to_owned(),
                fields: vec![
                    ("n".to_owned(), "1".to_owned()),
                    ("t".to_owned(), "\"x\"".to_owned()),
                ],
            },
        };
        let line = text(&shown, &Output::captured(Format::Text));
        assert!(line.ends_with("analyse[3]#2 warn \\u{1b}[2Jgone\\n n=1 t=\"x\""), "{line}");
        let value = json(&shown);
        assert_eq!(value["message"], "\u{1b}[2Jgone\n");
        assert_eq!(value["fields"], json!({"n": 1, "t": "x"}));
    }
}
