//! What a store holds for one attempt; nothing outlives it but the completion.

use std::sync::Arc;
use std::time::Instant;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::WasiCtx;

use wfhost_workflow::Limits;

use crate::ability::StepSink;
use crate::ability::grant_dirs::GrantDirs;
use crate::ability::kv::Kv;
use crate::ability::log::LogPipe;
use crate::host::Fixed;
use crate::limits::Meter;

/// Files, streams, timers and the like that a guest may hold at once: each file is a
/// descriptor of this process, of which it may have as few as 1024.
pub(crate) const HANDLES_MAX: usize = 256;

/// Raised in a guest that computes past its deadline.
#[derive(Debug, thiserror::Error)]
#[error("the attempt's timeout has passed")]
pub(crate) struct TimedOut;

/// The store's data.
pub(crate) struct AttemptState {
    pub(crate) meter: Meter,
    pub(crate) table: ResourceTable,
    /// Made at the guest's first use of WASI: most steps never do, and it costs more
    /// than the rest of the state.
    pub(crate) wasi: Option<Box<WasiCtx>>,
    pub(crate) fixed: Option<Fixed>,
    pub(crate) dirs: GrantDirs,
    pub(crate) log: Arc<LogPipe>,
    pub(crate) kv: Kv,
    pub(crate) deadline: Option<Instant>,
}

impl AttemptState {
    pub(crate) fn new(limits: &Limits, sink: Arc<dyn StepSink>, kv: Kv) -> Self {
        Self {
            meter: Meter::new(limits),
            table: table(),
            wasi: None,
            fixed: None,
            dirs: GrantDirs::none(),
            log: Arc::new(LogPipe::new(sink, limits.log_bytes)),
            kv,
            deadline: None,
        }
    }
}

fn table() -> ResourceTable {
    let mut table = ResourceTable::new();
    table.set_max_capacity(HANDLES_MAX);
    table
}
