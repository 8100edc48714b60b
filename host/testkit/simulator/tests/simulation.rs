//! Thousands of made-up runs through every fault, alone and together.

use std::thread;

use wfhost_simulator::{Coverage, Fault, Faults, History, simulate};

/// Runs with at least one fault, over all kinds.
const RUNS: u64 = 6000;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Only(Fault),
    All,
}

impl Kind {
    fn faults(self) -> Faults {
        match self {
            Self::Only(fault) => Faults::only(fault),
            Self::All => Faults::all(),
        }
    }
}

fn kinds() -> Vec<Kind> {
    let alone = Fault::ALL.into_iter().map(Kind::Only);
    alone.chain([Kind::All; 4]).collect()
}

fn run(seed: u64, kind: Kind) -> History {
    simulate(seed, kind.faults())
        .unwrap_or_else(|violation| panic!("seed {seed}, {kind:?}: {violation}"))
}

#[derive(Default)]
struct Tally {
    coverage: Coverage,
    runs: u64,
    tasks: usize,
    faults: u64,
    upgraded: u64,
    refused: u64,
}

/// Runs seeds of one kind until `wanted` of them met a fault.
fn tally(kind: Kind, first_seed: u64, wanted: u64) -> Tally {
    let mut tally = Tally::default();
    for seed in first_seed.. {
        let history = run(seed, kind);
        tally.coverage.add(&history.coverage);
        tally.upgraded += u64::from(history.upgraded);
        tally.refused += u64::from(history.refused);
        if history.faults > 0 {
            tally.runs += 1;
            tally.tasks += history.tasks;
            tally.faults += u64::from(history.faults);
        }
        if tally.runs == wanted {
            break;
        }
        assert!(seed - first_seed < wanted * 20, "{kind:?} hardly ever strikes");
    }
    tally
}

#[test]
fn every_run_ends_and_counts_each_result_once_whatever_fails() {
    let kinds = kinds();
    let share = RUNS.div_ceil(kinds.len() as u64);
    let numbered: Vec<(u64, Kind)> = (0..).zip(kinds).collect();
    // Two threads: there are at least two cores.
    let (left, right) = numbered.split_at(numbered.len() / 2);
    let tally_all = |kinds: &[(u64, Kind)]| -> Vec<Tally> {
        kinds.iter().map(|(number, kind)| tally(*kind, number << 32, share)).collect()
    };
    let tallies: Vec<Tally> = thread::scope(|scope| {
        let other = scope.spawn(|| tally_all(right));
        let mut tallies = tally_all(left);
        tallies.extend(other.join().expect("the other half panicked"));
        tallies
    });
    let mut coverage = Coverage::default();
    for tally in &tallies {
        coverage.add(&tally.coverage);
    }
    let runs: u64 = tallies.iter().map(|tally| tally.runs).sum();
    let tasks: usize = tallies.iter().map(|tally| tally.tasks).sum();
    let faults: u64 = tallies.iter().map(|tally| tally.faults).sum();
    let upgraded: u64 = tallies.iter().map(|tally| tally.upgraded).sum();
    let refused: u64 = tallies.iter().map(|tally| tally.refused).sum();
    #[expect(clippy::print_stdout, reason = "what was covered is for people")]
    {
        println!(
            "{runs} runs, {tasks} steps and items begun, {faults} faults, {upgraded} upgrades, {refused} refused\n{coverage}"
        );
    }
    assert!(upgraded >= RUNS / 3 && refused >= RUNS / 20, "{upgraded} upgrades, {refused} refused");
    assert!(runs >= RUNS);
    assert!(tasks as u64 >= 20 * runs, "runs of {} steps on average", tasks as u64 / runs);
    assert_eq!(coverage.missing(), [], "pairs of input and state that were never met");
}

#[test]
fn a_crash_at_every_single_point_of_a_run_loses_nothing() {
    for seed in 0..12 {
        let points = crash_points_of(seed);
        assert!(points > 20, "seed {seed} has {points} points");
        for point in 1..=points {
            let history = simulate(seed, Faults::crash_at(point))
                .unwrap_or_else(|violation| panic!("seed {seed}, point {point}: {violation}"));
            assert_eq!(history.faults, 1, "seed {seed}, point {point}");
        }
    }
}

/// How many opportunities for a crash an undisturbed run has.
fn crash_points_of(seed: u64) -> u32 {
    let history = simulate(seed, Faults::crash_at(u32::MAX))
        .unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
    assert_eq!(history.faults, 0);
    history.crash_points
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for seed in 0..50 {
        assert_eq!(run(seed, Kind::All).end, run(seed, Kind::All).end);
    }
}
