//! `wfhost workers drain WORKER` and `wfhost workers remove WORKER`.

use clap::Args;
use serde_json::json;
use wfhost_transport::client::{Request, ShownWorker};

use super::find;
use crate::command::Context;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::session::{Requests as _, Session};
use crate::{sanitise, shown};

/// Let a worker finish what it runs, give it nothing more, and let it leave
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wfhost workers drain node1
  wfhost workers drain 3f0c && wfhost workers show 3f0c")]
pub(crate) struct DrainArgs {
    /// The worker's name, or a unique beginning of its id
    worker: String,
}

/// Put a worker out at once: what it runs is begun again elsewhere
#[derive(Debug, Args)]
#[command(after_help = "\
The worker's process is told to end. A worker whose key stays in the list of keys can join again;
take the key off to keep it out.

Examples:
  wfhost workers remove node1
  wfhost workers remove 3f0c")]
pub(crate) struct RemoveArgs {
    /// The worker's name, or a unique beginning of its id
    worker: String,
}

impl DrainArgs {
    pub(super) fn carry_out(self, context: &Context, session: &mut Session) -> Result<ExitCode> {
        let worker = find(session, &self.worker)?;
        session.done(Request::DrainWorker { worker: worker.id.clone() })?;
        write(context, &worker, "draining")
    }
}

impl RemoveArgs {
    pub(super) fn carry_out(self, context: &Context, session: &mut Session) -> Result<ExitCode> {
        let worker = find(session, &self.worker)?;
        session.done(Request::RemoveWorker { worker: worker.id.clone() })?;
        write(context, &worker, "removed")
    }
}

fn write(context: &Context, worker: &ShownWorker, state: &str) -> Result<ExitCode> {
    if context.output.is_json() {
        context.output.json(&json!({ "worker": worker.id, "state": state }))?;
        return Ok(ExitCode::Done);
    }
    let (id, name) = (shown::workers::short(&worker.id), sanitise::line(&worker.name));
    let busy = match worker.busy {
        0 => String::new(),
        busy => format!(", which runs {busy} of its {} slots", worker.slots),
    };
    context.output.note(&format!("{state} {id} ({name}){busy}"));
    Ok(ExitCode::Done)
}
