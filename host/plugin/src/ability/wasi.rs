//! WASI with everything denied: no files, arguments, environment variables or network.
//! Clocks and randomness are real, or those of a [`Replay`]. Granted directories come from
//! [`super::files`].

use std::sync::Arc;

use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::ability::LogLevel;
use crate::ability::log::LogPipe;
use crate::ability::stdio::LineStream;
use crate::replay::Replay;
use crate::state::AttemptState;

impl WasiView for AttemptState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let (log, replay) = (&self.log, &self.replay);
        let ctx = self.wasi.get_or_insert_with(|| Box::new(denied(log, replay.as_ref())));
        WasiCtxView { ctx, table: &mut self.table }
    }
}

fn denied(log: &Arc<LogPipe>, replay: Option<&Replay>) -> WasiCtx {
    let mut builder = WasiCtx::builder();
    builder
        .stdout(LineStream::new(Arc::clone(log), LogLevel::Info))
        .stderr(LineStream::new(Arc::clone(log), LogLevel::Warn))
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        // Counted by [`super::random`].
        .max_random_size(u64::MAX);
    if let Some(replay) = replay {
        builder
            .wall_clock(replay.clock.clone())
            .monotonic_clock(replay.clock.clone())
            .insecure_random_seed(replay.insecure_seed);
    }
    builder.build()
}
