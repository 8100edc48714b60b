//! Who may begin: as many attempts as there are slots, and together no more memory than
//! the budget, counted by what each is granted and not by what it happens to use.
//!
//! In the order of arrival, so that a large one is not overtaken for ever. One that is
//! larger than the whole budget runs when nothing else does.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use wfhost_workflow::{DurationMs, Failure, FailureKind, Limit};

use crate::machine;

/// How many attempts wait at most. A worker is sent only as many as it has slots, so this
/// is far more than ever wait in ordinary use.
const QUEUE_MAX: usize = 10_000;

/// How long an attempt waits for its turn at most.
const QUEUE_PATIENCE: Duration = Duration::from_secs(30 * 60);

/// How attempts are admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmissionOptions {
    /// What all attempts together may be granted; without it, most of what the machine or
    /// its control group has.
    pub memory_bytes: Option<u64>,
    /// Attempts that may wait.
    pub queue_max: usize,
    /// How long one waits at most.
    pub patience: Duration,
}

impl Default for AdmissionOptions {
    fn default() -> Self {
        Self { memory_bytes: None, queue_max: QUEUE_MAX, patience: QUEUE_PATIENCE }
    }
}

/// Stands before everything that an attempt takes; clones share it.
#[derive(Clone)]
pub(crate) struct Admission {
    shared: Arc<Shared>,
}

struct Shared {
    budget_bytes: u64,
    slots: u32,
    queue_max: usize,
    patience: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: u32,
    granted_bytes: u64,
    queue: VecDeque<Waiting>,
}

struct Waiting {
    bytes: u64,
    admitted: oneshot::Sender<Place>,
}

/// An attempt that was admitted; dropping this lets the next ones in.
pub(crate) struct Place {
    /// `None` if it was given back in another way.
    shared: Option<Arc<Shared>>,
    bytes: u64,
}

impl Admission {
    pub(crate) fn new(slots: u32, options: AdmissionOptions) -> Self {
        let budget_bytes = options.memory_bytes.unwrap_or_else(machine::most_of_memory);
        let AdmissionOptions { queue_max, patience, memory_bytes: _ } = options;
        let (slots, state) = (slots.max(1), Mutex::default());
        Self { shared: Arc::new(Shared { budget_bytes, slots, queue_max, patience, state }) }
    }

    /// Waits until an attempt that is granted `bytes` may begin; `waits` is called first if
    /// it has to. Cancel-safe: one that is dropped gives its turn to the next.
    pub(crate) async fn enter(
        &self,
        bytes: u64,
        waits: impl FnOnce(Duration) + Send,
    ) -> Result<Place, Failure> {
        let shared = &self.shared;
        let bytes = bytes.min(shared.budget_bytes);
        let admitted = {
            let mut state = shared.state();
            // One that nobody waits for any more must not stand before this one.
            state.queue.retain(|waiting| !waiting.admitted.is_closed());
            if state.queue.is_empty() && shared.fits(&state, bytes) {
                return Ok(shared.admit(&mut state, bytes));
            }
            if state.queue.len() >= shared.queue_max {
                return Err(shared.refused("queue_full", bytes, &state, "too many wait already"));
            }
            let (sender, admitted) = oneshot::channel();
            state.queue.push_back(Waiting { bytes, admitted: sender });
            admitted
        };
        waits(shared.patience);
        let _next = LetNextIn(shared);
        match timeout(shared.patience, admitted).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_closed)) => {
                Err(Failure::new(FailureKind::Host, "closed", "the plugin host is closed"))
            }
            Err(_elapsed) => {
                let patience = u64::try_from(shared.patience.as_millis()).unwrap_or(u64::MAX);
                let why = format!("its turn did not come within {}", DurationMs(patience));
                Err(shared.refused("queue_deadline", bytes, &shared.state(), &why))
            }
        }
    }
}

/// When somebody stops waiting, who stands behind may fit.
struct LetNextIn<'a>(&'a Arc<Shared>);

impl Drop for LetNextIn<'_> {
    fn drop(&mut self) {
        self.0.let_in();
    }
}

impl Shared {
    fn fits(&self, state: &State, bytes: u64) -> bool {
        state.running < self.slots && state.granted_bytes.saturating_add(bytes) <= self.budget_bytes
    }

    fn admit(self: &Arc<Self>, state: &mut State, bytes: u64) -> Place {
        state.running += 1;
        state.granted_bytes += bytes;
        Place { shared: Some(Arc::clone(self)), bytes }
    }

    /// Admits from the front as long as it fits.
    fn let_in(self: &Arc<Self>) {
        let mut state = self.state();
        while let Some(first) = state.queue.front() {
            let gone = first.admitted.is_closed();
            if !gone && !self.fits(&state, first.bytes) {
                return;
            }
            let Some(first) = state.queue.pop_front() else { return };
            if gone {
                continue;
            }
            let place = self.admit(&mut state, first.bytes);
            if let Err(mut refused) = first.admitted.send(place) {
                // It has gone this moment; `drop` would want the lock that is held here.
                refused.shared = None;
                state.give_back(refused.bytes);
            }
        }
    }

    fn refused(&self, code: &str, bytes: u64, state: &State, why: &str) -> Failure {
        let show = |bytes| Limit::Memory.show(bytes);
        let message = format!(
            "the step was not begun: it needs a slot and {} of memory, and {why} ({} of {} slots \
             and {} of {} are taken, {} wait); more room: `slots` or `memory` of `[pool]` in \
             config.toml, or a lower `limits.memory` in the workflow",
            show(bytes),
            state.running,
            self.slots,
            show(state.granted_bytes),
            show(self.budget_bytes),
            state.queue.len(),
        );
        Failure::new(FailureKind::Host, code, message)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Valid between any two statements: a panic elsewhere leaves it usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn give_back(&mut self, bytes: u64) {
        self.running = self.running.saturating_sub(1);
        self.granted_bytes = self.granted_bytes.saturating_sub(bytes);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            shared.state().give_back(self.bytes);
            shared.let_in();
        }
    }
}

#[cfg(test)]
mod tests;
