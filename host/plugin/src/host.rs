//! The plugin host: engine, linker, epoch thread, slots, and the components it knows.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;
use wasmtime::component::Component;
use wfhost_workflow::{Contract, Digest, DurationMs, Failure, Limits, OperatorLimits, TimestampMs};

use crate::admission::{Admission, AdmissionOptions};
use crate::compile::{CompileOptions, Compiler, on_thread};
use crate::core_dump::CoreDumps;
use crate::facts::ComponentFacts;
use crate::lanes::{Lanes, LongSteps};
use crate::limits::Counters;
use crate::link::{self, Linked};
use crate::one_answer::OneAnswer;
use crate::shape::{Shape, Shaped, Shapes};
use crate::{Error, clock};

/// Components kept ready; a compiled one takes from 1 to 40 MB.
const PLUGINS_MAX: usize = 256;

/// For how long a refused component is not tried again: what is wrong with it lasts, but now
/// and then it was this machine that had no room.
const REFUSED_FOR: Duration = Duration::from_secs(10);

/// What the validator says of a component that is concurrent; a test holds its text.
const ASYNC_FEATURE: &str = "component model async feature";

/// How a host is set up.
#[derive(Debug, Clone)]
pub struct HostOptions {
    /// Attempts at once; more wait for a place.
    pub slots: u32,
    /// How long a component's `describe` may take.
    pub describe_timeout: DurationMs,
    /// A fixed clock and randomness, so that guests answer the same each time.
    pub fixed: Option<Fixed>,
    /// How components are compiled.
    pub compile: CompileOptions,
    /// What every attempt is held to, whatever its workflow says.
    pub operator: OperatorLimits,
    /// How attempts wait for one another.
    pub admission: AdmissionOptions,
    /// Where guests' core dumps go, if they are wanted.
    pub core_dumps: Option<CoreDumps>,
}

impl Default for HostOptions {
    /// As many slots as processors, real clocks and randomness; compiled in this process.
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            slots: u32::try_from(processors).unwrap_or(u32::MAX),
            describe_timeout: DurationMs::from_secs(10),
            fixed: None,
            compile: CompileOptions::default(),
            operator: OperatorLimits::default(),
            admission: AdmissionOptions::default(),
            core_dumps: None,
        }
    }
}

/// What guests see instead of time and randomness.
#[derive(Debug, Clone)]
pub struct Fixed {
    /// The wall clock, standing still.
    pub now: TimestampMs,
    /// What all random numbers are derived from.
    pub seed: u64,
}

/// Loads plugins and runs their steps; clones share everything.
#[derive(Clone)]
pub struct PluginHost {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) shapes: Shapes,
    pub(crate) counters: Counters,
    pub(crate) admission: Admission,
    pub(crate) lanes: Lanes,
    pub(crate) options: HostOptions,
    pub(crate) compiler: Compiler,
    plugins: Mutex<Plugins>,
}

/// The components that this host knows.
#[derive(Default)]
struct Plugins {
    entries: HashMap<(Digest, Shape), Entry>,
    /// Rises with each use: tells which entry was used last.
    uses: u64,
}

#[derive(Default)]
struct Entry {
    wanted: Arc<Wanted>,
    used: u64,
}

/// A component that is ready or being compiled, by one task for all who want it.
#[derive(Default)]
struct Wanted {
    plugin: OnceCell<Arc<Plugin>>,
    refused: Mutex<Option<Refused>>,
}

/// A component that cannot be made ready.
struct Refused {
    at: Instant,
    error: Error,
}

impl Wanted {
    /// Why it was refused a short while ago.
    fn refused(&self) -> Option<Error> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let Refused { at, error } = refused.as_ref()?;
        if at.elapsed() < REFUSED_FOR {
            return error.refusal();
        }
        *refused = None;
        None
    }

    fn refuse(&self, error: Error) -> Error {
        if let Some(refusal) = error.refusal() {
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            *refused = Some(Refused { at: clock::now(), error: refusal });
        }
        error
    }
}

/// Who waits for a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Urgency {
    /// An attempt, or a person.
    Wanted,
    /// Nobody yet.
    Ahead,
}

