//! `cargo xtask demo`: a clone becomes a report.

mod report;

use std::fs;
use std::path::{Path, PathBuf};

use crate::clock::Started;
use crate::failure::{Failure, Result};
use crate::setup::guest_target::Way;
use crate::{guests, place, process, say, setup};

/// On every Debian machine.
const TEXTS: &str = "/usr/share/common-licenses";

/// In the repository, for other machines.
const OWN_TEXTS: &str = "examples/brief/texts";

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
    let data = place::root().join("target/demo");
    let json = brief(&texts, &data)?;
    show(&json, &data)?;
    say::step(&format!("done in {}", started.shown()));
    Ok(())
}

/// Runs the workflow; its output is JSON.
fn brief(texts: &Path, data: &Path) -> Result<String> {
    let mut wfhost = process::program(place::built("wfhost")?);
    wfhost
        .current_dir(place::root())
        .args(["run", "examples/brief/brief.yaml", "-p"])
        .arg(format!("folder={}", texts.display()))
        .arg("--allow-dir")
        .arg(texts)
        .arg("--data")
        .arg(data);
    say::step(&process::shown(&wfhost));
    process::output(&mut wfhost)
}

/// The report as a person reads it; both forms are kept beside the run.
fn show(json: &str, data: &Path) -> Result<()> {
    let markdown = report::text_field(json, "markdown")
        .ok_or_else(|| Failure::new("the example's output has no field `markdown`"))?;
    for (name, content) in [("brief.json", json), ("brief.md", &markdown)] {
        let file = data.join(name);
        fs::write(&file, content).map_err(|e| Failure::io("write", &file, &e))?;
    }
    say::out(&format!("\n{}\n", markdown.trim_end()));
    say::err("\n");
    say::step("the report is in target/demo/brief.md, with all figures in target/demo/brief.json");
    Ok(())
}

/// The folder to read, absolute: from the user's own folder, not from the workspace's.
fn texts(folder: Option<&Path>) -> Result<PathBuf> {
    let chosen = match folder {
        Some(folder) => folder.to_path_buf(),
        None if Path::new(TEXTS).is_dir() => PathBuf::from(TEXTS),
        None => place::root().join(OWN_TEXTS),
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
    }

    #[test]
    fn there_is_always_something_to_read() {
        assert!(texts(None).expect("a folder").is_dir());
        let own = place::root().join(OWN_TEXTS);
        assert!(fs::read_dir(own).expect("a folder").count() > 1);
    }
}
