//! A map over more and more items: time, bytes and memory must grow with the items, not faster.

use std::time::Duration;

use wfhost_checkpoint::Durability;
use wfhost_workflow::Json;

use crate::host::Host;
use crate::report::Row;
use crate::{clock, machine};

const STEPS: &str = "\
steps:
  - { id: m, map: '${input.items}', as: it, at_once: 64, call: b/echo, with: { text: '${it}' } }
  - { id: n, set: { last: '${steps.m[0].text}' } }
output: '${steps.n}'
";

struct Measured {
    items: u64,
    time: Duration,
    handed_over: u64,
    to_device: u64,
}

pub(crate) fn measure() -> Vec<Row> {
    let host = Host::start(Durability::Sync, machine::cores());
    let definition = host.workflow(STEPS);
    host.run(definition, &input(10));
    let measured: Vec<Measured> = [100, 1000, 10_000]
        .map(|items| {
            let input = input(items);
            let before = (written("wchar"), written("write_bytes"));
            let started = clock::now();
            host.run(definition, &input);
            Measured {
                items,
                time: started.elapsed(),
                handed_over: written("wchar") - before.0,
                to_device: written("write_bytes") - before.1,
            }
        })
        .into();
    host.stop();
    let mut rows: Vec<Row> = measured
        .iter()
        .map(|measured| {
            let items = measured.items;
            Row::info(
                format!("map over {items} items of 1 KB in and out, sync"),
                format!(
                    "{:.0} µs, {:.1} kB written an item",
                    measured.time.as_secs_f64() * 1e6 / items as f64,
                    measured.handed_over as f64 / 1000.0 / items as f64
                ),
            )
        })
        .collect();
    let per_item = |measured: &Measured, value: f64| value / measured.items as f64;
    let (small, large) = (&measured[1], &measured[2]);
    let time =
        per_item(large, large.time.as_secs_f64()) / per_item(small, small.time.as_secs_f64());
    let bytes =
        per_item(large, large.handed_over as f64) / per_item(small, small.handed_over as f64);
    rows.push(Row::new(
        "  an item of 10000 against an item of 1000: time, bytes written",
        format!("{time:.2}×, {bytes:.2}×"),
        "linear (≤ 1.3×)",
        time <= 1.3 && bytes <= 1.3,
    ));
    rows.push(Row::info(
        "  to the device, an item of 10000",
        format!("{:.1} kB", large.to_device as f64 / 1000.0 / large.items as f64),
    ));
    let peak = machine::of_process("status", "VmHWM") / 1024;
    rows.push(Row::new(
        "  peak memory of the process",
        format!("{peak} MiB"),
        "< 200 MB",
        peak < 190,
    ));
    rows
}

fn written(key: &str) -> u64 {
    machine::of_process("io", key)
}

fn input(items: u64) -> Json {
    let item = |number: u64| format!("\"{number:06}{}\"", "x".repeat(1000));
    let items: Vec<String> = (0..items).map(item).collect();
    Json::from_trusted(format!("{{\"items\":[{}]}}", items.join(",")))
}
