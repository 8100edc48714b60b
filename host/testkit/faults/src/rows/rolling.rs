//! Workers that are replaced one by one, under load.

use std::time::Duration;

use rustix::process::Signal;

use super::Row;
use crate::clock;
use crate::cluster::{Cluster, Load, ServeOptions, Watcher, WorkerOptions};
use crate::failure::Result;
use crate::report::{Outcome, Times};
use crate::tools::Tools;
use crate::work::{Job, Shape};

pub(super) const ROW: Row = Row {
    name: "rolling-restart",
    fault: "rolling restart of 4 workers under load",
    must_hold: "zero failed runs",
    root: false,
    carry_out,
};

const KEYS: [&str; 4] = ["one", "two", "three", "four"];

const LIMIT: Duration = Duration::from_secs(60);

fn carry_out(tools: &Tools) -> Result<Outcome> {
    let times = tools.times(10, 2);
    let mut cluster = Cluster::new(tools)?;
    cluster.serve(&ServeOptions::default())?;
    let options = WorkerOptions::slots(4);
    for key in KEYS {
        cluster.worker(key, &options)?;
    }
    let handle = cluster.handle()?;
    let job = |number| Job::new(Shape::Diamond { wide: 8 }, 200, number);
    let load = Load::begin(&handle, 2, Duration::from_millis(300), job)?;
    let watcher = Watcher::begin(&handle);
    let (mut left, mut clean) = (Times::default(), 0);
    for key in KEYS.iter().cycle().take(KEYS.len() * times as usize) {
        let began = clock::now();
        cluster.signal_worker(key, Signal::TERM)?;
        clean += usize::from(cluster.worker_left(key)? == Some(0));
        left.add(began.elapsed());
        cluster.worker(key, &options)?;
    }
    let mut outcome = Outcome::new(times);
    outcome.counted("runs started under load", load.end()?);
    watcher.end()?;
    let detail = format!("{clean} of {}", left.count());
    outcome.claim("each worker leaves cleanly", clean == left.count(), detail);
    outcome.measured("from SIGTERM to the end of a worker", left);
    cluster.wait_all_over(LIMIT)?;
    let lost = cluster.server_log().matches("silent for too long").count();
    outcome.claim("no worker that leaves counts as dead", lost == 0, "");
    // The checker holds every run to the output that it must give.
    cluster.finish(LIMIT)?.add_to(&mut outcome);
    Ok(outcome)
}
