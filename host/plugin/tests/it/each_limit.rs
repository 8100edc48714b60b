//! Each limit: at it a guest passes; one below it, the guest fails with the limit's own
//! error, and the limit's own counter has counted it.

use std::sync::Arc;

use wfhost_plugin::{HostOptions, Plugin, PluginHost};
use wfhost_testkit::guest;
use wfhost_workflow::{
    DirGrant, DirMode, FailureKind, Json, Limit, LimitSettings, Limits, OperatorLimits,
};

use crate::guests::{Call, SHORT, failed, host, hostile, load, options, run};

struct Case {
    host: PluginHost,
    plugin: Arc<Plugin>,
    call: Call,
}

impl Case {
    async fn of(guest: Arc<[u8]>, call: Call) -> Self {
        let host = host();
        let plugin = load(&host, guest).await;
        Self { host, plugin, call }
    }

    async fn hostile(name: &str) -> Self {
        Self::of(hostile(name), Call::default()).await
    }

    async fn passes(&self, limit: Limit, value: u64) -> bool {
        let mut call = self.call.clone();
        call.limits[limit] = value;
        let before = self.count(limit);
        match self.host.run(&self.plugin, call.invocation()).await {
            Ok(_) => true,
            Err(failure) => {
                let over = (failure.kind, failure.code.as_str());
                assert_eq!(over, (FailureKind::Limit, limit.name()), "{value}: {failure}");
                let value = format!("`{limit}` of {}: ", limit.show(value));
                assert!(failure.message.contains(&value), "{value} is not in {failure}");
                let remedy = format!("set `plugins.guest.limits.{limit}` in the workflow");
                assert!(failure.message.ends_with(&remedy), "{failure}");
                assert_eq!(self.count(limit), before + 1, "{limit} is counted");
                false
            }
        }
    }

    fn count(&self, limit: Limit) -> u64 {
        let counters = self.host.limit_counters();
        counters.into_iter().find(|(counted, _)| *counted == limit).unwrap().1
    }

    async fn needs(&self, limit: Limit, expected: u64) {
        assert_eq!(self.least(limit).await, expected, "{limit}");
    }

    /// The least value with which the guest passes.
    async fn least(&self, limit: Limit) -> u64 {
        let (mut fails, mut passes) = (0, limit.spec().default);
        while passes - fails > 1 {
            let middle = fails.midpoint(passes);
            if self.passes(limit, middle).await {
                passes = middle;
            } else {
                fails = middle;
            }
        }
        passes
    }
}

const PAGE: u64 = 64 << 10;

#[tokio::test]
async fn memory_and_memories() {
    let memories = Case::hostile("memories_bomb").await;
    memories.needs(Limit::Memory, 96 * PAGE).await;
    memories.needs(Limit::Memories, 3).await;
}

