//! Sees a run to its end: here, or in the process that holds the folder, or here after all
//! when that process ends.

use std::time::Duration;

use clap::Args;
use wfhost_bundle::catalogue::KEEP_LAST;
use wfhost_transport::client::{Request, RunView};
use wfhost_transport::message::LogLevel;
use wfhost_workflow::{OperatorLimits, RunId};

use super::runs::watch::Watching;
use super::{Context, SandboxArgs};
use crate::clock;
use crate::config::Config;
use crate::engine::{Engine, EngineSetup, default_slots};
use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;
use crate::follow::{Followed, Following, follow, log_end};
use crate::interrupt::Interrupt;
use crate::logging::Verbosity;
use crate::progress::Progress;
use crate::session::{
    BundleOptions, Durability, Network, Purpose, Requests as _, ServeOptions, Session,
};
use crate::trust_file::TrustArgs;

/// For attempts to be given up and the store to be closed, after a run or a first Ctrl-C.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// How often a run is taken over: each time its process has ended on the way.
const TAKEOVERS_MAX: u32 = 20;

/// For one takeover.
const TAKEOVER_LIMIT: Duration = Duration::from_secs(15);
const TAKEOVER_PAUSE: Duration = Duration::from_millis(50);

/// Options of commands that run steps.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServeArgs {
    /// Steps at once, at most [default: the number of processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    slots: Option<u32>,
    /// What a finished step survives: `sync` a power cut, `os` a crash of wfhost, `none` neither
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    durability: Durability,
    #[command(flatten)]
    sandbox: SandboxArgs,
}

impl ServeArgs {
    pub(crate) fn slots(&self, config: &Config) -> u32 {
        self.slots.or(config.pool.slots).unwrap_or_else(default_slots)
    }

    /// The engine that the command's steps run in.
    pub(crate) fn engine(&self, context: &Context) -> Result<Engine> {
        let config = &context.config;
        let setup = EngineSetup::new(self.slots(config), config).with(&self.sandbox, config);
        Engine::new(setup, &context.output)
    }

    /// What sandboxes of other processes may use.
    pub(crate) const fn sandbox(&self) -> &SandboxArgs {
        &self.sandbox
    }

    /// Whether this process was told to run steps itself.
    pub(crate) const fn has_slots(&self) -> bool {
        self.slots.is_some()
    }

    /// What the operator permits.
    pub(crate) fn operator(&self, config: &Config) -> OperatorLimits {
        self.sandbox.operator(config)
    }

    /// Says what has no effect where another process runs the steps.
    pub(crate) fn warn_if_elsewhere(&self, context: &Context, session: &Session) {
        if let Some(holder) = session.holder()
            && self.sandbox.is_set()
        {
            context.output.warn(&format!(
                "{holder} runs the steps, by its own limits: --limit and --core-dump have no effect there"
            ));
        }
    }

    pub(crate) fn purpose(&self, engine: &Engine, config: &Config) -> Purpose {
        Purpose::Serve(self.options(engine, config, TrustArgs::default(), None))
    }

    pub(crate) fn options(
        &self,
        engine: &Engine,
        config: &Config,
        trust: TrustArgs,
        network: Option<Network>,
    ) -> ServeOptions {
        // Who serves others runs nothing itself unless told to.
        let slots = if network.is_some() { self.slots.unwrap_or(0) } else { self.slots(config) };
        let (durability, engine) = (self.durability, engine.clone());
        let bundles = BundleOptions {
            policy: None,
            limits: self.operator(config),
            keep_last: config.bundles.keep.map_or(KEEP_LAST, |keep| keep as usize),
        };
        ServeOptions { slots, durability, engine, trust, bundles, network }
    }
}

/// How the following of a run ended.
pub(crate) enum End {
    /// The run is over; `output` belongs to it if it succeeded.
    Over(Box<RunView>),
    /// The user stopped.
    Interrupted,
}

/// A run that is being seen to its end.
pub(crate) struct Serving<'a> {
    context: &'a Context,
    purpose: Purpose,
    interrupt: Interrupt,
    session: Session,
    /// Where the run's log has been read to.
    log_offset: u64,
}

impl<'a> Serving<'a> {
    /// Takes the folder or finds its holder; from now on Ctrl-C stops cleanly.
    pub(crate) fn open(context: &'a Context, purpose: Purpose) -> Result<Self> {
        let interrupt = Interrupt::listen()?;
        let session = context.open(&purpose)?;
        Ok(Self { context, purpose, interrupt, session, log_offset: 0 })
    }

