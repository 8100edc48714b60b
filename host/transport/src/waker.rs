//! How other threads wake the thread that waits on a link.
//!
//! Waking twice before the thread looks is the same as waking once. While the thread is awake, a
//! wake costs two atomic operations and no system call.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{EventfdFlags, eventfd};

use crate::Error;

/// Makes the `poll` of a link return; shared by any number of threads.
///
/// Put what the woken thread has to see in place first, then wake.
#[derive(Debug, Clone)]
pub struct Waker {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Somebody called `wake` since the thread last looked.
    rung: AtomicBool,
    /// The thread is waiting, or about to: only the descriptor reaches it.
    asleep: AtomicBool,
    descriptor: OwnedFd,
}

impl Waker {
    /// Makes the link's thread return from `poll`, now or when it next calls it.
    pub fn wake(&self) {
        // Both are SeqCst, as in `Bell::before_wait`: either the thread sees `rung` before it
        // waits, or this sees `asleep`.
        self.shared.rung.store(true, Ordering::SeqCst);
        if self.shared.asleep.swap(false, Ordering::SeqCst) {
            // Fails only if the counter is full, and then the thread is woken anyway.
            let _full = rustix::io::write(&self.shared.descriptor, &1_u64.to_ne_bytes());
        }
    }
}

/// The waiting end of a [`Waker`].
#[derive(Debug)]
pub(crate) struct Bell {
    shared: Arc<Shared>,
}

impl Bell {
    pub(crate) fn new() -> Result<(Self, Waker), Error> {
        let descriptor = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|source| Error::system("make an eventfd", source))?;
        let shared = Arc::new(Shared {
            rung: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            descriptor,
        });
        Ok((Self { shared: Arc::clone(&shared) }, Waker { shared }))
    }

    pub(crate) fn waker(&self) -> Waker {
        Waker { shared: Arc::clone(&self.shared) }
    }

    /// Whether somebody rang since this was last asked.
    pub(crate) fn take(&self) -> bool {
        self.shared.rung.load(Ordering::Relaxed) && self.shared.rung.swap(false, Ordering::SeqCst)
    }

    /// Whether the thread may wait on [`Self::descriptor`] now; if so, call [`Self::after_wait`].
    pub(crate) fn before_wait(&self) -> bool {
        self.shared.asleep.store(true, Ordering::SeqCst);
        if self.shared.rung.load(Ordering::SeqCst) {
            self.shared.asleep.store(false, Ordering::SeqCst);
            return false;
        }
        true
    }

    pub(crate) fn after_wait(&self, readable: bool) {
        self.shared.asleep.store(false, Ordering::SeqCst);
        if readable {
            // Nothing to read: a waker that has decided to write has not done so yet. The next
            // wait then ends at once, with nothing to do.
            let _empty = rustix::io::read(&self.shared.descriptor, &mut [0_u8; 8]);
        }
    }

    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.shared.descriptor.as_fd()
    }
}
