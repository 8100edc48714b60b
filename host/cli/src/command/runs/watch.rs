//! `wfhost runs watch RUN`: follows a run without serving it.
//!
//! Who serves the run may end and come back: the watching goes on from where it was. The data
//! folder is never held for longer than a look at it takes, so that nobody is kept from serving.

use std::time::{Duration, SystemTime};

use clap::Args;
use wfhost_transport::client::{Request, RunView, ShownStatus};
use wfhost_workflow::{DurationMs, RunId};

use crate::clock;
use crate::command::Context;
use crate::command::run::output_of;
use crate::command::serving::shown_logs;
use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;
use crate::follow::{Followed, Following, follow};
use crate::interrupt::Interrupt;
use crate::outcome;
use crate::progress::Progress;
use crate::session::{Requests as _, Session};

/// Between two looks for who serves the run: this at first, then ever longer.
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// So soon is Ctrl-C noticed.
const PAUSE_SLICE: Duration = Duration::from_millis(50);

/// Follow a run live until it is over, wherever it is served
#[derive(Debug, Args)]
#[command(after_help = "\
Shows what `run` shows, writes the run's output, and ends with the same exit code. Where the process
that serves the run ends, it waits for the next one and goes on. Ctrl-C ends the watching only.

Examples:
  wfhost runs watch latest
  wfhost runs watch 01J9 --output json > result.json
  wfhost runs watch 01J9 --give-up-after 10m")]
pub(crate) struct WatchArgs {
    /// A unique beginning of the run's id, or `latest`
    #[arg(default_value = "latest")]
    run: String,
    /// End with exit code 6 where nobody has served the run for so long [default: never]
    #[arg(long, value_name = "SPAN", value_parser = clock::parse_span)]
    give_up_after: Option<DurationMs>,
}

impl WatchArgs {
    pub(crate) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        let interrupt = Interrupt::listen()?;
        let mut session = context.ask()?;
        let run = session.find(&self.run)?;
        let view = session.view(Request::Show { run })?;
        if view.run.summary.status.is_over() {
            let output = output_of(context, &mut session, &view)?;
            session.close_at_once();
            return outcome::write(&context.output, &view, output.as_ref());
        }
        session.close_at_once();
        let mut watching = Watching::new(context, interrupt, run);
        watching.give_up_after = self.give_up_after.map(DurationMs::to_std);
        watching.into_end()
    }
}

/// A run that is followed and not served.
pub(crate) struct Watching<'a> {
    context: &'a Context,
    interrupt: Interrupt,
    run: RunId,
    session: Option<Session>,
    /// Where the run's log has been read to.
    log_offset: u64,
    give_up_after: Option<Duration>,
}

/// How a wait for somebody who serves the run ended.
enum Found {
    Served(Box<Session>),
    Over(Box<RunView>),
    Interrupted,
}

impl<'a> Watching<'a> {
    pub(crate) const fn new(context: &'a Context, interrupt: Interrupt, run: RunId) -> Self {
        Self { context, interrupt, run, session: None, log_offset: 0, give_up_after: None }
    }

    /// Begins with a session that serves the run.
    pub(crate) fn from(self, session: Session) -> Self {
        Self { session: Some(session), ..self }
    }

    /// What was said before is not shown.
    pub(crate) fn after_log(self, log_offset: u64) -> Self {
        Self { log_offset, ..self }
    }

    /// Follows the run, and writes what came of it.
    pub(crate) fn into_end(mut self) -> Result<ExitCode> {
        let mut progress = Progress::for_output(&self.context.output);
        let over = self.follow_on(&mut progress);
        progress.end();
        let Some(view) = over? else {
            let run = self.run;
            self.context.output.warn(&format!(
                "no longer watching: the run goes on where it is served\nhint: `wfhost runs watch {run}` follows it again, `wfhost runs cancel {run}` ends it"
            ));
            return Ok(ExitCode::Interrupted);
        };
        let mut session = match self.session {
            Some(session) => session,
            None => self.context.ask()?,
        };
        let output = output_of(self.context, &mut session, &view)?;
        session.close_at_once();
        outcome::write(&self.context.output, &view, output.as_ref())
    }