/// How a component is compiled.
struct Shaping {
    shaped: Arc<Shaped>,
    is_async: bool,
    gives_way: bool,
}

/// For how long what was made of a component is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// It is in the cache, or there is to be none.
    ForTheNextProcess,
    /// It is in memory alone.
    InThisProcess {
        /// A disk that is full.
        why: String,
    },
}

/// A component that is ready to run.
pub struct Plugin {
    digest: Digest,
    pub(crate) shaped: Arc<Shaped>,
    pub(crate) linked: Linked,
    /// Of a component that exports more than the step world.
    pub(crate) facts: Option<Result<Arc<ComponentFacts>, Error>>,
    pub(crate) long: LongSteps,
    pub(crate) contracts: OneAnswer<Arc<Vec<Contract>>, Failure>,
}

impl Plugin {
    /// The content it was loaded from.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin").field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl fmt::Debug for PluginHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginHost").field("options", &self.inner.options).finish_non_exhaustive()
    }
}

impl PluginHost {
    /// Reserves the pool of the usual shape, smaller than asked for where the address
    /// space is short, and starts the epoch thread.
    ///
    /// # Errors
    /// [`Error::Engine`] if not even the smallest pool fits, or [`Error::Thread`].
    pub fn new(options: HostOptions) -> Result<Self, Error> {
        let inner = Inner {
            shapes: Shapes::new(options.slots.max(1), options.core_dumps.is_some())?,
            counters: Counters::default(),
            admission: Admission::new(options.slots, options.admission),
            lanes: Lanes::default(),
            compiler: Compiler::new(options.compile.clone()),
            plugins: Mutex::default(),
            options,
        };
        let host = Self { inner: Arc::new(inner) };
        host.inner.shapes.get(host.shape(&Limits::default(), false))?;
        Ok(host)
    }

    /// The shape of an attempt that was given `limits`: what its component is loaded for.
    #[must_use]
    pub fn shape(&self, limits: &Limits, strict: bool) -> Shape {
        Shape::of(&self.inner.options.operator.lower(*limits), strict)
    }

    /// The plugin, if it is ready for attempts of this shape.
    #[must_use]
    pub fn loaded(&self, digest: &Digest, shape: Shape) -> Option<Arc<Plugin>> {
        let mut plugins = self.plugins();
        plugins.uses += 1;
        let uses = plugins.uses;
        let entry = plugins.entries.get_mut(&(*digest, shape))?;
        entry.used = uses;
        entry.wanted.plugin.get().cloned()
    }

    /// Makes a component, or a core module that carries its WIT, ready to run. Compiles
    /// off the async threads, and once for all who ask at the same time. One that was refused
    /// a short while ago is refused again without a look at its bytes. Cancel-safe.
    ///
    /// # Errors
    /// If the content is not what `digest` says, or no component with functions.
    pub async fn load(
        &self,
        bytes: Arc<[u8]>,
        digest: Digest,
        shape: Shape,
    ) -> Result<Arc<Plugin>, Error> {
        self.load_for(Urgency::Wanted, bytes, digest, shape).await
    }

