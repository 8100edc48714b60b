//! What a guest sees instead of time and randomness where the same input must give the
//! same bytes.
//!
//! The wall clock begins where it is set and the monotonic clock at zero; both stand still
//! but for the guest's own sleeps, which take no time and move them on. Random bytes are a
//! stream derived from a seed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::clocks::WasiClocksView as _;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock};
use wfhost_workflow::TimestampMs;

use crate::StepContext;
use crate::host::Fixed;
use crate::state::AttemptState;

/// Time and randomness of one attempt.
pub(crate) struct Replay {
    pub(crate) clock: VirtualClock,
    pub(crate) random: blake3::OutputReader,
    pub(crate) insecure: blake3::OutputReader,
    pub(crate) insecure_seed: u128,
}

impl Replay {
    pub(crate) fn fixed(fixed: &Fixed) -> Self {
        Self::seeded(fixed.now, &fixed.seed.to_be_bytes())
    }

    /// The same for the same run, step, index and attempt, and for nothing else: the clock
    /// shows when the run was started.
    pub(crate) fn of_attempt(context: &StepContext) -> Self {
        let StepContext { run, step, index, attempt, .. } = context;
        let run = run.to_bytes();
        let mut seed = run.to_vec();
        seed.extend(attempt.0.to_be_bytes());
        seed.extend(index.map_or(-1, i64::from).to_be_bytes());
        seed.extend(step.as_bytes());
        // The first 48 bits of a run's id are the milliseconds of its start.
        let now = u64::from_be_bytes([0, 0, run[0], run[1], run[2], run[3], run[4], run[5]]);
        Self::seeded(TimestampMs(now), &seed)
    }

    fn seeded(now: TimestampMs, seed: &[u8]) -> Self {
        let stream = |purpose| blake3::Hasher::new_derive_key(purpose).update(seed).finalize_xof();
        let mut first = [0; 16];
        stream("wfhost 0.1 insecure seed").fill(&mut first);
        Self {
            clock: VirtualClock { start: now, passed_ns: Arc::default() },
            random: stream("wfhost 0.1 random bytes"),
            insecure: stream("wfhost 0.1 insecure random bytes"),
            insecure_seed: u128::from_be_bytes(first),
        }
    }
}

/// Moves only when a guest sleeps.
#[derive(Clone)]
pub(crate) struct VirtualClock {
    start: TimestampMs,
    passed_ns: Arc<AtomicU64>,
}

impl VirtualClock {
    fn passed_ns(&self) -> u64 {
        self.passed_ns.load(Ordering::Relaxed)
    }
}

impl HostWallClock for VirtualClock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.start.0) + Duration::from_nanos(self.passed_ns())
    }
}

impl HostMonotonicClock for VirtualClock {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        self.passed_ns()
    }
}

/// A sleep that ends at once, and has moved the clock on by then.
struct Sleep {
    clock: VirtualClock,
    until_ns: u64,
}

#[wasmtime_wasi::async_trait]
impl Pollable for Sleep {
    async fn ready(&mut self) {
        // A guest that sleeps for ever must still give its thread up.
        tokio::task::yield_now().await;
        self.clock.passed_ns.fetch_max(self.until_ns, Ordering::Relaxed);
    }
}

/// Replaces what wasmtime-wasi has linked before.
pub(crate) fn link(linker: &mut Linker<AttemptState>) -> wasmtime::Result<()> {
    monotonic_clock::add_to_linker::<_, HasSelf<AttemptState>>(linker, |state| state)
}

impl AttemptState {
    fn virtual_sleep(
        &mut self,
        until_ns: impl FnOnce(u64) -> u64,
    ) -> Option<wasmtime::Result<Resource<DynPollable>>> {
        let clock = self.replay.as_ref()?.clock.clone();
        let until_ns = until_ns(clock.passed_ns());
        let pushed = self.table.push(Sleep { clock, until_ns }).map_err(wasmtime::Error::from);
        Some(pushed.and_then(|sleep| subscribe(&mut self.table, sleep)))
    }
}

impl monotonic_clock::Host for AttemptState {
    fn now(&mut self) -> wasmtime::Result<u64> {
        monotonic_clock::Host::now(&mut self.clocks())
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        monotonic_clock::Host::resolution(&mut self.clocks())
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        match self.virtual_sleep(|_now| when) {
            Some(sleep) => sleep,
            None => monotonic_clock::Host::subscribe_instant(&mut self.clocks(), when),
        }
    }

    fn subscribe_duration(&mut self, span: u64) -> wasmtime::Result<Resource<DynPollable>> {
        match self.virtual_sleep(|now| now.saturating_add(span)) {
            Some(sleep) => sleep,
            None => monotonic_clock::Host::subscribe_duration(&mut self.clocks(), span),
        }
    }
}
