//! What every hostile guest has in common: it ends in its own named failure each time, the
//! host goes on, and nothing is left behind.

use std::sync::Arc;

use wfhost_plugin::{Plugin, PluginHost};
use wfhost_testkit::hostile::slow_to_compile;
use wfhost_workflow::{FailureKind, Json, Limit, Limits};

use crate::guests::{Call, SHORT, failed, hello, host, hostile, load, seen};

const MIB: u64 = 1 << 20;

/// What this process holds, beside memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    threads: usize,
    descriptors: usize,
}

impl Held {
    fn now() -> Self {
        let count = |folder| std::fs::read_dir(folder).unwrap().count();
        Self { threads: count("/proc/self/task"), descriptors: count("/proc/self/fd") }
    }

    const fn fits(self, bound: Self) -> bool {
        self.threads <= bound.threads && self.descriptors <= bound.descriptors
    }
}

/// Calls the well-behaved neighbour.
async fn goes_on(host: &PluginHost, hello: &Arc<Plugin>) {
    let input = Json::from_trusted(r#"{"name":"Ada"}"#);
    let call = Call { function: "greet", input, ..Call::default() };
    let completion = host.run(hello, call.invocation()).await.unwrap();
    assert_eq!(completion.output.as_str(), r#"{"greeting":"Hello, Ada!"}"#);
}

/// Calls a guest's `run` four times, which must fail in this way and leave nothing behind.
async fn contained(name: &str, call: Call, (kind, code, text): (FailureKind, &str, &str)) {
    let host = host();
    let (plugin, hello) = (load(&host, hostile(name)).await, hello(&host).await);
    let mut held = None;
    for round in 0..4 {
        failed(host.run(&plugin, call.clone().invocation()).await, kind, code, text);
        goes_on(&host, &hello).await;
        match held {
            // The first two start what is kept: the long lane, a thread for files.
            _ if round < 2 => held = Some(Held::now()),
            Some(held) => {
                while !Held::now().fits(held) {
                    tokio::task::yield_now().await;
                }
            }
            None => {}
        }
    }
}

fn limit(limit: Limit, value: u64) -> Call {
    Call { limits: Limits::default().with(limit, value), ..Call::default() }
}

fn short() -> Call {
    Call { timeout: SHORT, ..Call::default() }
}

const TIMED_OUT: (FailureKind, &str, &str) = (FailureKind::Timeout, "timeout", "timeout of 60ms");

#[tokio::test]
async fn a_loop_leaves_nothing_behind_wherever_it_is() {
    for name in ["spin", "start_spins", "realloc_spins", "post_return_spins"] {
        contained(name, short(), TIMED_OUT).await;
    }
}

#[tokio::test]
async fn a_sleep_leaves_nothing_behind() {
    contained("sleep", short(), TIMED_OUT).await;
}

#[tokio::test]
async fn a_trap_leaves_nothing_behind() {
    contained("trap", Call::default(), (FailureKind::Trap, "unreachable", "inner")).await;
    contained("recursion", Call::default(), (FailureKind::Limit, "stack", "deeper")).await;
    contained("exit", Call::default(), (FailureKind::Trap, "exit", "exit status")).await;
}

/// The answer was there, but the guest did not get to the end of its call: a trap.
#[tokio::test]
async fn a_trap_after_the_answer_is_the_attempts_end() {
    let trap = (FailureKind::Trap, "unreachable", "unreachable");
    contained("post_return_traps", Call::default(), trap).await;
}

#[tokio::test]
async fn memory_that_is_not_the_guests_is_a_trap() {
    contained("realloc_lies", Call::default(), (FailureKind::Trap, "trap", "realloc")).await;
    contained("bad_pointer", Call::default(), (FailureKind::Trap, "trap", "out of bounds")).await;
}

#[tokio::test]
async fn memory_bombs_leave_nothing_behind() {
    let limited = (FailureKind::Limit, "memory", "`memory`");
    contained("memory_bomb", Call::default(), limited).await;
    contained("memory_touches", limit(Limit::Memory, 64 * MIB), limited).await;
    contained("memories_bomb", limit(Limit::Memory, 5 * MIB), limited).await;
    let limited = (FailureKind::Limit, "table_elements", "`table_elements`");
    contained("table_bomb", Call::default(), limited).await;
}

/// Each of the calls touches 256 MiB.
#[tokio::test]
async fn memory_is_given_back() {
    let resident = || {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
    };
    let (host, call) = (host(), limit(Limit::Memory, 256 * MIB));
    let plugin = load(&host, hostile("memory_touches")).await;
    let before = resident();
    for _ in 0..3 {
        let ended = host.run(&plugin, call.clone().invocation()).await;
        failed(ended, FailureKind::Limit, "memory", "256MiB");
    }
    let after = resident();
    assert!(after < before + 64 * MIB, "{before} bytes before, {after} after");
}

#[tokio::test]
async fn floods_leave_nothing_behind() {
    let limited = (FailureKind::Limit, "log", "`log`");
    for name in ["log_flood", "stderr_flood"] {
        contained(name, limit(Limit::Log, MIB / 16), limited).await;
    }
    contained("handles", Call::default(), (FailureKind::Limit, "handles", "`handles`")).await;
}

#[tokio::test]
async fn a_hundred_megabytes_of_output_are_refused() {
    // Before they are copied: after that, their number is known.
    let limited = (FailureKind::Limit, "output", "the step's output has more than that");
    contained("huge_output", Call::default(), limited).await;
    let folder = tempfile::tempdir().unwrap();
    let call = Call { dirs: vec![seen(folder.path())], ..Call::default() };
    contained("huge_output", call, limited).await;
    // And where the host takes less than that in one call.
    let limited = (FailureKind::Limit, "hostcall_fuel", "`hostcall_fuel`");
    contained("huge_output", limit(Limit::HostcallFuel, 32 * MIB), limited).await;
}

#[tokio::test]
async fn a_huge_list_of_arguments_is_refused() {
    let limited = (FailureKind::Limit, "hostcall_fuel", "`hostcall_fuel`");
    contained("huge_list", Call::default(), limited).await;
    let limited = (FailureKind::Limit, "hostcall_fuel", "`hostcall_fuel`");
    contained("polls", limit(Limit::HostcallFuel, MIB), limited).await;
}

/// What is no UTF-8 is replaced where it is text for people, and a trap where WIT says
/// that it is UTF-8.
#[tokio::test]
async fn text_that_is_no_utf8_is_replaced_or_a_trap() {
    let trap = (FailureKind::Trap, "trap", "utf-8");
    contained("no_utf8", Call::default(), trap).await;
    let call = Call::default();
    let said = Arc::clone(&call.said);
    contained("log_no_utf8", call, trap).await;
    let lines = said.lines.lock().unwrap();
    assert!(lines.iter().all(|(_, line)| line == "\u{fffd}\u{fffd}\u{fffd}("), "{lines:?}");
    assert_eq!(lines.len(), 4);
}

/// Without a child that compiles, it is this process: slow, but other steps go on.
#[tokio::test]
async fn a_component_that_compiles_for_long_keeps_nobody_waiting() {
    let host = host();
    let hello = hello(&host).await;
    let slow = Arc::<[u8]>::from(slow_to_compile(500, 500));
    let loading = tokio::spawn({
        let host = host.clone();
        async move { load(&host, slow).await }
    });
    tokio::task::yield_now().await;
    let mut beside = 0;
    while !loading.is_finished() {
        goes_on(&host, &hello).await;
        beside += 1;
        tokio::task::yield_now().await;
    }
    let plugin = loading.await.unwrap();
    host.run(&plugin, Call::default().invocation()).await.unwrap();
    assert!(beside > 1, "only {beside} calls while it was compiled");
}

/// The component model has no way back into a component that is inside a call.
#[tokio::test]
async fn a_component_is_not_entered_twice() {
    let call = Call { input: Json::from_trusted("{}"), ..Call::default() };
    let trap = (FailureKind::Trap, "trap", "cannot enter component instance");
    contained("reenters", call, trap).await;
}

#[tokio::test]
async fn resources_of_the_guests_own_are_limited() {
    let call = Call { input: Json::from_trusted("{}"), ..Call::default() };
    let limited = (FailureKind::Limit, "handles", "resources of its own");
    contained("own_handles", call, limited).await;
}

/// A destructor that the guest calls is part of its call. One that is left over when the
/// attempt ends is not called at all: the completed result stands.
#[tokio::test]
async fn a_trap_in_a_destructor_ends_only_the_call_that_drops() {
    let call = |function| Call { function, input: Json::from_trusted("{}"), ..Call::default() };
    let trap = (FailureKind::Trap, "unreachable", "last-words");
    contained("destructor_traps", call("drops"), trap).await;
    let host = host();
    let plugin = load(&host, hostile("destructor_traps")).await;
    for _ in 0..3 {
        let ended = host.run(&plugin, call("keeps").invocation()).await;
        assert_eq!(ended.unwrap().output, Json::null());
    }
}

/// A run that began with the old component goes on with it: both are loaded, by digest.
#[tokio::test]
async fn a_function_that_is_gone_from_the_next_version_is_missed_by_name() {
    let host = host();
    let call = |function| Call { function, input: Json::from_trusted("{}"), ..Call::default() };
    let old = load(&host, hostile("offers_two")).await;
    let new = load(&host, hostile("offers_one")).await;
    for (function, said) in [
        ("fetch-all", "no function `fetch-all`"),
        ("fetch-all", "it has"),
        ("fetchh", "did you mean `fetch`?"),
        ("acme:web/pages#fetch-all", "no function `acme:web/pages#fetch-all`"),
    ] {
        let gone = host.run(&new, call(function).invocation()).await;
        failed(gone, FailureKind::Permanent, "unknown-step", said);
    }
    for function in ["fetch", "fetch-all", "acme:web/pages#fetch-all"] {
        let ended = host.run(&old, call(function).invocation()).await;
        assert_eq!(ended.unwrap().output.as_str(), "7", "{function}");
    }
    let names = |contracts: Arc<Vec<wfhost_workflow::Contract>>| {
        contracts.iter().map(|contract| contract.name.clone()).collect::<Vec<_>>()
    };
    let before = names(host.contracts(&old).await.unwrap());
    let after = names(host.contracts(&new).await.unwrap());
    assert!(before.contains(&"fetch-all".to_owned()), "{before:?}");
    assert!(!after.contains(&"fetch-all".to_owned()), "{after:?}");
}
