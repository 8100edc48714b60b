//! Which worker, and which attempt first: labels, slots, code, priority, fairness, gates.

use super::tests::{A, B, attempt, ms, slots, wanted, with_worker};
use super::*;
use crate::Digest;

const C: WorkerId = WorkerId(3);

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn labelled(count: u32, pairs: &[(&str, &str)]) -> Joining {
    Joining { labels: labels(pairs), ..slots(count) }
}

fn requiring(number: u32, pairs: &[(&str, &str)]) -> Wanted {
    Wanted { requires: labels(pairs).into(), ..wanted(number) }
}

fn of(number: u32, workflow: &str) -> Wanted {
    Wanted { workflow: workflow.into(), ..wanted(number) }
}

fn urgent(number: u32, level: i64) -> Wanted {
    let priority = Priority::new(level).expect("a level in bounds");
    Wanted { priority, ..wanted(number) }
}

fn gated(number: u32, max: u32) -> Wanted {
    Wanted { concurrency: Some(max), ..wanted(number) }
}

fn assigned(decisions: &[Decision]) -> Vec<(WorkerId, u32)> {
    decisions
        .iter()
        .filter_map(|decision| match decision {
            Decision::Assign { worker, attempt } => {
                Some((*worker, attempt.task.index.unwrap_or_default()))
            }
            _ => None,
        })
        .collect()
}

/// Lets whatever A holds end, one after the other: what takes its place, in order.
fn drain(placement: &mut Placement, mut held: Vec<u32>) -> Vec<u32> {
    let mut order = Vec::new();
    while let Some(first) = held.first().copied() {
        held.remove(0);
        for (_, number) in assigned(&placement.ended(ms(1), A, attempt(first))) {
            order.push(number);
            held.push(number);
        }
    }
    order
}

#[track_caller]
fn why(placement: &Placement, number: u32, text: &str) {
    let why = placement.why(&attempt(number)).expect("it waits");
    assert_eq!(why.to_string(), text);
}

#[test]
fn an_attempt_goes_only_to_a_worker_with_its_labels() {
    let mut placement = with_worker(4);
    assert_eq!(placement.joined(ms(0), B, labelled(1, &[("gpu", "true"), ("at", "x")])), []);
    let gpu = [("gpu", "true")];
    assert_eq!(assigned(&placement.wanted(ms(0), requiring(1, &gpu))), [(B, 1)]);
    assert_eq!(placement.wanted(ms(0), requiring(2, &gpu)), []);
    assert_eq!(placement.wanted(ms(0), requiring(3, &[("gpu", "false")])), []);
    // What waits for a label holds up nothing else.
    assert_eq!(assigned(&placement.wanted(ms(0), wanted(4))), [(A, 4)]);
    assert_eq!(placement.ended(ms(1), A, attempt(4)), []);
    assert_eq!(assigned(&placement.ended(ms(1), B, attempt(1))), [(B, 2)]);
    let joining = labelled(1, &[("gpu", "false")]);
    assert_eq!(assigned(&placement.joined(ms(2), C, joining)), [(C, 3)]);
}

#[test]
fn a_worker_that_holds_the_component_is_preferred_while_it_is_at_most_half_full() {
    let mut placement = with_worker(4);
    let component = Digest::of(b"d");
    let joining = Joining { components: [component].into(), ..slots(4) };
    assert_eq!(placement.joined(ms(0), B, joining), []);
    let next = |placement: &mut Placement, number| {
        assigned(&placement.wanted(ms(0), Wanted { component, ..wanted(number) }))
    };
    assert_eq!(next(&mut placement, 1), [(B, 1)]);
    assert_eq!(next(&mut placement, 2), [(B, 2)]);
    assert_eq!(next(&mut placement, 3), [(B, 3)]);
    // B is over half full; A is cold, but holds it from then on.
    assert_eq!(next(&mut placement, 4), [(A, 4)]);
    assert_eq!(placement.ended(ms(1), B, attempt(1)), []);
    assert_eq!(placement.ended(ms(1), B, attempt(2)), []);
    assert_eq!(next(&mut placement, 5), [(A, 5)]);
}

#[test]
fn a_higher_priority_goes_first_and_its_own_kind_in_order() {
    let mut placement = with_worker(1);
    assert_eq!(assigned(&placement.wanted(ms(0), wanted(0))), [(A, 0)]);
    for (number, level) in [(1, 0), (2, -10), (3, 10), (4, 0), (5, 10)] {
        assert_eq!(placement.wanted(ms(0), urgent(number, level)), []);
    }
    assert_eq!(drain(&mut placement, vec![0]), [3, 5, 1, 4, 2]);
}

#[test]
fn every_eighth_is_the_oldest_whatever_its_priority() {
    let mut placement = with_worker(1);
    assert_eq!(assigned(&placement.wanted(ms(0), wanted(0))), [(A, 0)]);
    assert_eq!(placement.wanted(ms(0), urgent(1, -10)), []);
    for number in 2..30 {
        assert_eq!(placement.wanted(ms(0), urgent(number, 10)), []);
    }
    let order = drain(&mut placement, vec![0]);
    let position = order.iter().position(|number| *number == 1);
    assert_eq!(position, Some(OLDEST_EVERY as usize - 1));
}

