//! All that the guest SDK has, from a Rust function to the host.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use wfhost_plugin::{Completion, LogLevel, StepSink};
use wfhost_testkit::guest;
use wfhost_workflow::run::KvWrite;
use wfhost_workflow::{DurationMs, Failure, FailureKind, Json, Limit, Limits};

use crate::guests::{Call, failed, host, load};

async fn call(function: &'static str, input: Value, mut call: Call) -> Result<Completion, Failure> {
    (call.function, call.input) = (function, Json::from_value(&input));
    let host = host();
    let probe = load(&host, Arc::from(guest::content("probe"))).await;
    host.run(&probe, call.invocation()).await
}

async fn answer(function: &'static str, input: Value, with: Call) -> Value {
    let completion = call(function, input, with).await.unwrap();
    serde_json::from_str(completion.output.as_str()).unwrap()
}

#[tokio::test]
async fn a_step_is_told_its_context_and_its_time_runs() {
    let with = Call { timeout: Duration::from_secs(50), ..Call::default() };
    let mut told = answer("told", Value::Null, with).await;
    let [remaining, after] = ["remaining_ms", "remaining_ms_after_work"]
        .map(|name| told.as_object_mut().unwrap().remove(name).unwrap().as_u64().unwrap());
    assert!(40_000 < after && after <= remaining && remaining <= 50_000, "{remaining} {after}");
    assert_eq!(
        told,
        json!({
            "run": Call::default().invocation().context.run.to_string(),
            "workflow": "test",
            "step": "step",
            "index": 3,
            "attempt": 1,
            "idempotency_key": "key",
            "trace_parent": null,
        })
    );
}

#[tokio::test]
async fn a_failure_keeps_its_kind_code_message_and_delay() {
    async fn fails(way: Value, kind: FailureKind, code: &str, message: &str, after: Option<u64>) {
        let failure = call("fail", way, Call::default()).await.unwrap_err();
        let mut expected = Failure::new(kind, code, message);
        expected.retry_after = after.map(DurationMs);
        assert_eq!(failure, expected);
    }
    use FailureKind::{InvalidInput, Permanent, Retryable};
    fails(json!("retryable"), Retryable, "a", "again", None).await;
    fails(json!({"retryable-after-micros": 1001}), Retryable, "b", "later", Some(2)).await;
    fails(json!("permanent"), Permanent, "c", "never", None).await;
    fails(json!("invalid-input"), InvalidInput, "d", "not so", None).await;
    fails(json!("question-mark"), Retryable, "failed", "invalid digit found in string", None).await;
}

#[tokio::test]
async fn an_input_of_another_type_and_an_unknown_step_say_so() {
    let failure = call("fail", json!(7), Call::default()).await;
    failed(failure, FailureKind::InvalidInput, "invalid-input", "line 1 column 1");
    let failure = call("no-such", json!(7), Call::default()).await;
    failed(failure, FailureKind::Permanent, "unknown-step", "there is no step `no-such`");
}

#[tokio::test]
async fn a_panic_is_a_trap_and_its_words_are_logged() {
    let with = Call::default();
    let said = Arc::clone(&with.said);
    let failure = call("fail", json!("panic"), with).await;
    failed(failure, FailureKind::Trap, "unreachable", "");
    let lines = said.lines.lock().unwrap();
    let told = |(_, line): &(LogLevel, String)| line.contains("a panic's words");
    assert!(lines.iter().any(told), "{lines:?}");
}

/// Keeps lines with their fields and reports with their messages.
#[derive(Default)]
struct Whole {
    lines: Mutex<Vec<(LogLevel, String, Value)>>,
    reports: Mutex<Vec<(u64, u64, String)>>,
}

impl StepSink for Whole {
    fn log(&self, level: LogLevel, message: String, fields: Vec<(String, String)>) {
        let parsed = |(name, value): (String, String)| {
            (name, serde_json::from_str::<Value>(&value).unwrap())
        };
        let fields = fields.into_iter().map(parsed).collect();
        self.lines.lock().unwrap().push((level, message, Value::Object(fields)));
    }

    fn progress(&self, done: u64, total: u64, message: String) {
        self.reports.lock().unwrap().push((done, total, message));
    }
}

async fn heard(function: &'static str, input: Value) -> Arc<Whole> {
    let (host, whole) = (host(), Arc::new(Whole::default()));
    let probe = load(&host, Arc::from(guest::content("probe"))).await;
    let call = Call { function, input: Json::from_value(&input), ..Call::default() };
    let mut invocation = call.invocation();
    invocation.sink = Arc::clone(&whole) as Arc<dyn StepSink>;
    host.run(&probe, invocation).await.unwrap();
    whole
}

#[tokio::test]
async fn log_lines_have_their_levels_and_fields() {
    let whole = heard("write-log", json!("Ada")).await;
    let line = |level, message: &str, fields| (level, message.to_owned(), fields);
    assert_eq!(
        *whole.lines.lock().unwrap(),
        [
            line(LogLevel::Trace, "t", json!({})),
            line(LogLevel::Debug, "d", json!({})),
            line(LogLevel::Info, "hello Ada", json!({"who": "Ada", "list": [1, 2]})),
            line(LogLevel::Warn, "w", json!({})),
            line(LogLevel::Error, "e", json!({})),
        ]
    );
}

#[tokio::test]
async fn the_newest_progress_arrives() {
    let whole = heard("report", Value::Null).await;
    let reports = whole.reports.lock().unwrap();
    assert_eq!(reports.last(), Some(&(2, 0, "two".to_owned())), "{reports:?}");
}

#[tokio::test]
async fn the_store_has_types() {
    let mut with = Call::default();
    with.kv.insert("count".to_owned(), b"41".to_vec());
    with.kv.insert("old".to_owned(), b"1".to_vec());
    let completion = call("store", Value::Null, with.clone()).await.unwrap();
    let seen: Value = serde_json::from_str(completion.output.as_str()).unwrap();
    let expected = json!({"before": 41, "after": 42, "keys": ["count", "raw"], "raw": [255, 0]});
    assert_eq!(seen, expected);
    let write = |key: &str, value: Option<&[u8]>| KvWrite {
        key: key.to_owned(),
        value: value.map(<[u8]>::to_vec),
    };
    assert_eq!(
        completion.kv,
        [write("count", Some(b"42")), write("old", None), write("raw", Some(&[255, 0]))]
    );

    let mistake = call("mistake", Value::Null, with).await;
    failed(mistake, FailureKind::Permanent, "kv-type", "expected a string");
    let limits = Limits::default().with(Limit::KvValue, 9);
    let with = Call { limits, ..Call::default() };
    let refused = call("store-bytes", json!(10), with).await;
    failed(refused, FailureKind::Permanent, "kv-too-large", "10 bytes of at most 9");
}
