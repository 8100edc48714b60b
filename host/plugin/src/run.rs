//! One attempt: a fresh store, the call, and what came of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use wasmtime::{Store, UpdateDeadline};
use wfhost_workflow::run::KvWrite;
use wfhost_workflow::{Attempt, DirGrant, Failure, FailureKind, Json, Limits, Name, RunId};

use crate::ability::StepSink;
use crate::ability::grant_dirs::GrantDirs;
use crate::ability::kv::Kv;
use crate::bindings::{Step, StepPre, steps};
use crate::limits::OverLimit;
use crate::state::{AttemptState, TimedOut};
use crate::{Plugin, PluginHost, clock, failure};

/// How long after its timeout an attempt is given up that does not end by itself: its
/// thread gets no time on this machine.
pub(crate) const GRACE: Duration = Duration::from_millis(50);

/// What an attempt is told about itself.
#[derive(Debug, Clone)]
pub struct StepContext {
    /// The run.
    pub run: RunId,
    /// The workflow's name.
    pub workflow: Name,
    /// The step's name.
    pub step: Name,
    /// The item's position, for a step of a `map`.
    pub index: Option<u32>,
    /// Which try this is.
    pub attempt: Attempt,
    /// The same for every attempt of this step in this run.
    pub idempotency_key: String,
    /// W3C `traceparent`.
    pub trace_parent: Option<String>,
}

/// One attempt to be made.
pub struct Invocation {
    /// The step's name in its component.
    pub function: String,
    /// What the guest is told.
    pub context: StepContext,
    /// The step's input.
    pub input: Json,
    /// The directories it sees.
    pub dirs: Vec<DirGrant>,
    /// What it may use.
    pub limits: Limits,
    /// Wall clock, from when it has a slot.
    pub timeout: Duration,
    /// The run's key-value store as it is now.
    pub kv: Arc<BTreeMap<String, Vec<u8>>>,
    /// Where log lines and progress go.
    pub sink: Arc<dyn StepSink>,
}

/// A successful attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The step's output.
    pub output: Json,
    /// Its writes to the run's key-value store, by key.
    pub kv: Vec<KvWrite>,
}

impl PluginHost {
    /// Makes one attempt. Waits for a free slot first; dropping the future stops the
    /// guest and leaves nothing behind.
    ///
    /// # Errors
    /// The step's own failure, or how the host ended it.
    pub async fn run(
        &self,
        plugin: &Arc<Plugin>,
        invocation: Invocation,
    ) -> Result<Completion, Failure> {
        check_input(&invocation)?;
        let slot = self.slot().await?;
        let (step, wall) = (invocation.function.clone(), invocation.timeout);
        let attempt = Box::pin(self.clone().attempt(Arc::clone(plugin), invocation, slot));
        let ended = timeout(wall + GRACE, self.inner.lanes.run(&plugin.long, &step, attempt)).await;
        ended.unwrap_or_else(|_elapsed| Err(failure::timed_out(wall)))
    }

    /// The whole attempt, on whichever threads poll it.
    async fn attempt(
        self,
        plugin: Arc<Plugin>,
        invocation: Invocation,
        _slot: OwnedSemaphorePermit,
    ) -> Result<Completion, Failure> {
        let _ticking = self.inner.epochs.enter();
        let Invocation { function, context, input, dirs, limits, timeout: wall, kv, sink } =
            invocation;
        let mut state = AttemptState::new(&limits, sink, Kv::new(kv, &limits));
        state.fixed.clone_from(&self.inner.options.fixed);
        let mut store = self.store(state, &limits, wall);

        let context = guest_context(context, wall);
        let attempt = async {
            if !dirs.is_empty() {
                store.data_mut().dirs = open_dirs(dirs).await?;
            }
            let step = instantiate(&plugin.pre, &mut store, &limits, wall).await?;
            step.wfhost_step_steps()
                .call_run(&mut store, &function, &context, input.as_str())
                .await
                .map_err(|error| failure::from_call(&error, &limits, wall))
        };
        let ended = match timeout(wall, attempt).await {
            Ok(ended) => ended,
            Err(_elapsed) => Err(failure::timed_out(wall)),
        };
        let state = store.into_data();
        let output = ended
            .and_then(|answer| answer.map_err(failure::from_step))
            .and_then(|text| check_output(&text, &limits))
            .map_err(|failure| blame_denial(failure, state.dirs.denial()))?;
        Ok(Completion { output, kv: state.kv.into_writes() })
    }

