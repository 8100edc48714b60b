//! The coordinator ends itself where it hurts most: at points that only its crashing build has.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::Row;
use crate::checker::Violation;
use crate::cluster::{Cluster, Load, ServeOptions, Watcher, WorkerOptions};
use crate::failure::{Doing as _, Failure, Result};
use crate::report::{Outcome, Times};
use crate::tools::Tools;
use crate::work::{Job, Shape};

pub(super) const ROW: Row = Row {
    name: "crash-points",
    fault: "the coordinator dies before append, after append before sync, after sync before acknowledging, after dispatch, in our snapshot, in our compaction",
    must_hold: "invariants hold after every restart",
    root: false,
    carry_out,
};

/// Where it dies, by the name in the code.
struct Point {
    name: &'static str,
    /// What else it is told, so that it comes by there.
    also: &'static str,
    /// How often it comes by and lives.
    passes: Range<u32>,
    /// For how many milliseconds other threads may go on first.
    waits_ms: &'static [u32],
    when: When,
}

/// What makes it come by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// Runs that start and end.
    Load,
    /// Being started.
    Opening,
    /// A run that was removed, with contents that nothing refers to.
    Removal,
}

const fn under_load(name: &'static str) -> Point {
    Point { name, also: "", passes: 5..120, waits_ms: &[0], when: When::Load }
}

const POINTS: &[Point] = &[
    under_load("before-append"),
    // Handed to sled, and not yet written; then written, and not yet synced.
    under_load("after-append"),
    under_load("before-sync"),
    under_load("before-acknowledging"),
    // At once, the message may still be on its way; later, the step runs.
    Point { waits_ms: &[0, 20], ..under_load("after-dispatch") },
    Point { also: "snapshot=10%return;", ..under_load("in-snapshot") },
    Point {
        also: "compact=return;",
        // Copied, synced, exchanged, closed.
        passes: 0..4,
        when: When::Opening,
        ..under_load("in-compaction")
    },
    Point { passes: 0..OLD_CONTENTS, when: When::Removal, ..under_load("in-collection") },
];

/// Deaths in a row at one point, before it may live.
const DEATHS: u32 = 2;

/// Contents that are collected.
const OLD_CONTENTS: u32 = 3;

const STEP_MS: u64 = 10;

/// For it to die, and for all to be over.
const LIMIT: Duration = Duration::from_secs(30);

/// So many of them at once: most of their time they wait.
const LANES: usize = 4;

/// What was found.
#[derive(Default)]
struct Found {
    deaths: BTreeMap<&'static str, usize>,
    ready: Vec<Duration>,
    started: usize,
    runs: usize,
    executions: usize,
    violations: Vec<Violation>,
}

impl Found {
    fn add(&mut self, other: Self) {
        for (point, deaths) in other.deaths {
            *self.deaths.entry(point).or_default() += deaths;
        }
        self.ready.extend(other.ready);
        self.started += other.started;
        self.runs += other.runs;
        self.executions += other.executions;
        self.violations.extend(other.violations);
    }
}

fn carry_out(tools: &Tools) -> Result<Outcome> {
    let times = tools.times(10, 1);
    let found = std::thread::scope(|scope| {
        let lane = |number| scope.spawn(move || some(tools, number, times));
        let lanes: Vec<_> = (0..LANES).map(lane).collect();
        let mut found = Found::default();
        for lane in lanes {
            let panicked = |_| Err(Failure::new("a thread of the row panicked"));
            found.add(lane.join().unwrap_or_else(panicked)?);
        }
        Ok(found)
    })?;
    let mut outcome = Outcome::new(times);
    let deaths = |point: &Point| found.deaths.get(point.name).copied().unwrap_or_default();
    for point in POINTS {
        outcome.counted(&format!("deaths at {}", point.name), deaths(point));
    }
    let missed: Vec<_> = POINTS.iter().filter(|it| deaths(it) == 0).map(|it| it.name).collect();
    outcome.claim("it died at every point", missed.is_empty(), missed.join(", "));
    outcome.counted("runs started under load", found.started);
    let mut ready = Times::default();
    found.ready.into_iter().for_each(|time| ready.add(time));
    outcome.measured("from the start of the process to ready, after a death", ready);
    outcome.invariants(found.runs, found.executions, &found.violations);
    Ok(outcome)
}

