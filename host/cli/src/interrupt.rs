//! Ctrl-C and SIGTERM: the first asks to stop cleanly, the second ends the process at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;

/// Whether the user has asked to stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt {
    asked: Arc<AtomicBool>,
}

impl Interrupt {
    /// From now on signals are counted instead of ending the process.
    pub(crate) fn listen() -> Result<Self> {
        let interrupt = Self::default();
        let asked = Arc::clone(&interrupt.asked);
        let failed = |error: std::io::Error| {
            CommandError::store(error).context("could not listen for signals")
        };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(failed)?;
        let (mut ctrl_c, mut terminate) = {
            let _entered = runtime.enter();
            let ctrl_c = signal(SignalKind::interrupt()).map_err(failed)?;
            (ctrl_c, signal(SignalKind::terminate()).map_err(failed)?)
        };
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    loop {
                        // Both branches are cancel safe: they only take a signal.
                        tokio::select! {
                            _ = ctrl_c.recv() => {}
                            _ = terminate.recv() => {}
                        }
                        if asked.swap(true, Ordering::SeqCst) {
                            leave_at_once();
                        }
                    }
                });
            })
            .map_err(failed)?;
        Ok(interrupt)
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    #[cfg(test)]
    pub(crate) fn ask(&self) {
        self.asked.store(true, Ordering::SeqCst);
    }
}

/// What is stored is whole at any moment: nothing needs to be put in order first.
#[expect(clippy::exit, reason = "the second signal means: at once")]
fn leave_at_once() {
    std::process::exit(ExitCode::Interrupted as i32);
}
