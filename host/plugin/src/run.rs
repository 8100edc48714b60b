//! One attempt: a fresh store, the call, and what came of it.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use wasmtime::Store;
use wfhost_workflow::run::KvWrite;
use wfhost_workflow::{Attempt, DirGrant, Failure, FailureKind, Json, Limit, Limits, Name, RunId};

use crate::ability::StepSink;
use crate::ability::grant_dirs::GrantDirs;
use crate::ability::kv::Kv;
use crate::admission::Place;
use crate::bindings::{Step, StepPre, steps};
use crate::host::Inner;
use crate::limits::Held;
use crate::link::Callee;
use crate::pace::{self, Exceeded, Pace};
use crate::replay::Replay;
use crate::shape::Shaped;
use crate::state::AttemptState;
use crate::{Plugin, PluginHost, answer, clock, failure, typed};

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
    /// The plugin's name in the workflow, for messages.
    pub alias: Option<Name>,
    /// What it may use; the operator's limits are applied to it.
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
    /// Long attempts make room as soon as this is called: call it before the future is handed
    /// to the threads that will poll it.
    ///
    /// # Errors
    /// The step's own failure, or how the host ended it.
    pub fn run(
        &self,
        plugin: &Arc<Plugin>,
        invocation: Invocation,
    ) -> impl Future<Output = Result<Completion, Failure>> + Send + use<> {
        let Inner { lanes, shapes, .. } = &*self.inner;
        let interrupt = || shapes.epochs().interrupt();
        let mut announced = lanes.announce(&plugin.long, &invocation.function, interrupt);
        let (host, plugin) = (self.clone(), Arc::clone(plugin));
        async move {
            let mut attempt = pin!(host.run_held(&plugin, invocation));
            // It has had its turn when it waits for something, and no processor.
            let turn = |context: &mut Context<'_>| {
                let polled = attempt.as_mut().poll(context);
                drop(announced.take());
                polled
            };
            let ended = poll_fn(turn).await;
            if let Err(failure) = &ended {
                host.inner.counters.count(failure);
            }
            ended
        }
    }

    async fn run_held(
        &self,
        plugin: &Arc<Plugin>,
        invocation: Invocation,
    ) -> Result<Completion, Failure> {
        let held = Arc::new(Held::of(&invocation, &self.inner.options));
        check_input(&invocation.input, &held)?;
        let slot = self.slot(&plugin.shaped, &held, &*invocation.sink).await?;
        if !invocation.sink.begins() {
            let message = "it was handed back before it began";
            return Err(Failure::new(FailureKind::Host, "handed-back", message));
        }
        let step = invocation.function.clone();
        let work = Work { plugin: Arc::clone(plugin), invocation, held: Arc::clone(&held) };
        let attempt = Box::pin(self.clone().attempt(work, slot));
        let lane = self.inner.lanes.run(&plugin.long, &step, attempt);
        let ended = timeout(held.wall + GRACE, lane).await;
        ended.unwrap_or_else(|_elapsed| Err(held.timed_out()))
    }

    /// Waits until an attempt may begin.
    pub(crate) async fn slot(
        &self,
        shaped: &Shaped,
        held: &Held,
        sink: &dyn StepSink,
    ) -> Result<Slot, Failure> {
        let waits = |at_most| sink.waiting(at_most);
        let place = self.inner.admission.enter(held.get(Limit::Memory), waits).await?;
        Ok(Slot { _place: place, _pool: shaped.slot().await? })
    }

    /// The whole attempt, on whichever threads poll it.
    async fn attempt(self, work: Work, _slot: Slot) -> Result<Completion, Failure> {
        let Work { plugin, invocation, held } = work;
        let Invocation { function, context, input, dirs, kv, sink, .. } = invocation;
        let replay = match &self.inner.options.fixed {
            Some(fixed) => Some(Replay::fixed(fixed)),
            None => plugin.shaped.shape.strict.then(|| Replay::of_attempt(&context)),
        };
        let kv = Kv::new(kv, &held.limits);
        let state = AttemptState::new(&held.limits, sink, kv, replay);
        let mut store = plugin.shaped.store(state, &held)?;
        let told = guest_context(context, held.wall);
        let attempt = async {
            let has_files = !dirs.is_empty();
            if has_files {
                store.data_mut().dirs = open_dirs(dirs).await?;
            }
            let linked = &plugin.linked;
            let steps = match linked.callee(&function).map_err(typed::call::unknown)? {
                Callee::Step(steps) => steps,
                Callee::Function(function) => {
                    let instance = &linked.instance;
                    return typed::call::call(instance, function, &mut store, input, &held).await;
                }
            };
            let bound = answer::bound(&mut store, &held, has_files);
            let called = async {
                let step = steps.instantiate_async(&mut store).await?;
                let steps = step.wfhost_step_steps();
                steps.call_run(&mut store, &function, &told, input.as_str()).await
            };
            match called.await {
                Ok(answer) => {
                    answer.map_err(failure::from_step).and_then(|text| check_output(&text, &held))
                }
                Err(error) => match bound.refused(&error, &held) {
                    Some(refused) => Err(refused),
                    None => Err(failure::of_call(&error, &mut store, &held).await),
                },
            }
        };
        let ended = self.kept(&held, pin!(attempt)).await;
        let state = store.into_data();
        if let Some(limit) = state.kv.refused() {
            self.inner.counters.hit(limit);
        }
        let output = ended.map_err(|failure| blame_denial(failure, state.dirs.denial()))?;
        Ok(Completion { output, kv: state.kv.into_writes() })
    }

    /// Holds an attempt to its wall clock and its computing time. It stays where it is pinned:
    /// an attempt is large, and each future around it would copy it.
    pub(crate) async fn kept<T>(
        &self,
        held: &Held,
        attempt: Pin<&mut impl Future<Output = Result<T, Failure>>>,
    ) -> Result<T, Failure> {
        let _ticking = self.inner.shapes.epochs().enter();
        let cpu = Duration::from_millis(held.get(Limit::CpuTime));
        let pace = Pace { deadline: clock::now().checked_add(held.wall), cpu };
        match timeout(held.wall, pace::kept(pace, attempt)).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(Exceeded::Cpu)) => Err(held.over(Limit::CpuTime, "the step computes on and on")),
            Ok(Err(Exceeded::Wall)) | Err(_) => Err(held.timed_out()),
        }
    }

    /// How often each limit has ended an attempt, or refused a guest's write.
    #[must_use]
    pub fn limit_counters(&self) -> Vec<(Limit, u64)> {
        self.inner.counters.read()
    }
}

/// What an attempt holds from its admission to its end.
pub(crate) struct Slot {
    _place: Place,
    _pool: OwnedSemaphorePermit,
}

/// An attempt that has a slot.
struct Work {
    plugin: Arc<Plugin>,
    invocation: Invocation,
    held: Arc<Held>,
}

pub(crate) async fn instantiate(
    pre: &StepPre<AttemptState>,
    store: &mut Store<AttemptState>,
    held: &Held,
) -> Result<Step, Failure> {
    let step = pre.instantiate_async(store).await;
    step.map_err(|error| failure::from_call(&error, held))
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

fn check_input(input: &Json, held: &Held) -> Result<(), Failure> {
    let len = input.len_bytes() as u64;
    if len > held.get(Limit::Input) {
        return Err(held.over(Limit::Input, &format!("the step's input has {len} bytes")));
    }
    Ok(())
}

fn check_output(text: &str, held: &Held) -> Result<Json, Failure> {
    let len = text.len() as u64;
    if len > held.get(Limit::Output) {
        return Err(held.over(Limit::Output, &format!("the step's output has {len} bytes")));
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