#[test]
fn workflows_share_a_slot_in_turns_however_much_one_has_waiting() {
    let mut placement = with_worker(1);
    assert_eq!(assigned(&placement.wanted(ms(0), of(0, "a"))), [(A, 0)]);
    for number in 1..=6 {
        assert_eq!(placement.wanted(ms(0), of(number, "a")), []);
    }
    assert_eq!(placement.wanted(ms(0), of(11, "b")), []);
    assert_eq!(placement.wanted(ms(0), of(12, "b")), []);
    assert_eq!(placement.wanted(ms(0), of(21, "c")), []);
    assert_eq!(drain(&mut placement, vec![0])[..5], [11, 21, 1, 12, 2]);
}

#[test]
fn workflows_share_slots_by_what_they_hold_not_by_how_often_they_ask() {
    let mut placement = with_worker(4);
    for number in 0..8 {
        drop(placement.wanted(ms(0), of(number, "long")));
    }
    for number in 10..18 {
        drop(placement.wanted(ms(0), of(number, "short")));
    }
    // The long ones hold everything: the first two slots that come free are the others'.
    assert_eq!(assigned(&placement.ended(ms(1), A, attempt(0))), [(A, 10)]);
    assert_eq!(assigned(&placement.ended(ms(1), A, attempt(1))), [(A, 11)]);
    // Now both hold two: who ends gets the slot back.
    assert_eq!(assigned(&placement.ended(ms(2), A, attempt(10))), [(A, 12)]);
    assert_eq!(assigned(&placement.ended(ms(2), A, attempt(11))), [(A, 13)]);
    assert_eq!(assigned(&placement.ended(ms(2), A, attempt(2))), [(A, 4)]);
}

#[test]
fn a_plugins_concurrency_holds_over_all_workers_and_holds_up_nothing_else() {
    let mut placement = with_worker(4);
    assert_eq!(placement.joined(ms(0), B, slots(4)), []);
    assert_eq!(placement.wanted(ms(0), gated(1, 2)).len(), 1);
    assert_eq!(placement.wanted(ms(0), gated(2, 2)).len(), 1);
    assert_eq!(placement.wanted(ms(0), gated(3, 2)), []);
    assert_eq!(placement.wanted(ms(0), gated(4, 2)), []);
    why(&placement, 3, "2 of the plugin are under way, its `concurrency` is 2");
    why(
        &placement,
        4,
        "2 of the plugin are under way, its `concurrency` is 2; 1 other goes before it",
    );
    let other = Wanted { component: Digest::of(b"other"), ..gated(5, 2) };
    assert_eq!(placement.wanted(ms(0), other).len(), 1);
    let elsewhere = Wanted { workflow: "elsewhere".into(), ..gated(6, 2) };
    assert_eq!(placement.wanted(ms(0), elsewhere).len(), 1);
    // An attempt that is only told to stop still runs.
    let stopped = placement.holder(&attempt(1)).expect("it is at a worker");
    assert_eq!(assigned(&placement.withdrawn(ms(1), attempt(1))), []);
    assert_eq!(assigned(&placement.ended(ms(1), stopped, attempt(1))).len(), 1);
    // A worker that goes makes room at the others.
    let holder = placement.holder(&attempt(3)).expect("it is at a worker");
    let other = if holder == A { B } else { A };
    assert_eq!(assigned(&placement.gone(ms(2), holder)), [(other, 4)]);
}

#[test]
fn orphans_count_for_the_concurrency_until_they_are_lost() {
    let mut placement = with_worker(2);
    placement.orphaned(ms(0), gated(1, 1), ms(100));
    assert_eq!(placement.wanted(ms(0), gated(2, 1)), []);
    let lost = Decision::Lost { attempt: attempt(1), worker: None };
    let assign = Decision::Assign { worker: A, attempt: attempt(2) };
    assert_eq!(placement.tick(ms(100)), [lost, assign]);
}

#[test]
fn an_attempt_that_nobody_takes_in_time_says_why() {
    let mut placement = with_worker(1);
    let timeout = Some(DurationMs(700));
    let waits = Wanted { queue_timeout: timeout, ..requiring(1, &[("gpu", "true")]) };
    assert_eq!(placement.wanted(ms(0), waits), []);
    assert_eq!(placement.tick(ms(699)), []);
    let why = Why::NoLabel { name: "gpu".to_owned(), value: "true".to_owned(), workers: 1 };
    let timed_out = Decision::QueueTimedOut { attempt: attempt(1), waited: DurationMs(700), why };
    assert_eq!(placement.tick(ms(700)), [timed_out]);
    assert_eq!(placement.waiting_count(), 0);
    // One that got its worker in time has only its own timeout.
    let taken = Wanted { queue_timeout: timeout, ..wanted(2) };
    assert_eq!(assigned(&placement.wanted(ms(800), taken)), [(A, 2)]);
    assert_eq!(placement.tick(ms(1600)), []);
}

