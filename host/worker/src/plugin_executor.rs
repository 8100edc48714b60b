//! Runs attempts in the plugin host's sandboxes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wfhost_plugin::{
    Completion, Error, Invocation, Kept, Plugin, PluginHost, Shape, StepContext, StepSink,
};
use wfhost_transport::message::{LogLevel, PREFETCH_MAX};
use wfhost_workflow::{Digest, Failure, FailureKind, Limits};

use crate::content::Contents;
use crate::directories::Directories;
use crate::executor::{BoxFuture, Executor, Job};
use crate::sink::AttemptSink;

/// The real executor.
#[derive(Clone)]
pub struct PluginExecutor {
    host: PluginHost,
    directories: Arc<Directories>,
    /// One gate a component that is being got: the others wait, then find it loaded.
    gates: Arc<Mutex<Gates>>,
    /// Components that are ready and that the disk has no room for.
    unkept: Arc<Mutex<BTreeSet<Digest>>>,
}

type Gate = Arc<tokio::sync::Mutex<()>>;
type Gates = HashMap<(Digest, Shape), Gate>;

impl PluginExecutor {
    /// Runs attempts in this host, with these directories.
    #[must_use]
    pub fn new(host: PluginHost, directories: Directories) -> Self {
        Self {
            host,
            directories: Arc::new(directories),
            gates: Arc::default(),
            unkept: Arc::default(),
        }
    }

    async fn plugin(&self, job: &Job) -> Result<Arc<Plugin>, Failure> {
        let digest = job.dispatch.component;
        let shape = self.host.shape(&job.dispatch.limits, job.dispatch.determinism.is_strict());
        if let Some(plugin) = self.host.loaded(&digest, shape) {
            return Ok(plugin);
        }
        let gate = Arc::clone(self.gates().entry((digest, shape)).or_default());
        let _inside = gate.lock().await;
        if let Some(plugin) = self.host.loaded(&digest, shape) {
            return Ok(plugin);
        }
        let loaded = match job.component().await {
            Ok(bytes) => {
                let loaded = self.host.load(bytes, digest, shape).await;
                loaded.map_err(|error| failure(&error))
            }
            Err(failure) => Err(failure),
        };
        // Who waits at the gate holds it; who comes now finds the component loaded, or tries anew.
        self.gates().remove(&(digest, shape));
        loaded
    }

    /// In the shape that most attempts have. Who wants it meanwhile waits for the same.
    async fn prefetched(&self, digest: Digest, contents: &Contents) -> Result<(), Failure> {
        let shape = self.usual_shape();
        let was_loaded = self.host.loaded(&digest, shape).is_some();
        let gate = Arc::clone(self.gates().entry((digest, shape)).or_default());
        let inside = gate.lock().await;
        let fetched = contents.kept_component(digest).await;
        let loaded = match &fetched {
            Ok((bytes, _)) => Some(self.host.load_ahead(Arc::clone(bytes), digest, shape).await),
            Err(_) => None,
        };
        self.gates().remove(&(digest, shape));
        drop(inside);
        let (bytes, fetched) = fetched?;
        let Some(loaded) = loaded else { return fetched };
        let plugin = loaded.map_err(|error| failure(&error))?;
        fetched?;
        let mut kept = self.host.how_kept(&plugin).await;
        if was_loaded && kept != Kept::ForTheNextProcess {
            kept = self.host.keep_again(&plugin, bytes).await.map_err(|error| failure(&error))?;
        }
        match kept {
            Kept::ForTheNextProcess => Ok(()),
            Kept::InThisProcess { why } => {
                let message = format!("the component {digest} is compiled and not kept: {why}");
                Err(Failure::new(FailureKind::Host, "not-kept", message))
            }
        }
    }

    fn usual_shape(&self) -> Shape {
        self.host.shape(&Limits::default(), false)
    }

