//! What a run costs that does nothing but wait.

use std::time::Duration;

use wfhost_checkpoint::Durability;
use wfhost_workflow::Json;

use crate::host::Host;
use crate::report::Row;
use crate::{clock, machine};

const STEPS: &str = "\
steps:
  - id: a
    call: b/fail
    with: { text: '${input.text}' }
    retry: { attempts: 3, backoff: { first: 1h, factor: 2, max: 2h, jitter: 0 } }
output: '${steps.a}'
";

pub(crate) fn measure() -> Vec<Row> {
    const RUNS: u64 = 10_000;
    let host = Host::start(Durability::Os, machine::cores());
    let definition = host.workflow(STEPS);
    let input = Json::from_trusted("{\"text\":\"trivial\"}");
    // The caches of the store and of the allocator are not the runs'.
    begin(&host, definition, &input, RUNS / 5);
    let before = settled();
    let started = clock::now();
    begin(&host, definition, &input, RUNS);
    let took = started.elapsed();
    let each = (settled().saturating_sub(before)) as f64 / RUNS as f64;
    host.stop();
    vec![
        Row::new(
            "10000 runs in a backoff of 1 h, os: resident, each",
            format!("{each:.2} KiB"),
            "≤ 4 KiB",
            each <= 4.0,
        ),
        Row::info("  to get there", format!("{:.0} runs/s", RUNS as f64 / took.as_secs_f64())),
    ]
}

fn begin(host: &Host, definition: wfhost_workflow::Digest, input: &Json, runs: u64) {
    let ids: Vec<_> = (0..runs).map(|_| host.begin(definition, input)).collect();
    for run in ids {
        host.wait_for_backoff(run);
    }
}

/// Resident kB, once it has stopped moving.
fn settled() -> u64 {
    let mut last = 0;
    for _ in 0..50 {
        std::thread::sleep(Duration::from_millis(100));
        let now = machine::of_process("status", "VmRSS");
        if now == last {
            break;
        }
        last = now;
    }
    last
}
