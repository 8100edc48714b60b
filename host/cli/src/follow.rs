//! Watches a run until it is over, or until there is a reason to look away.

use std::time::{Duration, Instant};

use wfhost_transport::client::{Answer, Refusal, Request, RunView, ShownStatus};
use wfhost_transport::message::LogLevel;
use wfhost_workflow::RunId;

use crate::clock;
use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;
use crate::interrupt::Interrupt;
use crate::log_line;
use crate::output::Output;
use crate::progress::Progress;
use crate::session::Requests;

/// The longest wait for a change: so soon is Ctrl-C noticed and a countdown redrawn.
const WAIT_MS: u64 = 150;
/// The longest pause between two views.
const PAUSE_MAX: Duration = Duration::from_millis(100);

/// For so long a coordinator that has no time for an answer is asked again.
const BUSY_LIMIT: Duration = Duration::from_secs(10);
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// Why the run is no longer followed.
#[derive(Debug)]
pub(crate) enum Followed {
    /// It has ended.
    Over(Box<RunView>),
    /// It is open, and nobody serves it any more.
    Abandoned,
    /// The process that served it does not answer.
    Lost(CommandError),
    /// The user wants to stop.
    Interrupted,
}

/// What is shown besides progress.
pub(crate) struct Following<'a> {
    pub(crate) run: RunId,
    pub(crate) output: &'a Output,
    pub(crate) interrupt: &'a Interrupt,
    /// Log lines of steps from this level on; `None`: none.
    pub(crate) logs: Option<LogLevel>,
}

/// Follows the run; log lines from `log_offset` on are shown, and it says where they ended.
pub(crate) fn follow(
    session: &mut dyn Requests,
    following: &Following<'_>,
    progress: &mut Progress,
    log_offset: &mut u64,
) -> Result<Followed> {
    let started = clock::instant();
    let mut answered = started;
    let mut seen = 0;
    loop {
        if following.interrupt.is_asked() {
            return Ok(Followed::Interrupted);
        }
        let request = Request::Watch { run: following.run, seen, wait_ms: WAIT_MS };
        let view = match session.view(request) {
            Ok(view) => view,
            Err(error) if is_busy(&error) && answered.elapsed() < BUSY_LIMIT => {
                std::thread::sleep(BUSY_PAUSE);
                continue;
            }
            Err(error) if error.code == ExitCode::Unreachable => return Ok(Followed::Lost(error)),
            Err(error) => return Err(error),
        };
        answered = clock::instant();
        if following.logs.is_some() {
            *log_offset = show_logs(session, following, *log_offset);
        }
        progress.show(&view);
        match view.run.status {
            ShownStatus::Succeeded | ShownStatus::Failed | ShownStatus::Cancelled => {
                return Ok(Followed::Over(Box::new(view)));
            }
            ShownStatus::Interrupted => return Ok(Followed::Abandoned),
            ShownStatus::Running => {}
        }
        if view.tick != seen {
            seen = view.tick;
            pause(started);
        }
    }
}

/// Refused for now: a process that is gone gives another error.
fn is_busy(error: &CommandError) -> bool {
    matches!(error.error.downcast_ref(), Some(Refusal::Unavailable(_)))
}

/// A short run is seen at once; a long one costs at most ten views a second.
fn pause(started: Instant) {
    std::thread::sleep((started.elapsed() / 10).min(PAUSE_MAX));
}

/// Where the run's log ends now: what was said before is not said again.
pub(crate) fn log_end(session: &mut dyn Requests, run: RunId) -> u64 {
    let mut end = 0;
    while let Ok(Answer::Logs { offset, .. }) = session.request(Request::Logs { run, offset: end })
        && offset > end
    {
        end = offset;
    }
    end
}

/// Log lines are an extra: failing to read them must not end the run.
fn show_logs(session: &mut dyn Requests, following: &Following<'_>, offset: u64) -> u64 {
    match session.request(Request::Logs { run: following.run, offset }) {
        Ok(Answer::Logs { lines, offset }) => {
            let wanted = |level| following.logs.is_some_and(|least| level >= least);
            for line in lines.iter().filter(|line| wanted(line.line.level)) {
                following.output.note(&log_line::text(line, following.output));
            }
            offset
        }
        _ => offset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::{Fake, step, view};
    use crate::output::Format;
    use wfhost_transport::client::StepShown;

    fn followed(answers: Vec<Answer>, interrupt: &Interrupt) -> (String, Vec<Request>, String) {
        let output = Output::captured(Format::Text);
        let mut fake = Fake::answering(answers);
        let run = view(0, ShownStatus::Running, vec![]).run.summary.run;
        let following = Following { run, output: &output, interrupt, logs: None };
        let mut progress = Progress::lines(&output);
        let end = match follow(&mut fake, &following, &mut progress, &mut 0).unwrap() {
            Followed::Over(view) => format!("over {:?}", view.run.status),
            Followed::Abandoned => "abandoned".to_owned(),
            Followed::Lost(error) => format!("lost: {}", error.message()),
            Followed::Interrupted => "interrupted".to_owned(),
        };
        (end, fake.asked().to_vec(), output.written().stderr)
    }

    fn shown(tick: u64, status: ShownStatus, state: StepShown) -> Answer {
        Answer::Run(Box::new(view(tick, status, vec![step("extract", state)])))
    }

    #[test]
    fn a_run_is_followed_to_its_end() {
        let answers = vec![
            shown(1, ShownStatus::Running, StepShown::Running),
            Answer::Refused(Refusal::Unavailable("ask again".to_owned())),
            shown(4, ShownStatus::Succeeded, StepShown::Done),
        ];
        let (end, asked, stderr) = followed(answers, &Interrupt::default());
        assert_eq!(end, "over Succeeded");
        let seen: Vec<_> = asked
            .iter()
            .map(|request| match request {
                Request::Watch { seen, .. } => *seen,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(seen, [0, 1, 1]);
        assert!(stderr.contains("extract") && stderr.contains("done"), "{stderr}");
    }

    #[test]
    fn whatever_ends_the_watching_has_its_name() {
        let check =
            |answers, text: &str| assert_eq!(followed(answers, &Interrupt::default()).0, text);
        check(vec![shown(1, ShownStatus::Interrupted, StepShown::Queued)], "abandoned");
        check(vec![], "lost: no answer is left");
        check(vec![shown(1, ShownStatus::Failed, StepShown::Failed)], "over Failed");
        let interrupt = Interrupt::default();
        interrupt.ask();
        assert_eq!(followed(vec![], &interrupt).0, "interrupted");
    }
}
