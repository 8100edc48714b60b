//! WASI with everything denied: no files, arguments, environment variables or network.
//! Clocks and randomness are real, or fixed for tests. Granted directories come from
//! [`super::files`].

use std::sync::Arc;

use wasmtime_wasi::{Deterministic, WasiCtx, WasiCtxView, WasiView};

use crate::ability::LogLevel;
use crate::ability::log::LogPipe;
use crate::ability::stdio::LineStream;
use crate::clock::Still;
use crate::host::Fixed;
use crate::state::AttemptState;

impl WasiView for AttemptState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let (log, fixed) = (&self.log, &self.fixed);
        let ctx = self.wasi.get_or_insert_with(|| Box::new(denied(log, fixed.as_ref())));
        WasiCtxView { ctx, table: &mut self.table }
    }
}

fn denied(log: &Arc<LogPipe>, fixed: Option<&Fixed>) -> WasiCtx {
    let mut builder = WasiCtx::builder();
    builder
        .stdout(LineStream::new(Arc::clone(log), LogLevel::Info))
        .stderr(LineStream::new(Arc::clone(log), LogLevel::Warn))
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        // Counted by [`super::random`].
        .max_random_size(u64::MAX);
    if let Some(fixed) = fixed {
        let seed = fixed.seed.to_be_bytes().to_vec();
        builder
            .wall_clock(Still(fixed.now))
            .monotonic_clock(Still(fixed.now))
            .secure_random(Deterministic::new(seed.clone()))
            .insecure_random(Deterministic::new(seed))
            .insecure_random_seed(u128::from(fixed.seed));
    }
    builder.build()
}
