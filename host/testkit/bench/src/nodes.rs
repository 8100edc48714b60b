//! Worker nodes: a coordinator and workers as processes of their own, over TCP with CURVE.

mod cluster;
mod echo;
pub(crate) mod prefetch;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wfhost_transport::client::{Answer, Request};
use wfhost_workflow::run::RunStatus;
use wfhost_workflow::{Digest, Json, RunId};

use crate::report::Row;
use crate::stats::{Times, ratio, us};
use crate::{clock, machine};
use cluster::{Asker, Cluster};

const WORKERS: usize = 4;

/// Slots of each of the four: what a user would say on a machine that four share.
const SLOTS: u32 = 4;

/// Nothing here takes so long unless it hangs.
const WAIT_MS: u64 = 120_000;

const BEGAN: &str = "steps:\n  - { id: a, call: t/began, with: '${null}' }\noutput: '${steps.a}'\n";

const THREE: &str = "\
steps:
  - { id: a, call: b/echo, with: { text: '${input.text}' } }
  - { id: b, call: b/echo, with: { text: '${steps.a.text}' } }
  - { id: c, call: b/echo, with: { text: '${steps.b.text}' } }
output: '${steps.c}'
";

const MAP: &str = "\
steps:
  - { id: m, map: '${input.items}', as: i, at_once: 1000, call: b/echo, with: { text: x } }
output: '${steps.m.size()}'
";

const LARGE: &str = "\
steps:
  - { id: m, map: '${input.items}', as: i, at_once: 1000, call: b/echo, with: { text: '${input.text}' } }
output: '${steps.m.size()}'
";

const NAPS: &str = "\
steps:
  - { id: m, map: '${input.items}', as: i, at_once: 1000, call: t/nap, with: { ms: 2 } }
output: '${steps.m.size()}'
";

pub(crate) fn measure() -> Vec<Row> {
    let mut rows = Vec::new();
    let cluster = Cluster::start();
    let workers: Vec<_> = (0..WORKERS).map(|number| cluster.worker(number, SLOTS).0).collect();
    rows.extend(dispatch(&cluster));
    rows.extend(rates(&cluster));
    for worker in workers {
        worker.end();
    }
    rows.extend(joining(&cluster));
    rows.extend(linear(&cluster));
    cluster.end();
    rows.push(queued());
    rows
}

fn text() -> Json {
    Json::from_trusted("{\"text\":\"trivial\"}")
}

fn items(count: usize) -> Json {
    let items: Vec<usize> = (0..count).collect();
    Json::from_trusted(format!("{{\"items\":{items:?}}}"))
}

/// The output of a run that is to succeed.
fn output(asker: &mut Asker, run: RunId) -> Json {
    match asker.ask(&Request::Await { run, wait_ms: WAIT_MS }) {
        Answer::Ended { status: RunStatus::Succeeded, output, .. } => {
            output.unwrap_or_else(Json::null)
        }
        other => panic!("a run did not succeed: {other:?}"),
    }
}

fn began_ns(output: &Json) -> u128 {
    output.to_value()["at_ns"].as_str().and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn between(from_ns: u128, to_ns: u128) -> Duration {
    Duration::from_nanos(to_ns.saturating_sub(from_ns) as u64)
}

/// One-step runs at a fixed rate, from as many callers as keep to it.
fn dispatch(cluster: &Cluster) -> Vec<Row> {
    const A_SECOND: u64 = 1000;
    const CALLERS: u64 = 16;
    const TIME: Duration = Duration::from_secs(10);
    let definition = cluster.workflow(BEGAN);
    run_some(cluster, definition, &Json::null(), 200);
    let echo = echo::measure().p50;
    let pause = Duration::from_nanos(1_000_000_000 * CALLERS / A_SECOND);
    let started = clock::now();
    let (mut acknowledged, mut sent, mut late) = (Times::default(), Times::default(), 0_u64);
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                scope.spawn(move || {
                    let mut asker = cluster.asker();
                    let mut times = Vec::new();
                    let mut due = started + pause * caller as u32 / CALLERS as u32;
                    let mut late = 0;
                    while started.elapsed() < TIME {
                        match due.checked_duration_since(clock::now()) {
                            Some(left) => std::thread::sleep(left),
                            None => late += 1,
                        }
                        due += pause;
                        let sent = clock::wall_ns();
                        let run = cluster.begin(&mut asker, definition, &Json::null());
                        let acknowledged = clock::wall_ns();
                        let began = began_ns(&output(&mut asker, run));
                        times.push((between(acknowledged, began), between(sent, began)));
                    }
                    (times, late)
                })
            })
            .collect();
        for caller in callers {
            let (times, was_late) = caller.join().expect("the callers measure");
            late += was_late;
            for (from_word, from_start) in times {
                // The word that the decision is durable took half an echo to come.
                acknowledged.add(from_word + echo / 2);
                sent.add(from_start);
            }
        }
    });
    let p99 = acknowledged.percentile(0.99);
    let rate = acknowledged.len() as f64 / started.elapsed().as_secs_f64();
    vec![
        Row::new(
            "dispatch, sync, 4 workers, 1,000 steps/s: durable → first instruction, p99",
            format!("{} (p50 {})", us(p99), us(acknowledged.p50())),
            "< 2 ms",
            p99 < Duration::from_millis(2),
        ),
        Row::info(
            "  a bare CURVE echo over the same links beside it, p50; the dispatch's p50 to it",
            format!("{}; {:.1}×", us(echo), ratio(acknowledged.p50(), echo)),
        ),
        Row::info(
            "  from the sending of the start, with its commit: p50; p99; starts a second; late",
            format!("{}; {}; {rate:.0}; {late}", us(sent.p50()), us(sent.percentile(0.99))),
        ),
    ]
}

