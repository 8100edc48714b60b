//! The only file that writes to the terminal: data to standard output, the rest to standard error.
//!
//! Whatever it is given, no byte is written that a terminal would act on, but for our own colours.
//! A reader that closes the pipe (`| head`) ends the output, not the command.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use indicatif::MultiProgress;
use serde::Serialize;

use crate::error::{CommandError, Result};
use crate::{json_text, sanitise};

/// What is written to standard output, for people or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
}

/// How a text is coloured, where colours are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Bad,
    Warn,
    Busy,
    Dim,
    Strong,
}

/// How things are written; decided once, from the command line and the environment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OutputOptions {
    pub(crate) format: Format,
    /// Messages on standard error are JSON objects too.
    pub(crate) json_messages: bool,
    /// Nothing but data and errors.
    pub(crate) quiet: bool,
}

/// A handle to both streams; cheap to clone.
#[derive(Clone)]
pub(crate) struct Output {
    inner: Arc<Inner>,
}

struct Inner {
    options: OutputOptions,
    stdout_terminal: bool,
    stderr_terminal: bool,
    colour: bool,
    /// The live view, above which other lines are written while it is shown.
    live: Mutex<Option<MultiProgress>>,
    #[cfg(test)]
    captured: Option<Mutex<Captured>>,
}

/// What a test wrote.
#[cfg(test)]
#[derive(Debug, Default, Clone)]
pub(crate) struct Captured {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    pub(crate) fn new(options: OutputOptions) -> Self {
        let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self {
            inner: Arc::new(Inner {
                options,
                stdout_terminal: io::stdout().is_terminal(),
                stderr_terminal: io::stderr().is_terminal(),
                colour,
                live: Mutex::new(None),
                #[cfg(test)]
                captured: None,
            }),
        }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.inner.options.format == Format::Json
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.inner.options.quiet
    }

    /// Whether a live view can be shown.
    pub(crate) fn can_be_live(&self) -> bool {
        self.inner.stderr_terminal
            && !self.inner.options.quiet
            && !self.inner.options.json_messages
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
    }

    /// Whether somebody is there to answer a question.
    pub(crate) fn can_ask(&self) -> bool {
        self.inner.stderr_terminal && io::stdin().is_terminal() && !self.inner.options.json_messages
    }

    /// The width of the terminal behind standard output, if it is one.
    pub(crate) fn stdout_columns(&self) -> Option<u16> {
        if !self.inner.stdout_terminal {
            return None;
        }
        rustix::termios::tcgetwinsize(io::stdout())
            .ok()
            .map(|size| size.ws_col)
            .filter(|columns| *columns > 20)
    }