    pub(crate) fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Whether the user has asked to stop.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupt.is_asked()
    }

    /// Whether the runs stop when this process does.
    pub(crate) fn is_local(&self) -> bool {
        self.session.is_local()
    }

    /// What the run's steps have said so far is not shown.
    pub(crate) fn skip_logs(&mut self, run: RunId) {
        self.log_offset = log_end(&mut self.session, run);
    }

    /// Follows the run, and takes it over if its process ends.
    pub(crate) fn see_to_the_end(&mut self, run: RunId) -> Result<End> {
        let mut progress = Progress::for_output(&self.context.output);
        let end = self.follow_on(run, &mut progress);
        progress.end();
        end.map_err(|error| resumable(error, run))
    }

    fn follow_on(&mut self, run: RunId, progress: &mut Progress) -> Result<End> {
        let context = self.context;
        for _ in 0..TAKEOVERS_MAX {
            let following = Following {
                run,
                output: &context.output,
                interrupt: &self.interrupt,
                logs: shown_logs(context.verbosity),
            };
            match follow(&mut self.session, &following, progress, &mut self.log_offset)? {
                Followed::Over(view) => return Ok(End::Over(view)),
                Followed::Interrupted => return Ok(End::Interrupted),
                Followed::Lost(error) if self.session.is_local() => return Err(error),
                Followed::Abandoned if self.session.is_local() => {
                    return Err(CommandError::unreachable("the run is no longer served"));
                }
                Followed::Lost(_) | Followed::Abandoned => {}
            }
            let ended = self.session.leave();
            if let Some(holder) = ended.holder() {
                context.output.note(&format!("{holder} has left the run"));
            }
            ended.close_at_once();
            if let Some(view) = self.take_over_soon(run)? {
                return Ok(End::Over(Box::new(view)));
            }
        }
        Err(CommandError::unreachable("the processes that served the run have ended too often"))
    }

    /// A process that is about to end still answers, or has closed its socket and still holds
    /// the folder: that takes a moment.
    fn take_over_soon(&mut self, run: RunId) -> Result<Option<RunView>> {
        let started = clock::instant();
        loop {
            match self.take_over(run) {
                Err(error)
                    if error.code == ExitCode::Unreachable
                        && started.elapsed() < TAKEOVER_LIMIT
                        && !self.interrupt.is_asked() =>
                {
                    std::thread::sleep(TAKEOVER_PAUSE);
                }
                result => return result,
            }
        }
    }

    /// The process that served the run has ended: goes on in this one, or in the next that
    /// holds the folder. Gives the view of a run that is over.
    fn take_over(&mut self, run: RunId) -> Result<Option<RunView>> {
        self.session = self.context.open(&self.purpose)?;
        let view = self.session.view(Request::Show { run })?;
        if view.run.summary.status.is_over() {
            return Ok(Some(view));
        }
        self.session.done(Request::Resume { run })?;
        if self.session.is_local() {
            self.context.output.note("going on with it in this process");
        }
        Ok(None)
    }

    /// Follows a run that only others can serve.
    pub(crate) fn watch(self, run: RunId) -> Result<ExitCode> {
        let watching = Watching::new(self.context, self.interrupt, run);
        watching.from(self.session).after_log(self.log_offset).into_end()
    }

    /// Gives the folder back.
    pub(crate) fn close(self) {
        self.session.close(STOP_LIMIT);
    }

    /// The first Ctrl-C: stops what this process serves, and says how to go on.
    pub(crate) fn stop(self, run: RunId) -> ExitCode {
        let output = self.context.output.clone();
        match self.session.holder() {
            Some(holder) => output.warn(&format!(
                "no longer following: the run goes on {}\nhint: `wfhost resume {run}` follows it again, `wfhost runs cancel {run}` ends it",
                holder.place()
            )),
            None => output.note("stopping (Ctrl-C again stops at once)"),
        }
        let is_local = self.session.is_local();
        self.close();
        if is_local {
            output.warn(&format!(
                "interrupted; what is done is kept\nhint: `wfhost resume {run}` goes on"
            ));
        }
        ExitCode::Interrupted
    }
}

fn resumable(error: CommandError, run: RunId) -> CommandError {
    match error.code {
        ExitCode::Unreachable | ExitCode::Store => {
            error.hint(format!("what is done is kept: `wfhost resume {run}` goes on"))
        }
        ExitCode::Done
        | ExitCode::RunFailed
        | ExitCode::Usage
        | ExitCode::Invalid
        | ExitCode::Denied
        | ExitCode::Interrupted => error,
    }
}

/// Which log lines of steps are shown beside progress; `runs logs` has all of them.
pub(crate) const fn shown_logs(verbosity: Verbosity) -> Option<LogLevel> {
    match (verbosity.quiet, verbosity.verbose) {
        (true, _) => None,
        (false, 0) => Some(LogLevel::Warn),
        (false, 1) => Some(LogLevel::Info),
        (false, _) => Some(LogLevel::Trace),
    }
}
