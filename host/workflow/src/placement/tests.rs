//! Placement, a case a line: what happens, when, and what is decided.

use std::sync::Arc;

use super::*;
use crate::{Attempt, Digest, RunId, StepId, TaskId};

pub(super) const A: WorkerId = WorkerId(1);
pub(super) const B: WorkerId = WorkerId(2);

pub(super) fn attempt(number: u32) -> AttemptId {
    AttemptId {
        run: RunId::from_bytes([7; 16]),
        task: TaskId::item(StepId(0), number),
        attempt: Attempt::FIRST,
    }
}

pub(super) const fn ms(at: u64) -> MonotonicMs {
    MonotonicMs(at)
}

pub(super) fn wanted(number: u32) -> Wanted {
    Wanted {
        attempt: attempt(number),
        timeout: DurationMs(1000),
        component: Digest::of(b"c"),
        workflow: "w".into(),
        requires: Arc::default(),
        priority: Priority::default(),
        concurrency: None,
        queue_timeout: None,
    }
}

pub(super) fn slots(slots: u32) -> Joining {
    Joining { slots, ..Joining::default() }
}

fn assign(worker: WorkerId, number: u32) -> Decision {
    Decision::Assign { worker, attempt: attempt(number) }
}

fn lost(number: u32) -> Decision {
    Decision::Lost { attempt: attempt(number), worker: Some(A) }
}

fn stop(worker: WorkerId, number: u32) -> Decision {
    Decision::Stop { worker, attempt: attempt(number) }
}

/// A table with one worker of `slots` slots that joined at 0.
pub(super) fn with_worker(count: u32) -> Placement {
    let mut placement = Placement::new();
    assert_eq!(placement.joined(ms(0), A, slots(count)), []);
    placement
}

/// Ticks every 100 ms from `from` to `to`, hearing the workers in `heard` each time.
fn pass(placement: &mut Placement, from: u64, to: u64, heard: &[WorkerId]) -> Vec<Decision> {
    let mut decisions = Vec::new();
    for at in (from..=to).step_by(100) {
        for worker in heard {
            placement.heard(ms(at), *worker);
        }
        decisions.extend(placement.tick(ms(at)));
    }
    decisions
}

#[test]
fn an_attempt_goes_to_a_free_slot_and_waits_without_one() {
    let mut placement = with_worker(1);
    assert_eq!(placement.wanted(ms(1), wanted(1)), [assign(A, 1)]);
    assert_eq!(placement.wanted(ms(1), wanted(2)), []);
    assert_eq!(placement.waiting_count(), 1);
    assert_eq!(placement.ended(ms(2), A, attempt(1)), [assign(A, 2)]);
    assert!(placement.is_leased(&attempt(2)));
}

#[test]
fn attempts_are_served_in_the_order_in_which_they_came() {
    let mut placement = Placement::new();
    for number in 0..5 {
        assert_eq!(placement.wanted(ms(0), wanted(number)), []);
    }
    assert_eq!(placement.joined(ms(1), A, slots(3)), [assign(A, 0), assign(A, 1), assign(A, 2)]);
}

#[test]
fn the_freest_worker_is_chosen() {
    let other = |number| Wanted { component: Digest::of(&[number as u8]), ..wanted(number) };
    let mut placement = with_worker(1);
    assert_eq!(placement.joined(ms(0), B, slots(2)), []);
    assert_eq!(placement.wanted(ms(0), other(1)), [assign(B, 1)]);
    assert_eq!(placement.wanted(ms(0), other(2)), [assign(A, 2)]);
    assert_eq!(placement.wanted(ms(0), other(3)), [assign(B, 3)]);
    assert_eq!(placement.wanted(ms(0), other(4)), []);
}

#[test]
fn an_attempt_is_wanted_once() {
    let mut placement = with_worker(4);
    assert_eq!(placement.wanted(ms(0), wanted(1)), [assign(A, 1)]);
    assert_eq!(placement.wanted(ms(0), wanted(1)), []);
}

