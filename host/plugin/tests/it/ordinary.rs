//! What guests get, and what they do not.

use std::sync::Arc;

use wfhost_plugin::{Fixed, HostOptions, LogLevel, PluginHost};
use wfhost_workflow::run::KvWrite;
use wfhost_workflow::{FailureKind, Json, Limit, Limits, TimestampMs};

use crate::guests::{Call, failed, hello, host, hostile, load, run};

#[tokio::test]
async fn a_step_of_the_sdk_runs_and_describes_itself() {
    let host = host();
    let hello = hello(&host).await;
    let contracts = host.contracts(&hello).await.unwrap();
    let names: Vec<_> = contracts.iter().map(|contract| contract.name.as_str()).collect();
    assert_eq!(names, ["greet"]);
    assert!(contracts[0].input_schema.as_str().contains("name"), "{:?}", contracts[0]);
    let input = Json::from_trusted(r#"{"name":"Ada"}"#);
    let call = Call { function: "greet", input, ..Call::default() };
    let completion = host.run(&hello, call.invocation()).await.unwrap();
    assert_eq!(completion.output.as_str(), r#"{"greeting":"Hello, Ada!"}"#);
    assert_eq!(completion.kv, []);
}

#[tokio::test]
async fn a_guest_sees_no_environment_arguments_or_directories() {
    // 8 is WASI's `badf`.
    let output = run("looks_around", Call::default()).await.unwrap().output;
    assert_eq!(output.as_str(), "[0,0,8]");
}

#[tokio::test]
async fn a_guest_reaches_no_network() {
    let output = run("connects", Call::default()).await.unwrap().output;
    assert_eq!(output, Json::null());
}

#[tokio::test]
async fn clocks_and_randomness_are_real_or_fixed() {
    async fn answer(fixed: Option<Fixed>) -> String {
        let options = HostOptions { slots: 1, fixed, ..HostOptions::default() };
        let host = PluginHost::new(options).unwrap();
        let plugin = load(&host, hostile("time_and_chance")).await;
        let completion = host.run(&plugin, Call::default().invocation()).await.unwrap();
        completion.output.as_str().to_owned()
    }
    let fixed = |now, seed| Some(Fixed { now: TimestampMs(now), seed });
    assert_ne!(answer(None).await, answer(None).await);
    let once = answer(fixed(1_700_000_000_000, 1)).await;
    assert_eq!(once, answer(fixed(1_700_000_000_000, 1)).await);
    assert_ne!(once, answer(fixed(1_700_000_000_001, 1)).await);
    assert_ne!(once, answer(fixed(1_700_000_000_000, 2)).await);
    // 1.7e18 nanoseconds, little-endian.
    let nanoseconds = 1_700_000_000_000_000_000_u64.to_le_bytes();
    let nanoseconds: String = nanoseconds.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(once.starts_with(&format!("\"{nanoseconds}")), "{once}");
}

#[tokio::test]
async fn lines_of_standard_output_and_error_are_log_lines() {
    let call = Call::default();
    let said = Arc::clone(&call.said);
    run("prints", call).await.unwrap();
    let mut lines = said.lines.lock().unwrap().clone();
    lines.sort();
    let line = |level, text: &str| (level, text.to_owned());
    let both = [LogLevel::Info, LogLevel::Warn]
        .map(|level| ["first", "second", "third"].map(|text| line(level, text)));
    assert_eq!(lines, both.concat());
}

#[tokio::test]
async fn kv_writes_leave_with_a_completion_and_only_then() {
    let keeps = |function, text: &str| {
        let mut call = Call { function, input: Json::from_value(&text.into()), ..Call::default() };
        call.kv.insert("null".to_owned(), b"\"before\"".to_vec());
        call
    };
    let completion = run("keeps", keeps("run", "after")).await.unwrap();
    assert_eq!(completion.output.as_str(), "\"before\"");
    let write = KvWrite { key: "null".to_owned(), value: Some(b"\"after\"".to_vec()) };
    assert_eq!(completion.kv, [write]);
    failed(run("keeps", keeps("fail", "after")).await, FailureKind::Permanent, "null", "null");

    let mut call = keeps("run", "after");
    call.limits = Limits::default().with(Limit::KvValue, 3);
    failed(run("keeps", call).await, FailureKind::Permanent, "null", "kv_value");
}
