//! What a step is told about itself.

use std::time::Duration;

use crate::clock::Started;

/// Where this attempt stands. A step that wants it takes `&Context` as its second parameter.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Context {
    /// The run's id, a ULID.
    pub run: String,
    /// The workflow's name.
    pub workflow: String,
    /// The step's id in the workflow file, which need not be the function's name.
    pub step: String,
    /// The item's position, for a step of a `map`.
    pub index: Option<u32>,
    /// Which try this is; the first is 1.
    pub attempt: u32,
    /// The same for every attempt of this step in this run.
    ///
    /// A step runs at least once: hand the key to services that drop duplicates, so that
    /// another attempt has no second effect.
    pub idempotency_key: String,
    /// W3C `traceparent`, where the run is traced.
    pub trace_parent: Option<String>,
    remaining_at_start: Duration,
    started: Option<Started>,
}

impl Context {
    /// The time until the attempt is stopped, as of now; zero when it is over.
    ///
    /// On a target without a clock (`wasm32-unknown-unknown`) it stays what it was at the start.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        let spent = self.started.map_or(Duration::ZERO, Started::elapsed);
        self.remaining_at_start.saturating_sub(spent)
    }

    /// This context with `remaining` left from now on.
    #[must_use]
    pub fn with_remaining(mut self, remaining: Duration) -> Self {
        self.remaining_at_start = remaining;
        self.measured()
    }

    /// Starts the clock. Only for steps that take the context: others save the host call.
    #[doc(hidden)]
    #[must_use]
    pub fn measured(mut self) -> Self {
        self.started = Some(Started::now());
        self
    }

    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn for_tests() -> Self {
        Self {
            run: "01JZZZZZZZZZZZZZZZZZZZZZZZ".to_owned(),
            workflow: "test".to_owned(),
            step: "step".to_owned(),
            index: None,
            attempt: 1,
            idempotency_key: "01JZZZZZZZZZZZZZZZZZZZZZZZ/step".to_owned(),
            trace_parent: None,
            remaining_at_start: Duration::from_secs(60),
            started: None,
        }
    }
}

#[cfg(target_family = "wasm")]
impl From<crate::bindings::WitContext> for Context {
    fn from(wit: crate::bindings::WitContext) -> Self {
        Self {
            run: wit.run,
            workflow: wit.workflow,
            step: wit.step,
            index: wit.index,
            attempt: wit.attempt,
            idempotency_key: wit.idempotency_key,
            trace_parent: wit.trace_parent,
            remaining_at_start: Duration::from_millis(wit.remaining_ms),
            started: None,
        }
    }
}
