//! A compiler for WebAssembly guests: an installed target, else rustup's, else Debian's
//! `rustc-web`, which builds the standard library from source.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::packages::{self, Manager};
use crate::failure::{Failure, Result};
use crate::{place, process, say};

/// A closed network can make rustup wait for minutes; an open one needs seconds.
const RUSTUP_LIMIT: Duration = Duration::from_secs(120);

const WHY: &str = "guests need a compiler for WebAssembly, and there is none";
const TARGET: &str = "wasm32-wasip2";
const WEB_PACKAGES: [&str; 5] = ["rustc-web", "cargo-web", "rust-web-src", "lld", "wasi-libc"];
const WEB_TARGET: &str = "wasm32-wasip1";
const WEB_RUSTC: &str = "/usr/bin/rustc";
const WEB_CARGO: &str = "/usr/bin/cargo";
const WEB_LIBC: &str = "/usr/lib/wasm32-wasi";

/// The oldest compiler that builds the guests, as a minor version of Rust 1.
const WEB_MINOR_MIN: u32 = 85;

/// Which way the user insists on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The first that works.
    Any,
    /// The toolchain in use, its target added by rustup.
    Rustup,
    /// Debian's packages.
    Debian,
}

/// A compiler that makes guests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The toolchain in use has the target: guests come out as components.
    InUse {
        /// What `rustc -vV` says.
        version: String,
    },
    /// Debian's `rustc-web`: guests come out as core modules that carry their WIT, which the host
    /// turns into components.
    Web {
        /// What `rustc -vV` says.
        version: String,
    },
}

impl Toolchain {
    pub(crate) const fn target(&self) -> &'static str {
        match self {
            Self::InUse { .. } => TARGET,
            Self::Web { .. } => WEB_TARGET,
        }
    }

    /// Names the compiler; guests of another one are built anew.
    pub(crate) fn identity(&self) -> String {
        match self {
            Self::InUse { version } | Self::Web { version } => {
                format!("{}\n{version}", self.target())
            }
        }
    }

    /// `cargo build` for guests; the caller adds where and what.
    pub(crate) fn build(&self) -> Command {
        let mut command = match self {
            Self::InUse { .. } => process::cargo(),
            Self::Web { .. } => web_cargo(),
        };
        // Flags of the host's build are not for this target.
        for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS"] {
            command.env_remove(variable);
        }
        command.args(["build", "--release", "--target", self.target()]);
        if let Self::Web { .. } = self {
            command.arg("-Zbuild-std=std,panic_abort");
        }
        command
    }
}

fn web_cargo() -> Command {
    let mut command = process::program(WEB_CARGO);
    command
        .env("RUSTC", WEB_RUSTC)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_WASM32_WASIP1_LINKER", "wasm-ld")
        .env(
            "CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS",
            format!("-Clink-self-contained=no -L{WEB_LIBC}"),
        )
        // `cargo run` points it to the other toolchain's libraries.
        .env_remove("LD_LIBRARY_PATH")
        .env_remove("CARGO")
        .env_remove("RUSTUP_TOOLCHAIN");
    command
}

/// Finds a compiler, or installs one after saying so.
pub(crate) fn toolchain(way: Way) -> Result<Toolchain> {
    match way {
        Way::Any => any(),
        Way::Rustup => match in_use()? {
            Some(toolchain) => Ok(toolchain),
            None => add_target()?
                .ok_or_else(|| Failure::new("rustup could not add the target").hint(by_hand(None))),
        },
        Way::Debian => match web() {
            Some(toolchain) => Ok(toolchain),
            None => install_web(Manager::find()),
        },
    }
}

fn any() -> Result<Toolchain> {
    if let Some(toolchain) = in_use()? {
        return Ok(toolchain);
    }
    if let Some(toolchain) = web() {
        return Ok(toolchain);
    }
    if place::on_path("rustup").is_some() {
        let remembered = place::memory()?.join("rustup-cannot-add-target");
        if !remembered.exists() {
            if let Some(toolchain) = add_target()? {
                return Ok(toolchain);
            }
            say::note(&format!(
                "not tried again while {} is there",
                remembered.strip_prefix(place::root()).unwrap_or(&remembered).display()
            ));
            fs::write(&remembered, format!("rustup target add {TARGET}\n"))
                .map_err(|e| Failure::io("write", &remembered, &e))?;
        }
    }
    install_web(Manager::find())
}

