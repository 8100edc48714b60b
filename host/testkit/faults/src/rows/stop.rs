//! `SIGSTOP` of a worker for longer than its lease, then `SIGCONT`.

use std::time::Duration;

use rustix::process::Signal;

use super::Row;
use super::kill_worker::successors;
use crate::clock;
use crate::cluster::{Cluster, ServeOptions, WorkerOptions};
use crate::failure::{Doing as _, Result};
use crate::report::{Outcome, Times};
use crate::tools::Tools;
use crate::work::{Job, Shape};

pub(super) const ROW: Row = Row {
    name: "stop-worker",
    fault: "`SIGSTOP` of a worker for 60 s, then `SIGCONT`",
    must_hold: "steps run elsewhere within 4 s; late results refused and counted",
    root: false,
    carry_out,
};

const SLOTS: u32 = 8;

/// Over soon after the worker goes on, and long enough to be under way together.
const STEP_MS: u64 = 900;

const LIMIT: Duration = Duration::from_secs(60);

fn carry_out(tools: &Tools) -> Result<Outcome> {
    let times = tools.times(3, 1);
    let stopped_for = tools.either(Duration::from_secs(60), Duration::from_secs(8));
    let mut cluster = Cluster::new(tools)?;
    cluster.serve(&ServeOptions::default())?;
    let handle = cluster.handle()?;
    let (mut elsewhere, mut had_all, mut refused) = (Times::default(), 0, 0);
    for number in 0..times {
        // New keys each time: what a worker is told to have done is its process's own.
        let (stopped, other) = (format!("stopped{number}"), format!("other{number}"));
        let name = cluster.worker(&stopped, &WorkerOptions::slots(SLOTS))?;
        let job = Job::new(Shape::Fan { wide: SLOTS.into() }, STEP_MS, number.into());
        let runs = handle.start_all(&[job], 1)?;
        let full = || cluster.under_way(&name).is_ok_and(|it| it.len() == SLOTS as usize);
        clock::until(LIMIT, || full().then_some(())).doing("wait for 8 steps under way")?;
        let had = cluster.under_way(&name)?;
        cluster.apart(Some(&name));
        let stopped_at = clock::wall_ns();
        let began = clock::now();
        cluster.signal_worker(&stopped, Signal::STOP)?;
        let heir = cluster.worker(&other, &WorkerOptions::slots(SLOTS))?;
        cluster.wait_over(&runs, LIMIT)?;
        for again in successors(&had, &cluster.executions_of(&heir)?) {
            elsewhere.add(Duration::from_nanos(again.saturating_sub(stopped_at)));
        }
        had_all += had.len();
        std::thread::sleep(stopped_for.saturating_sub(began.elapsed()));
        cluster.signal_worker(&stopped, Signal::CONT)?;
        // What it has of them is refused, each once, and it is used again.
        let mut late = 0;
        cluster.client()?.worker_when(&name, LIMIT, |worker| {
            late = worker.map_or(0, |worker| worker.counts.late_refused);
            late >= had.len() as u64
        })?;
        refused += late;
        cluster.signal_worker(&other, Signal::TERM)?;
        cluster.worker_left(&other)?;
        let again = Job::new(Shape::Fan { wide: SLOTS.into() }, 1, number.into());
        let runs = handle.start_all(&[again], 1)?;
        cluster.wait_over(&runs, LIMIT)?;
        cluster.signal_worker(&stopped, Signal::TERM)?;
        cluster.worker_left(&stopped)?;
    }
    let mut outcome = Outcome::new(times);
    outcome.counted("attempts under way when it was stopped", had_all);
    outcome.counted("late ends refused", refused);
    let detail = format!("{} of {had_all}", elsewhere.count());
    outcome.claim("each has a successor elsewhere", elsewhere.count() == had_all, detail);
    outcome.claim("late results are refused and counted", refused == had_all as u64, "");
    let within = elsewhere.percentile(1.0) < Duration::from_secs(4);
    outcome.timed("steps run elsewhere within 4 s", within, "");
    outcome.measured("from the stop to the new attempt's first instruction", elsewhere);
    cluster.finish(LIMIT)?.add_to(&mut outcome);
    Ok(outcome)
}
