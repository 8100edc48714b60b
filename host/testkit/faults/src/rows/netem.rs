//! A slow link that loses packets.

use std::time::Duration;

use super::Row;
use crate::clock;
use crate::cluster::{Cluster, Load, ServeOptions, Watcher, WorkerOptions};
use crate::failure::Result;
use crate::history::Apart;
use crate::net::{Net, Shape, Way};
use crate::report::Outcome;
use crate::tools::Tools;
use crate::work::{Job, Shape as Steps};

pub(super) const ROW: Row = Row {
    name: "slow-link",
    fault: "200 ms and 5 % loss on the way from 4 workers to the coordinator, as `tc netem` has it, 10 minutes",
    must_hold: "at most one false death per worker-hour",
    root: true,
    carry_out,
};

const WORKERS: u32 = 4;

const LIMIT: Duration = Duration::from_secs(120);

fn carry_out(tools: &Tools) -> Result<Outcome> {
    let span = tools.either(Duration::from_secs(600), Duration::from_secs(20));
    let net = Net::new(tools.seed)?;
    let mut cluster = Cluster::new(tools)?;
    let host = Some(net.host().to_owned());
    cluster.serve(&ServeOptions { host, ..ServeOptions::default() })?;
    for number in 0..WORKERS {
        let namespace = Some(net.namespace().to_owned());
        let options = WorkerOptions { namespace, ..WorkerOptions::slots(4) };
        cluster.worker(&format!("far{number}"), &options)?;
    }
    let handle = cluster.handle()?;
    let job = |number| Job::new(Steps::Diamond { wide: 4 }, 300, number);
    let load = Load::begin(&handle, 2, Duration::from_millis(700), job)?;
    let watcher = Watcher::begin(&handle);
    let from_ns = clock::wall_ns();
    net.shape(Way::Out, Shape { loss: 0.05, delay: Duration::from_millis(200) });
    let began = clock::now();
    std::thread::sleep(span);
    let deaths = cluster.server_log().matches("silent for too long").count();
    let hours = f64::from(WORKERS) * began.elapsed().as_secs_f64() / 3600.0;
    net.shape(Way::Out, Shape::default());
    if deaths > 0 {
        // Which of them, and when, only the log says.
        cluster.history().apart.push(Apart { process: None, from_ns });
    }
    let mut outcome = Outcome::new(1);
    outcome.counted("runs started under load", load.end()?);
    watcher.end()?;
    outcome.counted("false deaths", deaths);
    let text = "at most one false death per worker-hour, or part of one";
    let detail = format!("{deaths} in {hours:.2} worker-hours");
    outcome.claim(text, deaths as f64 <= hours.ceil(), detail);
    cluster.finish(LIMIT)?.add_to(&mut outcome);
    Ok(outcome)
}
