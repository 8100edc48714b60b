//! `wfhost start FILE`: hands a run to the process that serves, and leaves.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::run::prepare::{Prepared, WorkflowArgs};
use super::runs::watch::Watching;
use super::{Context, SandboxArgs};
use crate::engine::{Engine, EngineSetup};
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::interrupt::Interrupt;
use crate::server::ServerArgs;
use crate::session::Session;
use crate::{clock, sanitise};

/// For so long a process that serves and is being restarted is tried again.
const START_LIMIT: Duration = Duration::from_secs(15);

/// Start a workflow in the process that serves, and write the run's id
#[derive(Debug, Args)]
#[command(after_help = "\
The run goes on without this command; `wfhost runs watch RUN` follows it. What the server lacks of
workflow and plugins is sent to it. Without --wait the run's id is written to standard output as
soon as the run is stored; with it, the run's output when it is over.

Examples:
  wfhost start brief.yaml --input @input.json
  wfhost start hello.yaml -p name=Ada --wait
  run=$(wfhost start brief.yaml -p folder=texts) && wfhost runs watch $run")]
pub(crate) struct StartArgs {
    #[command(flatten)]
    workflow: WorkflowArgs,
    /// Follow the run to its end, as `run` does
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

impl StartArgs {
    pub(crate) fn carry_out(&self, context: &Context) -> Result<ExitCode> {
        // Refused before anything is compiled where nobody serves.
        context.reach()?.close_at_once();
        let sandbox = SandboxArgs::default();
        let make = || {
            let setup = EngineSetup::new(1, &context.config).with(&sandbox, &context.config);
            Engine::new(setup, &context.output)
        };
        let limits = sandbox.operator(&context.config);
        let prepared = self.workflow.prepare(context, &make, limits)?;
        let session = start(context, &prepared)?;
        said(context, &prepared, &session)?;
        if !self.wait {
            return write(context, &prepared);
        }
        let interrupt = Interrupt::listen()?;
        Watching::new(context, interrupt, prepared.start.run).from(session).into_end()
    }
}

/// A lost answer leaves open whether the run was stored: it is asked for again by its id.
fn start(context: &Context, prepared: &Prepared) -> Result<Session> {
    let started = clock::instant();
    loop {
        let mut session = context.reach()?;
        match prepared.start_in(&mut session) {
            Ok(()) => return Ok(session),
            Err(error)
                if error.code == ExitCode::Unreachable && started.elapsed() < START_LIMIT => {}
            Err(error) => return Err(error),
        }
    }
}

fn said(context: &Context, prepared: &Prepared, session: &Session) -> Result<()> {
    let Some(holder) = session.holder() else { return Ok(()) };
    let (run, name) = (prepared.start.run, sanitise::line(&prepared.file.definition.name));
    context.output.note(&format!("run {run} of {name} {}", holder.place()));
    if !holder.serves() {
        context.output.warn(&format!(
            "{holder} serves only until its own run is over\nhint: `wfhost resume {run}` goes on with this one then; `wfhost serve` stays"
        ));
    }
    Ok(())
}

fn write(context: &Context, prepared: &Prepared) -> Result<ExitCode> {
    let run = prepared.start.run.to_string();
    if context.output.is_json() {
        context.output.json(&json!({
            "run": run,
            "workflow": &*prepared.file.definition.name,
            "definition": prepared.start.definition.to_string(),
        }))?;
    } else {
        context.output.data(&run)?;
    }
    Ok(ExitCode::Done)
}