    fn unkept(&self) -> MutexGuard<'_, BTreeSet<Digest>> {
        self.unkept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gates(&self) -> MutexGuard<'_, Gates> {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Executor for PluginExecutor {
    fn run(&self, job: Job) -> BoxFuture<Result<Completion, Failure>> {
        let executor = self.clone();
        Box::pin(async move {
            let mut job = job;
            let dirs = std::mem::take(&mut job.dispatch.dirs);
            job.dispatch.dirs = executor.directories.resolve(dirs)?;
            let plugin = executor.plugin(&job).await?;
            executor.host.run(&plugin, invocation(job)).await
        })
    }

    fn prefetch(&self, component: Digest, contents: Contents) -> BoxFuture<Result<(), Failure>> {
        let executor = self.clone();
        Box::pin(async move {
            let made = executor.prefetched(component, &contents).await;
            let mut unkept = executor.unkept();
            if made.is_ok() {
                unkept.remove(&component);
            } else if unkept.len() < PREFETCH_MAX {
                unkept.insert(component);
            }
            made
        })
    }

    fn is_ready(&self, component: &Digest) -> bool {
        let is_loaded = self.host.loaded(component, self.usual_shape()).is_some();
        is_loaded && !self.unkept().contains(component)
    }
}

impl std::fmt::Debug for PluginExecutor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PluginExecutor").field("host", &self.host).finish_non_exhaustive()
    }
}

fn invocation(job: Job) -> Invocation {
    let Job { dispatch, input, sink, contents: _ } = job;
    let dispatch = *dispatch;
    let kv: BTreeMap<_, _> =
        dispatch.kv.into_iter().filter_map(|write| Some((write.key, write.value?))).collect();
    Invocation {
        function: dispatch.function,
        context: StepContext {
            run: dispatch.attempt.run,
            workflow: dispatch.workflow,
            step: dispatch.step,
            index: dispatch.attempt.task.index,
            attempt: dispatch.attempt.attempt,
            idempotency_key: dispatch.idempotency_key,
            trace_parent: dispatch.trace_parent,
        },
        input,
        dirs: dispatch.dirs,
        alias: dispatch.plugin,
        limits: dispatch.limits,
        timeout: Duration::from_millis(dispatch.timeout_ms),
        kv: Arc::new(kv),
        sink,
    }
}

/// What another attempt, perhaps elsewhere, may cure is the host's; the rest is for good.
fn failure(error: &Error) -> Failure {
    let kind = match error {
        Error::Engine(_)
        | Error::Thread(_)
        | Error::Digest { .. }
        | Error::CompilerStart(_)
        | Error::CompilerDied { .. }
        | Error::CompilerPanic(_) => FailureKind::Host,
        Error::CompileTime { .. } | Error::CompileMemory { .. } => FailureKind::Limit,
        Error::TooLarge { .. }
        | Error::Structure(_)
        | Error::WrongSteps(_)
        | Error::NotWasm
        | Error::Componentise(_)
        | Error::Facts(_)
        | Error::Compile(_)
        | Error::Import(_)
        | Error::NoFunctions { .. } => FailureKind::Permanent,
    };
    Failure::new(kind, "component", error.to_string())
}

impl StepSink for AttemptSink {
    fn log(&self, level: wfhost_plugin::LogLevel, message: String, fields: Vec<(String, String)>) {
        let level = match level {
            wfhost_plugin::LogLevel::Trace => LogLevel::Trace,
            wfhost_plugin::LogLevel::Debug => LogLevel::Debug,
            wfhost_plugin::LogLevel::Info => LogLevel::Info,
            wfhost_plugin::LogLevel::Warn => LogLevel::Warn,
            wfhost_plugin::LogLevel::Error => LogLevel::Error,
        };
        self.log(level, message, fields);
    }

    fn waiting(&self, at_most: Duration) {
        self.waits(at_most);
    }

    fn begins(&self) -> bool {
        self.begins()
    }

    fn progress(&self, done: u64, total: u64, message: String) {
        self.progress(done, total, message);
    }
}
