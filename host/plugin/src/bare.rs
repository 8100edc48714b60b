//! The same call without anything of ours around it: what the bench compares with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::Store;
use wfhost_workflow::{Failure, FailureKind, Json, Limits};

use crate::ability::kv::Kv;
use crate::bindings::steps::Context;
use crate::state::AttemptState;
use crate::{Invocation, Plugin, PluginHost, StepSink};

/// Calls one step over and over: fresh store, instantiate, typed call, drop. Same engine,
/// pool and linker as [`crate::PluginHost::run`]; no limits, no timeout, no slot.
pub struct Bare {
    plugin: Arc<Plugin>,
    function: String,
    context: Context,
    input: String,
    sink: Arc<dyn StepSink>,
}

impl Bare {
    /// Prepares what `invocation` says.
    #[must_use]
    pub fn new(plugin: Arc<Plugin>, invocation: Invocation) -> Self {
        let Invocation { function, context, input, sink, .. } = invocation;
        let context = crate::run::guest_context(context, Duration::from_secs(1));
        Self { plugin, function, context, input: input.as_str().to_owned(), sink }
    }

    /// One call; the step's output.
    ///
    /// # Errors
    /// What wasmtime or the step says.
    pub async fn call(&self) -> Result<String, String> {
        let limits = Limits::default();
        let kv = Kv::new(Arc::new(BTreeMap::new()), &limits);
        let state = AttemptState::new(&limits, Arc::clone(&self.sink), kv, None);
        let Some(steps) = &self.plugin.linked.steps else {
            return Err("no component of the step world".to_owned());
        };
        let mut store = Store::new(&self.plugin.shaped.target.engine, state);
        store.set_epoch_deadline(u64::MAX / 2);
        let called = async {
            let step = steps.instantiate_async(&mut store).await?;
            let steps = step.wfhost_step_steps();
            steps.call_run(&mut store, &self.function, &self.context, &self.input).await
        };
        match called.await {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(error)) => Err(format!("{error:?}")),
            Err(error) => Err(format!("{error:?}")),
        }
    }
}

/// The same as [`PluginHost::run`] with every limit off: no admission, no sums of memory
/// and tables, no fuel of host calls, no ticks, no clocks. What the bench takes the cost of
/// limits from.
pub struct Unlimited {
    host: PluginHost,
    bare: Arc<Bare>,
}

impl Unlimited {
    /// Prepares what `invocation` says.
    #[must_use]
    pub fn new(host: PluginHost, plugin: Arc<Plugin>, invocation: Invocation) -> Self {
        Self { host, bare: Arc::new(Bare::new(plugin, invocation)) }
    }

    /// One call; the step's output.
    ///
    /// # Errors
    /// What wasmtime or the step says.
    pub async fn call(&self) -> Result<Json, Failure> {
        let failed = |error: String| Failure::new(FailureKind::Host, "bench", error);
        let bare = Arc::clone(&self.bare);
        let attempt = Box::pin(async move {
            let output = bare.call().await.map_err(failed)?;
            Json::parse(&output).map_err(|error| failed(error.to_string()))
        });
        let (lanes, bare) = (&self.host.inner.lanes, &self.bare);
        lanes.run(&bare.plugin.long, &bare.function, attempt).await
    }
}
