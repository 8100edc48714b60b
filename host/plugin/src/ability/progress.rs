//! How far an attempt has come; only the newest report counts.

use crate::bindings::progress;
use crate::failure::bounded;
use crate::state::AttemptState;

/// One line of a terminal, generously.
const MESSAGE_BYTES_MAX: usize = 512;

impl progress::Host for AttemptState {
    fn report(&mut self, done: u64, total: u64, message: String) -> wasmtime::Result<()> {
        self.log.sink().progress(done, total, bounded(&message, MESSAGE_BYTES_MAX));
        Ok(())
    }
}
