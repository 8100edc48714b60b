//! Store and link do what they are asked and say that they did not, or say nothing.

use std::time::Duration;

use wfhost_transport::client::{Answer, Refusal};
use wfhost_transport::{ClientLink, Hub};
use wfhost_workflow::RunId;

use super::Row;
use crate::client::unexpected;
use crate::cluster::{Cluster, Load, ServeOptions, Watcher, WorkerOptions};
use crate::failure::{Doing as _, Failure, Result};
use crate::report::Outcome;
use crate::tools::Tools;
use crate::work::{Job, Shape, new_run};

pub(super) const ROW: Row = Row {
    name: "timeout",
    fault: "store or link did it but reports a timeout",
    must_hold: "resolved by reading back; never twice",
    root: false,
    carry_out,
};

const STEP_MS: u64 = 10;

const LIMIT: Duration = Duration::from_secs(60);

/// What `wfhost` exits with when its store has failed.
const STORE_FAILED: Option<i32> = Some(5);

/// How long a client that has patience waits for its answer.
const PATIENCE: Duration = Duration::from_millis(300);

/// How often it asks before it gives up.
const TRIES_MAX: u32 = 50;

fn carry_out(tools: &Tools) -> Result<Outcome> {
    let times = tools.times(20, 2);
    let mut outcome = Outcome::new(times);
    let mut cluster = Cluster::new(tools)?;
    cluster.serve(&ServeOptions::default())?;
    for key in ["one", "two"] {
        cluster.worker(key, &WorkerOptions::slots(4))?;
    }
    store_under_load(&mut cluster, times, &mut outcome)?;
    store_alone(&mut cluster, times, &mut outcome)?;
    link(&mut cluster, tools.either(1000, 60), &mut outcome)?;
    cluster.finish(LIMIT)?.add_to(&mut outcome);
    Ok(outcome)
}

fn job(number: u64) -> Job {
    Job::new(Shape::Diamond { wide: 3 }, STEP_MS, number)
}

fn lying(points: String) -> ServeOptions {
    ServeOptions { failpoints: Some(points), ..ServeOptions::default() }
}

/// Some sync among many is said to have timed out.
fn store_under_load(cluster: &mut Cluster<'_>, times: u32, outcome: &mut Outcome) -> Result<()> {
    let handle = cluster.handle()?;
    let load = Load::begin(&handle, 2, Duration::from_millis(40), job)?;
    let watcher = Watcher::begin(&handle);
    cluster.kill_server()?;
    let mut stopped = 0;
    for _ in 0..times {
        let passes = cluster.random.u32(5..120);
        let options = lying(format!("report-timeout={passes}*off->return"));
        let code = cluster.serve_to_end(&options, LIMIT)?;
        stopped += u32::from(code == STORE_FAILED);
    }
    cluster.serve(&ServeOptions::default())?;
    std::thread::sleep(Duration::from_millis(200));
    outcome.counted("runs started under load", load.end()?);
    watcher.end()?;
    let detail = format!("{stopped} of {times}");
    outcome.claim("the process stops with exit code 5", stopped == times, detail);
    Ok(())
}

/// The very commit that a start waits for.
fn store_alone(cluster: &mut Cluster<'_>, times: u32, outcome: &mut Outcome) -> Result<()> {
    let (mut denied, mut stored) = (0, 0);
    for number in 0..times {
        // So that the first commit is the start's.
        cluster.wait_all_over(LIMIT)?;
        cluster.kill_server()?;
        cluster.serve(&lying("report-timeout=return".to_owned()))?;
        let (handle, mut client) = (cluster.handle()?, cluster.client()?);
        let (run, job) = (new_run(&mut cluster.random), job(number.into()));
        handle.want(run, &job);
        match client.ask_once(&job.start(run, cluster.tools().digest)) {
            Ok(Answer::Refused(Refusal::Store(_))) | Err(_) => denied += 1,
            Ok(other) => return Err(unexpected(&other)),
        }
        let server = cluster.server()?;
        let code = server.end(LIMIT)?;
        if code != STORE_FAILED {
            return Err(Failure::new(format!("it ended with {code:?}:\n{}", server.said())));
        }
        cluster.kill_server()?;
        cluster.serve(&ServeOptions::default())?;
        stored += u32::from(client.journal(run)?.is_some());
        handle.start(&mut client, run, &job)?;
    }
    outcome.counted("starts whose commit was said to have failed", denied);
    let detail = format!("{stored} of {times}");
    outcome.claim("they are read back, and started again are one run", stored == times, detail);
    Ok(())
}

/// Answers are lost on their way, and clients leave before theirs comes.
fn link(cluster: &mut Cluster<'_>, starts: u64, outcome: &mut Outcome) -> Result<()> {
    cluster.kill_server()?;
    cluster.serve(&lying("lose-answer=30%return".to_owned()))?;
    let handle = cluster.handle()?;
    handle.prepare(&mut handle.client(), &job(0))?;
    let (mut lost, mut left) = (0, 0);
    for number in 0..starts {
        let (run, job) = (new_run(&mut cluster.random), job(number));
        handle.want(run, &job);
        if number % 3 == 0 {
            left += u32::from(!asked(cluster, run, &job, Duration::ZERO)?);
        }
        let mut tries = 0;
        while !asked(cluster, run, &job, PATIENCE)? {
            lost += 1;
            tries += 1;
            if tries > TRIES_MAX {
                return Err(Failure::new(format!("no start of run {run} is answered")));
            }
        }
        handle.acknowledge(run);
    }
    cluster.kill_server()?;
    cluster.serve(&ServeOptions::default())?;
    let mut runs: Vec<RunId> =
        cluster.client()?.list()?.into_iter().map(|run| run.summary.run).collect();
    let listed = runs.len();
    runs.sort_unstable();
    runs.dedup();
    let wanted = cluster.history().wanted.len();
    outcome.counted("starts whose answer was lost", lost);
    outcome.counted("starts whose client left without waiting", left);
    let detail = format!("{listed} are listed, {} different, {wanted} wanted", runs.len());
    let holds = listed == wanted && runs.len() == wanted;
    outcome.claim("each that was started more than once is one run", holds, detail);
    outcome.claim("answers were lost, and clients left", lost > 0 && left > 0, "");
    Ok(())
}

/// Whether somebody who knows nothing of what was before gets an answer in time.
fn asked(cluster: &Cluster<'_>, run: RunId, job: &Job, patience: Duration) -> Result<bool> {
    let target = cluster.target_of(cluster.client_key().clone())?;
    let mut link = ClientLink::connect(&Hub::new(), target).doing("connect")?;
    match link.request(&job.start(run, cluster.tools().digest), patience) {
        Ok(Answer::Done) => Ok(true),
        Ok(other) => Err(unexpected(&other)),
        Err(_) => Ok(false),
    }
}
