//! Which threads a guest computes on.
//!
//! An attempt begins on its caller's async threads. One that has computed for longer than
//! [`SHORT`] goes on in the long lane: threads of its own that give way to every other
//! thread of this process. So a guest that computes for ever costs the steps beside it one
//! turn and not a processor. A step that was long the last time, or that the sandbox had to
//! end, begins there.

use std::cell::Cell;
use std::collections::HashSet;
use std::future::poll_fn;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use wfhost_workflow::{Failure, FailureKind};

use crate::clock;

mod priority;
mod room;

pub(crate) use priority::give_way;
pub(crate) use room::Announced;
use room::Room;

/// What an attempt may compute, in processor time, before it has to give way. A step of
/// Rust takes a tenth of it.
const SHORT: Duration = Duration::from_millis(1);

/// Steps of one plugin that are remembered as long ones.
const LONG_STEPS_MAX: usize = 1000;

thread_local! {
    /// The attempt that is polled wants to go on in the long lane.
    static WANTS_LONG: Cell<bool> = const { Cell::new(false) };
}

/// Before work that takes long and cannot be interrupted: the attempt that awaits this goes
/// on in the long lane.
pub(crate) async fn go_on_in_the_long_lane() {
    WANTS_LONG.set(true);
    tokio::task::yield_now().await;
}

/// An attempt as the lanes see it: it may change threads whenever it is not polled.
pub(crate) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The steps of one plugin whose last attempt was long.
#[derive(Default)]
pub(crate) struct LongSteps(Mutex<HashSet<String>>);

impl LongSteps {
    fn has(&self, step: &str) -> bool {
        self.steps().contains(step)
    }

    fn learn(&self, step: &str) {
        let mut steps = self.steps();
        if steps.len() < LONG_STEPS_MAX && !steps.contains(step) {
            steps.insert(step.to_owned());
        }
    }

    fn forget(&self, step: &str) {
        self.steps().remove(step);
    }

    fn steps(&self) -> MutexGuard<'_, HashSet<String>> {
        // Valid between any two statements: a panic elsewhere leaves it usable.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The long lane of one host; its threads start with its first long attempt.
#[derive(Default)]
pub(crate) struct Lanes {
    long: OnceLock<Runtime>,
    /// Nanoseconds that attempts computed on the callers' threads.
    short_nanos: Arc<AtomicU64>,
    room: Arc<Room>,
}

impl Lanes {
    /// Makes room for an attempt of `step` that is about to begin on its caller's threads,
    /// until that has had a turn; `interrupt` ends the turns of guests.
    pub(crate) fn announce(
        &self,
        known: &LongSteps,
        step: &str,
        interrupt: impl FnOnce(),
    ) -> Option<Announced> {
        (!known.has(step)).then(|| self.room.announce(interrupt))
    }

    /// Runs an attempt of `step` to its end, on the threads that suit it. Dropping the
    /// future stops the attempt: at once, or at its next tick in the long lane.
    ///
    /// # Errors
    /// A failure of the host's, if the long lane cannot be started or has ended.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        known: &LongSteps,
        step: &str,
        attempt: Boxed<Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let mut attempt = Counted { attempt, spent: Duration::ZERO };
        if !known.has(step) {
            let ended = attempt.while_short().await;
            let nanos = u64::try_from(attempt.spent.as_nanos()).unwrap_or(u64::MAX);
            self.short_nanos.fetch_add(nanos, Ordering::Relaxed);
            if ended.as_ref().is_none_or(|ended| is_long(ended, attempt.spent)) {
                known.learn(step);
            }
            if let Some(ended) = ended {
                return ended;
            }
        }
        let (short_nanos, room) = (Arc::clone(&self.short_nanos), Arc::clone(&self.room));
        let moved = self.long()?.spawn(async move {
            let turn = |context: &mut Context<'_>| {
                let turn = room.turn(priority::gives_way());
                let polled = attempt.poll(context);
                drop(turn);
                priority::review(&short_nanos);
                polled
            };
            let ended = poll_fn(turn).await;
            (ended, attempt.spent)
        });
        let (ended, spent) = Moved(moved).ended().await?;
        // Half of it, so that a step on the border does not change lanes each time.
        if !is_long(&ended, spent * 2) {
            known.forget(step);
        }
        ended
    }

    fn long(&self) -> Result<&Runtime, Failure> {
        if let Some(long) = self.long.get() {
            return Ok(long);
        }
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let made = Builder::new_multi_thread()
            .worker_threads(processors)
            .thread_name("wfhost-long")
            .on_thread_start(priority::give_way)
            .enable_all()
            .build()
            .map_err(|error| closed(&format!("cannot start threads: {error}")))?;
        if let Err(second) = self.long.set(made) {
            second.shutdown_background();
        }
        self.long.get().ok_or_else(|| closed("the long lane has ended"))
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        // An async thread, which may be what drops this, must not wait.
        if let Some(long) = self.long.take() {
            long.shutdown_background();
        }
    }
}