#[test]
fn time_passes_for_what_waits_without_any_worker() {
    let mut placement = Placement::new();
    assert!(!placement.needs_ticks());
    let waits = Wanted { queue_timeout: Some(DurationMs(100)), ..wanted(1) };
    assert_eq!(placement.wanted(ms(0), waits), []);
    assert!(placement.needs_ticks());
    let why = Why::NoWorker;
    let timed_out = Decision::QueueTimedOut { attempt: attempt(1), waited: DurationMs(100), why };
    assert_eq!(placement.tick(ms(100)), [timed_out]);
    assert!(!placement.needs_ticks());
}

#[test]
fn why_an_attempt_waits_is_said_in_a_sentence() {
    let mut placement = Placement::new();
    let gpu = [("gpu", "true")];
    let both = [("at", "x"), ("gpu", "true")];
    for wanted in [wanted(1), wanted(2), requiring(3, &gpu), requiring(4, &both)] {
        assert_eq!(placement.wanted(ms(0), wanted), []);
    }
    why(&placement, 1, "there is no worker");
    drop(placement.joined(ms(0), A, slots(1)));
    assert_eq!(placement.why(&attempt(1)), None);
    why(&placement, 2, "the only worker that fits is full");
    assert_eq!(placement.wanted(ms(0), wanted(5)), []);
    assert_eq!(placement.wanted(ms(0), urgent(6, 1)), []);
    why(&placement, 5, "the only worker that fits is full; 2 others go before it");
    why(&placement, 3, "no worker has the label gpu=true, of 1");
    drop(placement.joined(ms(0), B, labelled(0, &gpu)));
    drop(placement.joined(ms(0), C, labelled(0, &[("at", "x")])));
    why(&placement, 3, "the only worker that fits is full");
    why(&placement, 4, "no worker has all of the labels at=x, gpu=true, of 3");
    why(&placement, 2, "all 3 workers that fit are full; 1 other goes before it");
    placement.draining(B);
    why(&placement, 3, "the only worker that fits is draining");
    placement.orphaned(ms(0), wanted(7), ms(3000));
    why(&placement, 7, "the worker that had it before the restart is awaited");
    assert_eq!(placement.why(&attempt(99)), None);
}

#[test]
fn priorities_end_at_ten() {
    assert_eq!(Priority::new(10).map(Priority::level), Some(10));
    assert_eq!(Priority::new(-10).map(Priority::level), Some(-10));
    assert_eq!(Priority::new(11), None);
    assert_eq!(Priority::new(-11), None);
    assert_eq!(Priority::new(300), None);
}

#[test]
fn a_hundred_thousand_wait_and_each_decision_looks_at_few() {
    const WAITING: u32 = 100_000;
    let mut placement = with_worker(8);
    let names: Vec<crate::Name> = (0..50).map(|number| format!("w{number}").into()).collect();
    let mut held = std::collections::VecDeque::new();
    for number in 0..WAITING {
        let plain = urgent(number, i64::from(number % 21) - 10);
        let wanted = Wanted {
            workflow: names[number as usize % names.len()].clone(),
            concurrency: (number % 3 == 0).then_some(2),
            queue_timeout: Some(DurationMs::from_secs(3600)),
            ..plain
        };
        held.extend(assigned(&placement.wanted(ms(0), wanted)));
    }
    assert_eq!(placement.waiting_count(), WAITING as usize - 8);
    let mut done = 0;
    while let Some((worker, number)) = held.pop_front() {
        done += 1;
        held.extend(assigned(&placement.ended(ms(1), worker, attempt(number))));
    }
    assert_eq!(done, WAITING);
    assert!(placement.queue.is_clean());
}

#[test]
fn demand_is_what_one_more_worker_could_take() {
    let mut placement = Placement::new();
    let demand = |placement: &Placement, at, pairs: &[(&str, &str)]| {
        let scale::Demand { waiting, oldest } = placement.demand(ms(at), &labels(pairs));
        (waiting, oldest.0)
    };
    assert_eq!(demand(&placement, 10, &[]), (0, 0));
    placement.wanted(ms(1), requiring(0, &[("gpu", "true")]));
    placement.wanted(ms(2), of(1, "v"));
    placement.wanted(ms(3), of(2, "w"));
    for number in 3..9 {
        placement.wanted(ms(0), gated(number, 2));
    }
    // The one that requires a label is nothing to a worker without; of six at a gate, two may go.
    assert_eq!(demand(&placement, 10, &[]), (4, 10));
    assert_eq!(demand(&placement, 10, &[("gpu", "true")]), (5, 10));
    placement.joined(ms(10), A, slots(3));
    let held = placement.held_by(A).count() as u64;
    assert_eq!(held, 3);
    let (waiting, _) = demand(&placement, 10, &[]);
    assert_eq!(waiting, 4 - held);
}
