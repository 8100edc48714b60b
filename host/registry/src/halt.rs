//! Ends what is under way: when somebody stops it, or when it takes too long as a whole.
//!
//! A thread of its own looks on while requests block, and shuts their connections down.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::clock;
use crate::error::Error;
use crate::options::Options;

/// How often is looked whether somebody has stopped it.
const LOOK: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    UnderWay,
    Cancelled,
    TookTooLong,
    Ended,
}

/// Whether to go on.
pub(crate) struct Halt {
    state: Arc<(Mutex<State>, Condvar)>,
    total_limit: Duration,
}

impl Halt {
    /// Looks on until it is dropped; `stop` is called at most once.
    pub(crate) fn watch(options: &Options, stop: impl FnOnce() + Send + 'static) -> Self {
        let state = Arc::new((Mutex::new(State::UnderWay), Condvar::new()));
        let halt = Self { state: Arc::clone(&state), total_limit: options.total_limit };
        let watch = Arc::clone(&options.watch);
        let deadline = clock::now().checked_add(options.total_limit);
        // Without the thread each request still ends by its own limits.
        let _started =
            std::thread::Builder::new().name("registry-halt".to_owned()).spawn(move || {
                if look(&state, deadline, || watch.is_cancelled()) {
                    stop();
                }
            });
        halt
    }

    /// An error if it is to end.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match *self.state.0.lock().unwrap_or_else(PoisonError::into_inner) {
            State::UnderWay | State::Ended => Ok(()),
            State::Cancelled => Err(Error::Cancelled),
            State::TookTooLong => Err(Error::TookTooLong { limit: self.total_limit }),
        }
    }

    /// Waits, or ends.
    pub(crate) fn pause(&self, span: Duration) -> Result<(), Error> {
        let (state, changed) = &*self.state;
        let guard = state.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(guard, span, |state| *state == State::UnderWay);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        self.check()
    }
}

impl Drop for Halt {
    fn drop(&mut self) {
        let (state, changed) = &*self.state;
        *state.lock().unwrap_or_else(PoisonError::into_inner) = State::Ended;
        changed.notify_all();
    }
}

/// Until it has ended; whether it is to be stopped.
fn look(
    shared: &(Mutex<State>, Condvar),
    deadline: Option<Instant>,
    is_cancelled: impl Fn() -> bool,
) -> bool {
    let (state, changed) = shared;
    let mut guard = state.lock().unwrap_or_else(PoisonError::into_inner);
    while *guard == State::UnderWay {
        let next = if is_cancelled() {
            State::Cancelled
        } else if deadline.is_some_and(|deadline| clock::now() >= deadline) {
            State::TookTooLong
        } else {
            let waited = changed.wait_timeout(guard, LOOK).unwrap_or_else(PoisonError::into_inner);
            guard = waited.0;
            continue;
        };
        *guard = next;
        changed.notify_all();
        return true;
    }
    false
}
