//! `cargo xtask test`: everything that must hold, in one command.

use std::fs;

use crate::clock::Started;
use crate::failure::Result;
use crate::setup::guest_target::Way;
use crate::{guests, place, process, say, setup};

/// Sets up, builds and tests; the last line says how it went.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let started = Started::now();
    setup::host()?;
    setup::registry()?;
    guests::build(Way::Any)?;
    let outcome = if process::has_cargo_command("nextest") {
        nextest(arguments)
    } else {
        say::step("cargo-nextest is not installed: `cargo test` runs the tests instead");
        plain(arguments)
    };
    match &outcome {
        Ok(what) => say::step(&format!("{what} in {}", started.shown())),
        Err(_) => say::step(&format!("tests failed after {}", started.shown())),
    }
    outcome.map(drop)
}

fn nextest(arguments: &[String]) -> Result<String> {
    // Where nextest leaves its counts, by `.config/nextest.toml`. An old one must not be read.
    let report = place::root().join("target/nextest/default/junit.xml");
    let _absent = fs::remove_file(&report);
    process::run(
        process::cargo().args(["nextest", "run", "--release", "--workspace"]).args(arguments),
    )?;
    // After the others, so that the long build before the first test is seen to go on.
    if arguments.is_empty() {
        docs()?;
    }
    let passed = fs::read_to_string(&report).ok().and_then(|report| count(&report));
    Ok(match passed {
        Some(1) => "1 test passed, none failed".to_owned(),
        Some(tests) => format!("{tests} tests passed, none failed"),
        None => "all tests passed".to_owned(),
    })
}

/// nextest does not run them. Shown only if they fail: most crates have none.
fn docs() -> Result<()> {
    say::step("doc tests");
    process::capture(process::cargo().args([
        "test",
        "--doc",
        "--quiet",
        "--release",
        "--workspace",
    ]))
    .map(drop)
}

fn plain(arguments: &[String]) -> Result<String> {
    process::run(process::cargo().args(["test", "--release", "--workspace"]).args(arguments))?;
    Ok("all tests passed".to_owned())
}

/// `tests="…"` of the report's outermost element.
fn count(report: &str) -> Option<u32> {
    let (_, element) = report.split_once("<testsuites ")?;
    let (attributes, _) = element.split_once('>')?;
    attributes.split_once(" tests=\"")?.1.split('"').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reports_count_is_read() {
        let report = "<?xml version=\"1.0\"?>\n<testsuites name=\"nextest-run\" tests=\"812\" \
                      failures=\"0\">\n<testsuite name=\"x\" tests=\"3\"></testsuite>";
        assert_eq!(count(report), Some(812));
        assert_eq!(count("<testsuite tests=\"3\">"), None);
        assert_eq!(count(""), None);
    }
}
