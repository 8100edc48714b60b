//! Guests that take too much.

use std::sync::Arc;

use wfhost_plugin::LogLevel;
use wfhost_workflow::{FailureKind, Json, Limit, Limits};

use crate::guests::{Call, SHORT, failed, hello, host, hostile, load, run, seen};

const MIB: u64 = 1 << 20;

fn limits(limit: Limit, value: u64) -> Call {
    Call { limits: Limits::default().with(limit, value), ..Call::default() }
}

fn short() -> Call {
    Call { timeout: SHORT, ..Call::default() }
}

#[tokio::test]
async fn an_endless_loop_ends_at_its_timeout() {
    failed(run("spin", short()).await, FailureKind::Timeout, "timeout", "timeout of 60ms");
}

#[tokio::test]
async fn a_sleep_in_a_host_call_ends_at_the_timeout() {
    failed(run("sleep", short()).await, FailureKind::Timeout, "timeout", "timeout of 60ms");
}

#[tokio::test]
async fn an_endless_recursion_ends_at_the_stacks_limit_with_a_bounded_trace() {
    let result = run("recursion", Call::default()).await;
    let failure = result.clone().unwrap_err();
    assert!(failure.message.len() < 8192, "{} bytes", failure.message.len());
    failed(result, FailureKind::Limit, "stack", "deeper");
}

#[tokio::test]
async fn a_memory_bomb_ends_at_its_limit() {
    let call = limits(Limit::Memory, 8 * MIB);
    failed(run("memory_bomb", call).await, FailureKind::Limit, "memory", "8MiB");
    failed(run("memory_bomb", Call::default()).await, FailureKind::Limit, "memory", "512MiB");
}

#[tokio::test]
async fn memories_are_summed() {
    let call = limits(Limit::Memory, 5 * MIB);
    failed(run("memories_bomb", call).await, FailureKind::Limit, "memory", "in all");
    let call = limits(Limit::Memory, 7 * MIB);
    run("memories_bomb", call).await.unwrap();
}

#[tokio::test]
async fn memory_that_is_wanted_at_the_start_counts() {
    let call = limits(Limit::Memory, 1000);
    failed(run("trap", call).await, FailureKind::Limit, "memory", "1000B");
}

#[tokio::test]
async fn a_table_bomb_ends_at_its_limit() {
    let call = limits(Limit::TableElements, 50_000);
    failed(run("table_bomb", call).await, FailureKind::Limit, "table_elements", "50000");
}

#[tokio::test]
async fn a_trap_says_where() {
    let result = run("trap", Call::default()).await;
    failed(result.clone(), FailureKind::Trap, "unreachable", "inner");
    failed(result, FailureKind::Trap, "unreachable", "outer");
}

#[tokio::test]
async fn an_exit_is_a_trap() {
    failed(run("exit", Call::default()).await, FailureKind::Trap, "exit", "exit status");
}

#[tokio::test]
async fn an_output_over_its_limit_is_refused() {
    let call = limits(Limit::Output, MIB);
    failed(run("large_output", call).await, FailureKind::Limit, "output", "2097152");
    let call = limits(Limit::HostcallFuel, MIB);
    failed(run("large_output", call).await, FailureKind::Limit, "hostcall_fuel", "1MiB");
    let output = run("large_output", Call::default()).await.unwrap().output;
    assert_eq!(output.len_bytes(), 2 << 20);
}

#[tokio::test]
async fn an_output_that_is_not_json_is_refused() {
    let result = run("no_json", Call::default()).await;
    failed(result, FailureKind::Permanent, "invalid-output", "not JSON");
}

#[tokio::test]
async fn an_output_that_is_not_the_guests_to_give_is_refused() {
    failed(run("bad_pointer", Call::default()).await, FailureKind::Trap, "trap", "out of bounds");
    failed(run("no_utf8", Call::default()).await, FailureKind::Trap, "trap", "utf-8");
}

#[tokio::test]
async fn an_input_over_its_limit_is_refused_before_the_call() {
    let mut call = limits(Limit::Input, 10);
    call.input = Json::from_trusted("\"12345678901\"");
    failed(run("spin", call).await, FailureKind::Limit, "input", "13 bytes");
}

