//! What a store holds for one attempt; nothing outlives it but the completion.

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::WasiCtx;

use wfhost_workflow::{Limit, Limits};

use crate::ability::StepSink;
use crate::ability::files::OpenFiles;
use crate::ability::grant_dirs::GrantDirs;
use crate::ability::kv::Kv;
use crate::ability::log::LogPipe;
use crate::ability::random::RandomBudget;
use crate::ability::written::Written;
use crate::limits::Meter;
use crate::replay::Replay;

/// The store's data.
pub(crate) struct AttemptState {
    pub(crate) meter: Meter,
    pub(crate) table: ResourceTable,
    /// Made at the guest's first use of WASI: most steps never do, and it costs more
    /// than the rest of the state.
    pub(crate) wasi: Option<Box<WasiCtx>>,
    /// Time and randomness, if they are not real.
    pub(crate) replay: Option<Replay>,
    pub(crate) dirs: GrantDirs,
    pub(crate) log: Arc<LogPipe>,
    pub(crate) kv: Kv,
    pub(crate) random: RandomBudget,
    pub(crate) open_files: OpenFiles,
    pub(crate) written: Arc<Written>,
}

impl AttemptState {
    pub(crate) fn new(
        limits: &Limits,
        sink: Arc<dyn StepSink>,
        kv: Kv,
        replay: Option<Replay>,
    ) -> Self {
        Self {
            meter: Meter::new(limits),
            table: table(limits),
            wasi: None,
            log: Arc::new(LogPipe::new(sink, limits, replay.is_some())),
            replay,
            dirs: GrantDirs::none(),
            kv,
            random: RandomBudget::new(limits),
            open_files: OpenFiles::new(limits),
            written: Arc::new(Written::new(limits)),
        }
    }
}

fn table(limits: &Limits) -> ResourceTable {
    let mut table = ResourceTable::new();
    table.set_max_capacity(usize::try_from(limits[Limit::Handles]).unwrap_or(usize::MAX));
    table
}