/// The toolchain in use, if it has the target: asked of its folder, so that toolchains without
/// rustup count too.
fn in_use() -> Result<Option<Toolchain>> {
    let sysroot = process::capture(process::program("rustc").args(["--print", "sysroot"]))?;
    if !has_target(Path::new(sysroot.trim())) {
        return Ok(None);
    }
    let version = process::capture(process::program("rustc").arg("-vV"))?;
    Ok(Some(Toolchain::InUse { version }))
}

fn has_target(sysroot: &Path) -> bool {
    let libraries = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    fs::read_dir(libraries).is_ok_and(|mut files| {
        files.any(|file| {
            file.is_ok_and(|file| file.file_name().to_string_lossy().starts_with("libstd-"))
        })
    })
}

/// Debian's packages, if all of them are here.
fn web() -> Option<Toolchain> {
    let source = PathBuf::from("/usr/lib/rustlib/src/rust/library/std/Cargo.toml");
    let here = Path::new(WEB_CARGO).exists()
        && source.exists()
        && Path::new(WEB_LIBC).join("libc.a").exists()
        && place::on_path("wasm-ld").is_some();
    if !here {
        return None;
    }
    let mut rustc = process::program(WEB_RUSTC);
    rustc.env_remove("LD_LIBRARY_PATH");
    let version = process::capture(rustc.arg("-vV")).ok()?;
    (super::minor_version(&version)? >= WEB_MINOR_MIN).then_some(Toolchain::Web { version })
}

fn add_target() -> Result<Option<Toolchain>> {
    say::step(&format!("rustup target add {TARGET}: {WHY}"));
    let mut rustup = process::program("rustup");
    rustup.args(["target", "add", TARGET]);
    match process::run_within(&mut rustup, RUSTUP_LIMIT)? {
        process::Ended::Well => return in_use(),
        process::Ended::Badly(status) => say::note(&format!("rustup failed ({status})")),
        process::Ended::TimedOut => {
            say::note(&format!("rustup did not finish in {} s", RUSTUP_LIMIT.as_secs()));
        }
    }
    Ok(None)
}

fn install_web(manager: Option<Manager>) -> Result<Toolchain> {
    if manager != Some(Manager::Apt) {
        return Err(Failure::new(WHY).hint(by_hand(manager)));
    }
    packages::install(Manager::Apt, &WEB_PACKAGES, WHY)
        .map_err(|failure| failure.hint(by_hand(manager)))?;
    web().ok_or_else(|| {
        Failure::new(format!("{} are installed and do not make guests", WEB_PACKAGES.join(", ")))
            .hint(by_hand(manager))
    })
}

fn by_hand(manager: Option<Manager>) -> String {
    let rustup = format!("run: rustup target add {TARGET}");
    match manager {
        Some(Manager::Apt) => {
            format!("{rustup}\nor:  {}", Manager::Apt.by_hand(&WEB_PACKAGES))
        }
        Some(Manager::Dnf | Manager::Pacman | Manager::Brew) | None => {
            format!("{rustup}\n(rustup: https://rustup.rs)")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_counts_only_with_its_standard_library() {
        let sysroot = tempfile::tempdir().expect("a temporary folder");
        assert!(!has_target(sysroot.path()));
        let libraries = sysroot.path().join("lib/rustlib/wasm32-wasip2/lib");
        fs::create_dir_all(&libraries).expect("made");
        assert!(!has_target(sysroot.path()), "left over from an interrupted installation");
        fs::write(libraries.join("libstd-0123.rlib"), "").expect("written");
        assert!(has_target(sysroot.path()));
    }

    #[test]
    fn debians_compiler_builds_its_standard_library() {
        let toolchain = Toolchain::Web { version: "rustc 1.96.0".into() };
        let shown = process::shown(&toolchain.build());
        for part in [
            "RUSTC_BOOTSTRAP=1",
            "RUSTC=/usr/bin/rustc",
            "CARGO_TARGET_WASM32_WASIP1_LINKER=wasm-ld",
            "/usr/bin/cargo build --release --target wasm32-wasip1 -Zbuild-std=std,panic_abort",
        ] {
            assert!(shown.contains(part), "{part} is in {shown}");
        }
    }

    #[test]
    fn where_nothing_can_be_installed_the_way_by_hand_is_named() {
        let failure = install_web(Some(Manager::Dnf)).expect_err("dnf has no such package");
        assert!(failure.to_string().contains("rustup target add wasm32-wasip2"), "{failure}");
        assert!(by_hand(Some(Manager::Apt)).contains("rustc-web cargo-web rust-web-src"));
    }
}
