//! Ctrl-C and SIGTERM: the first asks to stop cleanly, the second ends the process at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::signal::unix::{SignalKind, signal};

use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;

/// Whether the user has asked to stop.
#[derive(Clone, Default)]
pub(crate) struct Interrupt {
    asked: Arc<AtomicBool>,
    /// What is done before the process ends at once.
    at_once: Arc<OnceLock<Box<dyn Fn() + Send + Sync>>>,
}

impl Interrupt {
    /// From now on signals are counted instead of ending the process.
    pub(crate) fn listen() -> Result<Self> {
        let interrupt = Self::default();
        let (asked, at_once) = (Arc::clone(&interrupt.asked), Arc::clone(&interrupt.at_once));
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
                            at_once.get().inspect(|last| last());
                            leave_at_once();
                        }
                    }
                });
            })
            .map_err(failed)?;
        Ok(interrupt)
    }

    /// `last` is done when the user insists, before the process ends; only the first one counts.
    pub(crate) fn before_leaving(&self, last: impl Fn() + Send + Sync + 'static) {
        let _first = self.at_once.set(Box::new(last));
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
