//! A core without one of its checks must be noticed: otherwise the simulator proves nothing.

use wfhost_simulator_sabotaged::{Faults, simulate, simulate_crowd};
use wfhost_workflow::{Sabotage, choose};

/// Seeds within which each sabotage is noticed.
const SEEDS: u64 = 200;

#[track_caller]
fn check_noticed(sabotage: Sabotage) {
    choose(Some(sabotage));
    let noticed = (0..SEEDS)
        .find_map(|seed| simulate(seed, Faults::all()).err().map(|violation| (seed, violation)));
    choose(None);
    let (seed, violation) =
        noticed.unwrap_or_else(|| panic!("{sabotage:?} went unseen for {SEEDS} seeds"));
    #[expect(clippy::print_stdout, reason = "which seed it takes is for people")]
    {
        println!("{sabotage:?} is noticed at seed {seed}: {violation}");
    }
}

#[test]
fn a_core_without_the_attempt_check_is_noticed() {
    check_noticed(Sabotage::AttemptCheck);
}

#[test]
fn a_core_without_the_dedupe_is_noticed() {
    check_noticed(Sabotage::Dedupe);
}

#[test]
fn a_core_without_the_redispatch_is_noticed() {
    check_noticed(Sabotage::Redispatch);
}

#[test]
fn a_core_without_the_timeout_is_noticed() {
    check_noticed(Sabotage::Timeout);
}

#[test]
fn a_core_without_the_quarantine_is_noticed() {
    check_noticed(Sabotage::Quarantine);
}

#[test]
fn a_core_that_lets_attempts_of_before_an_upgrade_count_is_noticed() {
    check_noticed(Sabotage::AttemptFloor);
}

#[test]
fn a_placement_without_the_turn_of_the_oldest_is_noticed() {
    choose(Some(Sabotage::Ageing));
    let noticed = (0..SEEDS).find_map(|seed| simulate_crowd(seed).err());
    choose(None);
    assert!(noticed.is_some_and(|violation| violation.0.contains("was passed by")));
}

#[test]
fn the_same_build_without_a_sabotage_holds() {
    choose(None);
    for seed in 0..SEEDS {
        if let Err(violation) = simulate(seed, Faults::all()) {
            panic!("seed {seed}: {violation}");
        }
    }
}
