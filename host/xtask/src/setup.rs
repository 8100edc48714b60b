//! What must be on the machine before anything is built: found, or installed, or named.

mod cplusplus;
pub(crate) mod guest_target;
mod libzmq;
mod network;
mod packages;
mod registry;

use crate::failure::{Failure, Result};
use crate::{place, process};

pub(crate) use cplusplus::cplusplus;
pub(crate) use libzmq::libzmq;
pub(crate) use network::network;
pub(crate) use registry::registry;

/// The oldest compiler that builds the host; the workspace's `rust-version`.
const RUSTC_MINOR_MIN: u32 = 95;

/// Everything that building and testing the host needs, besides guests.
pub(crate) fn host() -> Result<()> {
    compiler()?;
    libzmq()
}

/// The compiler in use is new enough.
pub(crate) fn compiler() -> Result<()> {
    let version = process::capture(process::program("rustc").arg("--version"))?;
    match minor_version(&version) {
        Some(minor) if minor < RUSTC_MINOR_MIN => Err(Failure::new(format!(
            "wfhost needs rustc 1.{RUSTC_MINOR_MIN} or newer; this is {}",
            version.trim()
        ))
        .hint(match place::on_path("rustup") {
            Some(_) => "run: rustup update stable",
            None => "install it from https://rustup.rs",
        })),
        // A version that cannot be read is Cargo's to refuse.
        _ => Ok(()),
    }
}

/// Of `rustc 1.95.0 (…)`: 95.
fn minor_version(text: &str) -> Option<u32> {
    text.split_whitespace().nth(1)?.strip_prefix("1.")?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compilers_version_is_read() {
        assert_eq!(minor_version("rustc 1.95.0 (59807616e 2026-04-14)"), Some(95));
        assert_eq!(minor_version("rustc 1.63.0"), Some(63));
        assert_eq!(minor_version("rustc 1.97.0-nightly (x)"), Some(97));
        assert_eq!(minor_version("something else"), None);
    }

    #[test]
    fn the_oldest_compiler_is_the_manifests() {
        let manifest = std::fs::read_to_string(place::root().join("Cargo.toml")).expect("readable");
        assert!(manifest.contains(&format!("rust-version = \"1.{RUSTC_MINOR_MIN}\"")));
    }
}
