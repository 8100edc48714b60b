//! A component of 12 MB that four workers fetch and compile beside trivial steps.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wfhost_transport::client::{Answer, PrefetchedAt, Request};
use wfhost_workflow::Digest;

use super::cluster::{Asker, Cluster, Compiled};
use super::{SLOTS, THREE, WORKERS, ms, output, run_some, text};
use crate::clock;
use crate::report::Row;
use crate::stats::{Times, ratio};

/// Of each: alone, then beside the prefetch.
const ROUNDS: u32 = 3;

const ALONE: Duration = Duration::from_secs(5);

const BYTES: usize = 12 << 20;

/// Each begins a run so often: 200 runs, 600 steps a second, which is far from full.
const CALLERS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(20);

const POLL: Duration = Duration::from_millis(100);

pub(crate) fn measure() -> Vec<Row> {
    let cluster = Cluster::start();
    let workers: Vec<_> =
        (0..WORKERS).map(|number| cluster.counted_worker(number, SLOTS)).collect();
    let definition = cluster.workflow(THREE);
    run_some(&cluster, definition, &text(), 400);
    let (mut alone, mut beside, mut took) = (Times::default(), Times::default(), Times::default());
    let mut compiled = Vec::new();
    for variant in 0..ROUNDS {
        let until = clock::now() + ALONE;
        load(&cluster, definition, || clock::now() < until, &mut alone);
        let mut asker = cluster.asker();
        let component = asker.put(&wfhost_testkit::made::code(BYTES, variant));
        let going_on = AtomicBool::new(true);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                took.add(prefetch(&mut asker, component));
                going_on.store(false, Ordering::SeqCst);
            });
            load(&cluster, definition, || going_on.load(Ordering::SeqCst), &mut beside);
        });
        compiled.extend(workers.iter().map(|(_, compiled)| count(compiled, component)));
    }
    for (worker, _) in workers {
        worker.end();
    }
    cluster.end();
    let (before, during) = (alone.percentile(0.99), beside.percentile(0.99));
    let ratio = ratio(during, before);
    vec![
        Row::new(
            format!(
                "runs of 3 trivial steps, 200/s, {WORKERS} workers: p99 beside a prefetch of 12 MB of code"
            ),
            format!("{ratio:.2}× ({:.1} / {:.1} ms)", ms(during), ms(before)),
            "≤ 2×",
            ratio <= 2.0,
        ),
        Row::new(
            "  times that each worker compiled it",
            format!("{compiled:?}"),
            "1 each",
            compiled.iter().all(|times| *times == 1),
        ),
        Row::info(
            "  the prefetch: fetched, compiled and kept by all of them, p50; p50 of runs",
            format!(
                "{:.1} s; {:.1} / {:.1} ms",
                took.p50().as_secs_f64(),
                ms(beside.p50()),
                ms(alone.p50())
            ),
        ),
    ]
}

fn count(compiled: &Compiled, component: Digest) -> usize {
    let digest = component.to_string();
    let lines = compiled.lock().expect("nobody panics with it");
    lines.iter().filter(|line| line.contains(&digest)).count()
}

/// Runs at a fixed pace while `going_on`.
fn load(
    cluster: &Cluster,
    definition: Digest,
    going_on: impl Fn() -> bool + Sync,
    times: &mut Times,
) {
    let measured = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let going_on = &going_on;
                scope.spawn(move || {
                    let (mut asker, mut times) = (cluster.asker(), Vec::new());
                    let mut due = clock::now() + PAUSE * caller / CALLERS;
                    while going_on() {
                        std::thread::sleep(due.saturating_duration_since(clock::now()));
                        due += PAUSE;
                        let started = clock::now();
                        let run = cluster.begin(&mut asker, definition, &text());
                        output(&mut asker, run);
                        times.push(started.elapsed());
                    }
                    times
                })
            })
            .collect();
        let ended = callers.into_iter().map(|caller| caller.join().expect("the callers measure"));
        ended.flatten().collect::<Vec<_>>()
    });
    for time in measured {
        times.add(time);
    }
}

fn prefetch(asker: &mut Asker, component: Digest) -> Duration {
    let started = clock::now();
    loop {
        match asker.ask(&Request::Prefetch { components: vec![component] }) {
            Answer::Prefetched(workers) if workers.iter().all(PrefetchedAt::is_done) => {
                let ready = workers.iter().filter(|at| at.ready == 1).count();
                assert_eq!(ready, WORKERS, "{workers:?}");
                return started.elapsed();
            }
            Answer::Prefetched(_) => std::thread::sleep(POLL),
            other => panic!("the prefetch was not taken: {other:?}"),
        }
    }
}
