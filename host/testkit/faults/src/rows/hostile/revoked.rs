//! A key that is taken off the list while its worker has steps.

use std::time::Duration;

use wfhost_transport::keys::KeyPair;
use wfhost_transport::message::{FromWorker, ToWorker};
use wfhost_transport::{Coordinator, Curve, Hub, WorkerLink};
use wfhost_workflow::placement::LEASE;

use super::arena::{ANSWER_MAX, hello, next, send};
use super::{EVIL, LIMIT, REVOKED};
use crate::clock;
use crate::cluster::{Cluster, WorkerOptions};
use crate::failure::{Doing as _, Result};
use crate::history::Apart;
use crate::report::Outcome;
use crate::tools::seconds;
use crate::work::{Job, Shape};

const SLOTS: u32 = 8;

/// Long enough to be under way when the list changes.
const STEP_MS: u64 = 1000;

/// Messages after the end.
const MANY: usize = 2000;

pub(super) fn all(cluster: &mut Cluster<'_>, outcome: &mut Outcome) -> Result<()> {
    let process = cluster.worker(REVOKED, &WorkerOptions::slots(SLOTS))?;
    let own = KeyPair::read(&cluster.path(&format!("{EVIL}.key"))).doing("read a key")?;
    let endpoint = cluster.address()?.parse().doing("read the address")?;
    let curve = Some(Curve { own, server: cluster.server_key() });
    let coordinator = Coordinator { endpoint, curve };
    let (mut evil, _waker) =
        WorkerLink::connect(&Hub::new(), coordinator).doing("connect a worker")?;
    send(&mut evil, &FromWorker::Hello(Box::new(hello(0, 9))))?;
    next(&mut evil, ANSWER_MAX, |it| matches!(it, ToWorker::Welcome { .. }).then_some(()))
        .doing("join")?;
    let jobs: Vec<Job> =
        (0..4).map(|number| Job::new(Shape::Fan { wide: 4 }, STEP_MS, 1000 + number)).collect();
    let runs = cluster.handle()?.start_all(&jobs, 1)?;
    let has =
        || cluster.under_way(&process).is_ok_and(|it| it.iter().any(|it| runs.contains(&it.run)));
    clock::until(LIMIT, || has().then_some(())).doing("wait for steps of the worker")?;
    // Its leases end with its key, not some seconds after it was last heard of.
    let from_ns = clock::wall_ns().saturating_sub(LEASE.0 * 1_000_000);
    cluster.history().apart.push(Apart { process: Some(process.clone()), from_ns });
    let lines = cluster.server_log().lines().count();
    let keys = ["one", "two"].map(|key| KeyPair::read(&cluster.path(&format!("{key}.key"))));
    let keys = keys.into_iter().collect::<std::result::Result<Vec<_>, _>>().doing("read a key")?;
    let keys: Vec<_> = keys.iter().map(KeyPair::public).collect();
    let began = clock::now();
    cluster.list_keys("workers.keys", &keys)?;
    let told = next(&mut evil, ANSWER_MAX, |message| match message {
        ToWorker::Refused { reason } => Some(reason),
        _ => None,
    });
    outcome.claim(
        "a key is taken off: its live session is dropped",
        told.is_some(),
        format!("{told:?} after {}", seconds(began.elapsed())),
    );
    for _ in 0..MANY {
        send(&mut evil, &FromWorker::Hello(Box::new(hello(4, 9))))?;
    }
    let heard = next(&mut evil, Duration::from_secs(1), Some);
    outcome.claim("… and is not heard again", heard.is_none(), format!("{heard:?}"));
    let had = cluster.under_way(&process)?.len();
    cluster.wait_over(&runs, LIMIT)?;
    let detail =
        format!("{had} steps were under way; all runs over after {}", seconds(began.elapsed()));
    outcome.claim("… its steps run elsewhere", true, detail);
    let code = cluster.worker_left(REVOKED)?;
    outcome.claim("… its worker leaves", code != Some(0), format!("exit code {code:?}"));
    let grown = cluster.server_log().lines().count() - lines;
    outcome.claim("… hardly logged", grown <= 60, format!("{grown} lines of log"));
    outcome.counted("messages of a revoked key", MANY);
    Ok(())
}
