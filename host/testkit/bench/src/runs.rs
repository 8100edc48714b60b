//! Whole runs: one at a time, many at once, and what durability costs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wfhost_checkpoint::Durability;
use wfhost_workflow::{Digest, Json};

use crate::host::Host;
use crate::report::Row;
use crate::stats::{Times, ratio, us};
use crate::{clock, machine};

const THREE_STEPS: &str = "\
steps:
  - { id: a, call: b/echo, with: { text: '${input.text}' } }
  - { id: b, call: b/echo, with: { text: '${steps.a.text}' } }
  - { id: c, call: b/echo, with: { text: '${steps.b.text}' } }
output: '${steps.c}'
";

fn text() -> Json {
    Json::from_trusted("{\"text\":\"trivial\"}")
}

pub(crate) fn measure_single() -> Vec<Row> {
    const RUNS: usize = 1000;
    let host = Host::start(Durability::Sync, machine::cores());
    let definition = host.workflow(THREE_STEPS);
    let mut probe = machine::sync_file(&machine::host_folder()).expect("a file can be made");
    for _ in 0..50 {
        host.run(definition, &text());
    }
    let (mut runs, mut syncs) = (Times::default(), Times::default());
    for _ in 0..RUNS {
        let started = clock::now();
        host.run(definition, &text());
        runs.add(started.elapsed());
        syncs.add(machine::sync_once(&mut probe).expect("the disk takes 512 bytes"));
    }
    let budget = 4 * syncs.p50() + Duration::from_millis(1);
    let ratio = ratio(runs.p50(), budget);
    let row = Row::new(
        "one 3-step run at a time, sync, trivial steps, p50, against 4 fdatasync + 1 ms",
        format!("{ratio:.2}× ({} / {})", us(runs.p50()), us(budget)),
        "≤ 1.5×",
        ratio <= 1.5,
    );
    let info = Row::info(
        "  one fdatasync of 512 bytes, p50; the same runs, p99",
        format!("{}; {}", us(syncs.p50()), us(runs.percentile(0.99))),
    );
    host.stop();
    vec![row, info]
}

pub(crate) fn measure_throughput() -> Vec<Row> {
    let mut rows = Vec::new();
    for durability in [Durability::Sync, Durability::Os, Durability::None] {
        let host = Host::start(durability, machine::cores());
        let definition = host.workflow(THREE_STEPS);
        throughput(&host, definition, &text(), 64, Duration::from_secs(1));
        let rate = throughput(&host, definition, &text(), 64, Duration::from_secs(8));
        host.stop();
        let what = format!(
            "3-step runs, {}, 64 at once, embedded, {} cores, trivial steps",
            durability.name(),
            machine::cores()
        );
        let figure = format!("{rate:.0} runs/s");
        rows.push(match durability {
            Durability::Sync => Row::new(what, figure, "≥ 4000 runs/s", rate >= 4000.0),
            Durability::Os | Durability::None => Row::info(what, figure),
        });
    }
    rows
}

/// Runs a second with `callers` threads, each starting a run when its last has ended.
fn throughput(host: &Host, definition: Digest, input: &Json, callers: u32, time: Duration) -> f64 {
    let done = AtomicU64::new(0);
    let started = clock::now();
    std::thread::scope(|scope| {
        for _ in 0..callers {
            scope.spawn(|| {
                while started.elapsed() < time {
                    host.run(definition, input);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    done.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64()
}

/// Interleaved, so that a noisy neighbour disturbs both alike.
pub(crate) fn measure_durability() -> Vec<Row> {
    const ROUNDS: usize = 5;
    const EACH: Duration = Duration::from_secs(3);
    let hosts = [Durability::Sync, Durability::None]
        .map(|durability| Host::start(durability, machine::cores()));
    let rounds = rounds_of_a_millisecond(&hosts[0]);
    let input = Json::from_trusted(format!("{{\"rounds\":{rounds}}}"));
    let steps = "\
steps:
  - { id: a, call: b/work, with: { rounds: '${input.rounds}' } }
  - { id: b, call: b/work, with: { rounds: '${input.rounds}' } }
  - { id: c, call: b/work, with: { rounds: '${input.rounds}' } }
output: '${steps.c}'
";
    let definitions = [hosts[0].workflow(steps), hosts[1].workflow(steps)];
    let mut rates = [0.0, 0.0];
    for _ in 0..ROUNDS {
        for (number, host) in hosts.iter().enumerate() {
            rates[number] += throughput(host, definitions[number], &input, 64, EACH);
        }
    }
    let [sync, none] = rates.map(|rate| rate / ROUNDS as f64);
    for host in hosts {
        host.stop();
    }
    let share = 100.0 * sync / none;
    vec![Row::new(
        "throughput, sync against none, 64 at once, steps of 1 ms, slots = cores",
        format!("{share:.1} % ({sync:.0} / {none:.0} runs/s)"),
        "≥ 95 %",
        share >= 95.0,
    )]
}

/// How many rounds of the guest's loop take a millisecond here.
fn rounds_of_a_millisecond(host: &Host) -> u64 {
    const PROBE: u64 = 50_000_000;
    let one = "steps:\n  - { id: a, call: b/work, with: { rounds: '${input.rounds}' } }\noutput: '${steps.a}'\n";
    let definition = host.workflow(one);
    let rounds = |rounds: u64| Json::from_trusted(format!("{{\"rounds\":{rounds}}}"));
    host.run(definition, &rounds(1));
    let started = clock::now();
    host.run(definition, &rounds(PROBE));
    (PROBE as f64 / started.elapsed().as_secs_f64() / 1000.0) as u64
}