/// Steps and runs a second, and what the links alone do, interleaved.
fn rates(cluster: &Cluster) -> Vec<Row> {
    const ROUNDS: usize = 5;
    let (map, three) = (cluster.workflow(MAP), cluster.workflow(THREE));
    let input = items(STEPS_A_RUN);
    run_some(cluster, map, &input, 4);
    run_some(cluster, three, &text(), 200);
    let (mut steps, mut runs, mut echoes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        echoes.push(echo::measure().a_second);
        steps.push(steps_a_second(cluster, map, &input));
        runs.push(runs_a_second(cluster, three));
    }
    let [steps, runs, echo] = [steps, runs, echoes].map(median);
    vec![
        Row::new(
            format!(
                "trivial steps/s, sync, 4 workers × {SLOTS} slots, {RUNS} runs of {STEPS_A_RUN} at once"
            ),
            format!("{steps:.0} steps/s"),
            "≥ 10,000 steps/s",
            steps >= 10_000.0,
        ),
        Row::new(
            "3-step runs/s, sync, 4 workers, 64 clients at once over CURVE, trivial steps",
            format!("{runs:.0} runs/s"),
            "≥ 3,000 runs/s",
            runs >= 3000.0,
        ),
        Row::info(
            "  bare CURVE echoes a second beside them, 64 under way; steps and runs a hundred",
            format!("{echo:.0}; {:.1}; {:.1}", 100.0 * steps / echo, 100.0 * runs / echo),
        ),
    ]
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Runs with many steps at once.
const RUNS: usize = 20;
const STEPS_A_RUN: usize = 1000;

fn steps_a_second(cluster: &Cluster, definition: Digest, input: &Json) -> f64 {
    let started = clock::now();
    let mut asker = cluster.asker();
    let runs: Vec<RunId> =
        (0..RUNS).map(|_| cluster.begin(&mut asker, definition, input)).collect();
    for run in runs {
        output(&mut asker, run);
    }
    (RUNS * STEPS_A_RUN) as f64 / started.elapsed().as_secs_f64()
}

fn runs_a_second(cluster: &Cluster, definition: Digest) -> f64 {
    const TIME: Duration = Duration::from_secs(3);
    let (done, input) = (AtomicU64::new(0), text());
    let started = clock::now();
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                let mut asker = cluster.asker();
                while started.elapsed() < TIME {
                    let run = cluster.begin(&mut asker, definition, &input);
                    output(&mut asker, run);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    done.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64()
}

/// What a coordinator holds for steps that wait and that nobody takes.
fn queued() -> Row {
    const QUEUED: usize = 100_000;
    const BYTES: usize = 16 << 10;
    let cluster = Cluster::start();
    let definition = cluster.workflow(LARGE);
    let items: Vec<usize> = (0..STEPS_A_RUN).collect();
    let text = "x".repeat(BYTES);
    let input = Json::from_trusted(format!("{{\"items\":{items:?},\"text\":\"{text}\"}}"));
    let before = cluster.memory_kb();
    let mut asker = cluster.asker();
    for _ in 0..QUEUED / STEPS_A_RUN {
        cluster.begin(&mut asker, definition, &input);
    }
    let mib = (cluster.memory_kb() - before) >> 10;
    cluster.end();
    Row::info(
        "  a coordinator's memory with 100,000 queued steps, 16 KiB of input each (1.6 GB)",
        format!("{mib} MiB more than without"),
    )
}

/// From the word of a worker that it has joined to the first instruction of a step that waits.
fn joining(cluster: &Cluster) -> Vec<Row> {
    const TIMES: usize = 11;
    let definition = cluster.workflow(BEGAN);
    let bytes = wfhost_testkit::guest::content("timed-steps").len();
    let (mut never, mut cached) = (Times::default(), Times::default());
    for number in 0..TIMES {
        // A worker of this number has a folder, and a cache, of its own.
        let number = 100 + number;
        for times in [&mut never, &mut cached] {
            let mut asker = cluster.asker();
            let run = cluster.begin(&mut asker, definition, &Json::null());
            let (worker, joined) = cluster.worker(number, 1);
            times.add(between(joined, began_ns(&output(&mut asker, run))));
            worker.end();
        }
    }
    let row = |what: &str, times: &mut Times, reach_ms: u64| {
        let p50 = times.p50();
        Row::new(
            format!(
                "a worker joins → its first step, component of {} KB {what}, median",
                bytes >> 10
            ),
            format!("{:.1} ms (max {:.1})", ms(p50), ms(times.percentile(1.0))),
            format!("< {reach_ms} ms"),
            p50 < Duration::from_millis(reach_ms),
        )
    };
    vec![row("it never saw", &mut never, 250), row("it has cached", &mut cached, 10)]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Sleeping steps: what more workers bring where the processors are not the bound.
fn linear(cluster: &Cluster) -> Vec<Row> {
    const ROUNDS: usize = 3;
    const STEPS_A_WORKER: usize = 500;
    let definition = cluster.workflow(NAPS);
    let counts = [1_usize, 2, 4, 8];
    let mut rates = [const { Vec::new() }; 4];
    for _ in 0..ROUNDS {
        for (at, count) in counts.into_iter().enumerate() {
            let workers: Vec<_> =
                (0..count).map(|number| cluster.worker(200 + number, 1).0).collect();
            run_some(cluster, definition, &items(count * 20), 1);
            let mut asker = cluster.asker();
            let input = items((STEPS_A_WORKER * count).min(1000));
            let started = clock::now();
            let rounds = STEPS_A_WORKER * count / 1000;
            let runs: Vec<RunId> =
                (0..rounds.max(1)).map(|_| cluster.begin(&mut asker, definition, &input)).collect();
            for run in runs {
                output(&mut asker, run);
            }
            let steps = (STEPS_A_WORKER * count).min(1000) * rounds.max(1);
            rates[at].push(steps as f64 / started.elapsed().as_secs_f64());
            for worker in workers {
                worker.end();
            }
        }
    }
    let medians: Vec<f64> = rates
        .iter_mut()
        .map(|rates| {
            rates.sort_by(f64::total_cmp);
            rates[rates.len() / 2]
        })
        .collect();
    let shares: Vec<f64> = counts
        .iter()
        .zip(&medians)
        .map(|(count, rate)| rate / (medians[0] * *count as f64))
        .collect();
    let shown: Vec<String> = medians.iter().map(|rate| format!("{rate:.0}")).collect();
    let worst = shares.iter().copied().fold(f64::INFINITY, f64::min);
    vec![Row::new(
        "steps/s, steps that sleep 2 ms, sync, 1 → 2 → 4 → 8 workers of one slot",
        format!("{}; worst {:.0} % of linear", shown.join(" → "), worst * 100.0),
        "within 10 %",
        worst >= 0.9,
    )]
}

/// Before anything is measured: what is made once is made.
fn run_some(cluster: &Cluster, definition: Digest, input: &Json, times: usize) {
    let mut asker = cluster.asker();
    for _ in 0..times {
        let run = cluster.begin(&mut asker, definition, input);
        output(&mut asker, run);
    }
}

/// Where the processes keep what they keep: on the disk.
fn place() -> tempfile::TempDir {
    std::fs::create_dir_all(machine::host_folder()).expect("a folder can be made");
    tempfile::tempdir_in(machine::host_folder()).expect("a folder can be made")
}
