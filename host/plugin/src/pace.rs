//! Holds an attempt to its wall clock and to its computing time.
//!
//! A guest gives its thread up at each tick, so both are looked at each time it is given
//! one: it needs no timer, and so no free thread. What waits in the host is not asked
//! here: a timer around the attempt ends that.

use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::clock;

/// What ended an attempt from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exceeded {
    /// Its wall clock.
    Wall,
    /// Its computing time.
    Cpu,
}

/// Until when, and how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) deadline: Option<Instant>,
    pub(crate) cpu: Duration,
}

/// Runs `attempt` as long as it keeps the pace; cancel-safe.
///
/// Its first turn is not counted: that is one tick at most, and most attempts have no second.
pub(crate) async fn kept<T>(pace: Pace, attempt: impl Future<Output = T>) -> Result<T, Exceeded> {
    let mut attempt = pin!(attempt);
    let mut left = pace.cpu;
    let mut first = true;
    std::future::poll_fn(|context| {
        let before = (!std::mem::take(&mut first)).then(clock::thread_cpu);
        if let Poll::Ready(answer) = attempt.as_mut().poll(context) {
            return Poll::Ready(Ok(answer));
        }
        if let Some(before) = before {
            left = left.saturating_sub(clock::thread_cpu().saturating_sub(before));
        }
        if left.is_zero() {
            return Poll::Ready(Err(Exceeded::Cpu));
        }
        if pace.deadline.is_some_and(|deadline| clock::now() >= deadline) {
            return Poll::Ready(Err(Exceeded::Wall));
        }
        Poll::Pending
    })
    .await
}
