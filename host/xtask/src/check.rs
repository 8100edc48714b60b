//! `cargo xtask check`: formatting, lints, docs.

use std::path::PathBuf;

use crate::failure::Result;
use crate::setup::guest_target::{self, Toolchain, Way};
use crate::{guests, place, process, say, setup};

/// One kind of check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Format,
    Lints,
    Docs,
}

/// Runs one part or all of them, the cheap one first.
pub(crate) fn run(only: Option<Part>) -> Result<()> {
    let wanted = |part| only.is_none_or(|only| only == part);
    if wanted(Part::Format) {
        format()?;
    }
    if wanted(Part::Lints) {
        lints()?;
    }
    if wanted(Part::Docs) {
        docs()?;
    }
    Ok(())
}

/// Guests are workspaces of their own.
fn guest_workspaces() -> impl Iterator<Item = PathBuf> {
    guests::WORKSPACES
        .into_iter()
        .map(|name| place::root().join(name))
        .filter(|folder| folder.join("Cargo.toml").exists())
}

fn format() -> Result<()> {
    process::run_shown(process::cargo().args(["fmt", "--all", "--check"]))?;
    // Without `--all`, which would follow the guests' dependencies into the host.
    guest_workspaces().try_for_each(|folder| {
        process::run_shown(process::cargo().current_dir(folder).args(["fmt", "--check"]))
    })
}

fn lints() -> Result<()> {
    setup::host()?;
    process::run_shown(process::cargo().args([
        "clippy",
        "--release",
        "--workspace",
        "--all-targets",
        "--",
        "-Dwarnings",
    ]))?;
    match guest_target::toolchain(Way::Any)? {
        toolchain @ Toolchain::InUse { .. } => guest_workspaces().try_for_each(|folder| {
            process::run_shown(
                process::cargo()
                    .current_dir(folder)
                    .args(["clippy", "--release", "--workspace", "--target", toolchain.target()])
                    .arg("--target-dir")
                    .arg(place::guests_build())
                    .args(["--", "-Dwarnings"]),
            )
        }),
        Toolchain::Web { .. } => {
            say::step("guests are not linted: that needs `rustup target add wasm32-wasip2`");
            Ok(())
        }
    }
}

fn docs() -> Result<()> {
    setup::host()?;
    process::run_shown(process::cargo().env("RUSTDOCFLAGS", "-Dwarnings").args([
        "doc",
        "--release",
        "--workspace",
        "--no-deps",
    ]))
}
