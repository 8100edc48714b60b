//! What is said of a guest that fails.

use std::sync::Arc;
use std::time::Duration;

use wfhost_plugin::{CoreDumps, HostOptions, PluginHost};
use wfhost_workflow::{FailureKind, Json, Limit, Limits};

use wfhost_testkit::guest;
use wfhost_testkit::hostile::guest_with;

use crate::guests::{Call, failed, hostile, load, options, run};

/// The guest is built with names and lines, the `.wat` ones have names.
#[tokio::test]
async fn a_trap_names_functions_and_lines_where_it_can() {
    let host = crate::guests::host();
    let probe = load(&host, Arc::from(guest::content("probe"))).await;
    let input = Json::from_trusted("\"panic\"");
    let call = Call { function: "fail", input, ..Call::default() };
    let failure = host.run(&probe, call.invocation()).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Trap);
    assert!(failure.message.contains("probe/src/lib.rs:"), "{failure}");
    assert!(failure.message.contains("panic"), "{failure}");
    assert!(failure.message.len() < 5000, "{failure}");
    let without = run("trap", Call::default()).await.unwrap_err();
    assert!(without.message.contains("inner") && without.message.contains("outer"), "{without}");
    assert!(!without.message.contains(".rs:"), "{without}");
}

/// Debug information of nothing but the heads of compilation units, just below what is
/// read, and above it.
#[tokio::test]
async fn much_debug_information_does_not_keep_a_trap() {
    let unit = r"\08\00\00\00\04\00\00\00\00\00\04\00";
    for mib in [3, 40] {
        let units = unit.repeat((mib << 20) / 12);
        let sections =
            format!("(@custom \".debug_info\" \"{units}\") (@custom \".debug_abbrev\" \"\\00\")");
        let host = crate::guests::host();
        let plugin = load(&host, guest_with("trap", &sections).into()).await;
        for _ in 0..3 {
            let call = Call { timeout: Duration::from_secs(2), ..Call::default() };
            let failed = host.run(&plugin, call.invocation()).await.unwrap_err();
            assert_eq!((failed.kind, failed.code.as_str()), (FailureKind::Trap, "unreachable"));
            assert!(failed.message.contains("inner"), "{failed}");
        }
    }
}

#[tokio::test]
async fn a_core_dump_is_written_where_it_is_asked_for() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("dumps");
    let core_dumps = Some(CoreDumps { folder: folder.clone() });
    let host = PluginHost::new(HostOptions { core_dumps, ..options() }).unwrap();
    let plugin = load(&host, hostile("trap")).await;
    let failure = host.run(&plugin, Call::default().invocation()).await.unwrap_err();
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap()).collect();
    let [file] = &files[..] else { panic!("one file") };
    assert!(
        failure.message.ends_with(&format!("core dump: {}", file.path().display())),
        "{failure}"
    );
    let dump = std::fs::read(file.path()).unwrap();
    assert!(dump.starts_with(b"\0asm") && dump.windows(4).any(|part| part == b"core"));
    // The same attempt again does not write over it.
    let again = host.run(&plugin, Call::default().invocation()).await.unwrap_err();
    assert!(again.message.contains("no core dump: "), "{again}");
}

/// Whose fault it was is told by the kind alone.
#[tokio::test]
async fn faults_of_guests_limits_and_the_host_are_told_apart() {
    failed(run("trap", Call::default()).await, FailureKind::Trap, "unreachable", "inner");
    let memory = Limits::default().with(Limit::Memory, 1000);
    let call = Call { limits: memory, ..Call::default() };
    failed(run("trap", call).await, FailureKind::Limit, "memory", "1000B");
    let mut call = Call::default();
    call.dirs.push(wfhost_workflow::DirGrant {
        host_path: "/nowhere/at/all".to_owned(),
        guest_path: "/in".to_owned(),
        mode: wfhost_workflow::DirMode::ReadOnly,
    });
    failed(run("trap", call).await, FailureKind::Host, "dirs", "/nowhere/at/all");
    let message = run("trap", Call::default()).await.unwrap_err();
    assert_ne!(Arc::new(message).kind, FailureKind::Host);
}
