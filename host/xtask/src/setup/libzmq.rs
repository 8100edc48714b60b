//! libzmq with CURVE: the one system library of the host.
//!
//! Found by linking a tiny program to it, which is what the host's build will do, and asking the
//! library itself whether it can encrypt.

use std::fs;
use std::path::Path;

use super::packages::{self, Manager};
use crate::failure::{Failure, Result};
use crate::{place, process, say};

const WHY: &str = "the host talks to workers through libzmq, which is not here";

/// Prints the version, and `curve` where the library has it.
const PROBE: &str = r#"
use std::ffi::{c_char, c_int};
#[link(name = "zmq")]
unsafe extern "C" {
    fn zmq_has(capability: *const c_char) -> c_int;
    fn zmq_version(major: *mut c_int, minor: *mut c_int, patch: *mut c_int);
}
fn main() {
    let (mut major, mut minor, mut patch) = (0, 0, 0);
    unsafe { zmq_version(&mut major, &mut minor, &mut patch) };
    let curve = if unsafe { zmq_has(c"curve".as_ptr()) } == 1 { " curve" } else { "" };
    println!("{major}.{minor}.{patch}{curve}");
}
"#;

/// What the probe found.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Usable,
    TooOld(String),
    WithoutCurve(String),
}

/// Makes sure that the host can be linked to a libzmq that encrypts.
pub(crate) fn libzmq() -> Result<()> {
    let folder = place::memory()?;
    let program = folder.join("libzmq-probe");
    // Linked each time: a library that loads may have lost the files that linking needs.
    if link(&folder, &program).is_err() {
        let Some(manager) = Manager::find() else {
            return Err(Failure::new(WHY).hint(
                "install libzmq 4.3 or newer, built with CURVE, with its development files \
                 (libzmq3-dev, zeromq-devel, zeromq)",
            ));
        };
        let packages = packages_of(manager);
        packages::install(manager, packages, WHY)?;
        link(&folder, &program).map_err(|failure| {
            Failure::new(format!("libzmq was installed and still cannot be linked: {failure}"))
        })?;
    }
    judge(&process::capture(&mut process::program(&program))?)
}

const fn packages_of(manager: Manager) -> &'static [&'static str] {
    match manager {
        Manager::Apt => &["libzmq3-dev"],
        Manager::Dnf => &["zeromq-devel"],
        Manager::Pacman | Manager::Brew => &["zeromq"],
    }
}

fn link(folder: &Path, program: &Path) -> Result<()> {
    let source = folder.join("libzmq-probe.rs");
    fs::write(&source, PROBE).map_err(|e| Failure::io("write", &source, &e))?;
    let mut rustc = process::program("rustc");
    rustc.args(["--edition", "2024", "-o"]).arg(program).arg(&source);
    // Homebrew's folder is not among the linker's own; `.cargo/config.toml` names the same two.
    if cfg!(target_os = "macos") {
        rustc.args(["-L", "native=/opt/homebrew/lib", "-L", "native=/usr/local/lib"]);
    }
    process::capture(&mut rustc).map(drop)
}

fn judge(answer: &str) -> Result<()> {
    match found(answer) {
        Found::Usable => Ok(()),
        Found::TooOld(version) => {
            Err(Failure::new(format!("libzmq {version} is too old: the host needs 4.3 or newer"))
                .hint(upgrade()))
        }
        Found::WithoutCurve(version) => {
            // The host runs without it on one machine, and refuses TCP itself.
            say::note(&format!(
                "libzmq {version} was built without CURVE: workers on other machines will be \
                 refused\n{}",
                upgrade()
            ));
            Ok(())
        }
    }
}

fn found(answer: &str) -> Found {
    let mut words = answer.split_whitespace();
    let version = words.next().unwrap_or("of an unknown version").to_owned();
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    let number = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if number < (4, 3) {
        Found::TooOld(version)
    } else if words.next() == Some("curve") {
        Found::Usable
    } else {
        Found::WithoutCurve(version)
    }
}

fn upgrade() -> String {
    match Manager::find() {
        Some(manager) => format!("run: {}", manager.by_hand(packages_of(manager))),
        None => "install libzmq 4.3 or newer, built with CURVE".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_judged_by_version_and_curve() {
        assert_eq!(found("4.3.4 curve\n"), Found::Usable);
        assert_eq!(found("5.0.0 curve\n"), Found::Usable);
        assert_eq!(found("4.3.5\n"), Found::WithoutCurve("4.3.5".into()));
        assert_eq!(found("4.2.1 curve\n"), Found::TooOld("4.2.1".into()));
        assert!(matches!(found(""), Found::TooOld(_)));
    }

    #[test]
    fn the_probe_links_to_the_library_that_the_host_uses() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let program = folder.path().join("probe");
        link(folder.path(), &program).expect("libzmq is installed where the host was built");
        let answer = process::capture(&mut process::program(&program)).expect("it runs");
        assert_eq!(found(&answer), Found::Usable, "{answer}");
    }
}
