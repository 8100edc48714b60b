//! The same call without anything of ours around it: what the bench compares with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::Store;
use wfhost_workflow::Limits;

use crate::ability::kv::Kv;
use crate::bindings::steps::Context;
use crate::state::AttemptState;
use crate::{Invocation, Plugin, StepSink};

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
        let state = AttemptState::new(&limits, Arc::clone(&self.sink), kv);
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
