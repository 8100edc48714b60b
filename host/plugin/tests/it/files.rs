//! Guests that reach for files.

use std::path::Path;
use std::sync::Arc;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use wfhost_plugin::{Completion, LogLevel};
use wfhost_workflow::{DirGrant, DirMode, Failure, FailureKind, Json, Limit, Limits};

use crate::guests::{Call, failed, run};

/// `in/` with a file and everything that must not be opened; `secret` beside it.
struct Host(tempfile::TempDir);

impl Host {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let path = |below: &str| root.path().join(below);
        std::fs::create_dir_all(path("in/folder")).unwrap();
        std::fs::write(path("in/file"), "\"content\"").unwrap();
        std::fs::write(path("secret"), "\"secret\"").unwrap();
        std::os::unix::fs::symlink("../secret", path("in/link-out")).unwrap();
        std::os::unix::fs::symlink(path("secret"), path("in/link-absolute")).unwrap();
        std::os::unix::fs::symlink("file", path("in/link-within")).unwrap();
        std::os::unix::fs::symlink("..", path("in/link-up")).unwrap();
        mknodat(CWD, path("in/fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let socket = std::os::unix::net::UnixListener::bind(path("in/socket")).unwrap();
        drop(socket);
        Self(root)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn call(&self, function: &'static str, path: &str, mode: DirMode) -> Call {
        let host_path = self.path().join("in").canonicalize().unwrap();
        let host_path = host_path.to_str().unwrap().to_owned();
        Call {
            function,
            input: Json::from_value(&path.into()),
            dirs: vec![DirGrant { host_path, guest_path: "/in".to_owned(), mode }],
            ..Call::default()
        }
    }

    async fn read(&self, path: &str) -> Result<Completion, Failure> {
        run("open", self.call("read", path, DirMode::ReadOnly)).await
    }

    async fn write(&self, path: &str, mode: DirMode) -> Result<Completion, Failure> {
        run("open", self.call("write", path, mode)).await
    }
}

#[tokio::test]
async fn a_granted_file_is_read() {
    let host = Host::new();
    for path in ["file", "link-within", "folder/../file"] {
        assert_eq!(host.read(path).await.unwrap().output.as_str(), "\"content\"", "{path}");
    }
}

#[tokio::test]
async fn nothing_outside_the_grant_is_read() {
    let host = Host::new();
    let absolute = host.path().join("secret");
    let absolute = absolute.to_str().unwrap();
    let paths = [
        "../secret",
        "folder/../../secret",
        absolute,
        "link-out",
        "link-absolute",
        "link-up/secret",
    ];
    for path in paths {
        let call = host.call("read", path, DirMode::ReadOnly);
        let said = Arc::clone(&call.said);
        failed(run("open", call).await, FailureKind::Denied, "dirs", path);
        let lines = said.lines.lock().unwrap();
        let warned = |(level, line): &(LogLevel, String)| {
            *level == LogLevel::Warn && line.contains(path) && line.contains("outside")
        };
        assert!(lines.iter().any(warned), "{path}: {lines:?}");
    }
}

/// Were one of these opened as files are, the thread would wait for the other end: the
/// runtime of this test waits for its threads, so the test would never end.
#[tokio::test]
async fn what_is_no_file_is_not_opened_and_holds_up_no_thread() {
    let host = Host::new();
    let no_file = "neither a regular file nor a directory";
    for path in ["fifo", "socket"] {
        failed(host.read(path).await, FailureKind::Denied, "dirs", no_file);
        let written = host.write(path, DirMode::ReadWrite).await;
        failed(written, FailureKind::Denied, "dirs", no_file);
    }
}

#[tokio::test]
async fn a_read_only_grant_is_not_written() {
    let host = Host::new();
    for path in ["new", "file", "folder/new"] {
        let written = host.write(path, DirMode::ReadOnly).await;
        failed(written, FailureKind::Denied, "dirs", "read-only");
    }
    assert!(!host.path().join("in/new").exists());
}

#[tokio::test]
async fn a_writable_grant_is_written_but_not_left() {
    let host = Host::new();
    host.write("folder/new", DirMode::ReadWrite).await.unwrap();
    assert!(host.path().join("in/folder/new").exists());
    let written = host.write("../new", DirMode::ReadWrite).await;
    failed(written, FailureKind::Denied, "dirs", "outside");
    let written = host.write("link-up/new", DirMode::ReadWrite).await;
    failed(written, FailureKind::Denied, "dirs", "outside");
    assert!(!host.path().join("new").exists());
}

#[tokio::test]
async fn a_missing_file_is_the_steps_own_failure() {
    let host = Host::new();
    // 44 is WASI's `noent`.
    failed(host.read("missing").await, FailureKind::Permanent, "open", "44");
}

#[tokio::test]
async fn without_a_grant_there_is_no_directory() {
    let call = Call { input: Json::from_trusted("\"file\""), ..Call::default() };
    // 8 is WASI's `badf`.
    failed(run("open", call).await, FailureKind::Permanent, "open", "08");
}

#[tokio::test]
async fn a_grant_that_has_become_a_link_is_denied() {
    let host = Host::new();
    let call = host.call("read", "secret", DirMode::ReadOnly);
    std::fs::rename(host.path().join("in"), host.path().join("moved")).unwrap();
    std::os::unix::fs::symlink(".", host.path().join("in")).unwrap();
    failed(run("open", call).await, FailureKind::Denied, "dirs", "symbolic link");
}

/// All names below a folder, with sizes and times of change.
fn tree(folder: &Path) -> Vec<(std::path::PathBuf, u64, std::time::SystemTime)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let metadata = entry.path().symlink_metadata().unwrap();
        found.push((entry.path(), metadata.len(), metadata.modified().unwrap()));
        if metadata.is_dir() {
            found.extend(tree(&entry.path()));
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn nothing_changes_below_a_read_only_grant() {
    let host = Host::new();
    let before = tree(host.path());
    let answer = run("changes", host.call("run", "file", DirMode::ReadOnly)).await;
    assert_eq!(answer.unwrap().output.as_str(), "\"\"");
    assert_eq!(tree(host.path()), before);
    // The guest can do all that: it is the grant that keeps it from doing so.
    let answer = run("changes", host.call("run", "file", DirMode::ReadWrite)).await;
    let changed = answer.unwrap().output.as_str().to_owned();
    assert!(changed.len() > 4, "only {changed}");
    assert_ne!(tree(host.path()), before);
}

/// `d` is a folder with a harmless `secret`, and a link to where the real one is, in turns.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_race_for_a_path_is_not_won() {
    use rustix::fs::{RenameFlags, renameat_with};
    use std::sync::atomic::{AtomicBool, Ordering};

    let host = Host::new();
    let path = |below: &str| host.path().join(below);
    std::fs::create_dir(path("in/d")).unwrap();
    std::fs::write(path("in/d/secret"), "harmless").unwrap();
    std::fs::write(path("secret"), "secret").unwrap();
    std::os::unix::fs::symlink("..", path("in/e")).unwrap();
    let (one, other) = (path("in/d"), path("in/e"));
    let over = Arc::new(AtomicBool::new(false));
    let racing = std::thread::spawn({
        let over = Arc::clone(&over);
        move || {
            let mut swaps = 0_u32;
            while !over.load(Ordering::Relaxed) {
                renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).unwrap();
                swaps += 1;
            }
            swaps
        }
    });
    let answer = run("races", host.call("run", "d", DirMode::ReadOnly)).await;
    over.store(true, Ordering::Relaxed);
    let swaps = racing.join().unwrap();
    assert_eq!(answer.unwrap().output, Json::null(), "the guest has read the secret");
    assert!(swaps > 100, "{swaps} swaps are no race");
}

#[tokio::test]
async fn a_guest_does_not_fill_the_disk() {
    const MIB: u64 = 1 << 20;
    for (function, limit, max) in [
        ("bytes", Limit::Written, MIB),
        ("grow", Limit::Written, MIB),
        ("files", Limit::MadeFiles, 20),
        ("directories", Limit::MadeFiles, 20),
        ("links", Limit::MadeFiles, 20),
        ("symbolic links", Limit::MadeFiles, 20),
    ] {
        let host = Host::new();
        let before = tree(host.path());
        let limits = Limits::default().with(limit, max);
        let call = Call { limits, ..host.call(function, "file", DirMode::ReadWrite) };
        let name = limit.name();
        failed(run("fills", call).await, FailureKind::Limit, name, &format!("`{name}`"));
        let after = tree(host.path());
        let size = |tree: &[(std::path::PathBuf, u64, _)]| -> u64 {
            tree.iter().map(|(_, len, _)| *len).sum()
        };
        assert!(size(&after) <= size(&before) + MIB, "{function}: {} bytes", size(&after));
        assert!(after.len() <= before.len() + 20, "{function}: {} files", after.len());
    }
}

/// Names the folder on a disk of 1 MiB to the test that runs itself there.
const SMALL_DISK: &str = "WFHOST_TEST_SMALL_DISK";

/// A disk that is full is the guest's to deal with: it is told, and the host goes on.
#[tokio::test]
async fn a_full_disk_is_an_error_that_the_guest_sees() {
    let Ok(folder) = std::env::var(SMALL_DISK) else {
        let folder = tempfile::tempdir().unwrap();
        let mut own = std::process::Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            own.args(["--user", "--map-root-user"]);
        }
        own.arg("--mount").arg(std::env::current_exe().unwrap());
        own.args(["--exact", "files::a_full_disk_is_an_error_that_the_guest_sees"]);
        own.env(SMALL_DISK, folder.path().canonicalize().unwrap());
        assert!(own.status().unwrap().success());
        return;
    };
    let mut mount = std::process::Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=1m", "none", &folder]);
    assert!(mount.status().unwrap().success());
    let dirs = vec![DirGrant {
        host_path: folder,
        guest_path: "/in".to_owned(),
        mode: DirMode::ReadWrite,
    }];
    for _ in 0..2 {
        let call = Call { function: "bytes", dirs: dirs.clone(), ..Call::default() };
        // 51 is WASI's `nospc`.
        assert_eq!(run("fills", call).await.unwrap().output.as_str(), "\"51\"");
    }
}