#[test]
fn a_worker_that_leaves_loses_what_it_held_and_others_take_over() {
    let mut placement = with_worker(2);
    assert_eq!(placement.wanted(ms(0), wanted(1)), [assign(A, 1)]);
    assert_eq!(placement.gone(ms(5), A), [lost(1)]);
    assert_eq!(placement.gone(ms(6), A), []);
    assert_eq!(placement.wanted(ms(7), wanted(1)), []);
    assert_eq!(placement.joined(ms(8), B, slots(1)), [assign(B, 1)]);
}

#[test]
fn a_silent_worker_is_forgotten_after_its_lease_and_not_before() {
    let mut placement = with_worker(1);
    let long = Wanted { timeout: DurationMs::from_secs(60), ..wanted(1) };
    assert_eq!(placement.wanted(ms(0), long), [assign(A, 1)]);
    assert_eq!(pass(&mut placement, 0, LEASE.0, &[]), []);
    assert_eq!(placement.tick(ms(LEASE.0 + 1)), [Decision::Forget { worker: A }, lost(1)]);
    assert!(!placement.heard(ms(LEASE.0 + 2), A));
}

#[test]
fn a_worker_that_hangs_is_told_to_stop_after_the_deadline() {
    let mut placement = with_worker(1);
    assert_eq!(placement.wanted(ms(0), wanted(1)), [assign(A, 1)]);
    let deadline = 1000 + DEADLINE_GRACE.0;
    assert_eq!(pass(&mut placement, 0, deadline - 100, &[A]), []);
    let timed_out = Decision::TimedOut { attempt: attempt(1) };
    assert_eq!(pass(&mut placement, deadline, deadline, &[A]), [stop(A, 1), timed_out]);
    // The slot comes back only when the worker says so.
    assert_eq!(placement.wanted(ms(deadline), wanted(2)), []);
    assert_eq!(placement.ended(ms(deadline + 1), A, attempt(1)), [assign(A, 2)]);
}

#[test]
fn an_attempt_that_waits_at_its_worker_has_that_much_longer() {
    let mut placement = with_worker(1);
    assert_eq!(placement.wanted(ms(0), wanted(1)), [assign(A, 1)]);
    placement.waits(B, attempt(1), DurationMs(1_000_000));
    placement.waits(A, attempt(2), DurationMs(1_000_000));
    placement.waits(A, attempt(1), DurationMs(5000));
    let deadline = 6000 + DEADLINE_GRACE.0;
    assert_eq!(pass(&mut placement, 0, deadline - 100, &[A]), []);
    let timed_out = Decision::TimedOut { attempt: attempt(1) };
    assert_eq!(pass(&mut placement, deadline, deadline, &[A]), [stop(A, 1), timed_out]);
}

#[test]
fn a_stall_of_this_process_is_not_the_workers_silence() {
    let mut placement = with_worker(1);
    let long = Wanted { timeout: DurationMs::from_secs(600), ..wanted(1) };
    assert_eq!(placement.wanted(ms(0), long), [assign(A, 1)]);
    assert_eq!(placement.tick(ms(100)), []);
    assert_eq!(placement.tick(ms(60_000)), []);
    assert_eq!(pass(&mut placement, 60_100, 60_000 + LEASE.0, &[]), []);
    let forgotten = [Decision::Forget { worker: A }, lost(1)];
    assert_eq!(pass(&mut placement, 63_100, 63_100, &[]), forgotten);
}

#[test]
fn a_withdrawn_attempt_is_stopped_or_never_sent() {
    let mut placement = with_worker(1);
    assert_eq!(placement.wanted(ms(0), wanted(1)), [assign(A, 1)]);
    assert_eq!(placement.wanted(ms(0), wanted(2)), []);
    assert_eq!(placement.withdrawn(ms(0), attempt(2)), []);
    assert_eq!(placement.withdrawn(ms(0), attempt(1)), [stop(A, 1)]);
    assert_eq!(placement.withdrawn(ms(0), attempt(1)), []);
    assert_eq!(placement.ended(ms(1), A, attempt(1)), []);
    assert_eq!(placement.waiting_count(), 0);
}

