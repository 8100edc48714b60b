//! The clock tick that makes a running guest look up: one OS thread for all engines.
//!
//! A thread and not a task, so that it ticks while every async thread is busy in a guest.
//! It sleeps while no attempt runs and ends with its owner. Waking it costs as much as a short
//! step, so it goes on ticking for a while after the last one.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::{Engine, EngineWeak};

use crate::Error;

/// How often a guest yields: how late a timeout can be, and how long others wait for it.
const TICK: Duration = Duration::from_millis(1);

/// After so many ticks without an attempt, the thread sleeps until there is one.
const IDLE_TICKS: u32 = 20;

/// Starts and stops the tick.
pub(crate) struct Epochs {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Default)]
struct Shared {
    running: AtomicUsize,
    /// An attempt has begun since the last tick.
    began: AtomicBool,
    /// The thread sleeps, or is about to.
    parked: AtomicBool,
    stopped: AtomicBool,
    engines: Mutex<Vec<EngineWeak>>,
}

impl Shared {
    fn keep_ticking(&self) {
        let mut idle = 0;
        while !self.stopped.load(Ordering::SeqCst) {
            self.tick();
            let busy = self.began.swap(false, Ordering::Relaxed) || self.is_busy();
            idle = if busy { 0 } else { idle + 1 };
            if idle < IDLE_TICKS {
                thread::sleep(TICK);
            } else {
                self.sleep_until_busy();
                idle = 0;
            }
        }
    }

    /// Who enters counts itself first and looks for a sleeper then; here it is the other way
    /// round. So one of the two sees the other, and a wake-up that comes too early is kept for
    /// the `park`.
    fn sleep_until_busy(&self) {
        self.parked.store(true, Ordering::SeqCst);
        if !self.is_busy() && !self.stopped.load(Ordering::SeqCst) {
            thread::park();
        }
        self.parked.store(false, Ordering::SeqCst);
    }

    fn is_busy(&self) -> bool {
        self.running.load(Ordering::SeqCst) > 0
    }

    fn tick(&self) {
        Self::tick_all(&mut self.engines.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Unless somebody else does this very moment.
    fn tick_now(&self) {
        if let Ok(mut engines) = self.engines.try_lock() {
            Self::tick_all(&mut engines);
        }
    }

    fn tick_all(engines: &mut Vec<EngineWeak>) {
        engines.retain(|engine| match engine.upgrade() {
            Some(engine) => {
                engine.increment_epoch();
                true
            }
            None => false,
        });
    }
}

impl Epochs {
    pub(crate) fn start() -> Result<Self, Error> {
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("wfhost-epoch".to_owned())
            .spawn(move || seen.keep_ticking())
            .map_err(Error::Thread)?
            .thread()
            .clone();
        Ok(Self { shared, thread })
    }

    /// Ticks this engine too, as long as it lives.
    pub(crate) fn add(&self, engine: &Engine) {
        let mut engines = self.shared.engines.lock().unwrap_or_else(PoisonError::into_inner);
        engines.push(engine.weak());
    }

    /// Whether an attempt is running.
    pub(crate) fn is_busy(&self) -> bool {
        self.shared.is_busy()
    }

    /// Makes every running guest look up, before the next tick.
    pub(crate) fn interrupt(&self) {
        self.shared.tick_now();
    }

    /// Keeps the tick going until the guard is dropped.
    pub(crate) fn enter(&self) -> Ticking<'_> {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        self.shared.began.store(true, Ordering::Relaxed);
        if self.shared.parked.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Ticking(&self.shared.running)
    }
}

impl Drop for Epochs {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// An attempt is running.
pub(crate) struct Ticking<'a>(&'a AtomicUsize);

impl Drop for Ticking<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether this process still has a thread of that name.
    fn has_thread(name: &str) -> bool {
        std::fs::read_dir("/proc/self/task").unwrap().any(|task| {
            let name_file = task.unwrap().path().join("comm");
            // The thread may end between the two reads.
            std::fs::read_to_string(name_file).is_ok_and(|found| found.trim_end() == name)
        })
    }

    #[test]
    fn the_tick_ends_with_its_owner_even_if_the_engine_lives_on() {
        let engine = Engine::default();
        let epochs = Epochs::start().unwrap();
        epochs.add(&engine);
        drop(epochs.enter());
        drop(epochs);
        while has_thread("wfhost-epoch") {
            thread::yield_now();
        }
    }

    #[test]
    fn a_sleeping_tick_is_woken_by_an_attempt() {
        let epochs = Epochs::start().unwrap();
        for _ in 0..3 {
            while !epochs.shared.parked.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            let _ticking = epochs.enter();
            // Ticks again: it takes notice of who began.
            while epochs.shared.began.load(Ordering::SeqCst) {
                thread::yield_now();
            }
        }
    }

    #[test]
    fn an_engine_that_is_gone_is_forgotten() {
        let shared = Shared::default();
        let (stays, goes) = (Engine::default(), Engine::default());
        shared.engines.lock().unwrap().extend([stays.weak(), goes.weak()]);
        drop(goes);
        shared.tick();
        assert_eq!(shared.engines.lock().unwrap().len(), 1);
    }
}
