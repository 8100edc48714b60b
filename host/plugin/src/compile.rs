//! From bytes to a component that only has to be instantiated. Slow and blocking, so it is done
//! once a component: in a child process where there is one, and kept in the cache.

mod child;
mod confine;
mod debug_info;
mod make;
mod options;
mod serve;
mod structure;
mod wire;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde::de::DeserializeOwned;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use wasmtime::Engine;
use wasmtime::component::Component;
use wfhost_workflow::{Contract, Digest};

use crate::cache::{Cache, CacheError, EngineId, Found, Kind, Native, NativeId};
use crate::engine::Codegen;
use crate::facts::{ComponentFacts, Unreadable};
use crate::{Error, lanes};
use wire::{Made, Want};

pub use options::{CompileOptions, CompilerProgram};
pub use serve::serve;

pub(crate) use make::{COMPONENT_HEADER, CORE_HEADER, check_size, componentise};

/// Deeply nested code must fail in the compiler's own checks, not end the process.
const STACK_BYTES: usize = 64 << 20;

/// Facts and contracts of another version are made anew.
const RECORDS_MAKER: &str = env!("CARGO_PKG_VERSION");

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
    turns: Arc<Semaphore>,
}

struct Shared {
    options: CompileOptions,
    cache: Option<Cache>,
    /// A disk that is full is said once.
    said_not_kept: AtomicBool,
    /// Why something was not kept last.
    not_kept: Mutex<String>,
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
        let turns = Arc::new(Semaphore::new(options.at_once.max(1)));
        let shared = Shared {
            options,
            cache,
            said_not_kept: AtomicBool::new(false),
            not_kept: Mutex::default(),
        };
        Self { shared: Arc::new(shared), turns }
    }

    /// What the component's binary says of it, from the cache or read anew. Cancel-safe.
    pub(crate) async fn facts(
        &self,
        bytes: Arc<[u8]>,
        digest: Digest,
    ) -> Result<Arc<ComponentFacts>, Error> {
        if let Some(facts) = self.known(Kind::Facts, digest).await {
            return Ok(Arc::new(facts));
        }
        let turn = self.turn().await;
        let shared = Arc::clone(&self.shared);
        let facts = on_thread(false, move || {
            let _turn = turn;
            shared.make_facts(&bytes, digest)
        })
        .await?;
        Ok(Arc::new(facts))
    }

    /// The facts, where the cache has them.
    pub(crate) async fn known_facts(&self, digest: Digest) -> Option<Arc<ComponentFacts>> {
        self.known(Kind::Facts, digest).await.map(Arc::new)
    }

    /// What the component offered when it was asked last.
    pub(crate) async fn contracts(&self, digest: Digest) -> Option<Arc<Vec<Contract>>> {
        self.known(Kind::Contracts, digest).await.map(Arc::new)
    }

    /// Keeps what the component offers.
    pub(crate) async fn keep_contracts(&self, digest: Digest, contracts: Arc<Vec<Contract>>) {
        let shared = Arc::clone(&self.shared);
        let keep = move || match serde_json::to_vec(&*contracts) {
            Ok(json) => shared.keep_record(Kind::Contracts, digest, &json),
            Err(error) => tracing::debug!(%error, "contracts are not kept"),
        };
        if self.shared.cache.is_some()
            && let Err(error) = tokio::task::spawn_blocking(keep).await
        {
            tracing::debug!(%error, "contracts are not kept");
        }
    }

    async fn known<T>(&self, kind: Kind, digest: Digest) -> Option<T>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.shared.cache.as_ref()?;
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || shared.record(kind, digest)).await.ok().flatten()
    }

    /// The component, from the cache or made anew; `gives_way` to what else is running here.
    /// Cancel-safe: what was begun is finished.
    pub(crate) async fn component(
        &self,
        target: &Target,
        bytes: Arc<[u8]>,
        digest: Digest,
        gives_way: bool,
    ) -> Result<Component, Error> {
        if self.shared.cache.is_some() {
            let (shared, target) = (Arc::clone(&self.shared), target.clone());
            if let Some(component) =
                on_thread(false, move || Ok(shared.cached(&target, digest))).await?
            {
                return Ok(component);
            }
        }
        let turn = self.turn().await;
        let (shared, target) = (Arc::clone(&self.shared), target.clone());
        on_thread(gives_way, move || {
            let _turn = turn;
            shared.make(&target, &bytes, digest, gives_way)
        })
        .await
    }

    /// Whether the next process need not compile it; also where nothing is to be kept.
    pub(crate) async fn is_kept(&self, target: &Target, digest: Digest) -> bool {
        if self.shared.cache.is_none() {
            return true;
        }
        let (shared, id) = (Arc::clone(&self.shared), target.native_id(digest));
        let look = move || {
            let found = shared.cache.as_ref().map(|cache| cache.native(&id));
            Ok(matches!(found, Some(Found::Hit(_))))
        };
        on_thread(true, look).await.unwrap_or(false)
    }

    /// Why something was not kept last.
    pub(crate) fn not_kept(&self) -> String {
        self.shared.not_kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Held by the thread that compiles, which goes on when nobody waits for it any more.
    async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // Never closed, so that everybody gets a turn.
        Arc::clone(&self.turns).acquire_owned().await.ok()
    }
}

