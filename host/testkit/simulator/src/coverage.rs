//! Which inputs met which states.

use std::collections::BTreeMap;
use std::fmt;

use wfhost_workflow::run::{AttemptOutcome, Input, StateName};

/// The inputs, by name.
pub(crate) const INPUTS: [&str; 9] = [
    "succeeded",
    "failed",
    "lost",
    "timers-due",
    "cancel",
    "recover",
    "upgrade",
    "release",
    "retry",
];

/// How often each input met each state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage(BTreeMap<(&'static str, StateName), u64>);

impl Coverage {
    pub(crate) fn count(&mut self, state: StateName, input: &Input) {
        *self.0.entry((name_of(input), state)).or_default() += 1;
    }

    /// Adds what another world has seen.
    pub fn add(&mut self, other: &Self) {
        for (pair, count) in &other.0 {
            *self.0.entry(*pair).or_default() += count;
        }
    }

    /// The pairs that can occur and did not.
    #[must_use]
    pub fn missing(&self) -> Vec<(&'static str, StateName)> {
        possible().filter(|pair| !self.0.contains_key(pair)).collect()
    }
}

/// Every pair that can occur: inputs that name a task find it in any standing; the others find
/// the run over, with attempts under way, or with nothing but backoffs or quarantined tasks.
fn possible() -> impl Iterator<Item = (&'static str, StateName)> {
    const OF_TASKS: [StateName; 7] = [
        StateName::RunOver,
        StateName::NotBegun,
        StateName::UnderWay,
        StateName::UnderWayOther,
        StateName::Backoff,
        StateName::Quarantined,
        StateName::Done,
    ];
    const OF_RUNS: [StateName; 4] =
        [StateName::RunOver, StateName::UnderWay, StateName::Backoff, StateName::Quarantined];
    const OF_RETRIES: [StateName; 4] =
        [StateName::RunOver, StateName::RunFailed, StateName::UnderWay, StateName::Backoff];
    let [tasks @ .., timers, cancel, recover, upgrade, release, retry] = INPUTS;
    let of_tasks = tasks.into_iter().flat_map(|input| OF_TASKS.map(|state| (input, state)));
    let runs = [timers, cancel, recover, upgrade].into_iter();
    let of_runs = runs.flat_map(|input| OF_RUNS.map(|state| (input, state)));
    // A release names no attempt, and may name nothing.
    let releases = OF_TASKS.into_iter().filter(|state| *state != StateName::UnderWayOther);
    let of_releases = releases.map(move |state| (release, state));
    let of_retries = OF_RETRIES.into_iter().map(move |state| (retry, state));
    of_tasks.chain(of_runs).chain(of_releases).chain(of_retries)
}

fn name_of(input: &Input) -> &'static str {
    match input {
        Input::AttemptEnded { outcome, .. } => match outcome {
            AttemptOutcome::Succeeded { .. } => INPUTS[0],
            AttemptOutcome::Failed(_) => INPUTS[1],
            AttemptOutcome::Lost { .. } => INPUTS[2],
        },
        Input::TimersDue => INPUTS[3],
        Input::Cancel { .. } => INPUTS[4],
        Input::Recover => INPUTS[5],
        Input::Upgrade(_) => INPUTS[6],
        Input::Release { .. } => INPUTS[7],
        Input::Retry => INPUTS[8],
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (input, state) in possible() {
            let count = self.0.get(&(input, state)).copied().unwrap_or_default();
            writeln!(f, "{input:>10} × {:<14} {count:>9}", format!("{state:?}"))?;
        }
        Ok(())
    }
}
