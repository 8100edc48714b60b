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
        let sink = Arc::clone(&self.sink);
        call(&self.plugin, &self.function, &self.context, &self.input, sink).await
    }
}

async fn call(
    plugin: &Plugin,
    function: &str,
    context: &Context,
    input: &str,
    sink: Arc<dyn StepSink>,
) -> Result<String, String> {
    let limits = Limits::default();
    let kv = Kv::new(Arc::new(BTreeMap::new()), &limits);
    let state = AttemptState::new(&limits, sink, kv, None);
    let Some(steps) = &plugin.linked.steps else {
        return Err("no component of the step world".to_owned());
    };
    let mut store = Store::new(&plugin.shaped.target.engine, state);
    store.set_epoch_deadline(u64::MAX / 2);
    let called = async {
        let step = steps.instantiate_async(&mut store).await?;
        step.wfhost_step_steps().call_run(&mut store, function, context, input).await
    };
    match called.await {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(error)) => Err(format!("{error:?}")),
        Err(error) => Err(format!("{error:?}")),
    }
}

/// The same as [`PluginHost::run`] with every limit off: no admission, no sums of memory
/// and tables, no fuel of host calls, no ticks, no clocks. What the bench takes the cost of
/// limits from.
pub struct Unlimited {
    host: PluginHost,
    plugin: Arc<Plugin>,
}

impl Unlimited {
    /// Calls steps of `plugin`.
    #[must_use]
    pub const fn new(host: PluginHost, plugin: Arc<Plugin>) -> Self {
        Self { host, plugin }
    }

    /// One call; the step's output.
    ///
    /// # Errors
    /// What wasmtime or the step says.
    pub async fn call(&self, invocation: Invocation) -> Result<Json, Failure> {
        let failed = |error: String| Failure::new(FailureKind::Host, "bench", error);
        let plugin = Arc::clone(&self.plugin);
        let step = invocation.function.clone();
        let attempt = Box::pin(async move {
            let Invocation { function, context, input, sink, .. } = invocation;
            let told = crate::run::guest_context(context, Duration::from_secs(1));
            let output = call(&plugin, &function, &told, input.as_str(), sink).await;
            Json::parse(&output.map_err(failed)?).map_err(|error| failed(error.to_string()))
        });
        self.host.inner.lanes.run(&self.plugin.long, &step, attempt).await
    }
}