#[test]
fn a_worker_is_told_again_to_stop_until_it_says_that_it_has() {
    let mut placement = with_worker(1);
    assert_eq!(placement.wanted(ms(0), wanted(1)), [assign(A, 1)]);
    assert_eq!(placement.withdrawn(ms(0), attempt(1)), [stop(A, 1)]);
    assert_eq!(pass(&mut placement, 0, STOP_AGAIN.0 - 100, &[A]), []);
    assert_eq!(
        pass(&mut placement, STOP_AGAIN.0, 2 * STOP_AGAIN.0, &[A]),
        [stop(A, 1), stop(A, 1)]
    );
    assert_eq!(placement.ended(ms(9000), A, attempt(1)), []);
    assert_eq!(pass(&mut placement, 9000, 12_000, &[A]), []);
}

#[test]
fn a_draining_worker_takes_nothing_more() {
    let mut placement = with_worker(2);
    assert_eq!(placement.wanted(ms(0), wanted(1)), [assign(A, 1)]);
    placement.draining(A);
    assert_eq!(placement.wanted(ms(0), wanted(2)), []);
    assert_eq!(placement.ended(ms(1), A, attempt(1)), []);
}

#[test]
fn a_worker_that_joins_again_has_lost_what_it_held() {
    let mut placement = with_worker(1);
    assert_eq!(placement.wanted(ms(0), wanted(1)), [assign(A, 1)]);
    assert_eq!(placement.joined(ms(9), A, slots(1)), [lost(1)]);
}

#[test]
fn an_end_reported_by_another_worker_frees_nothing() {
    let mut placement = with_worker(1);
    assert_eq!(placement.joined(ms(0), B, slots(0)), []);
    assert_eq!(placement.wanted(ms(0), wanted(1)), [assign(A, 1)]);
    assert_eq!(placement.ended(ms(1), B, attempt(1)), []);
    assert!(placement.is_leased(&attempt(1)));
}

#[test]
fn an_orphan_is_adopted_by_the_worker_that_claims_it_and_by_no_other() {
    let mut placement = with_worker(1);
    placement.orphaned(ms(0), wanted(1), ms(3000));
    assert_eq!(placement.joined(ms(0), B, slots(1)), []);
    assert!(!placement.is_leased(&attempt(1)));
    assert!(placement.adopted(ms(100), A, attempt(1)));
    assert_eq!(placement.holder(&attempt(1)), Some(A));
    assert!(placement.adopted(ms(100), A, attempt(1)));
    assert!(!placement.adopted(ms(100), B, attempt(1)));
    assert!(!placement.adopted(ms(100), A, attempt(2)));
    assert!(!placement.adopted(ms(100), WorkerId(9), attempt(1)));
    // It takes a slot, and is not lost when its time as an orphan is over.
    assert_eq!(placement.wanted(ms(200), wanted(2)), [assign(B, 2)]);
    assert_eq!(placement.wanted(ms(200), wanted(3)), []);
    let both = [A, B];
    assert_eq!(pass(&mut placement, 200, 3000, &both), []);
    assert_eq!(placement.ended(ms(3000), A, attempt(1)), [assign(A, 3)]);
}

#[test]
fn an_adopted_attempt_has_its_whole_timeout_again() {
    let mut placement = with_worker(1);
    placement.orphaned(ms(0), wanted(1), ms(3000));
    assert!(placement.adopted(ms(1000), A, attempt(1)));
    let deadline = 2000 + DEADLINE_GRACE.0;
    assert_eq!(pass(&mut placement, 0, deadline - 100, &[A]), []);
    let timed_out = Decision::TimedOut { attempt: attempt(1) };
    assert_eq!(placement.tick(ms(deadline)), [stop(A, 1), timed_out]);
}