    /// `text` for standard output, coloured where that is wanted.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        paint(self.colours_stdout(), tone, text)
    }

    /// `text` for standard error, coloured where that is wanted.
    pub(crate) fn paint_message(&self, tone: Tone, text: &str) -> String {
        paint(self.colours_stderr(), tone, text)
    }

    /// Writes text and a line end to standard output.
    pub(crate) fn data(&self, text: &str) -> Result<()> {
        self.write_data(&sanitise::terminal(text, self.colours_stdout()))
    }

    fn colours_stdout(&self) -> bool {
        self.inner.colour && self.inner.stdout_terminal
    }

    fn colours_stderr(&self) -> bool {
        self.inner.colour && self.inner.stderr_terminal
    }

    fn write_data(&self, text: &str) -> Result<()> {
        #[cfg(test)]
        if let Some(captured) = &self.inner.captured {
            let mut captured = lock(captured);
            captured.stdout.push_str(text);
            captured.stdout.push('\n');
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        let written = stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.write_all(b"\n"))
            .and_then(|()| stdout.flush());
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(CommandError::store(error).context("could not write to standard output"))
            }
            _ => Ok(()),
        }
    }

    /// Writes a JSON text to standard output: indented on a terminal, as it is elsewhere.
    pub(crate) fn json_text(&self, text: &str) -> Result<()> {
        if self.inner.stdout_terminal {
            self.write_data(&sanitise::json(&json_text::pretty(text)))
        } else {
            self.write_data(&sanitise::json(text))
        }
    }

    /// Writes a value as JSON to standard output: indented on a terminal, on one line elsewhere.
    pub(crate) fn json(&self, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string(value)
            .context("could not write JSON")
            .map_err(CommandError::store)?;
        self.json_text(&text)
    }

    /// Writes a value as JSON on one line: one of several in a stream.
    pub(crate) fn json_line(&self, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string(value)
            .context("could not write JSON")
            .map_err(CommandError::store)?;
        self.write_data(&sanitise::json(&text))
    }

    /// A message for the user; not with `-q`.
    pub(crate) fn note(&self, text: &str) {
        if !self.inner.options.quiet {
            self.message("info", text, text, &[]);
        }
    }

    /// A message that is shown with `-q` too.
    pub(crate) fn warn(&self, text: &str) {
        let shown = format!("{} {text}", self.paint_message(Tone::Warn, "warning:"));
        self.message("warn", text, &shown, &[]);
    }

    /// An error with its hints.
    pub(crate) fn error(&self, error: &CommandError) {
        let message = error.message();
        let mut shown = String::new();
        if let Some(report) = &error.report {
            shown.push_str(&sanitise::block(report));
            shown.push('\n');
        }
        shown.push_str(&format!(
            "{} {}",
            self.paint_message(Tone::Bad, "error:"),
            continued(&message)
        ));
        for hint in &error.hints {
            shown.push('\n');
            shown.push_str(&self.paint_message(Tone::Busy, "hint:"));
            shown.push(' ');
            shown.push_str(&continued(hint));
        }
        let plain = match &error.report {
            Some(report) => format!("{message}\n{report}"),
            None => message,
        };
        self.message("error", &plain, &shown, &error.hints);
    }

    /// Several lines that are harmless and coloured already, or the same as objects.
    pub(crate) fn report(&self, text: &str, objects: &[serde_json::Value]) {
        if !self.inner.options.json_messages {
            return self.raw_message(text.trim_end());
        }
        for object in objects {
            let word = |key: &str| object[key].as_str().unwrap_or_default();
            let level = match word("severity") {
                "error" => "error",
                "warning" => "warn",
                _ => "info",
            };
            let mut message = serde_json::json!({
                "timestamp": crate::clock::rfc3339(crate::clock::now()),
                "level": level,
                "message": word("message"),
            });
            message["problem"] = object.clone();
            self.json_message(&message.to_string());
        }
    }

    /// A line for standard error as it is, such as one of the log; shown with `-q` too.
    pub(crate) fn raw_message(&self, line: &str) {
        self.write_message(&sanitise::terminal(line, self.colours_stderr()));
    }

    /// A JSON text for standard error.
    pub(crate) fn json_message(&self, text: &str) {
        self.write_message(&sanitise::json(text));
    }

    /// A row of the live view, which draws by itself.
    pub(crate) fn live_row(&self, text: &str) -> String {
        sanitise::terminal(text, self.colours_stderr()).into_owned()
    }

    fn write_message(&self, line: &str) {
        #[cfg(test)]
        if let Some(captured) = &self.inner.captured {
            let mut captured = lock(captured);
            captured.stderr.push_str(line);
            captured.stderr.push('\n');
            return;
        }
        let write = || {
            let mut stderr = io::stderr().lock();
            // Where standard error is closed there is nobody to tell.
            let _ignored = stderr.write_all(line.as_bytes()).and_then(|()| stderr.write_all(b"\n"));
        };
        match lock(&self.inner.live).as_ref() {
            Some(live) => live.suspend(write),
            None => write(),
        }
    }

    /// Writes a question to standard error and reads a line; `None` at the end of the input.
    pub(crate) fn ask(&self, question: &str) -> Option<String> {
        let question = sanitise::terminal(question, self.colours_stderr());
        let mut stderr = io::stderr().lock();
        let _ignored = stderr.write_all(question.as_bytes()).and_then(|()| stderr.flush());
        let mut answer = String::new();
        match io::stdin().read_line(&mut answer) {
            Ok(1..) => Some(answer.trim().to_owned()),
            _ => None,
        }
    }

    /// From now on lines are written above this live view.
    pub(crate) fn attach(&self, live: MultiProgress) {
        *lock(&self.inner.live) = Some(live);
    }

    /// The live view is over.
    pub(crate) fn detach(&self) {
        *lock(&self.inner.live) = None;
    }

    fn message(&self, level: &str, plain: &str, shown: &str, hints: &[String]) {
        if !self.inner.options.json_messages {
            self.raw_message(shown);
            return;
        }
        let mut object = serde_json::json!({
            "timestamp": crate::clock::rfc3339(crate::clock::now()),
            "level": level,
            "message": plain,
        });
        if !hints.is_empty() {
            object["hints"] = hints.into();
        }
        self.json_message(&object.to_string());
    }
}

