//! Same input, same context, same bytes.

use std::sync::Arc;

use serde_json::Value;
use wfhost_plugin::PluginHost;
use wfhost_testkit::guest;
use wfhost_workflow::{Attempt, FailureKind, Json, Limit, Limits};

use crate::guests::{Call, failed, host, hostile, load, run_strict};

fn probe() -> Arc<[u8]> {
    Arc::from(guest::content("probe"))
}

async fn chance(host: &PluginHost) -> String {
    let call = Call { function: "chance", input: Json::from_trusted("3600"), ..Call::default() };
    run_strict(host, probe(), call).await.unwrap().output.as_str().to_owned()
}

/// Time, an hour's sleep, randomness, the order of a hash map, the bits of a NaN.
#[tokio::test]
async fn a_hundred_repetitions_give_the_same_bytes() {
    let host = host();
    let once = chance(&host).await;
    for _ in 1..100 {
        assert_eq!(chance(&host).await, once);
    }
    // Nor does it depend on the process's own state.
    assert_eq!(chance(&self::host()).await, once);
    let value: Value = serde_json::from_str(&once).unwrap();
    assert_eq!(value["slept_ns"], 3_600_000_000_000_u64, "the sleep took no time and all of it");
    assert_eq!(value["now_ns"], 1_700_003_600_000_000_000_u64, "an hour after the run's start");
    assert_eq!(value["nan"], 0x7fc0_0000, "the canonical NaN");
}

#[tokio::test]
async fn where_it_is_relaxed_bytes_differ() {
    let host = host();
    let plugin = load(&host, probe()).await;
    let mut values = Vec::new();
    for _ in 0..2 {
        let call = Call { function: "chance", input: Json::from_trusted("0"), ..Call::default() };
        let output = host.run(&plugin, call.invocation()).await.unwrap().output;
        values.push(serde_json::from_str::<Value>(output.as_str()).unwrap());
    }
    for field in ["now_ns", "random", "order"] {
        assert_ne!(values[0][field], values[1][field], "{field}");
    }
}

#[tokio::test]
async fn another_context_has_other_randomness() {
    let host = host();
    let digest = wfhost_workflow::Digest::of(&probe());
    let shape = host.shape(&Limits::default(), true);
    let plugin = host.load(probe(), digest, shape).await.unwrap();
    let mut outputs = Vec::new();
    for (index, attempt, step) in
        [(Some(3), 1, "a"), (Some(4), 1, "a"), (None, 1, "a"), (Some(3), 2, "a"), (Some(3), 1, "b")]
    {
        let mut invocation =
            Call { function: "chance", input: Json::from_trusted("3600"), ..Call::default() }
                .invocation();
        invocation.context.index = index;
        invocation.context.attempt = Attempt(attempt);
        invocation.context.step = step.into();
        let output = host.run(&plugin, invocation).await.unwrap().output;
        let value: Value = serde_json::from_str(output.as_str()).unwrap();
        outputs.push(value["random"].as_u64().unwrap());
    }
    outputs.sort_unstable();
    outputs.dedup();
    assert_eq!(outputs.len(), 5);
}

#[tokio::test]
async fn a_strict_loop_ends_by_its_fuel_and_by_its_timeout() {
    let host = host();
    let limits = Limits::default().with(Limit::Fuel, 50_000_000);
    let call = Call { limits, ..Call::default() };
    failed(run_strict(&host, hostile("spin"), call).await, FailureKind::Limit, "fuel", "50000000");
    let call = Call { timeout: crate::guests::SHORT, ..Call::default() };
    let ended = run_strict(&host, hostile("spin"), call).await;
    failed(ended, FailureKind::Timeout, "timeout", "60ms");
    let call = Call { limits: Limits::default().with(Limit::CpuTime, 20), ..Call::default() };
    failed(run_strict(&host, hostile("spin"), call).await, FailureKind::Limit, "cpu_time", "20ms");
}
