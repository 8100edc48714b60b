//! `cargo xtask faults`: breaks real processes, with the same build as everything else.

use crate::failure::{Failure, Result};
use crate::setup::guest_target::Way;
use crate::{demo, guests, place, process, setup};

/// The rows that break a build with crash points.
const CRASHING: [&str; 2] = ["crash-points", "timeout"];

/// Sets up, builds and breaks.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    setup::host()?;
    setup::network()?;
    guests::build(Way::Any)?;
    if CRASHING.iter().any(|row| is_chosen(row, arguments)) {
        build_crashing()?;
    }
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

/// As the program itself understands its arguments: no row is all of them.
fn is_chosen(row: &str, arguments: &[String]) -> bool {
    const VALUED: [&str; 3] = ["--times", "--seed", "--output"];
    let mut rows = Vec::new();
    let mut words = arguments.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "--list" => return false,
            option if VALUED.contains(&option) => drop(words.next()),
            option if option.starts_with('-') => {}
            row => rows.push(row),
        }
    }
    rows.is_empty() || rows.contains(&row)
}

/// Builds the program with crash points and keeps a copy: the plain build that follows takes its
/// place back. Features are those of the whole workspace, so that only our own crates differ.
fn build_crashing() -> Result<()> {
    let mut cargo = process::cargo();
    cargo.args(["build", "--release", "--workspace", "--bin", "wfhost"]);
    process::run(cargo.args(["--features", "wfhost/crash-points"]))?;
    let (built, kept) = (place::built("wfhost")?, place::root().join("target/faults/wfhost-crash"));
    if let Some(folder) = kept.parent() {
        std::fs::create_dir_all(folder).map_err(|e| Failure::io("make", folder, &e))?;
    }
    // Its file may be running.
    let new = kept.with_extension("new");
    std::fs::copy(&built, &new).map_err(|e| Failure::io("copy", &built, &e))?;
    std::fs::rename(&new, &kept).map_err(|e| Failure::io("rename", &new, &e))
}

#[cfg(test)]
mod tests {
    use super::is_chosen;

    #[test]
    fn the_second_build_is_made_only_where_it_is_broken() {
        let chosen = |line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            is_chosen("timeout", &words)
        };
        assert!(chosen("") && chosen("--once") && chosen("timeout --times 3"));
        assert!(chosen("--times 3 --seed 4"));
        assert!(!chosen("kill-worker") && !chosen("--list") && !chosen("--times 3 kill-worker"));
    }
}
