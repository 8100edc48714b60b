//! When a failed attempt is repeated: exponential backoff with jitter, all from arguments.

use crate::definition::RetryPolicy;
use crate::{Attempt, DurationMs, Failure, FailureKind, TaskId};

/// The wait before the next attempt, after `failures` failed ones; `None`: the step has failed.
///
/// `draw` is a number from 0 to 1 that decides the jitter.
pub(super) fn wait(
    policy: &RetryPolicy,
    failure: &Failure,
    failures: u32,
    draw: f64,
) -> Option<DurationMs> {
    if failures >= policy.attempts || !may_repeat(policy, failure.kind) {
        return None;
    }
    let grown = policy.first.0 as f64 * policy.factor.powf(f64::from(failures - 1));
    let bounded = grown.min(policy.max.0 as f64);
    let spread = 1.0 + policy.jitter * (2.0 * draw - 1.0);
    let wait = DurationMs((bounded * spread).round().max(0.0) as u64);
    Some(failure.retry_after.map_or(wait, |least| least.max(wait)))
}

fn may_repeat(policy: &RetryPolicy, kind: FailureKind) -> bool {
    match kind {
        FailureKind::Permanent | FailureKind::InvalidInput | FailureKind::Expression => false,
        FailureKind::Retryable
        | FailureKind::Trap
        | FailureKind::Limit
        | FailureKind::Timeout
        | FailureKind::Denied
        | FailureKind::Host => !policy.unless.contains(&kind),
    }
}

/// A number from 0 to 1 that depends on nothing but its arguments.
pub(super) fn draw(seed: u64, task: TaskId, attempt: Attempt) -> f64 {
    let parts =
        [u64::from(task.step.0), task.index.map_or(u64::MAX, u64::from), u64::from(attempt.0)];
    let mixed = parts.into_iter().fold(seed, |state, part| mix(state ^ mix(part)));
    // 53 bits are what an f64 holds exactly.
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014).
const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StepId;

    fn policy() -> RetryPolicy {
        RetryPolicy {
            attempts: 5,
            first: DurationMs(100),
            factor: 2.0,
            max: DurationMs(500),
            jitter: 0.0,
            unless: [FailureKind::Timeout].into(),
        }
    }

    #[track_caller]
    fn check(kind: FailureKind, failures: u32, expected: Option<u64>) {
        let failure = Failure::new(kind, "c", "m");
        assert_eq!(wait(&policy(), &failure, failures, 0.5), expected.map(DurationMs));
    }

    #[test]
    fn waits_grow_to_the_longest_and_end_with_the_attempts() {
        check(FailureKind::Retryable, 1, Some(100));
        check(FailureKind::Retryable, 2, Some(200));
        check(FailureKind::Trap, 3, Some(400));
        check(FailureKind::Host, 4, Some(500));
        check(FailureKind::Retryable, 5, None);
    }

    #[test]
    fn some_kinds_are_never_repeated() {
        check(FailureKind::Permanent, 1, None);
        check(FailureKind::InvalidInput, 1, None);
        check(FailureKind::Expression, 1, None);
        check(FailureKind::Timeout, 1, None);
    }

    #[test]
    fn a_step_may_ask_for_a_longer_wait_but_not_a_shorter_one() {
        let ask = |ms| Failure {
            retry_after: Some(DurationMs(ms)),
            ..Failure::new(FailureKind::Retryable, "c", "m")
        };
        assert_eq!(wait(&policy(), &ask(5000), 1, 0.5), Some(DurationMs(5000)));
        assert_eq!(wait(&policy(), &ask(1), 1, 0.5), Some(DurationMs(100)));
    }

    #[test]
    fn jitter_spreads_both_ways() {
        let policy = RetryPolicy { jitter: 0.5, ..policy() };
        let failure = Failure::new(FailureKind::Retryable, "c", "m");
        assert_eq!(wait(&policy, &failure, 1, 0.0), Some(DurationMs(50)));
        assert_eq!(wait(&policy, &failure, 1, 1.0), Some(DurationMs(150)));
    }

    #[test]
    fn draws_are_spread_and_repeatable() {
        let drawn: Vec<f64> =
            (0..1000).map(|n| draw(7, TaskId::item(StepId(1), n), Attempt(2))).collect();
        assert!(drawn.iter().all(|draw| (0.0..1.0).contains(draw)));
        let mean = drawn.iter().sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
        assert_eq!(draw(7, TaskId::of(StepId(1)), Attempt(2)).to_bits(), {
            draw(7, TaskId::of(StepId(1)), Attempt(2)).to_bits()
        });
    }
}
