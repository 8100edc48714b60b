//! `wfhost workers …`: who runs the steps.

mod change;
mod list;
mod scale;
mod show;

use clap::{Args, Subcommand};
use wfhost_transport::client::{Answer, Refusal, Request, ShownPool, ShownWorker};

use super::Context;
use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;
use crate::server::ServerArgs;
use crate::session::{Requests, Session, unexpected};

/// Look at workers and change how many there are
#[derive(Debug, Args)]
pub(crate) struct WorkersArgs {
    #[command(subcommand)]
    pub(crate) command: WorkersCommand,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WorkersCommand {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Drain(change::DrainArgs),
    Remove(change::RemoveArgs),
    Scale(scale::ScaleArgs),
}

impl WorkersCommand {
    pub(crate) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        // Only a process that serves has workers.
        let mut session = context.reach()?;
        match self {
            Self::List(args) => args.carry_out(context, &mut session),
            Self::Show(args) => args.carry_out(context, &mut session),
            Self::Drain(args) => args.carry_out(context, &mut session),
            Self::Remove(args) => args.carry_out(context, &mut session),
            Self::Scale(args) => args.carry_out(context, &mut session),
        }
    }
}

/// Every worker, in the order of the ids.
fn workers(session: &mut dyn Requests) -> Result<Vec<ShownWorker>> {
    match session.request(Request::Workers)? {
        Answer::Workers(workers) => Ok(workers),
        other => Err(unexpected(other)),
    }
}

/// The pool of the process that serves, if it keeps one.
fn pool(session: &mut dyn Requests) -> Result<Option<ShownPool>> {
    match session.request(Request::Pool)? {
        Answer::Pool(pool) => Ok(Some(pool)),
        Answer::Refused(Refusal::Unavailable(_)) => Ok(None),
        other => Err(unexpected(other)),
    }
}

/// The worker that is meant: by its name, or by the beginning of its id.
fn find(session: &mut Session, wanted: &str) -> Result<ShownWorker> {
    chosen(&workers(session)?, wanted)
}

fn chosen(workers: &[ShownWorker], wanted: &str) -> Result<ShownWorker> {
    let of = |fits: &dyn Fn(&ShownWorker) -> bool| {
        workers.iter().filter(|worker| fits(worker)).cloned().collect::<Vec<_>>()
    };
    let prefix = wanted.to_ascii_lowercase();
    let mut found = of(&|worker| worker.id == prefix);
    if found.is_empty() {
        found = of(&|worker| worker.name == wanted);
    }
    if found.is_empty() && !prefix.is_empty() {
        found = of(&|worker| worker.id.starts_with(&prefix));
    }
    match found.as_slice() {
        [] => Err(CommandError::usage(format!("no worker is called `{wanted}`"))
            .hint("`wfhost workers list` shows all of them")),
        [worker] => Ok(worker.clone()),
        several => {
            let names: Vec<_> =
                several.iter().map(|worker| format!("{} ({})", worker.id, worker.name)).collect();
            Err(CommandError::usage(format!("`{wanted}` is more than one worker"))
                .hint(format!("did you mean {}?", names.join(" or "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::worker;

    #[test]
    fn a_worker_is_meant_by_its_name_or_its_id() {
        let all = [worker("ab12", "node1"), worker("ab34", "node2"), worker("cd", "node2")];
        let check = |wanted: &str, id: &str| assert_eq!(chosen(&all, wanted).unwrap().id, id);
        check("ab12", "ab12");
        check("AB3", "ab34");
        check("node1", "ab12");
        check("cd", "cd");
        for wanted in ["ab", "node2", "x", ""] {
            assert_eq!(chosen(&all, wanted).unwrap_err().code, ExitCode::Usage, "{wanted}");
        }
    }
}
