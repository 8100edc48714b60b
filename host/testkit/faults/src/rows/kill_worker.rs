//! `kill -9` of a worker.

use std::time::Duration;

use super::Row;
use crate::clock;
use crate::cluster::{Cluster, ServeOptions, WorkerOptions};
use crate::failure::{Doing as _, Result};
use crate::history::Execution;
use crate::report::{Outcome, Times};
use crate::tools::Tools;
use crate::work::{Job, Shape};

pub(super) const ROW: Row = Row {
    name: "kill-worker",
    fault: "`kill -9` of a worker with 8 steps under way",
    must_hold: "new attempts start p99 < 1 s after death; none lost, none counted twice",
    root: false,
    carry_out,
};

const SLOTS: u32 = 8;

/// Long enough for the other worker to join while they are under way.
const STEP_MS: u64 = 900;

const LIMIT: Duration = Duration::from_secs(60);

fn carry_out(tools: &Tools) -> Result<Outcome> {
    let times = tools.times(50, 3);
    let mut cluster = Cluster::new(tools)?;
    cluster.serve(&ServeOptions::default())?;
    for key in ["one", "two"] {
        cluster.new_worker_key(key)?;
    }
    let options = WorkerOptions::slots(SLOTS);
    let mut victim = ("one", cluster.worker("one", &options)?);
    let mut other = "two";
    let handle = cluster.handle()?;
    let (mut restarted, mut died) = (Times::default(), 0);
    for number in 0..times {
        let job = Job::new(Shape::Fan { wide: SLOTS.into() }, STEP_MS, number.into());
        let runs = handle.start_all(&[job], 1)?;
        let full = || cluster.under_way(&victim.1).is_ok_and(|it| it.len() == SLOTS as usize);
        clock::until(LIMIT, || full().then_some(())).doing("wait for 8 steps under way")?;
        let heir = (other, cluster.worker(other, &options)?);
        let had = cluster.under_way(&victim.1)?;
        let killed_at = cluster.kill_worker(victim.0)?;
        died += had.len();
        cluster.wait_over(&runs, LIMIT)?;
        for again in successors(&had, &cluster.executions_of(&heir.1)?) {
            restarted.add(Duration::from_nanos(again.saturating_sub(killed_at)));
        }
        other = victim.0;
        victim = heir;
    }
    let mut outcome = Outcome::new(times);
    outcome.counted("attempts under way at a death", died);
    outcome.claim(
        "each attempt that died has a successor",
        restarted.count() == died,
        format!("{} of {died}", restarted.count()),
    );
    let p99 = restarted.percentile(0.99);
    outcome.timed("new attempts start p99 < 1 s after death", p99 < Duration::from_secs(1), "");
    outcome.measured("from a death to the new attempt's first instruction", restarted);
    cluster.finish(LIMIT)?.add_to(&mut outcome);
    Ok(outcome)
}

/// When what had begun on a worker that died began anew.
pub(super) fn successors(had: &[Execution], others: &[Execution]) -> Vec<u64> {
    let next = |lost: &Execution| {
        let later = others.iter().filter(|it| it.run == lost.run && it.task == lost.task);
        later.filter(|it| it.attempt > lost.attempt).map(|it| it.start_ns).min()
    };
    had.iter().filter_map(next).collect()
}
