//! Says what to install where libzmq is missing.
//!
//! `.cargo/config.toml` links the system's library instead of the one that the crate `zmq` would
//! compile, and with that its build script, which would look for the library, does not run: the
//! linker would fail at the very end, with a message that helps nobody.

use std::env;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

const HELP: &str = "\
libzmq, version 4.3 or newer, is not installed; wfhost talks to its workers through it.

  Debian, Ubuntu   apt-get install libzmq3-dev
  Fedora           dnf install zeromq-devel
  Arch             pacman -S zeromq
  macOS            brew install zeromq

`cargo xtask demo` and `cargo xtask test` install it themselves where they may.";

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=LIBRARY_PATH");
    println!("cargo::rerun-if-env-changed=PKG_CONFIG_PATH");
    // Another machine's libraries are where only its linker knows.
    if env::var_os("HOST") != env::var_os("TARGET") || is_installed() {
        return ExitCode::SUCCESS;
    }
    for line in HELP.lines() {
        println!("cargo::error={line}");
    }
    ExitCode::FAILURE
}

fn is_installed() -> bool {
    known_to_pkg_config() || found_by_linker().unwrap_or(true) || in_other_folders()
}

fn known_to_pkg_config() -> bool {
    Command::new("pkg-config")
        .args(["--exists", "libzmq"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// `None` where there is no compiler to ask: another linker may know better.
fn found_by_linker() -> Option<bool> {
    let mut found = false;
    for file in FILES {
        let asked = Command::new("cc")
            .arg(format!("-print-file-name={file}"))
            .stdin(Stdio::null())
            .output()
            .ok()?;
        // A file that it does not find is printed as it was asked for.
        let answer = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
        found |= Path::new(&answer).is_absolute() && Path::new(&answer).exists();
    }
    Some(found)
}

fn in_other_folders() -> bool {
    let listed = env::var_os("LIBRARY_PATH").unwrap_or_default();
    env::split_paths(&listed)
        .chain(["/opt/homebrew/lib", "/usr/local/lib"].map(Into::into))
        .any(|folder| FILES.iter().any(|file| folder.join(file).exists()))
}

const FILES: [&str; 3] = ["libzmq.so", "libzmq.a", "libzmq.dylib"];