/// A thread of its own: async threads must not wait, and compiling needs a deep stack. It may
/// give way to all others, whether it compiles itself or only hashes what is compiled.
pub(crate) async fn on_thread<T: Send + 'static>(
    gives_way: bool,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let (done, result) = oneshot::channel();
    thread::Builder::new()
        .name("wfhost-compile".to_owned())
        .stack_size(STACK_BYTES)
        // Nobody waits any more, if the answer cannot be sent.
        .spawn(move || {
            if gives_way {
                lanes::give_way();
            }
            drop(done.send(work()));
        })
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

    fn make(
        &self,
        target: &Target,
        bytes: &[u8],
        digest: Digest,
        gives_way: bool,
    ) -> Result<Component, Error> {
        check_digest(bytes, digest)?;
        let id = target.native_id(digest);
        let patience = self.options.wall.to_std();
        let _turn = self.cache.as_ref().and_then(|cache| cache.turn(&id, patience));
        if let Some(Found::Hit(native)) = self.cache.as_ref().map(|cache| cache.native(&id))
            && let Some(component) = load(&target.engine, &native, digest)
        {
            return Ok(component);
        }
        let Made { native, facts } =
            self.compile(Want::Native(target.codegen), Some(&target.engine), bytes, gives_way)?;
        tracing::debug!(%digest, bytes = native.len(), "compiled");
        if !facts.is_empty() {
            self.keep_record(Kind::Facts, digest, &facts);
        }
        self.keep(&id, &native);
        if let Some(Found::Hit(native)) = self.cache.as_ref().map(|cache| cache.native(&id))
            && let Some(component) = load(&target.engine, &native, digest)
        {
            return Ok(component);
        }
        from_bytes(&target.engine, &native)
    }

    fn make_facts(&self, bytes: &[u8], digest: Digest) -> Result<ComponentFacts, Error> {
        check_digest(bytes, digest)?;
        let Made { facts, .. } = self.compile(Want::Facts, None, bytes, false)?;
        let unreadable = |error: serde_json::Error| Unreadable::Invalid(error.to_string());
        let read = serde_json::from_slice(&facts).map_err(unreadable)?;
        self.keep_record(Kind::Facts, digest, &facts);
        Ok(read)
    }

    fn compile(
        &self,
        want: Want,
        engine: Option<&Engine>,
        bytes: &[u8],
        gives_way: bool,
    ) -> Result<Made, Error> {
        match &self.options.program {
            Some(program) => child::compile(program, &self.options, want, bytes, gives_way),
            None => make::make(want, || Ok(engine.cloned().unwrap_or_default()), bytes),
        }
    }

    fn record<T: DeserializeOwned>(&self, kind: Kind, digest: Digest) -> Option<T> {
        match self.cache.as_ref()?.record(kind, &digest.hex(), RECORDS_MAKER) {
            // What another build of this version wrote may lack something: it is made anew.
            Found::Hit(json) => serde_json::from_slice(&json).ok(),
            Found::Miss => None,
            Found::Refused(why) => {
                let what = kind.name();
                tracing::warn!("the cached {what} of {digest} {why}: they are made anew");
                None
            }
        }
    }

    fn keep_record(&self, kind: Kind, digest: Digest, body: &[u8]) {
        let Some(cache) = &self.cache else { return };
        if let Err(error) = cache.keep_record(kind, &digest.hex(), RECORDS_MAKER, body) {
            self.not_kept(&error);
        }
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
        *self.not_kept.lock().unwrap_or_else(PoisonError::into_inner) = error.to_string();
        if !self.said_not_kept.swap(true, Ordering::Relaxed) {
            tracing::warn!("what is compiled is not kept for the next time: {error}");
        }
    }
}

fn check_digest(bytes: &[u8], digest: Digest) -> Result<(), Error> {
    let found = Digest::of(bytes);
    if found == digest { Ok(()) } else { Err(Error::Digest { wanted: digest, found }) }
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
