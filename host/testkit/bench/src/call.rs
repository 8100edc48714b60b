//! One sandboxed call, against the same call on wasmtime alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use wfhost_plugin::bare::{Bare, Unlimited};
use wfhost_plugin::{HostOptions, Invocation, LogLevel, Plugin, PluginHost, StepContext, StepSink};
use wfhost_workflow::{Digest, Json, Limits, RunId};

use crate::clock;
use crate::report::Row;
use crate::stats::{Times, ratio, us};

const ROUNDS: usize = 20_000;

struct Deaf;

impl StepSink for Deaf {
    fn log(&self, _level: LogLevel, _message: String, _fields: Vec<(String, String)>) {}

    fn progress(&self, _done: u64, _total: u64, _message: String) {}
}

pub(crate) fn invocation() -> Invocation {
    Invocation {
        function: "echo".to_owned(),
        context: StepContext {
            run: RunId::new(wfhost_workflow::TimestampMs(1), 1),
            workflow: "bench".into(),
            step: "call".into(),
            index: None,
            attempt: wfhost_workflow::Attempt::FIRST,
            idempotency_key: "bench/call".to_owned(),
            trace_parent: None,
        },
        input: Json::from_trusted(format!("{{\"text\":\"{}\"}}", "x".repeat(89))),
        dirs: Vec::new(),
        alias: None,
        limits: Limits::default(),
        timeout: Duration::from_secs(60),
        kv: Arc::new(BTreeMap::new()),
        sink: Arc::new(Deaf),
    }
}

pub(crate) fn measure() -> Vec<Row> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("threads can be started");
    runtime.block_on(async {
        let task = tokio::spawn(async {
            let mut rows = compare().await;
            rows.extend(compare_any().await);
            rows
        });
        task.await.expect("the comparison does not panic")
    })
}

fn host() -> PluginHost {
    PluginHost::new(HostOptions { slots: 4, ..HostOptions::default() })
        .expect("the plugin host starts")
}

async fn load(host: &PluginHost, guest: &str) -> Arc<Plugin> {
    let component = wfhost_testkit::guest::content(guest);
    let digest = Digest::of(&component);
    let shape = host.shape(&Limits::default(), false);
    host.load(component.into(), digest, shape).await.expect("the guest loads")
}

/// The same work as a function of a component that knows nothing of this host.
async fn compare_any() -> Vec<Row> {
    let host = host();
    let (steps, any) = (load(&host, "bench-steps").await, load(&host, "echo-types").await);
    let (mut step_times, mut any_times) = (Times::default(), Times::default());
    for round in 0..ROUNDS {
        let started = clock::now();
        host.run(&steps, invocation()).await.expect("the step succeeds");
        let step_time = started.elapsed();
        let function = "echo-text".to_owned();
        let invocation = Invocation { function, ..invocation() };
        let started = clock::now();
        host.run(&any, invocation).await.expect("the function succeeds");
        if round >= ROUNDS / 10 {
            step_times.add(step_time);
            any_times.add(started.elapsed());
        }
    }
    let ratio = ratio(any_times.p50(), step_times.p50());
    vec![
        Row::new(
            "  the same as a typed function of any component, p50, against the step world",
            format!("{ratio:.2}× ({} / {})", us(any_times.p50()), us(step_times.p50())),
            "≤ 1.6×",
            ratio <= 1.6,
        ),
        Row::info(
            "  the same, p99",
            format!("{} / {}", us(any_times.percentile(0.99)), us(step_times.percentile(0.99))),
        ),
    ]
}

async fn compare() -> Vec<Row> {
    let host = host();
    let plugin = load(&host, "bench-steps").await;
    let bare = Bare::new(Arc::clone(&plugin), invocation());
    let unlimited = Unlimited::new(host.clone(), Arc::clone(&plugin));
    let (mut ours, mut theirs, mut off) = (Times::default(), Times::default(), Times::default());
    for round in 0..ROUNDS {
        let started = clock::now();
        bare.call().await.expect("the bare call succeeds");
        let bare_time = started.elapsed();
        let started = clock::now();
        unlimited.call(invocation()).await.expect("the call without limits succeeds");
        let off_time = started.elapsed();
        let started = clock::now();
        host.run(&plugin, invocation()).await.expect("the call succeeds");
        // The first rounds fill caches and the pool.
        if round >= ROUNDS / 10 {
            theirs.add(bare_time);
            off.add(off_time);
            ours.add(started.elapsed());
        }
    }
    let limits = ratio(ours.p50(), off.p50());
    let ratio = ratio(ours.p50(), theirs.p50());
    vec![
        Row::new(
            "instantiate + call, step world, 100 bytes of JSON, p50, against bare wasmtime",
            format!("{ratio:.2}× ({} / {})", us(ours.p50()), us(theirs.p50())),
            "≤ 1.5×",
            ratio <= 1.5,
        ),
        Row::new(
            "limits cost: the same step with every limit on, p50, against every limit off",
            format!("{limits:.2}× ({} / {})", us(ours.p50()), us(off.p50())),
            "≤ 1.10×",
            limits <= 1.10,
        ),
        Row::info(
            "  the same, p99",
            format!("{} / {}", us(ours.percentile(0.99)), us(theirs.percentile(0.99))),
        ),
    ]
}
