//! `kill -9` of the coordinator, with many runs open.

use std::time::Duration;

use wfhost_workflow::RunId;

use super::Row;
use crate::client::counted;
use crate::clock;
use crate::cluster::{Cluster, Load, ServeOptions, Watcher, WorkerOptions};
use crate::failure::{Failure, Result};
use crate::history::{Happened, Task};
use crate::report::{Outcome, Times};
use crate::tools::Tools;
use crate::work::{Job, Shape};

pub(super) const ROW: Row = Row {
    name: "kill-coordinator",
    fault: "`kill -9` of the coordinator under load with 10,000 open runs",
    must_hold: "serving again within 2 s of restart; nothing acknowledged lost; running steps adopted",
    root: false,
    carry_out,
};

/// Longer than a restart, so that steps are under way before and after.
const STEP_MS: u64 = 2500;

const LIMIT: Duration = Duration::from_secs(180);

fn carry_out(tools: &Tools) -> Result<Outcome> {
    let times = tools.times(20, 2);
    let open = tools.either(10_000, 1000);
    let mut cluster = Cluster::new(tools)?;
    cluster.serve(&ServeOptions::default())?;
    for key in ["one", "two", "three", "four"] {
        cluster.worker(key, &WorkerOptions::slots(8))?;
    }
    let handle = cluster.handle()?;
    // They stay open until a worker comes that may take them.
    let parked: Vec<Job> = (0..open).map(|number| Job::new(Shape::Parked, 0, number)).collect();
    handle.start_all(&parked, 8)?;
    let job = |number| Job::new(Shape::Diamond { wide: 4 }, STEP_MS, number);
    let load = Load::begin(&handle, 4, Duration::from_millis(700), job)?;
    let watcher = Watcher::begin(&handle);
    let (mut ready, mut answered, mut adopted) = (Times::default(), Times::default(), 0);
    let mut running = 0;
    for _ in 0..times {
        let settle = Duration::from_millis(cluster.random.u64(1500..3000));
        std::thread::sleep(settle);
        let under_way = under_way(&cluster)?;
        cluster.kill_server()?;
        let began = clock::now();
        ready.add(cluster.serve(&ServeOptions::default())?);
        let mut client = cluster.client()?;
        let runs = counted(&client.list()?).running;
        answered.add(began.elapsed());
        if (runs as u64) < open {
            return Err(Failure::new(format!("{runs} of {open} runs are open")));
        }
        // What ran goes on: its end is awaited, and no other attempt of it may have begun.
        running += under_way.len();
        adopted += self::adopted(&cluster, &under_way)?;
    }
    let mut outcome = Outcome::new(times);
    outcome.counted("runs started under load", load.end()?);
    watcher.end()?;
    cluster.worker("park", &parking())?;
    let detail = format!("{adopted} of {running}");
    outcome.claim("what was running goes on, and counts", adopted == running, detail);
    let most = answered.percentile(1.0);
    let holds = most < Duration::from_secs(2);
    outcome.timed("serving again within 2 s of restart", holds, "");
    outcome.measured("from the start of the process to ready", ready);
    outcome.measured("to the first answer over TCP", answered);
    cluster.finish(LIMIT)?.add_to(&mut outcome);
    Ok(outcome)
}

fn parking() -> WorkerOptions {
    WorkerOptions { label: Some("park=true".to_owned()), ..WorkerOptions::slots(16) }
}

/// What guests have begun and not ended.
type Attempts = Vec<(RunId, Task, u32)>;

fn under_way(cluster: &Cluster<'_>) -> Result<Attempts> {
    let executions = cluster.executions()?.into_iter().filter(|it| it.end_ns.is_none());
    Ok(executions.map(|it| (it.run, it.task, it.attempt)).collect())
}

/// How many of these count, once all have that will.
fn adopted(cluster: &Cluster<'_>, attempts: &Attempts) -> Result<usize> {
    let mut client = cluster.client()?;
    let mut counts = |(run, task, attempt): &(RunId, Task, u32)| {
        let counts = clock::until(Duration::from_millis(STEP_MS * 4), || {
            let journal = client.journal(*run).ok().flatten()?;
            let ends = |it: &&Happened| {
                it.task.as_ref() == Some(task)
                    && it.attempt == Some(*attempt)
                    && it.name != "attempt-scheduled"
            };
            journal.iter().find(ends).map(|end| end.name == "attempt-succeeded")
        });
        counts == Some(true)
    };
    Ok(attempts.iter().filter(|attempt| counts(attempt)).count())
}