/// Whether the next attempt of this step had better begin in the long lane.
fn is_long<T>(ended: &Result<T, Failure>, spent: Duration) -> bool {
    let misbehaved = ended.as_ref().is_err_and(|failure| match failure.kind {
        FailureKind::Limit | FailureKind::Trap | FailureKind::Timeout => true,
        FailureKind::Retryable
        | FailureKind::Permanent
        | FailureKind::InvalidInput
        | FailureKind::Denied
        | FailureKind::Host
        | FailureKind::Expression => false,
    });
    misbehaved || spent >= SHORT
}

/// An attempt with the processor time for which it was polled. Wall clock would count the
/// other programs of a busy machine.
struct Counted<T> {
    attempt: Boxed<T>,
    spent: Duration,
}

impl<T> Counted<T> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<T> {
        let began = clock::thread_cpu();
        let polled = self.attempt.as_mut().poll(context);
        self.spent += clock::thread_cpu().saturating_sub(began);
        polled
    }

    /// The attempt's end, or nothing as soon as it has taken too long. It cannot be
    /// stopped within a poll: each tick of the epoch ends one.
    async fn while_short(&mut self) -> Option<T> {
        let turn = |context: &mut Context<'_>| {
            let polled = self.poll(context);
            let is_long = WANTS_LONG.take() || self.spent >= SHORT;
            match polled {
                Poll::Ready(ended) => Poll::Ready(Some(ended)),
                Poll::Pending if is_long => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        };
        poll_fn(turn).await
    }
}

/// An attempt in the long lane; dropping this stops it.
struct Moved<T>(JoinHandle<T>);

impl<T> Moved<T> {
    async fn ended(mut self) -> Result<T, Failure> {
        match (&mut self.0).await {
            Ok(ended) => Ok(ended),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_cancelled) => Err(closed("the plugin host is closed")),
            },
        }
    }
}

