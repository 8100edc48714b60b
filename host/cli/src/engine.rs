//! The plugin host of this process, and the async threads that it runs on.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::time::timeout;
use wfhost_plugin::compile::{CompileOptions, CompilerProgram};
use wfhost_plugin::{AdmissionOptions, CoreDumps, HostOptions, Plugin, PluginHost};
use wfhost_workflow::{Contract, Digest, DurationMs, Limits, OperatorLimits};

use crate::command::SandboxArgs;
use crate::config::{CompileConfig, Config};
use crate::error::{CommandError, Result};
use crate::output::Output;
use crate::workflow_file::{Component, with_sources};
use crate::{cache_folder, clock, sanitise};

/// What is not ready after this long is said.
const SAID_AFTER: Duration = Duration::from_secs(1);

/// Shared by what checks components and what runs them, so that each is compiled once.
#[derive(Clone)]
pub(crate) struct Engine {
    runtime: Arc<Runtime>,
    host: PluginHost,
    output: Output,
}

/// What the operator says about sandboxes.
#[derive(Debug, Clone)]
pub(crate) struct EngineSetup {
    slots: u32,
    operator: OperatorLimits,
    memory_bytes: Option<u64>,
    cache_bytes: Option<u64>,
    compile: CompileConfig,
    core_dumps: Option<CoreDumps>,
}

impl EngineSetup {
    /// Room for `slots` attempts at once.
    pub(crate) fn new(slots: u32, config: &Config) -> Self {
        Self {
            slots,
            operator: OperatorLimits { config: config.limits, ..OperatorLimits::default() },
            memory_bytes: config.pool.memory_bytes,
            cache_bytes: config.cache.size_bytes,
            compile: config.compile.clone(),
            core_dumps: None,
        }
    }

    /// With what the command line says.
    pub(crate) fn with(self, args: &SandboxArgs, config: &Config) -> Self {
        Self { operator: args.operator(config), core_dumps: args.core_dumps(), ..self }
    }
}

/// An error for people.
type Told<T> = std::result::Result<T, String>;

impl Engine {
    /// What takes long is said to `output`.
    pub(crate) fn new(setup: EngineSetup, output: &Output) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("steps")
            .enable_all()
            .build()
            .map_err(|error| CommandError::store(error).context("could not start threads"))?;
        let EngineSetup { slots, operator, memory_bytes, cache_bytes, compile, core_dumps } = setup;
        let options = HostOptions {
            slots,
            operator,
            core_dumps,
            compile: compile_options(cache_bytes, &compile),
            admission: AdmissionOptions { memory_bytes, ..AdmissionOptions::default() },
            ..HostOptions::default()
        };
        let host = PluginHost::new(options).map_err(|error| {
            CommandError::store(error).context("could not start the plugin host")
        })?;
        Ok(Self { runtime: Arc::new(runtime), host, output: output.clone() })
    }

    pub(crate) const fn host(&self) -> &PluginHost {
        &self.host
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Makes a component ready, and asks what it offers.
    pub(crate) fn load(&self, component: &Component) -> Told<(Arc<Plugin>, Arc<Vec<Contract>>)> {
        self.runtime.block_on(self.loaded(component))
    }

    /// What a component offers, if it was asked before.
    pub(crate) fn known(&self, digest: &Digest) -> Option<Arc<Vec<Contract>>> {
        self.runtime.block_on(self.host.known_contracts(digest))
    }

    /// What components offer, in their order. One that was asked before is not loaded; the
    /// others are compiled side by side.
    pub(crate) fn offers(&self, components: &[&Component]) -> Vec<Told<Arc<Vec<Contract>>>> {
        let ask = |component: &&Component| {
            let (engine, component) = (self.clone(), (*component).clone());
            self.runtime.spawn(async move {
                match engine.host.known_contracts(&component.digest).await {
                    Some(known) => Ok(known),
                    None => engine.loaded(&component).await.map(|(_, contracts)| contracts),
                }
            })
        };
        let asked: Vec<_> = components.iter().map(ask).collect();
        self.runtime.block_on(async {
            let mut offers = Vec::new();
            for answer in asked {
                offers.push(answer.await.unwrap_or_else(|error| Err(error.to_string())));
            }
            offers
        })
    }

    async fn loaded(&self, component: &Component) -> Told<(Arc<Plugin>, Arc<Vec<Contract>>)> {
        let shape = self.host.shape(&Limits::default(), false);
        let load = self.host.load(Arc::clone(&component.bytes), component.digest, shape);
        let plugin = self.said(component, load).await.map_err(|error| with_sources(&error))?;
        let contracts = self
            .host
            .contracts(&plugin)
            .await
            .map_err(|failure| format!("it does not describe itself: {failure}"))?;
        Ok((plugin, contracts))
    }

    /// Says what is waited for, if that takes long.
    async fn said<T>(&self, component: &Component, load: impl Future<Output = T>) -> T {
        let mut load = pin!(load);
        if let Ok(loaded) = timeout(SAID_AFTER, &mut load).await {
            return loaded;
        }
        let name = component.path.file_name().unwrap_or_default().to_string_lossy();
        let name = sanitise::line(&name);
        self.output.note(&format!("compiling {name}, which is done once"));
        let started = clock::instant();
        let loaded = load.await;
        let took = DurationMs(millis(started.elapsed() + SAID_AFTER));
        self.output.note(&format!("{name} took {}", clock::span(took)));
        loaded
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// An engine that is made when a plugin is there: a file without any is checked without it.
pub(crate) struct LazyEngine<'m> {
    make: &'m dyn Fn() -> Result<Engine>,
    engine: Option<Engine>,
}

impl<'m> LazyEngine<'m> {
    pub(crate) const fn new(make: &'m dyn Fn() -> Result<Engine>) -> Self {
        Self { make, engine: None }
    }

    pub(crate) fn get(&mut self) -> Result<Engine> {
        match &self.engine {
            Some(engine) => Ok(engine.clone()),
            None => {
                let engine = (self.make)()?;
                self.engine = Some(engine.clone());
                Ok(engine)
            }
        }
    }
}

/// As many steps at once as there are processors.
pub(crate) fn default_slots() -> u32 {
    HostOptions::default().slots
}

/// Components are compiled by this very program, in a process of its own.
fn compile_options(cache_bytes: Option<u64>, config: &CompileConfig) -> CompileOptions {
    let usual = CompileOptions::default();
    CompileOptions {
        program: own_program().map(|program| CompilerProgram {
            program,
            arguments: vec![crate::command::COMPILE_COMPONENT.into()],
        }),
        memory_bytes: config.memory_bytes.unwrap_or(usual.memory_bytes),
        wall: config.wall_time.unwrap_or(usual.wall),
        cpu: config.processor_time.unwrap_or(usual.cpu),
        cache: cache_folder::options(cache_bytes),
        ..usual
    }
}

fn own_program() -> Option<PathBuf> {
    // Still this program when its file has been replaced.
    let itself = Path::new("/proc/self/exe");
    if itself.exists() { Some(itself.to_path_buf()) } else { std::env::current_exe().ok() }
}
