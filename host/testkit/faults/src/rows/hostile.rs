//! Whoever may not, and whoever may and does what it must not: each is refused and hardly seen in
//! the log, and honest work goes on.

mod arena;
mod frames;
mod results;
mod revoked;
mod strangers;

use std::time::Duration;

use super::Row;
use crate::cluster::{Cluster, Load, ServeOptions, Watcher, WorkerOptions};
use crate::failure::Result;
use crate::report::Outcome;
use crate::tools::Tools;
use crate::work::{Job, Shape};
use arena::Arena;

pub(super) const ROW: Row = Row {
    name: "hostile",
    fault: "wrong keys, no key, a revoked key, another worker's attempts, old protocols, random bytes, oversized frames, replays",
    must_hold: "refused, logged with a rate limit; the rest goes on",
    root: false,
    carry_out,
};

/// Of the honest steps.
const STEP_MS: u64 = 30;

/// For everything to end.
const LIMIT: Duration = Duration::from_secs(60);

/// Who is on the list of workers and not honest.
const EVIL: &str = "evil";

/// Whose key is taken off the list.
const REVOKED: &str = "revoked";

fn carry_out(tools: &Tools) -> Result<Outcome> {
    let times = tools.times(3, 1);
    let mut cluster = Cluster::new(tools)?;
    for key in ["one", "two", REVOKED, EVIL] {
        cluster.new_worker_key(key)?;
    }
    cluster.serve(&ServeOptions::default())?;
    for key in ["one", "two"] {
        cluster.worker(key, &WorkerOptions::slots(4))?;
    }
    let handle = cluster.handle()?;
    let job = |number| Job::new(Shape::Diamond { wide: 4 }, STEP_MS, number);
    let load = Load::begin(&handle, 2, Duration::from_millis(100), job)?;
    let watcher = Watcher::begin(&handle);
    let mut arena = Arena::new(&cluster, times)?;
    for _ in 0..times {
        strangers::all(&mut arena)?;
        frames::all(&mut arena)?;
        results::all(&mut arena)?;
    }
    let mut outcome = arena.over();
    // Once: a key that is taken off stays off.
    revoked::all(&mut cluster, &mut outcome)?;
    outcome.counted("runs started under load", load.end()?);
    watcher.end()?;
    cluster.finish(LIMIT)?.add_to(&mut outcome);
    Ok(outcome)
}
