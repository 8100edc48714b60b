//! A registry to test with: bundles go to a real one and back.

use super::packages::{self, Manager};
use crate::failure::Result;
use crate::{place, process, say};

const WHY: &str = "tests send bundles to a registry of OCI, which is not here";

/// What the program is called: with Debian, and elsewhere.
const PROGRAMS: [&str; 2] = ["docker-registry", "registry"];

/// Makes sure that there is one, where the system has a package of it.
pub(crate) fn registry() -> Result<()> {
    if PROGRAMS.into_iter().any(|program| place::on_path(program).is_some()) {
        return Ok(());
    }
    match Manager::find().and_then(|manager| Some((manager, package_of(manager)?))) {
        Some((manager, package)) => {
            packages::install(manager, &[package], WHY)?;
            if manager == Manager::Apt {
                turn_off();
            }
            Ok(())
        }
        None => {
            // Everything else can be tested.
            say::note(&format!(
                "{WHY}: the tests that need it will fail; put `registry` of the CNCF's \
                 Distribution on the PATH"
            ));
            Ok(())
        }
    }
}

/// Debian starts what it installs, for the whole network; tests start their own.
fn turn_off() {
    if place::on_path("systemctl").is_some() {
        let words = ["systemctl", "disable", "--now", "docker-registry.service"];
        if let Err(failure) = process::capture(&mut packages::as_root(&words)) {
            say::note(&format!("the service that came with it may be running: {failure}"));
        }
    }
}

const fn package_of(manager: Manager) -> Option<&'static str> {
    match manager {
        Manager::Apt => Some("docker-registry"),
        Manager::Dnf => Some("docker-distribution"),
        Manager::Pacman | Manager::Brew => None,
    }
}