    /// As [`Self::load`], for what nobody waits for yet: it is compiled when nothing else runs.
    /// Who wants it meanwhile waits for the same. Cancel-safe.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub async fn load_ahead(
        &self,
        bytes: Arc<[u8]>,
        digest: Digest,
        shape: Shape,
    ) -> Result<Arc<Plugin>, Error> {
        self.load_for(Urgency::Ahead, bytes, digest, shape).await
    }

    /// For how long what was made of a component is there.
    pub async fn how_kept(&self, plugin: &Plugin) -> Kept {
        let compiler = &self.inner.compiler;
        if compiler.is_kept(&plugin.shaped.target, plugin.digest).await {
            return Kept::ForTheNextProcess;
        }
        Kept::InThisProcess { why: compiler.not_kept() }
    }

    /// Compiles a component that is ready once more, since what was made of it was not kept.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub async fn keep_again(&self, plugin: &Plugin, bytes: Arc<[u8]>) -> Result<Kept, Error> {
        let target = &plugin.shaped.target;
        self.inner.compiler.component(target, bytes, plugin.digest, true).await?;
        Ok(self.how_kept(plugin).await)
    }

    async fn load_for(
        &self,
        urgency: Urgency,
        bytes: Arc<[u8]>,
        digest: Digest,
        shape: Shape,
    ) -> Result<Arc<Plugin>, Error> {
        if let Some(plugin) = self.loaded(&digest, shape) {
            return Ok(plugin);
        }
        let shaped = self.inner.shapes.get(shape)?;
        let wanted = self.entry((digest, shape));
        let make = async || match wanted.refused() {
            Some(refused) => Err(refused),
            None => {
                let made = self.compile(urgency, bytes, digest, shaped).await;
                made.map_err(|error| wanted.refuse(error))
            }
        };
        wanted.plugin.get_or_try_init(make).await.cloned()
    }

    /// What a component's bytes say of it. Read where components are compiled, since a
    /// stranger's bytes are parsed; kept in the cache. Cancel-safe.
    ///
    /// # Errors
    /// If the content is not what `digest` says, or no component that can be described.
    pub async fn facts(
        &self,
        bytes: Arc<[u8]>,
        digest: Digest,
    ) -> Result<Arc<ComponentFacts>, Error> {
        self.inner.compiler.facts(bytes, digest).await
    }

    async fn compile(
        &self,
        urgency: Urgency,
        bytes: Arc<[u8]>,
        digest: Digest,
        shaped: Arc<Shaped>,
    ) -> Result<Arc<Plugin>, Error> {
        let compiler = &self.inner.compiler;
        let known = compiler.known_facts(digest).await;
        let is_async = known.as_ref().is_some_and(|facts| facts.is_async());
        let shaped_for = Shaping { shaped, is_async, gives_way: self.gives_way(urgency) };
        let (component, shaped) = self.compiled(&bytes, digest, shaped_for).await?;
        let linking = Arc::clone(&shaped);
        let linked =
            on_thread(self.gives_way(urgency), move || link::link(&linking.linker, &component))
                .await?;
        let facts = match known {
            _ if linked.functions.is_empty() => None,
            Some(known) => Some(Ok(known)),
            None => Some(compiler.facts(bytes, digest).await),
        };
        let long = LongSteps::default();
        Ok(Arc::new(Plugin {
            digest,
            shaped,
            linked,
            facts,
            long,
            contracts: OneAnswer::default(),
        }))
    }

    /// The component with the engine that it needs: concurrency costs every call, so it is
    /// only for those that have async functions or do not compile without.
    async fn compiled(
        &self,
        bytes: &Arc<[u8]>,
        digest: Digest,
        Shaping { shaped, is_async, gives_way }: Shaping,
    ) -> Result<(Component, Arc<Shaped>), Error> {
        let compiler = &self.inner.compiler;
        if !is_async {
            match compiler.component(&shaped.target, Arc::clone(bytes), digest, gives_way).await {
                Err(Error::Compile(text)) if text.contains(ASYNC_FEATURE) => {}
                component => return Ok((component?, shaped)),
            }
        }
        let shaped = self.inner.shapes.get(shaped.shape.concurrent())?;
        let target = &shaped.target;
        let component = compiler.component(target, Arc::clone(bytes), digest, gives_way).await?;
        Ok((component, shaped))
    }

    /// Whether what is made of a component gives way to all else.
    fn gives_way(&self, urgency: Urgency) -> bool {
        match urgency {
            Urgency::Wanted => self.inner.shapes.epochs().is_busy(),
            Urgency::Ahead => true,
        }
    }

    fn entry(&self, key: (Digest, Shape)) -> Arc<Wanted> {
        let mut plugins = self.plugins();
        plugins.uses += 1;
        let uses = plugins.uses;
        let entries = &mut plugins.entries;
        if entries.len() >= PLUGINS_MAX && !entries.contains_key(&key) {
            let oldest = entries.iter().min_by_key(|(_, entry)| entry.used);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                entries.remove(&oldest);
            }
        }
        let entry = entries.entry(key).or_default();
        entry.used = uses;
        Arc::clone(&entry.wanted)
    }

    fn plugins(&self) -> MutexGuard<'_, Plugins> {
        // The map is valid between any two statements above: a panic leaves it usable.
        self.inner.plugins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
