//! `cargo xtask faults`: breaks real processes, with the same build as everything else.

use crate::failure::Result;
use crate::setup::guest_target::Way;
use crate::{demo, guests, place, process, setup};

/// Sets up, builds and breaks.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    setup::host()?;
    setup::network()?;
    guests::build(Way::Any)?;
    demo::build_host()?;
    let program = place::built("wfhost-faults")?;
    let bins = program.parent().map(std::path::Path::to_path_buf).unwrap_or_default();
    process::run(
        process::program(program)
            .current_dir(place::root())
            .args(arguments)
            .arg("--root")
            .arg(place::root())
            .arg("--bins")
            .arg(bins),
    )
}