    /// The view of the run that is over; `None` where the user has seen enough.
    fn follow_on(&mut self, progress: &mut Progress) -> Result<Option<Box<RunView>>> {
        let mut waited = false;
        loop {
            let session = match self.session.take() {
                Some(session) => session,
                None => match self.wait(waited)? {
                    Found::Served(session) => *session,
                    Found::Over(view) => return Ok(Some(view)),
                    Found::Interrupted => return Ok(None),
                },
            };
            waited = true;
            let session = self.session.insert(session);
            let following = Following {
                run: self.run,
                output: &self.context.output,
                interrupt: &self.interrupt,
                logs: shown_logs(self.context.verbosity),
            };
            match follow(session, &following, progress, &mut self.log_offset)? {
                Followed::Over(view) => return Ok(Some(view)),
                Followed::Interrupted => return Ok(None),
                Followed::Lost(_) | Followed::Abandoned => self.session = None,
            }
        }
    }

    /// Waits until somebody serves the run, or it is over.
    fn wait(&self, was_served: bool) -> Result<Found> {
        let (started, mut pause) = (clock::instant(), PAUSE_MIN);
        let (mut looked, mut said) = (None, false);
        loop {
            if let Some(found) = self.look(&mut looked)? {
                if said && matches!(found, Found::Served(_)) {
                    self.context.output.note("the run is served again");
                }
                return Ok(found);
            }
            if !said {
                said = true;
                self.say_wait(was_served);
            }
            if self.give_up_after.is_some_and(|limit| started.elapsed() >= limit) {
                return Err(CommandError::unreachable(format!("nobody serves run {}", self.run))
                    .hint(format!("`wfhost resume {}` goes on with it", self.run)));
            }
            if self.sleep(pause) {
                return Ok(Found::Interrupted);
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// `looked` is what the store's mark said when it was read last: it is read again only when
    /// something was stored since.
    fn look(&self, looked: &mut Option<Option<SystemTime>>) -> Result<Option<Found>> {
        let mut reached = self.context.reach_once();
        let view = match &mut reached {
            Ok(session) => session.view(Request::Show { run: self.run }),
            Err(_) => Err(CommandError::unreachable("nobody serves")),
        };
        match (reached, view) {
            (Ok(session), Ok(view)) => return Ok(self.found(view, session)),
            // A key that is no longer taken will not be taken later either.
            (Err(error), _) | (_, Err(error)) if error.code != ExitCode::Unreachable => {
                return Err(error);
            }
            _ => {}
        }
        if self.context.server.is_some() {
            return Ok(None);
        }
        let stored = self.context.data.stored_at();
        if *looked == Some(stored) {
            return Ok(None);
        }
        let mut session = match self.context.ask() {
            Ok(session) => session,
            // Somebody is about to serve, or to leave.
            Err(error) if error.code == ExitCode::Unreachable => return Ok(None),
            Err(error) => return Err(error),
        };
        let view = session.view(Request::Show { run: self.run })?;
        session.close_at_once();
        *looked = Some(self.context.data.stored_at());
        Ok(view.run.summary.status.is_over().then(|| Found::Over(Box::new(view))))
    }

    fn found(&self, view: RunView, session: Session) -> Option<Found> {
        match view.run.status {
            ShownStatus::Running => Some(Found::Served(Box::new(session))),
            // Another run's process.
            ShownStatus::Interrupted => None,
            ShownStatus::Succeeded | ShownStatus::Failed | ShownStatus::Cancelled => {
                Some(Found::Over(Box::new(view)))
            }
        }
    }

    fn say_wait(&self, was_served: bool) {
        let what = if was_served { "the run is no longer served" } else { "nobody serves the run" };
        self.context.output.note(&format!(
            "{what}: waiting for `wfhost serve` or `wfhost resume {}` (Ctrl-C ends the waiting)",
            self.run
        ));
    }

    /// Whether the user has seen enough.
    fn sleep(&self, pause: Duration) -> bool {
        let started = clock::instant();
        while started.elapsed() < pause && !self.interrupt.is_asked() {
            std::thread::sleep(pause.min(PAUSE_SLICE));
        }
        self.interrupt.is_asked()
    }
}
