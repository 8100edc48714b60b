//! Testing steps natively, with `cargo test` and no wasm.
//!
//! Only outside of wasm. A `#[step]` function stays an ordinary function: call it. What it logs,
//! reports and stores goes to this thread's [`Host`] instead of a real one:
//!
//! ```
//! use wfhost_guest::{Context, kv, log, step, testing};
//!
//! #[step]
//! fn count(word: String, context: &Context) -> wfhost_guest::Result<u32> {
//!     log::debug!(attempt = context.attempt; "counting {word}");
//!     let count = kv::get::<u32>(&word)?.unwrap_or(0) + 1;
//!     kv::set(&word, &count)?;
//!     Ok(count)
//! }
//!
//! let host = testing::Host::fresh();
//! host.set("tea", &1);
//! assert_eq!(count("tea".into(), &testing::context()).unwrap(), 2);
//! assert_eq!(host.get::<u32>("tea"), Some(2));
//! assert_eq!(host.log()[0].message, "counting tea");
//! ```
//!
//! [`steps!`](crate::steps) calls a step as the host does, with JSON in and out.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Context;
use crate::log::Level;

/// A context to test with: first attempt, a minute left. Its fields can be changed.
#[must_use]
pub fn context() -> Context {
    Context::for_tests()
}

/// This thread's stand-in for the host.
#[derive(Debug)]
pub struct Host {
    // The state is the thread's, so the handle stays on it.
    thread: PhantomData<*const ()>,
}

impl Host {
    /// Forgets what earlier steps on this thread did.
    #[must_use]
    pub fn fresh() -> Self {
        with(|state| *state = State::default());
        Self { thread: PhantomData }
    }

    /// The lines written so far, in order.
    #[must_use]
    pub fn log(&self) -> Vec<Line> {
        with(|state| state.log.clone())
    }

    /// The newest report.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        with(|state| state.progress.clone())
    }

    /// What is stored under `key`; nothing where it has no value or one of another type.
    #[must_use]
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        with(|state| state.kv.get(key).and_then(|bytes| serde_json::from_slice(bytes).ok()))
    }

    /// Stores a value before the step runs.
    ///
    /// # Panics
    /// If serde cannot write the value as JSON.
    pub fn set<T: Serialize + ?Sized>(&self, key: &str, value: &T) {
        let bytes = serde_json::to_vec(value).expect("a value that can be written as JSON");
        with(|state| state.kv.insert(key.to_owned(), bytes));
    }

    /// Makes writes to the store fail from now on, as they do over its bounds.
    pub fn refuse_writes(&self, message: &str) {
        with(|state| state.writes_refused = Some(message.to_owned()));
    }
}

/// A log line that a step wrote.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Line {
    /// How much it matters.
    pub level: Level,
    /// The formatted message.
    pub message: String,
    /// The named values.
    pub fields: BTreeMap<String, Value>,
}

/// A step's report of how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// How much is done.
    pub done: u64,
    /// Of how much, where that is known.
    pub total: Option<u64>,
    /// What was being done.
    pub message: String,
}

#[derive(Default)]
struct State {
    log: Vec<Line>,
    progress: Option<Progress>,
    kv: BTreeMap<String, Vec<u8>>,
    writes_refused: Option<String>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

fn with<T>(change: impl FnOnce(&mut State) -> T) -> T {
    STATE.with_borrow_mut(change)
}

/// What `crate::host` is outside of wasm.
pub(crate) mod imports {
    use super::{Line, Progress, State, with};
    use crate::log::{Field, Level};
    use crate::{Error, Result};

    pub(crate) fn log(level: Level, message: &str, fields: Vec<Field<'_>>) {
        let field = |field: Field<'_>| {
            (field.name.to_owned(), serde_json::from_str(&field.value).unwrap_or_default())
        };
        let fields = fields.into_iter().map(field).collect();
        with(|state| state.log.push(Line { level, message: message.to_owned(), fields }));
    }

    pub(crate) fn progress(done: u64, total: u64, message: &str) {
        let total = (total > 0).then_some(total);
        with(|state| state.progress = Some(Progress { done, total, message: message.to_owned() }));
    }

    pub(crate) fn kv_get(key: &str) -> Option<Vec<u8>> {
        with(|state| state.kv.get(key).cloned())
    }

    pub(crate) fn kv_set(key: &str, value: &[u8]) -> Result<()> {
        write(|state| {
            state.kv.insert(key.to_owned(), value.to_owned());
        })
    }

    pub(crate) fn kv_delete(key: &str) -> Result<()> {
        write(|state| {
            state.kv.remove(key);
        })
    }

    pub(crate) fn kv_keys(prefix: &str) -> Vec<String> {
        with(|state| state.kv.keys().filter(|key| key.starts_with(prefix)).cloned().collect())
    }

    fn write(change: impl FnOnce(&mut State)) -> Result<()> {
        with(|state| match &state.writes_refused {
            Some(message) => Err(Error::permanent("kv-too-large", message.clone())),
            None => {
                change(state);
                Ok(())
            }
        })
    }
}