#[tokio::test]
async fn a_large_host_call_is_refused() {
    let call = limits(Limit::HostcallFuel, MIB);
    failed(run("large_line", call).await, FailureKind::Limit, "hostcall_fuel", "1MiB");
    // What it may answer is not what it may hand over in a call.
    let limits = |log| Limits::default().with(Limit::Output, 1 << 10).with(Limit::Log, log);
    run("large_line", Call { limits: limits(8 * MIB), ..Call::default() }).await.unwrap();
    // Refused before it is copied, unless the step might write it into a file.
    let call = Call { limits: limits(MIB / 2), ..Call::default() };
    let refused = run("large_line", call.clone()).await;
    failed(refused, FailureKind::Limit, "hostcall_fuel", "would let through");
    let folder = tempfile::tempdir().unwrap();
    let call = Call { dirs: vec![seen(folder.path())], ..call };
    failed(run("large_line", call).await, FailureKind::Limit, "log", "512KiB");
}

#[tokio::test]
async fn a_log_flood_ends_at_its_limit_and_says_so_once() {
    let call = limits(Limit::Log, 64 << 10);
    let said = Arc::clone(&call.said);
    failed(run("log_flood", call).await, FailureKind::Limit, "log", "64KiB");
    let lines = said.lines.lock().unwrap();
    assert!((1000..2000).contains(&lines.len()), "{} lines", lines.len());
    let (level, last) = lines.last().unwrap();
    assert_eq!(*level, LogLevel::Warn);
    assert!(last.contains("no more lines are kept"), "{last}");
    assert_eq!(lines.iter().filter(|(_, line)| line.contains("no more lines")).count(), 1);
}

#[tokio::test]
async fn a_flood_of_standard_error_ends_at_the_same_limit() {
    let call = limits(Limit::Log, 64 << 10);
    let said = Arc::clone(&call.said);
    failed(run("stderr_flood", call).await, FailureKind::Limit, "log", "64KiB");
    let bytes: usize = said.lines.lock().unwrap().iter().map(|(_, line)| line.len()).sum();
    assert!(bytes < 80 << 10, "{bytes} bytes were kept");
}

#[tokio::test]
async fn too_many_handles_end_the_attempt() {
    failed(run("handles", Call::default()).await, FailureKind::Limit, "handles", "256");
}

#[tokio::test]
async fn a_flood_of_progress_is_cut_to_size() {
    let call = Call::default();
    let said = Arc::clone(&call.said);
    run("progress_flood", call).await.unwrap();
    let progress = said.progress.lock().unwrap();
    assert!(progress.iter().all(|(_, total, len)| *total == 100_000 && *len < 600));
    assert_eq!(progress.last().unwrap().0, 100_000);
}

/// One async thread: the spinning guest must give it up for the others to get anywhere.
#[tokio::test]
async fn the_calls_of_others_go_on_beside_a_spinning_guest() {
    let host = host();
    let spin = load(&host, hostile("spin")).await;
    let hello = hello(&host).await;
    let spinning = tokio::spawn({
        let host = host.clone();
        async move { host.run(&spin, Call::default().invocation()).await }
    });
    tokio::task::yield_now().await;
    for _ in 0..3 {
        let input = Json::from_trusted(r#"{"name":"Ada"}"#);
        let call = Call { function: "greet", input, ..Call::default() };
        let completion = host.run(&hello, call.invocation()).await.unwrap();
        assert_eq!(completion.output.as_str(), r#"{"greeting":"Hello, Ada!"}"#);
    }
    assert!(!spinning.is_finished());
    spinning.abort();
    assert!(spinning.await.unwrap_err().is_cancelled());
}

/// More attempts than slots wait for one another; a stopped one gives its slot back.
#[tokio::test]
async fn a_full_pool_is_no_error() {
    let host = host();
    let (spin, trap) = (load(&host, hostile("spin")).await, load(&host, hostile("trap")).await);
    let calls: Vec<_> = (0..12)
        .map(|number| {
            let (host, plugin) = (host.clone(), if number % 3 == 0 { &spin } else { &trap });
            let plugin = Arc::clone(plugin);
            // Who ends by itself is given the time for it, however busy this machine is.
            let call = if number % 3 == 0 { short() } else { Call::default() };
            tokio::spawn(async move { host.run(&plugin, call.invocation()).await })
        })
        .collect();
    for (number, call) in calls.into_iter().enumerate() {
        let kind = call.await.unwrap().unwrap_err().kind;
        let wanted = if number % 3 == 0 { FailureKind::Timeout } else { FailureKind::Trap };
        assert_eq!(kind, wanted, "call {number}");
    }
}