    /// Waits for a free place.
    pub(crate) async fn slot(&self) -> Result<OwnedSemaphorePermit, Failure> {
        Arc::clone(&self.inner.slots).acquire_owned().await.map_err(|_closed| {
            Failure::new(FailureKind::Host, "closed", "the plugin host is closed")
        })
    }

    /// A store whose guest yields at each tick and is held to `limits`.
    pub(crate) fn store(
        &self,
        mut state: AttemptState,
        limits: &Limits,
        wall: Duration,
    ) -> Store<AttemptState> {
        state.deadline = clock::now().checked_add(wall);
        let mut store = Store::new(&self.inner.engine, state);
        store.limiter(|state| &mut state.meter);
        store.set_hostcall_fuel(usize::try_from(limits.hostcall_fuel).unwrap_or(usize::MAX));
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|store| {
            // The timer that stops the attempt needs a free async thread; this does not.
            if store.data().deadline.is_some_and(|deadline| clock::now() >= deadline) {
                return Err(TimedOut.into());
            }
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
        });
        store
    }
}

pub(crate) async fn instantiate(
    pre: &StepPre<AttemptState>,
    store: &mut Store<AttemptState>,
    limits: &Limits,
    wall: Duration,
) -> Result<Step, Failure> {
    let step = pre.instantiate_async(store).await;
    step.map_err(|error| failure::from_call(&error, limits, wall))
}

async fn open_dirs(dirs: Vec<DirGrant>) -> Result<GrantDirs, Failure> {
    let opened = tokio::task::spawn_blocking(move || GrantDirs::open(&dirs)).await;
    opened.unwrap_or_else(|join| {
        Err(Failure::new(FailureKind::Host, "dirs", format!("cannot open directories: {join}")))
    })
}

pub(crate) fn guest_context(context: StepContext, wall: Duration) -> steps::Context {
    steps::Context {
        run: context.run.to_string(),
        workflow: context.workflow.to_string(),
        step: context.step.to_string(),
        index: context.index,
        attempt: context.attempt.0,
        idempotency_key: context.idempotency_key,
        remaining_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
        trace_parent: context.trace_parent,
    }
}

fn check_input(invocation: &Invocation) -> Result<(), Failure> {
    let (len, max) = (invocation.input.len_bytes() as u64, invocation.limits.input_bytes);
    if len > max {
        let what = format!("the step's input has {len} bytes");
        return Err(OverLimit { setting: "input-bytes", max, what }.failure());
    }
    Ok(())
}

fn check_output(text: &str, limits: &Limits) -> Result<Json, Failure> {
    let (len, max) = (text.len() as u64, limits.output_bytes);
    if len > max {
        let what = format!("the step's output has {len} bytes");
        return Err(OverLimit { setting: "output-bytes", max, what }.failure());
    }
    Json::parse(text).map_err(|error| {
        let message = format!("the step's output is not JSON: {error}");
        Failure::new(FailureKind::Permanent, "invalid-output", message)
    })
}

/// A step that failed after it was refused a file failed for that reason, as far as its
/// operator is concerned; what the step itself said is kept.
fn blame_denial(failure: Failure, denial: Option<&str>) -> Failure {
    let blamed = matches!(failure.kind, FailureKind::Permanent | FailureKind::Trap);
    match denial {
        Some(denial) if blamed => {
            let message = format!("the step was refused a file: {denial} ({failure})");
            Failure::new(FailureKind::Denied, "dirs", message)
        }
        Some(_) | None => failure,
    }
}
