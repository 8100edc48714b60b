//! `cargo xtask demo`: a clone becomes a report.

use std::path::{Path, PathBuf};

use crate::clock::Started;
use crate::failure::{Failure, Result};
use crate::setup::guest_target::Way;
use crate::{guests, place, process, say, setup};

/// On every Debian machine.
const TEXTS: &str = "/usr/share/common-licenses";

/// Builds the host as the tests do: the same packages with the same profile, so that each
/// dependency is compiled once.
pub(crate) fn build_host() -> Result<()> {
    process::run(process::cargo().args(["build", "--release", "--workspace"]))
}

/// Sets up, builds, runs the example and shows what it made.
pub(crate) fn run(folder: Option<&Path>) -> Result<()> {
    let started = Started::now();
    let texts = texts(folder)?;
    setup::host()?;
    guests::build(Way::Any)?;
    build_host()?;
    say::step(&format!("examples/brief on {} (ready after {})", texts.display(), started.shown()));
    let root = place::root();
    let mut wfhost = process::program(place::built("wfhost")?);
    wfhost
        .current_dir(&root)
        .args(["run", "examples/brief/brief.yaml", "-p"])
        .arg(format!("folder={}", texts.display()))
        .arg("--allow-dir")
        .arg(&texts)
        .arg("--data")
        .arg(root.join("target/demo"));
    process::run(&mut wfhost)?;
    say::step(&format!("done in {}", started.shown()));
    Ok(())
}

/// The folder to read, absolute: from the user's own folder, not from the workspace's.
fn texts(folder: Option<&Path>) -> Result<PathBuf> {
    let chosen = match folder {
        Some(folder) => folder.to_path_buf(),
        None if Path::new(TEXTS).is_dir() => PathBuf::from(TEXTS),
        None => place::root().join("examples/brief"),
    };
    let found = chosen.canonicalize().map_err(|e| Failure::io("read", &chosen, &e))?;
    if found.is_dir() {
        return Ok(found);
    }
    Err(Failure::new(format!("{} is not a folder", chosen.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_none_is_refused_before_anything_is_built() {
        let missing = texts(Some(Path::new("/no/such/folder"))).expect_err("it is missing");
        assert!(missing.to_string().contains("/no/such/folder"), "{missing}");
        let file = place::root().join("Cargo.toml");
        let refused = texts(Some(&file)).expect_err("it is a file");
        assert!(refused.to_string().contains("not a folder"), "{refused}");
        assert!(texts(None).expect("there is always one").is_dir());
    }
}
