//! How far an attempt has come; only the newest report counts.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, WasmStr};

use crate::failure::bounded;
use crate::state::AttemptState;

/// One line of a terminal, generously.
const MESSAGE_BYTES_MAX: usize = 512;

const PROGRESS: &str = "wfhost:host/progress@0.1.0";

/// Linked by hand: what `bindgen!` makes would copy each message whole before it is cut.
pub(crate) fn link(linker: &mut Linker<AttemptState>) -> wasmtime::Result<()> {
    let report = |store: StoreContextMut<'_, AttemptState>,
                  (done, total, message): (u64, u64, WasmStr)| {
        let message = bounded(&message.to_str(&store)?, MESSAGE_BYTES_MAX);
        store.data().log.sink().progress(done, total, message);
        Ok(())
    };
    linker.instance(PROGRESS)?.func_wrap("report", report)
}
