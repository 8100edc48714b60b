//! Guests that do not describe themselves as they should.

use std::time::Duration;

use wfhost_plugin::{HostOptions, PluginHost};
use wfhost_workflow::{Contract, DurationMs, Failure, FailureKind};

use crate::guests::{Call, PATIENCE, SHORT, host, hostile, load, options};

async fn describe(name: &str) -> Result<Vec<Contract>, Failure> {
    describe_within(PATIENCE, name).await
}

async fn describe_within(timeout: Duration, name: &str) -> Result<Vec<Contract>, Failure> {
    let describe_timeout = DurationMs(u64::try_from(timeout.as_millis()).unwrap());
    let host = PluginHost::new(HostOptions { describe_timeout, ..options() }).unwrap();
    let plugin = load(&host, hostile(name)).await;
    let contracts = host.contracts(&plugin).await?;
    Ok(contracts.to_vec())
}

#[track_caller]
fn refused(answer: Result<Vec<Contract>, Failure>, kind: FailureKind, code: &str, message: &str) {
    let failure = answer.unwrap_err();
    assert_eq!((failure.kind, failure.code.as_str()), (kind, code), "{failure}");
    assert!(failure.message.contains(message), "`{message}` is not in: {failure}");
}

#[tokio::test]
async fn a_description_that_takes_for_ever_ends_at_its_timeout() {
    let answer = describe_within(SHORT, "describe_spins").await;
    refused(answer, FailureKind::Timeout, "timeout", "60ms");
}

#[tokio::test]
async fn a_step_that_is_described_twice_is_refused() {
    let answer = describe("describe_lies").await;
    refused(answer, FailureKind::Permanent, "describe", "names the step `null` twice");
}

#[tokio::test]
async fn a_flood_of_descriptions_is_refused() {
    let answer = describe("describe_floods").await;
    refused(answer, FailureKind::Limit, "hostcall_fuel", "4MiB");
}

/// Nobody is asked for it: port 9 of this machine answers nothing, and the file is there.
#[tokio::test]
async fn a_schema_that_leads_out_of_itself_is_refused() {
    for (name, reference) in
        [("describe_remote", "http://127.0.0.1:9/"), ("describe_file", "file:///etc/passwd")]
    {
        let answer = describe(name).await;
        refused(answer.clone(), FailureKind::Permanent, "describe", reference);
        refused(answer, FailureKind::Permanent, "describe", "the input schema of `null`");
    }
}

#[tokio::test]
async fn a_name_that_is_no_utf8_is_refused() {
    refused(describe("describe_no_utf8").await, FailureKind::Trap, "trap", "utf-8");
}

#[tokio::test]
async fn a_component_may_offer_nothing() {
    assert_eq!(describe("spin").await.unwrap(), []);
}

#[tokio::test]
async fn a_plugin_that_cannot_describe_itself_can_still_be_called() {
    let host = host();
    let plugin = load(&host, hostile("describe_spins")).await;
    host.contracts(&plugin).await.unwrap_err();
    host.run(&plugin, Call::default().invocation()).await.unwrap();
}
