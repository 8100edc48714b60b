//! A guest that asks everything it may hears nothing of the host: not in answers, and not in
//! the words of errors.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use wfhost_testkit::guest;
use wfhost_workflow::{Digest, DirGrant, DirMode, FailureKind, Json, Limit, Limits};

use crate::guests::{Call, failed, hello, host, load};

/// Numbers by chance: they may hold any digits.
const CHANCE: [&str; 2] = ["seed", "monotonic"];

/// A granted folder, with secrets beside it and ways out of it.
fn granted(folder: &Path) -> DirGrant {
    let inside = folder.join("granted-folder");
    std::fs::create_dir(&inside).unwrap();
    std::fs::write(inside.join("inside.txt"), "inside").unwrap();
    std::fs::write(folder.join("secret-beside.txt"), "SECRET-CONTENT").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", inside.join("link-out")).unwrap();
    std::os::unix::fs::symlink(folder.join("secret-beside.txt"), inside.join("link-beside"))
        .unwrap();
    DirGrant {
        host_path: inside.canonicalize().unwrap().to_str().unwrap().to_owned(),
        guest_path: "/in".to_owned(),
        mode: DirMode::ReadWrite,
    }
}

/// What is the host's alone, and what it is called in a failure of the test.
fn secrets(folder: &Path, beside: &Digest) -> Vec<(String, String)> {
    let mut secrets = vec![
        ("the folder of the grant".to_owned(), "granted-folder".to_owned()),
        ("a path of the host".to_owned(), folder.display().to_string()),
        ("a file beside the grant".to_owned(), "SECRET-CONTENT".to_owned()),
        ("the workspace".to_owned(), guest::workspace().display().to_string()),
        ("the working folder".to_owned(), std::env::current_dir().unwrap().display().to_string()),
        ("the process".to_owned(), format!("{}", std::process::id())),
        ("another plugin's digest".to_owned(), beside.to_string()),
        ("another plugin's digest".to_owned(), beside.to_string().replace("sha256:", "")),
        ("another plugin's step".to_owned(), "greet".to_owned()),
    ];
    for (name, value) in std::env::vars() {
        // Shorter ones, such as `1`, are no secrets and found anywhere.
        if value.len() >= 6 {
            secrets.push((format!("the variable {name}"), value));
        }
    }
    let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    for (what, path) in [
        ("the host's name", "/proc/sys/kernel/hostname"),
        ("boot", "/proc/sys/kernel/random/boot_id"),
    ] {
        let text = file(path).trim().to_owned();
        if text.len() >= 4 {
            secrets.push((what.to_owned(), text));
        }
    }
    for user in file("/etc/passwd").lines().take(3) {
        secrets.push(("the users".to_owned(), user.to_owned()));
    }
    let memory = file("/proc/meminfo");
    let memory = memory.lines().next().and_then(|line| line.split_whitespace().nth(1));
    secrets.extend(memory.map(|kib| ("the machine's memory".to_owned(), kib.to_owned())));
    secrets
}

fn json<T: serde::de::DeserializeOwned>(output: &Json) -> T {
    serde_json::from_str(output.as_str()).unwrap()
}

#[tokio::test]
async fn a_guest_hears_nothing_of_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let host = host();
    let other = hello(&host).await;
    let snoop = load(&host, Arc::from(guest::content("snoop"))).await;
    let said = Arc::default();
    let call = Call {
        function: "look",
        dirs: vec![granted(folder.path())],
        said: Arc::clone(&said),
        ..Call::default()
    };
    let heard = host.run(&snoop, call.invocation()).await.unwrap();
    let heard: BTreeMap<String, String> = json(&heard.output);
    for (what, secret) in secrets(folder.path(), other.digest()) {
        for (asked, answer) in &heard {
            let chance = CHANCE.contains(&asked.as_str());
            assert!(chance || !answer.contains(&secret), "{what} is told by {asked}: {answer}");
        }
    }
    for line in said.lines.lock().unwrap().iter() {
        assert!(!line.1.contains("granted-folder"), "{line:?}");
    }
    check(&heard);
}

/// What a guest does hear.
#[track_caller]
fn check(heard: &BTreeMap<String, String>) {
    let answer = |asked: &str, expected: &str| {
        assert_eq!(heard.get(asked).map(String::as_str), Some(expected), "{asked}");
    };
    answer("environment", "[]");
    answer("arguments", "[]");
    answer("initial cwd", "None");
    answer("std vars", "[]");
    answer("std args", "[]");
    answer("preopen 0", "\"/in\"");
    answer("stdin", "(Ok(0), \"\")");
    let denied = |asked: &str| {
        let answer = heard.get(asked).map_or("", String::as_str);
        assert!(answer.starts_with("Err("), "{asked}: {answer}");
    };
    for path in [
        "/",
        "..",
        "/in/..",
        "/etc/passwd",
        "/proc/self/environ",
        "/home",
        "/in/link-out",
        "/in/link-beside",
    ] {
        denied(&format!("read {path}"));
        denied(&format!("list {path}"));
        denied(&format!("write {path}"));
    }
    denied("read /in/../secret-beside.txt");
    for asked in [
        "connect",
        "listen",
        "udp",
        "lookup localhost",
        "std lookup localhost",
        "long key",
        "long value",
    ] {
        denied(asked);
    }
    // Since the attempt began, not since the machine did.
    let nanoseconds: u64 = heard["monotonic"].parse().unwrap();
    assert!(nanoseconds < 600_000_000_000, "{nanoseconds}");
}

/// What a guest can have ends at its limit, whatever the machine has.
#[tokio::test]
async fn memory_ends_at_the_limit_and_not_at_the_machines() {
    let host = host();
    let snoop = load(&host, Arc::from(guest::content("snoop"))).await;
    for (limit, shown) in [(24 << 20, "24MiB"), (40 << 20, "40MiB")] {
        let limits = Limits::default().with(Limit::Memory, limit);
        let call = Call { function: "grow", limits, ..Call::default() };
        let ended = host.run(&snoop, call.invocation()).await;
        failed(ended, FailureKind::Limit, "memory", shown);
    }
}