impl<T> Drop for Moved<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn closed(why: &str) -> Failure {
    Failure::new(FailureKind::Host, "closed", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread() -> String {
        thread::current().name().unwrap_or_default().to_owned()
    }

    /// Computes for `turns` turns that are each too long, and says where it ended.
    fn computes(turns: u32) -> Boxed<Result<String, Failure>> {
        Box::pin(async move {
            for _ in 0..turns {
                let began = clock::thread_cpu();
                while clock::thread_cpu() < began + SHORT {
                    std::hint::spin_loop();
                }
                tokio::task::yield_now().await;
            }
            Ok(thread())
        })
    }

    #[tokio::test]
    async fn a_long_attempt_moves_and_its_step_is_remembered_until_it_is_short_again() {
        let (lanes, known) = (Lanes::default(), LongSteps::default());
        assert_ne!(lanes.run(&known, "a", computes(0)).await.unwrap(), "wfhost-long");
        assert!(lanes.long.get().is_none(), "no thread before it is needed");
        assert_eq!(lanes.run(&known, "a", computes(1)).await.unwrap(), "wfhost-long");
        assert_ne!(lanes.run(&known, "b", computes(0)).await.unwrap(), "wfhost-long");
        assert_eq!(lanes.run(&known, "a", computes(0)).await.unwrap(), "wfhost-long");
        assert_ne!(lanes.run(&known, "a", computes(0)).await.unwrap(), "wfhost-long");
    }

    #[test]
    fn room_is_made_for_attempts_that_begin_on_their_callers_threads() {
        let (lanes, known) = (Lanes::default(), LongSteps::default());
        known.learn("long");
        let _turn = lanes.room.turn(true);
        assert!(lanes.announce(&known, "long", || panic!("nobody makes room")).is_none());
        let mut interrupted = false;
        assert!(lanes.announce(&known, "short", || interrupted = true).is_some());
        assert!(interrupted);
    }

    #[tokio::test]
    async fn an_attempt_moves_before_work_that_takes_long() {
        let (lanes, known) = (Lanes::default(), LongSteps::default());
        for _ in 0..2 {
            let attempt = Box::pin(async {
                go_on_in_the_long_lane().await;
                Ok(thread())
            });
            assert_eq!(lanes.run(&known, "a", attempt).await.unwrap(), "wfhost-long");
        }
    }

    #[tokio::test]
    async fn a_step_that_the_sandbox_had_to_end_begins_in_the_long_lane() {
        let (lanes, known) = (Lanes::default(), LongSteps::default());
        let fails = |kind| -> Boxed<Result<(), Failure>> {
            Box::pin(async move { Err(Failure::new(kind, "code", thread())) })
        };
        let began = |ended: Result<(), Failure>| ended.unwrap_err().message;
        for (kind, then) in [(FailureKind::Retryable, false), (FailureKind::Limit, true)] {
            assert_ne!(began(lanes.run(&known, "a", fails(kind)).await), "wfhost-long");
            let again = began(lanes.run(&known, "a", fails(kind)).await);
            assert_eq!(again == "wfhost-long", then, "{kind:?}");
        }
    }

    #[tokio::test]
    async fn a_dropped_attempt_is_stopped_in_either_lane() {
        struct Alive(#[expect(dead_code, reason = "counted")] Arc<()>);
        let (lanes, known, count) = (Lanes::default(), LongSteps::default(), Arc::new(()));
        for step in ["short", "long"] {
            if step == "long" {
                known.learn(step);
            }
            let alive = Alive(Arc::clone(&count));
            let attempt: Boxed<Result<(), Failure>> = Box::pin(async move {
                let _alive = alive;
                std::future::pending().await
            });
            let mut run = Box::pin(lanes.run(&known, step, attempt));
            let polled = poll_fn(|context| Poll::Ready(run.as_mut().poll(context))).await;
            assert!(polled.is_pending());
            drop(run);
            while Arc::strong_count(&count) > 1 {
                thread::yield_now();
            }
        }
    }

    #[tokio::test]
    #[should_panic(expected = "of the attempt's own")]
    async fn a_panic_in_the_long_lane_is_the_callers() {
        let known = LongSteps::default();
        known.learn("a");
        let attempt: Boxed<Result<(), Failure>> =
            Box::pin(async { panic!("a panic of the attempt's own") });
        let _never = Lanes::default().run(&known, "a", attempt).await;
    }

    #[tokio::test]
    async fn a_host_that_is_dropped_in_its_own_lane_does_not_wait_for_itself() {
        let lanes = Arc::new(Lanes::default());
        let known = LongSteps::default();
        known.learn("a");
        let held = Arc::clone(&lanes);
        let attempt: Boxed<Result<(), Failure>> = Box::pin(async move {
            drop(held);
            Ok(())
        });
        lanes.run(&known, "a", attempt).await.unwrap();
    }
}
