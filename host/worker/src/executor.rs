//! The seam between a worker and what it runs.

use std::pin::Pin;
use std::sync::Arc;

use wfhost_plugin::Completion;
use wfhost_transport::message::Dispatch;
use wfhost_workflow::{Digest, Failure, FailureKind, Json};

use crate::content::Contents;
use crate::sink::AttemptSink;

/// A future on the heap.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Runs attempts.
///
/// The future is polled on the worker's tokio runtime. It ends by itself when the dispatch's
/// timeout is over. Dropping it stops the attempt and leaves nothing behind. A panic in it is
/// reported as a failure of the host.
pub trait Executor: Send + Sync + 'static {
    /// Runs one attempt. Calls [`AttemptSink::begins`] before the step does anything, and ends if
    /// that says no: until then the worker may give the attempt back.
    fn run(&self, job: Job) -> BoxFuture<Result<Completion, Failure>>;

    /// Makes a component ready before a step wants it: has it and keeps it on this machine, with
    /// whatever the attempts leave over. The same is true of the future as of that of [`Self::run`].
    ///
    /// # Errors
    /// Why it is not ready, or not kept.
    fn prefetch(&self, component: Digest, contents: Contents) -> BoxFuture<Result<(), Failure>> {
        Box::pin(async move { contents.kept_component(component).await?.1 })
    }

    /// Whether there is nothing left to do for [`Self::prefetch`]. Never waits.
    fn is_ready(&self, _component: &Digest) -> bool {
        false
    }
}

/// One attempt to run.
pub struct Job {
    /// As the coordinator sent it.
    pub dispatch: Box<Dispatch>,
    /// The dispatch's input; fetched, if it was sent by reference.
    pub input: Json,
    /// Where log lines and progress go.
    pub sink: Arc<AttemptSink>,
    /// Where the component is had from.
    pub contents: Contents,
}

impl Job {
    /// The component's bytes: ask only if it is not loaded. They are what their digest says.
    ///
    /// # Errors
    /// A failure of the host, if the bytes cannot be had.
    pub async fn component(&self) -> Result<Arc<[u8]>, Failure> {
        self.contents.component(self.dispatch.component).await
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("dispatch", &self.dispatch).finish_non_exhaustive()
    }
}

/// An executor made from a function: for tests and for measuring what is around a sandbox.
#[derive(Debug, Clone, Copy)]
pub struct FnExecutor<F>(pub F);

impl<F, Answer> Executor for FnExecutor<F>
where
    F: Fn(Job) -> Answer + Send + Sync + 'static,
    Answer: Future<Output = Result<Completion, Failure>> + Send + 'static,
{
    fn run(&self, job: Job) -> BoxFuture<Result<Completion, Failure>> {
        if job.sink.begins() {
            return Box::pin(self.0(job));
        }
        let failure = Failure::new(FailureKind::Host, "handed-back", "it was handed back");
        Box::pin(std::future::ready(Err(failure)))
    }
}
