//! `cargo xtask bench`: measures with the same build as everything else.

use crate::failure::Result;
use crate::setup::guest_target::Way;
use crate::{demo, guests, place, process, say, setup};

/// Sets up, builds and measures.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    setup::host()?;
    guests::build(Way::Any)?;
    demo::build_host()?;
    if arguments.is_empty() || arguments.iter().any(|scenario| scenario == "compile") {
        // The scenario says that it is missing.
        if let Err(failure) = guests::js::build() {
            say::note(&failure.to_string());
        }
    }
    let own = arguments.strip_prefix(&["--".to_owned()]).unwrap_or(arguments);
    process::run(
        process::program(place::built("wfhost-bench")?).current_dir(place::root()).args(own),
    )
}
