//! From bytes to a component that only has to be instantiated. Slow and blocking, so it is done
//! once a component: in a child process where there is one, and kept in the cache.

mod child;
mod confine;
mod make;
mod options;
mod serve;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tokio::sync::{Semaphore, oneshot};
use wasmtime::Engine;
use wasmtime::component::Component;
use wfhost_workflow::Digest;

use crate::Error;
use crate::cache::{Cache, CacheError, EngineId, Found, Native, NativeId};
use crate::engine::Codegen;

pub use options::{CompileOptions, CompilerProgram};
pub use serve::serve;

pub(crate) use make::{COMPONENT_HEADER, CORE_HEADER, check_size, componentise};

/// Deeply nested code must fail in the compiler's own checks, not end the process.
const STACK_BYTES: usize = 64 << 20;

/// An engine, with what its native code hangs on.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) engine: Engine,
    pub(crate) codegen: Codegen,
    id: EngineId,
}

impl Target {
    pub(crate) fn new(engine: Engine, codegen: Codegen) -> Self {
        let id = EngineId::of(&engine);
        Self { engine, codegen, id }
    }

    fn native_id(&self, digest: Digest) -> NativeId {
        NativeId { digest, shape: self.codegen.shape(), engine: self.id.clone() }
    }
}

/// Makes components ready for an engine.
pub(crate) struct Compiler {
    shared: Arc<Shared>,
    /// Stands before compiling, not before what is in the cache.
    turns: Semaphore,
}

struct Shared {
    options: CompileOptions,
    cache: Option<Cache>,
    /// A disk that is full is said once.
    said_not_kept: AtomicBool,
}

impl Compiler {
    /// Opens the cache; one that cannot be used is said and done without.
    pub(crate) fn new(options: CompileOptions) -> Self {
        let cache = options.cache.as_ref().and_then(|cache| match Cache::open(cache) {
            Ok(cache) => Some(cache),
            Err(error) => {
                tracing::warn!("components are compiled without a cache: {error}");
                None
            }
        });
        let turns = Semaphore::new(options.at_once.max(1));
        let shared = Shared { options, cache, said_not_kept: AtomicBool::new(false) };
        Self { shared: Arc::new(shared), turns }
    }

    /// The component, from the cache or made anew. Cancel-safe: what was begun is finished.
    pub(crate) async fn component(
        &self,
        target: &Target,
        bytes: Arc<[u8]>,
        digest: Digest,
    ) -> Result<Component, Error> {
        if self.shared.cache.is_some() {
            let (shared, target) = (Arc::clone(&self.shared), target.clone());
            if let Some(component) = on_thread(move || Ok(shared.cached(&target, digest))).await? {
                return Ok(component);
            }
        }
        // Never closed, so that this always gets its turn.
        let _turn = self.turns.acquire().await;
        let (shared, target) = (Arc::clone(&self.shared), target.clone());
        on_thread(move || shared.make(&target, &bytes, digest)).await
    }
}

/// A thread of its own: async threads must not wait, and compiling needs a deep stack.
async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let (done, result) = oneshot::channel();
    thread::Builder::new()
        .name("wfhost-compile".to_owned())
        .stack_size(STACK_BYTES)
        // Nobody waits any more, if the answer cannot be sent.
        .spawn(move || drop(done.send(work())))
        .map_err(Error::Thread)?;
    result.await.map_err(|_gone| Error::CompilerPanic(String::new()))?
}

impl Shared {
    fn cached(&self, target: &Target, digest: Digest) -> Option<Component> {
        let cache = self.cache.as_ref()?;
        match cache.native(&target.native_id(digest)) {
            Found::Hit(native) => load(&target.engine, &native, digest),
            Found::Miss => None,
            Found::Refused(why) => {
                tracing::warn!("the cached native code of {digest} {why}: it is compiled anew");
                None
            }
        }
    }

    fn make(&self, target: &Target, bytes: &[u8], digest: Digest) -> Result<Component, Error> {
        let found = Digest::of(bytes);
        if found != digest {
            return Err(Error::Digest { wanted: digest, found });
        }
        let id = target.native_id(digest);
        let patience = self.options.wall.to_std();
        let _turn = self.cache.as_ref().and_then(|cache| cache.turn(&id, patience));
        if let Some(Found::Hit(native)) = self.cache.as_ref().map(|cache| cache.native(&id))
            && let Some(component) = load(&target.engine, &native, digest)
        {
            return Ok(component);
        }
        let artifact = match &self.options.program {
            Some(program) => child::compile(program, &self.options, &target.codegen, bytes)?,
            None => make::native(&target.engine, bytes)?,
        };
        self.keep(&id, &artifact);
        if let Some(Found::Hit(native)) = self.cache.as_ref().map(|cache| cache.native(&id))
            && let Some(component) = load(&target.engine, &native, digest)
        {
            return Ok(component);
        }
        from_bytes(&target.engine, &artifact)
    }

    fn keep(&self, id: &NativeId, artifact: &[u8]) {
        let Some(cache) = &self.cache else { return };
        if artifact.len() as u64 > self.options.cache.as_ref().map_or(0, |cache| cache.size_bytes) {
            tracing::debug!(digest = %id.digest, "the native code is larger than the cache may be");
            return;
        }
        if let Err(error) = cache.keep_native(id, artifact) {
            self.not_kept(&error);
        }
    }

    fn not_kept(&self, error: &CacheError) {
        if !self.said_not_kept.swap(true, Ordering::Relaxed) {
            tracing::warn!("what is compiled is not kept for the next time: {error}");
        }
    }
}

/// From a file whose MAC was right; shared with every process that maps it.
#[expect(unsafe_code, reason = "native code can only be loaded on its maker's word")]
fn load(engine: &Engine, native: &Native, digest: Digest) -> Option<Component> {
    // SAFETY: this wfhost wrote the file, as its MAC says, and nobody else can: its folder and
    // its key are its user's. Nothing of ours changes a file once it is in the cache.
    match unsafe { Component::deserialize_file(engine, native.path()) } {
        Ok(component) => Some(component),
        Err(error) => {
            tracing::warn!("the cached native code of {digest} does not load: {error:#}");
            None
        }
    }
}

/// From what a compiler of this very program has just made.
#[expect(unsafe_code, reason = "native code can only be loaded on its maker's word")]
fn from_bytes(engine: &Engine, artifact: &[u8]) -> Result<Component, Error> {
    // SAFETY: the bytes come from `Engine::precompile_component`, here or in a child process
    // that runs this program, over a pipe that nobody else has.
    unsafe { Component::deserialize(engine, artifact) }
        .map_err(|error| Error::Compile(format!("{error:#}")))
}
