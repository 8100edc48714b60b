//! What this machine is, and what its disk can do.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::clock;

pub(crate) fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32)
}

pub(crate) fn describe() -> String {
    format!("{} cores; release profile with overflow checks; store on {}", cores(), place())
}

fn place() -> String {
    host_folder().display().to_string()
}

/// Beside the build: on the disk, not in a folder of memory.
pub(crate) fn host_folder() -> std::path::PathBuf {
    wfhost_testkit::guest::workspace().join("target/bench")
}

/// One append of 512 bytes and `fdatasync`.
pub(crate) fn sync_once(file: &mut fs::File) -> std::io::Result<Duration> {
    let started = clock::now();
    file.write_all(&[7; 512])?;
    file.sync_data()?;
    Ok(started.elapsed())
}

pub(crate) fn sync_file(folder: &Path) -> std::io::Result<fs::File> {
    OpenOptions::new().create(true).append(true).open(folder.join("sync-probe"))
}

/// A number of this process from a file of /proc, such as `VmHWM` in kB.
pub(crate) fn of_process(file: &str, key: &str) -> u64 {
    of_a_process(std::process::id(), file, key)
}

/// The same of another process.
pub(crate) fn of_a_process(pid: u32, file: &str, key: &str) -> u64 {
    fs::read_to_string(format!("/proc/{pid}/{file}"))
        .unwrap_or_default()
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or_default()
}
