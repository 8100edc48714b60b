//! What rows are carried out with.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use wfhost_workflow::Digest;

use crate::failure::{Doing as _, Result};
use crate::marks;

/// Programs, the guest, and how much of each row is wanted.
pub(crate) struct Tools {
    /// The program as it ships.
    pub(crate) wfhost: PathBuf,
    /// The same with crash points.
    pub(crate) crashing: PathBuf,
    pub(crate) component: Vec<u8>,
    pub(crate) digest: Digest,
    /// Compiled guests, shared by all rows.
    pub(crate) cache: PathBuf,
    pub(crate) once: bool,
    pub(crate) times: Option<u32>,
    pub(crate) seed: u64,
}

impl Tools {
    /// Repetitions: as asked for, or as the row has them in full and in a short pass.
    pub(crate) fn times(&self, full: u32, once: u32) -> u32 {
        self.times.unwrap_or(if self.once { once } else { full })
    }

    /// Numbers and times that are smaller in a short pass.
    pub(crate) fn either<T>(&self, full: T, once: T) -> T {
        if self.once { once } else { full }
    }

    pub(crate) fn find(root: &std::path::Path, bins: &std::path::Path) -> Result<Self> {
        let guest = root.join(format!("target/guests/{}.wasm", marks::GUEST));
        let component = std::fs::read(&guest)
            .doing(format_args!("read {} (`cargo xtask guests`)", guest.display()))?;
        Ok(Self {
            wfhost: bins.join("wfhost"),
            crashing: root.join("target/faults/wfhost-crash"),
            digest: Digest::of(&component),
            component,
            cache: root.join("target/faults/cache"),
            once: false,
            times: None,
            seed: crate::clock::wall_ns(),
        })
    }
}

/// A command of the machine, and what it says if it fails.
pub(crate) fn system(program: &str, words: &[&str]) -> Result<()> {
    let what = || format!("{program} {}", words.join(" "));
    let output = Command::new(program).args(words).output().doing(what())?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()).doing(what())
}

/// Seconds, for people.
pub(crate) fn seconds(time: Duration) -> String {
    match time.as_secs_f64() {
        s if s < 0.01 => format!("{:.2} ms", s * 1e3),
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}
