//! Random bytes, counted over the attempt: WASI's own bound is for one call.

use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::WasiView as _;
use wasmtime_wasi::p2::bindings::random::{insecure, random};
use wfhost_workflow::{Limit, Limits};

use crate::limits::OverLimit;
use crate::state::AttemptState;

/// Replaces what wasmtime-wasi has linked before.
pub(crate) fn link(linker: &mut Linker<AttemptState>) -> wasmtime::Result<()> {
    random::add_to_linker::<_, HasSelf<AttemptState>>(linker, |state| state)?;
    insecure::add_to_linker::<_, HasSelf<AttemptState>>(linker, |state| state)
}

/// They are made in the host's memory first.
const CALL_BYTES_MAX: u64 = 16 << 20;

/// What is left for the attempt.
pub(crate) struct RandomBudget {
    used: u64,
    max: u64,
}

impl RandomBudget {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { used: 0, max: limits[Limit::Random] }
    }

    fn take(&mut self, bytes: u64) -> Result<(), OverLimit> {
        if bytes > CALL_BYTES_MAX {
            let show = |bytes| Limit::Random.show(bytes);
            let (asked, most) = (show(bytes), show(CALL_BYTES_MAX));
            let what = format!("the step asked for {asked} in one call, of at most {most}");
            return Err(OverLimit::new(Limit::Random, self.max, what));
        }
        self.used = self.used.saturating_add(bytes);
        if self.used <= self.max {
            return Ok(());
        }
        let what = format!("the step asked for {} in all", Limit::Random.show(self.used));
        Err(OverLimit::new(Limit::Random, self.max, what))
    }
}

impl AttemptState {
    /// Bytes of the attempt's own stream, where the same input must give the same bytes.
    fn replayed(&mut self, len: u64, is_secure: bool) -> Option<Vec<u8>> {
        let replay = self.replay.as_mut()?;
        let stream = if is_secure { &mut replay.random } else { &mut replay.insecure };
        let mut bytes = vec![0; usize::try_from(len).ok()?];
        stream.fill(&mut bytes);
        Some(bytes)
    }

    fn replayed_u64(&mut self, is_secure: bool) -> Option<u64> {
        let bytes = self.replayed(8, is_secure)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    }
}

impl random::Host for AttemptState {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.random.take(len)?;
        match self.replayed(len, true) {
            Some(bytes) => Ok(bytes),
            None => random::Host::get_random_bytes(self.ctx().ctx.random(), len),
        }
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.random.take(8)?;
        match self.replayed_u64(true) {
            Some(number) => Ok(number),
            None => random::Host::get_random_u64(self.ctx().ctx.random()),
        }
    }
}

impl insecure::Host for AttemptState {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.random.take(len)?;
        match self.replayed(len, false) {
            Some(bytes) => Ok(bytes),
            None => insecure::Host::get_insecure_random_bytes(self.ctx().ctx.random(), len),
        }
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.random.take(8)?;
        match self.replayed_u64(false) {
            Some(number) => Ok(number),
            None => insecure::Host::get_insecure_random_u64(self.ctx().ctx.random()),
        }
    }
}
