//! What is asked for once, by whoever asks first: all who wait meanwhile get the same answer.

use std::sync::OnceLock;
use std::time::Instant;

use tokio::sync::Mutex;

use crate::clock;

/// A success is kept. A failure is the answer of all who asked before it was known; who asks
/// later tries again.
pub(crate) struct OneAnswer<T, E> {
    known: OnceLock<T>,
    failed: Mutex<Option<Failed<E>>>,
}

struct Failed<E> {
    at: Instant,
    error: E,
}

impl<T, E> Default for OneAnswer<T, E> {
    fn default() -> Self {
        Self { known: OnceLock::new(), failed: Mutex::new(None) }
    }
}

impl<T: Clone, E: Clone> OneAnswer<T, E> {
    /// The answer. Cancel-safe: if who asks is dropped, the next one who waits asks.
    pub(crate) async fn get(&self, ask: impl AsyncFnOnce() -> Result<T, E>) -> Result<T, E> {
        if let Some(known) = self.known.get() {
            return Ok(known.clone());
        }
        let began = clock::now();
        let mut failed = self.failed.lock().await;
        if let Some(known) = self.known.get() {
            return Ok(known.clone());
        }
        if let Some(Failed { at, error }) = &*failed
            && *at >= began
        {
            return Err(error.clone());
        }
        match ask().await {
            Ok(answer) => Ok(self.known.get_or_init(|| answer).clone()),
            Err(error) => {
                *failed = Some(Failed { at: clock::now(), error: error.clone() });
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn who_waits_gets_the_failure_and_who_comes_later_asks_again() {
        let (one, asked) = (OneAnswer::default(), Cell::new(0));
        let ask = async || {
            asked.set(asked.get() + 1);
            tokio::task::yield_now().await;
            if asked.get() < 2 { Err("no") } else { Ok("yes") }
        };
        let both = tokio::join!(one.get(ask), one.get(ask));
        assert_eq!((both, asked.get()), ((Err("no"), Err("no")), 1));
        // The clock has to go on for this one to come later.
        let now = clock::now();
        while clock::now() == now {}
        let both = tokio::join!(one.get(ask), one.get(ask));
        assert_eq!((both, asked.get()), ((Ok("yes"), Ok("yes")), 2));
    }
}