#[test]
fn an_orphan_that_nobody_claims_is_lost_once_and_nobody_is_to_blame() {
    let mut placement = Placement::new();
    placement.orphaned(ms(0), wanted(1), ms(3000));
    assert!(placement.needs_ticks());
    assert_eq!(pass(&mut placement, 0, 2900, &[]), []);
    let nobodys = Decision::Lost { attempt: attempt(1), worker: None };
    assert_eq!(placement.tick(ms(3000)), [nobodys]);
    assert_eq!(placement.tick(ms(3100)), []);
    assert_eq!(placement.joined(ms(3200), A, slots(1)), []);
    assert!(!placement.adopted(ms(3200), A, attempt(1)));
}

#[test]
fn an_orphan_may_be_delivered_withdrawn_or_wanted_again_without_being_sent() {
    let mut placement = with_worker(3);
    for number in 1..=3 {
        placement.orphaned(ms(0), wanted(number), ms(3000));
    }
    assert_eq!(placement.ended(ms(1), A, attempt(1)), []);
    assert_eq!(placement.withdrawn(ms(1), attempt(2)), []);
    assert_eq!(placement.wanted(ms(1), wanted(3)), []);
    let third = Decision::Lost { attempt: attempt(3), worker: None };
    assert_eq!(pass(&mut placement, 0, 4000, &[A]), [third]);
}

#[test]
fn a_stall_of_this_process_gives_orphans_another_lease() {
    let mut placement = Placement::new();
    placement.orphaned(ms(0), wanted(1), ms(3000));
    assert_eq!(placement.tick(ms(0)), []);
    assert_eq!(placement.tick(ms(60_000)), []);
    assert_eq!(pass(&mut placement, 60_100, 59_900 + LEASE.0, &[]), []);
    let nobodys = Decision::Lost { attempt: attempt(1), worker: None };
    assert_eq!(placement.tick(ms(60_000 + LEASE.0)), [nobodys]);
}

#[test]
fn what_a_joining_worker_runs_takes_its_slots_before_anything_new() {
    let mut placement = Placement::new();
    placement.orphaned(ms(0), wanted(1), ms(3000));
    assert_eq!(placement.wanted(ms(0), wanted(2)), []);
    assert_eq!(placement.wanted(ms(0), wanted(3)), []);
    let joining = Joining { slots: 2, running: vec![attempt(1), attempt(9)], ..slots(2) };
    assert_eq!(placement.joined(ms(1), A, joining), [stop(A, 9)]);
    // What is not its takes a slot there until it has stopped.
    assert_eq!(placement.ended(ms(2), A, attempt(9)), [assign(A, 2)]);
    assert_eq!(placement.held_by(A).collect::<Vec<_>>(), [attempt(1), attempt(2)]);
}

#[test]
fn a_worker_on_a_new_connection_keeps_what_it_held() {
    let mut placement = with_worker(2);
    assert_eq!(placement.wanted(ms(0), wanted(1)), [assign(A, 1)]);
    assert_eq!(placement.wanted(ms(0), wanted(2)), [assign(A, 2)]);
    assert_eq!(placement.withdrawn(ms(0), attempt(2)), [stop(A, 2)]);
    placement.draining(A);
    assert_eq!(placement.moved(ms(5), A, B), []);
    assert_eq!(placement.holder(&attempt(1)), Some(B));
    assert_eq!(placement.held_by(B).collect::<Vec<_>>(), [attempt(1)]);
    assert!(!placement.heard(ms(6), A));
    assert!(placement.heard(ms(6), B));
    // The former connection's end changes nothing; the drain and the order to stop went along.
    assert_eq!(placement.gone(ms(7), A), []);
    assert_eq!(placement.wanted(ms(7), wanted(3)), []);
    assert_eq!(pass(&mut placement, 100, STOP_AGAIN.0, &[B]), [stop(B, 2)]);
    assert_eq!(placement.ended(ms(2001), B, attempt(1)), []);
    assert_eq!(placement.moved(ms(2002), WorkerId(8), WorkerId(9)), []);
}
