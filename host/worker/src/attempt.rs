//! One attempt as a task: whatever happens to it, it is reported exactly once.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use wfhost_transport::message::{CANCELLED, Dispatch, Payload};
use wfhost_workflow::{AttemptId, Failure, FailureKind, Json, Limit, LimitSource};

use crate::content::Contents;
use crate::end::End;
use crate::executor::{Executor, Job};
use crate::origin::Origins;
use crate::report::{Report, Reports};
use crate::sink::AttemptSink;

/// What an attempt needs besides its dispatch.
pub(crate) struct Surroundings {
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) contents: Contents,
    pub(crate) origins: Arc<Origins>,
    pub(crate) reports: Reports,
}

/// The whole attempt. Cancel-safe: dropped at any point, also before it is first polled, it is
/// reported as cancelled.
pub(crate) fn task(
    surroundings: &Surroundings,
    dispatch: Box<Dispatch>,
    sink: Arc<AttemptSink>,
) -> impl Future<Output = ()> + Send + use<> {
    let ending = Ending {
        attempt: dispatch.attempt,
        reports: surroundings.reports.clone(),
        reported: false,
    };
    let executor = Arc::clone(&surroundings.executor);
    let contents = surroundings.contents.clone();
    let origins = Arc::clone(&surroundings.origins);
    async move {
        let running = async {
            origins.check(&dispatch, &contents).await?;
            let input = input(&dispatch, &contents).await?;
            executor.run(Job { dispatch, input, sink, contents }).await
        };
        let end = match catch_panic(running).await {
            Ok(Ok(completion)) => End::completed(completion).await,
            Ok(Err(failure)) => End::failed(failure),
            Err(panic) => {
                let message = format!("the worker failed while it ran the step: {panic}");
                End::failed(Failure::new(FailureKind::Host, "panic", message))
            }
        };
        ending.report(end);
    }
}

/// Reports the end, at the latest when it is dropped.
struct Ending {
    attempt: AttemptId,
    reports: Reports,
    reported: bool,
}

impl Ending {
    fn report(mut self, end: End) {
        self.reported = true;
        self.reports.send(Report::Ended { attempt: self.attempt, end });
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if !self.reported {
            let failure = Failure::new(FailureKind::Host, CANCELLED, "the attempt was stopped");
            self.reports.send(Report::Ended { attempt: self.attempt, end: End::failed(failure) });
        }
    }
}

async fn input(dispatch: &Dispatch, contents: &Contents) -> Result<Json, Failure> {
    let (digest, len) = match &dispatch.input {
        Payload::Inline(input) => return Ok(input.clone()),
        Payload::Reference { digest, len } => (*digest, *len),
    };
    let bytes_max = dispatch.limits[Limit::Input];
    if len > bytes_max {
        let what = format!("the step's input has {len} bytes");
        let remedy = LimitSource::Workflow.remedy(Limit::Input, None);
        return Err(Failure::over_limit(Limit::Input, bytes_max, &what, &remedy));
    }
    let bytes = contents.get(digest, bytes_max).await?;
    let text = std::str::from_utf8(&bytes).map_err(|error| bad_input(&error))?;
    Json::parse(text).map_err(|error| bad_input(&error))
}

fn bad_input(error: &dyn std::error::Error) -> Failure {
    Failure::new(FailureKind::Host, "input-not-json", format!("the input is no JSON: {error}"))
}

/// Runs `future` to its end; a panic in it is an error with the panic's text.
pub(crate) async fn catch_panic<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = pin!(future);
    poll_fn(|context| {
        // After a panic the future is only dropped, never polled again.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(panic) => Poll::Ready(Err(text_of(panic.as_ref()))),
        }
    })
    .await
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