/// Standard error for a tool that the user has asked for by name: it shows its progress in its own
/// way, and could reach the terminal by itself as well.
pub(crate) fn for_a_tool() -> std::process::Stdio {
    std::process::Stdio::from(io::stderr())
}

/// What is written before there is an [`Output`], and after it: nothing of it is coloured.
pub(crate) fn last_words(text: &str) {
    // Where standard error is closed there is nobody to tell.
    let _ignored = writeln!(io::stderr().lock(), "{}", sanitise::block(text));
}

/// A text of several lines cannot pass for several messages.
fn continued(text: &str) -> String {
    sanitise::block(text).replace('\n', "\n  ")
}

/// Puts marks around `text`, which become colours when it is written.
fn paint(colour: bool, tone: Tone, text: &str) -> String {
    if !colour {
        return text.to_owned();
    }
    let mark = match tone {
        Tone::Good => 1,
        Tone::Bad => 2,
        Tone::Warn => 3,
        Tone::Busy => 4,
        Tone::Dim => 5,
        Tone::Strong => 6,
    };
    let [end, begin] = [0, mark].map(|mark: usize| sanitise::MARKS[mark].0);
    format!("{begin}{text}{end}")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
impl Output {
    /// Writes to memory, as if neither stream were a terminal.
    pub(crate) fn captured(format: Format) -> Self {
        Self {
            inner: Arc::new(Inner {
                options: OutputOptions { format, ..OutputOptions::default() },
                stdout_terminal: false,
                stderr_terminal: false,
                colour: false,
                live: Mutex::new(None),
                captured: Some(Mutex::default()),
            }),
        }
    }

    pub(crate) fn written(&self) -> Captured {
        self.inner.captured.as_ref().map(|captured| lock(captured).clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_end_with_their_hints_and_cannot_act_on_a_terminal() {
        let output = Output::captured(Format::Text);
        output.error(
            &CommandError::usage("no run `\u{1b}[2J`").hint("`wfhost runs list` shows them"),
        );
        assert_eq!(
            output.written().stderr,
            "error: no run `\\u{1b}[2J`\nhint: `wfhost runs list` shows them\n"
        );
    }

    #[test]
    fn colours_only_where_they_are_wanted() {
        assert_eq!(paint(false, Tone::Bad, "x"), "x");
        let painted = paint(true, Tone::Bad, "x");
        assert_eq!(sanitise::terminal(&painted, true), "\u{1b}[1;31mx\u{1b}[0m");
    }

    #[test]
    fn nothing_that_is_written_acts_on_a_terminal() {
        const HOSTILE: &str = "\u{1b}[2J\r\u{9b}1m\u{202e}\u{fdd2}\u{7f}";
        for format in [Format::Text, Format::Json] {
            let output = Output::captured(format);
            output.data(HOSTILE).unwrap();
            output.json(&HOSTILE).unwrap();
            output.json_line(&HOSTILE).unwrap();
            output.json_text(&serde_json::to_string(HOSTILE).unwrap()).unwrap();
            output.note(HOSTILE);
            output.warn(HOSTILE);
            output.raw_message(HOSTILE);
            output.error(&CommandError::usage(HOSTILE).hint(HOSTILE).report(HOSTILE));
            let Captured { stdout, stderr } = output.written();
            for text in [stdout, stderr, output.live_row(HOSTILE)] {
                assert!(!text.chars().any(sanitise::is_unsafe), "{text:?}");
            }
        }
    }

    #[test]
    fn a_message_of_several_lines_does_not_pass_for_several_messages() {
        let output = Output::captured(Format::Text);
        output.error(&CommandError::usage("boom\nhint: run this"));
        assert_eq!(output.written().stderr, "error: boom\n  hint: run this\n");
    }
}
