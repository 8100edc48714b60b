//! The priority of the long lane's threads.
//!
//! They run when no other thread of this machine has anything to do. Where that is never,
//! and not because of our own short steps, each takes an ordinary thread's part for a while:
//! a long step must not wait for somebody else's long build to end.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::clock;

/// How often a thread looks at what it got, and how long it then takes an ordinary part.
const REVIEW: Duration = Duration::from_millis(250);
const ORDINARY: Duration = Duration::from_secs(2);

/// What a thread has when a span of time begins.
struct Span {
    ends: Instant,
    began: Instant,
    /// For how long it had been ready to run, and was not let.
    waited: Duration,
    napped: Duration,
    short_nanos: u64,
}

thread_local! {
    static SPAN: RefCell<Option<Span>> = const { RefCell::new(None) };
    /// It has an ordinary thread's part for now.
    static ORDINARY_NOW: Cell<bool> = const { Cell::new(false) };
    /// For how long it has slept of its own accord.
    static NAPPED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Makes the calling thread one that gives way.
pub(crate) fn give_way() {
    set(Policy::GivesWay);
}

/// Whether the calling thread of the long lane does.
pub(super) fn gives_way() -> bool {
    !ORDINARY_NOW.get()
}

/// Lets the calling thread of the long lane sleep.
pub(super) fn nap(at_least: Duration) {
    let began = clock::now();
    thread::sleep(at_least);
    NAPPED.set(NAPPED.get() + began.elapsed());
}

/// Called by a thread of the long lane after each turn; `short_nanos` is what all short
/// steps have computed.
pub(crate) fn review(short_nanos: &AtomicU64) {
    SPAN.with_borrow_mut(|span| {
        let now = clock::now();
        if span.as_ref().is_some_and(|span| now < span.ends) {
            return;
        }
        let Some(waited) = waited() else { return };
        let short_nanos = short_nanos.load(Ordering::Relaxed);
        let starved = span.as_ref().is_some_and(|span| {
            let took = now.saturating_duration_since(span.began);
            let awake = took.saturating_sub(NAPPED.get().saturating_sub(span.napped));
            let short = Duration::from_nanos(short_nanos.saturating_sub(span.short_nanos));
            is_starved(took, awake, waited.saturating_sub(span.waited), short)
        });
        set(if starved { Policy::Ordinary } else { Policy::GivesWay });
        ORDINARY_NOW.set(starved);
        let ends = now + if starved { ORDINARY } else { REVIEW };
        *span = Some(Span { ends, began: now, waited, napped: NAPPED.get(), short_nanos });
    });
}

/// Whether somebody else kept the processor: our own short steps may.
fn is_starved(took: Duration, awake: Duration, waited: Duration, short: Duration) -> bool {
    waited > awake / 10 * 9 && short < took / 2
}

/// The second of the three figures in the thread's `schedstat`.
fn waited() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

#[derive(Clone, Copy)]
enum Policy {
    /// Its processor is taken away as soon as an ordinary thread wakes up, which a low nice
    /// value alone does not bring about.
    GivesWay,
    Ordinary,
}

#[cfg(target_os = "linux")]
fn set(policy: Policy) {
    let policy = match policy {
        Policy::GivesWay => libc::SCHED_IDLE,
        Policy::Ordinary => libc::SCHED_OTHER,
    };
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: 0 is the calling thread, and the parameters outlive the call.
    #[expect(unsafe_code, reason = "no crate offers just this call")]
    let answer = unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) };
    if answer != 0 {
        let error = std::io::Error::last_os_error();
        tracing::debug!(%error, "the priority of a thread for long attempts stays as it is");
    }
}

/// Elsewhere the long lane has threads of its own, and that is all.
#[cfg(not(target_os = "linux"))]
fn set(_policy: Policy) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_waits_for_somebody_else_is_starved() {
        let ms = Duration::from_millis;
        assert!(is_starved(ms(1000), ms(1000), ms(950), ms(100)));
        assert!(!is_starved(ms(1000), ms(1000), ms(950), ms(600)), "our own short steps had it");
        assert!(!is_starved(ms(1000), ms(1000), ms(500), ms(0)), "it has half of a processor");
        assert!(is_starved(ms(1000), ms(500), ms(480), ms(100)), "what it slept is not counted");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_gives_way_and_takes_an_ordinary_part_again() {
        let policy = || {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            // The name is in brackets and may hold anything; the policy is field 41.
            let after = stat.rsplit_once(") ").unwrap().1.to_owned();
            after.split_whitespace().nth(38).unwrap().parse::<i32>().unwrap()
        };
        give_way();
        assert_eq!(policy(), libc::SCHED_IDLE);
        set(Policy::Ordinary);
        assert_eq!(policy(), libc::SCHED_OTHER);
        assert!(waited().is_some());
    }
}