/// A lane's share of all points and repetitions.
fn some(tools: &Tools, lane: usize, times: u32) -> Result<Found> {
    let mut random = fastrand::Rng::with_seed(tools.seed.wrapping_add(lane as u64));
    let mut found = Found::default();
    let all = (0..times).flat_map(|_| POINTS);
    for point in all.skip(lane).step_by(LANES) {
        let at_one = die(tools, point, &mut random);
        found.add(at_one.doing(format_args!("die at {}", point.name))?);
    }
    Ok(found)
}

/// Has a coordinator die at a point, again and again, and then live.
fn die(tools: &Tools, point: &Point, random: &mut fastrand::Rng) -> Result<Found> {
    let mut found = Found::default();
    let mut cluster = Cluster::new(tools)?;
    cluster.serve(&ServeOptions::default())?;
    for key in ["one", "two"] {
        cluster.worker(key, &WorkerOptions::slots(4))?;
    }
    let handle = cluster.handle()?;
    let job = |number| Job::new(Shape::Diamond { wide: 3 }, STEP_MS, number);
    let load = Load::begin(&handle, 2, Duration::from_millis(40), job)?;
    let watcher = Watcher::begin(&handle);
    std::thread::sleep(Duration::from_millis(random.u64(200..500)));
    let mut busy = Some((load, watcher));
    if point.when == When::Removal
        && let Some((load, watcher)) = busy.take()
    {
        // Contents are collected when it is quiet.
        found.started += load.end()?;
        watcher.end()?;
        cluster.wait_all_over(LIMIT)?;
    }
    cluster.kill_server()?;
    for _ in 0..DEATHS {
        let options = ServeOptions { failpoints: Some(told(point, random)), ..<_>::default() };
        if point.when == When::Removal {
            remove_one(&mut cluster, &options)?;
        } else {
            cluster.serve_to_end(&options, LIMIT)?;
        }
    }
    found.ready.push(cluster.serve(&ServeOptions::default())?);
    std::thread::sleep(Duration::from_millis(200));
    if let Some((load, watcher)) = busy {
        found.started += load.end()?;
        watcher.end()?;
    }
    let died = cluster.server_log().matches(&format!("crash point {}", point.name)).count();
    let verdict = cluster.finish(LIMIT)?;
    found.deaths.insert(point.name, died);
    (found.runs, found.executions) = (verdict.runs, verdict.executions);
    found.violations = verdict.violations;
    Ok(found)
}

/// As the crate `fail` reads it.
fn told(point: &Point, random: &mut fastrand::Rng) -> String {
    let Point { name, also, waits_ms, .. } = point;
    let passes = random.u32(point.passes.clone());
    let wait_ms = random.choice(waits_ms.iter()).copied().unwrap_or_default();
    format!("{also}{name}={passes}*off->return({wait_ms})")
}

/// Serves, removes a run, and waits for the death that the collection of its contents brings.
fn remove_one(cluster: &mut Cluster<'_>, options: &ServeOptions) -> Result<()> {
    for number in 0..OLD_CONTENTS {
        old_content(&cluster.path("data/content"), number)?;
    }
    cluster.serve(options)?;
    let run = cluster.history().wanted.keys().next().copied();
    let (handle, mut client) = (cluster.handle()?, cluster.client()?);
    handle.remove(&mut client, run.doing("find a run to remove")?)?;
    let server = cluster.server()?;
    let _died = crate::clock::until(LIMIT, || server.has_ended().then_some(()));
    cluster.kill_server()
}

/// A content of yesterday that nothing refers to.
fn old_content(contents: &Path, number: u32) -> Result<()> {
    const AGE: Duration = Duration::from_secs(24 * 60 * 60);
    let bytes = number.to_be_bytes();
    let hex = wfhost_workflow::Digest::of(&bytes).hex();
    let folder = contents.join(&hex[..2]);
    std::fs::create_dir_all(&folder).doing("make a folder for contents")?;
    let file = std::fs::File::create(folder.join(hex)).doing("write a content")?;
    std::io::Write::write_all(&mut &file, &bytes).doing("write a content")?;
    let now = crate::clock::wall_ns();
    let then = SystemTime::UNIX_EPOCH + Duration::from_nanos(now) - AGE;
    file.set_modified(then).doing("write a content")
}
