//! `ip`: some faults make network namespaces.

use super::packages::{self, Manager};
use crate::failure::{Failure, Result};
use crate::place;

const WHY: &str = "cutting a network makes network namespaces, which takes iproute2";

/// Makes sure that `ip` is there.
pub(crate) fn network() -> Result<()> {
    if place::on_path("ip").is_some() {
        return Ok(());
    }
    let Some(manager) = Manager::find() else {
        return Err(Failure::new(WHY).hint("install iproute2"));
    };
    let packages: &[&str] = match manager {
        Manager::Dnf => &["iproute"],
        Manager::Apt | Manager::Pacman => &["iproute2"],
        // There are no namespaces, and the rows are skipped.
        Manager::Brew => return Ok(()),
    };
    packages::install(manager, packages, WHY)
}