#[tokio::test]
async fn tables_their_elements_and_instances() {
    let input = Json::from_trusted(r#"{"name":"Ada"}"#);
    let call = Call { function: "greet", input, ..Call::default() };
    let hello = Case::of(Arc::from(guest::content("hello")), call).await;
    // How many, is the guest's compiler's business.
    for limit in [Limit::Tables, Limit::TableElements, Limit::Instances] {
        assert!(hello.least(limit).await > 1, "{limit}");
    }
}

#[tokio::test]
async fn random_bytes_of_the_attempt() {
    Case::hostile("time_and_chance").await.needs(Limit::Random, 8).await;
}

#[tokio::test]
async fn handles() {
    Case::hostile("prints").await.needs(Limit::Handles, 3).await;
}

#[tokio::test]
async fn log_bytes_and_lines() {
    let prints = Case::hostile("prints").await;
    // The last, unfinished line of each stream comes when the attempt is over.
    prints.needs(Limit::Log, 2 * (5 + 6 + 2 * 32)).await;
    prints.needs(Limit::LogRate, 4).await;
}

#[tokio::test]
async fn what_is_handed_over() {
    let output = Case::hostile("large_output").await;
    output.needs(Limit::Output, 2 << 20).await;
    output.needs(Limit::HostcallFuel, 2 << 20).await;
    let input = Json::from_trusted("\"12345678901\"");
    Case::of(hostile("keeps"), Call { input, ..Call::default() })
        .await
        .needs(Limit::Input, 13)
        .await;
}

#[tokio::test]
async fn open_files() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), "x".repeat(64)).unwrap();
    let host_path = folder.path().canonicalize().unwrap().to_str().unwrap().to_owned();
    let dir = DirGrant { host_path, guest_path: "/in".to_owned(), mode: DirMode::ReadOnly };
    let input = Json::from_trusted("\"a\"");
    let call = Call { function: "read", input, dirs: vec![dir], ..Call::default() };
    // Its output is what is in the file, and no JSON.
    let case = Case::of(hostile("open"), call).await;
    assert!(!case.passes(Limit::OpenFiles, 0).await);
    let failure = case.host.run(&case.plugin, case.call.clone().invocation()).await.unwrap_err();
    assert_eq!(failure.code, "invalid-output");
}

#[tokio::test]
async fn the_stack() {
    // An engine for each size.
    for (stack, passes) in [(128 << 10, false), (8 << 20, true)] {
        let limits = Limits::default().with(Limit::Stack, stack);
        let host = host();
        let guest = hostile("deep");
        let digest = wfhost_workflow::Digest::of(&guest);
        let plugin = host.load(guest, digest, host.shape(&limits, false)).await.unwrap();
        let ended = host.run(&plugin, Call { limits, ..Call::default() }.invocation()).await;
        if passes {
            ended.unwrap();
        } else {
            failed(ended, FailureKind::Limit, "stack", "128KiB");
            assert!(host.limit_counters().contains(&(Limit::Stack, 1)));
        }
    }
}

#[tokio::test]
async fn computing_counts_and_waiting_does_not() {
    let limits = Limits::default().with(Limit::CpuTime, 30);
    let call = Call { limits, ..Call::default() };
    failed(run("spin", call.clone()).await, FailureKind::Limit, "cpu_time", "30ms");
    let waits = Call { timeout: SHORT, ..call };
    failed(run("sleep", waits).await, FailureKind::Timeout, "timeout", "60ms");
}

#[tokio::test]
async fn a_refused_write_is_counted() {
    let host = host();
    let plugin = load(&host, hostile("keeps")).await;
    for (limit, value) in [(Limit::KvValue, 3), (Limit::KvTotal, 4)] {
        let mut call = Call { input: Json::from_trusted("\"after\""), ..Call::default() };
        call.limits[limit] = value;
        let failure = host.run(&plugin, call.invocation()).await.unwrap_err();
        assert!(failure.message.contains(limit.name()), "{failure}");
        assert!(host.limit_counters().contains(&(limit, 1)), "{limit}");
    }
}

#[tokio::test]
async fn the_operators_limit_holds_where_it_is_lower() {
    let mut config = LimitSettings::default();
    config.set(Limit::Timeout, 50);
    config.set(Limit::Memory, 1 << 20);
    let operator = OperatorLimits { config, ..OperatorLimits::default() };
    let host = PluginHost::new(HostOptions { operator, ..options() }).unwrap();
    let spin = load(&host, hostile("spin")).await;
    let ended = host.run(&spin, Call::default().invocation()).await;
    failed(
        ended,
        FailureKind::Timeout,
        "timeout",
        "50ms; the operator has set it: `limits.timeout`",
    );
    assert!(host.limit_counters().contains(&(Limit::Timeout, 1)));
    let bomb = load(&host, hostile("memory_bomb")).await;
    let ended = host.run(&bomb, Call::default().invocation()).await;
    failed(ended, FailureKind::Limit, "memory", "of 1MiB");
}
