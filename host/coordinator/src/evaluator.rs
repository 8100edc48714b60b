//! Applies inputs of runs whose expressions may take long, on a thread with a big stack.
//!
//! A run that is here is away from the event loop; what happens to it meanwhile waits there.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::thread;

use wfhost_workflow::run::{Change, Effect, Input, Rejection, Run, RunStarted};
use wfhost_workflow::{Attempt, Definition, RunId, TaskId, TimestampMs};

use crate::commands::{Command, Evaluated, Mailbox, ReplyTo};

/// Deep expressions are bounded at load, yet the interpreter recurses; pages that are never
/// touched cost nothing.
pub(crate) const STACK_BYTES: usize = 64 << 20;

/// One thing to evaluate.
pub(crate) struct Evaluation {
    pub(crate) now: TimestampMs,
    pub(crate) work: Work,
    pub(crate) reply: Option<ReplyTo>,
}

pub(crate) enum Work {
    Start(Arc<Definition>, Box<RunStarted>),
    Apply(Box<Run>, Input),
    /// Make the input of an attempt again.
    Order(Box<Run>, TaskId, Attempt),
}

/// Starts the thread; it ends when the sender is dropped.
pub(crate) fn start(mailbox: Mailbox) -> std::io::Result<mpsc::Sender<Evaluation>> {
    let (sender, receiver) = mpsc::channel::<Evaluation>();
    thread::Builder::new().name("evaluator".to_owned()).stack_size(STACK_BYTES).spawn(
        move || {
            for evaluation in receiver {
                let evaluated = Box::new(evaluate(evaluation));
                if mailbox.send(Command::Evaluated(evaluated)).is_err() {
                    return;
                }
            }
        },
    )?;
    Ok(sender)
}

fn evaluate(evaluation: Evaluation) -> Evaluated {
    let Evaluation { now, work, reply } = evaluation;
    let id = match &work {
        Work::Start(_, started) => started.run,
        Work::Apply(run, _) | Work::Order(run, _, _) => run.id(),
    };
    let (run, result) = contain(id, || match work {
        Work::Start(definition, started) => {
            let (run, change) = Run::start(definition, *started, now);
            (Box::new(run), Ok(change))
        }
        Work::Apply(mut run, input) => {
            let result = run.apply(now, input);
            (run, result)
        }
        Work::Order(mut run, task, attempt) => {
            let order = run.order(task, attempt).map(|order| Effect::Dispatch(Box::new(order)));
            (run, Ok(Change { record: None, effects: order.into_iter().collect() }))
        }
    })
    .map_or((None, Err(Rejection::RunOver)), |(run, result)| (Some(run), result));
    Evaluated { id, run, result, reply }
}

/// Keeps a fault in an expression of one run from ending the others; nothing of the change was
/// stored, so the run is as it was for whoever reads it back.
pub(crate) fn contain<T>(id: RunId, work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|_| {
            tracing::error!(run = %id, "a change panicked; the run is left as it is stored");
        })
        .ok()
}
