//! `wfhost workers scale N`.

use clap::Args;
use serde_json::json;
use wfhost_transport::client::{Refusal, Request};

use super::pool;
use crate::command::Context;
use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;
use crate::pool::WORKERS_MAX;
use crate::session::{Requests as _, Session};
use crate::shown::workers as shown_workers;

/// Say how many workers the process that serves keeps on its own machine
#[derive(Debug, Args)]
#[command(after_help = "\
So many are kept from now on, whatever waits, until the process that serves is started again: then
its --workers-min and --workers-max hold. Workers that are too many finish what they run. Without N
it is shown how many are wanted and how many there are.

Examples:
  wfhost workers scale 4
  wfhost workers scale 0
  wfhost workers scale --output json | jq .wanted")]
pub(crate) struct ScaleArgs {
    /// How many
    #[arg(value_name = "N", value_parser = clap::value_parser!(u32).range(0..=i64::from(WORKERS_MAX)))]
    workers: Option<u32>,
}

impl ScaleArgs {
    pub(super) fn carry_out(self, context: &Context, session: &mut Session) -> Result<ExitCode> {
        let output = &context.output;
        let Some(workers) = self.workers else { return show(context, session) };
        session.done(Request::Scale { workers })?;
        if output.is_json() {
            output.json(&json!({ "workers": workers }))?;
        } else {
            output.note(&format!("{workers} workers are wanted"));
        }
        Ok(ExitCode::Done)
    }
}

fn show(context: &Context, session: &mut Session) -> Result<ExitCode> {
    let Some(pool) = pool(session)? else {
        let refusal = "the process that serves manages no workers of its own";
        return Err(CommandError::from(Refusal::Unavailable(refusal.to_owned())));
    };
    if context.output.is_json() {
        context.output.json(&shown_workers::pool_json(&pool))?;
        return Ok(ExitCode::Done);
    }
    context.output.data(&shown_workers::pool_line(&pool))?;
    if let Some(trouble) = shown_workers::pool_trouble(&pool) {
        context.output.warn(&trouble);
    }
    Ok(ExitCode::Done)
}
