//! Guests: built for WebAssembly from workspaces of their own, and put where demo and tests find
//! them, `target/guests/<package>.wasm`.

mod inputs;
pub(crate) mod js;
mod manifest;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::clock::Started;
use crate::failure::{Failure, Result};
use crate::setup::guest_target::{self, Toolchain, Way};
use crate::{place, process, say};

/// The workspaces of guests, from the root.
pub(crate) const WORKSPACES: [&str; 2] = ["plugins", "host/testkit/guests"];

/// Builds what has changed.
pub(crate) fn build(way: Way) -> Result<()> {
    let root = place::root();
    let guests = guests(&root)?;
    let toolchain = guest_target::toolchain(way)?;
    let stamp = place::guests().join(".inputs");
    let digest = inputs::digest(&root, &toolchain.identity())?;
    if is_current(&guests, &stamp, &digest) {
        return Ok(());
    }
    let started = Started::now();
    say::step(&format!("building {} guests for {}", guests.len(), toolchain.target()));
    for workspace in WORKSPACES.iter().map(|name| root.join(name)) {
        if workspace.join("Cargo.toml").exists() {
            build_workspace(&toolchain, &workspace)?;
        }
    }
    collect(&toolchain, &guests)?;
    fs::write(&stamp, digest).map_err(|e| Failure::io("write", &stamp, &e))?;
    say::step(&format!("guests are in target/guests ({})", started.shown()));
    Ok(())
}

/// The guests' packages, by name, with their folders.
fn guests(root: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut guests = BTreeMap::new();
    for workspace in WORKSPACES.iter().map(|name| root.join(name)) {
        for folder in inputs::folders(&workspace)? {
            let Some(package) = manifest::component(&folder)? else { continue };
            if let Some(other) = guests.insert(package.clone(), folder.clone()) {
                return Err(Failure::new(format!(
                    "two guests are called `{package}`: {} and {}",
                    other.display(),
                    folder.display()
                )));
            }
        }
    }
    Ok(guests)
}

fn is_current(guests: &BTreeMap<String, PathBuf>, stamp: &Path, digest: &str) -> bool {
    fs::read_to_string(stamp).is_ok_and(|built| built == digest)
        && guests.keys().all(|package| component_path(package).exists())
}

fn build_workspace(toolchain: &Toolchain, workspace: &Path) -> Result<()> {
    let mut build = toolchain.build();
    build.args(["--workspace", "--target-dir"]).arg(place::guests_build()).current_dir(workspace);
    process::run(&mut build)
}

/// Copies each component, and its manifest, to `target/guests`.
fn collect(toolchain: &Toolchain, guests: &BTreeMap<String, PathBuf>) -> Result<()> {
    let folder = place::guests();
    fs::create_dir_all(&folder).map_err(|e| Failure::io("make", &folder, &e))?;
    remove_others(&folder, guests)?;
    let built = place::guests_build().join(toolchain.target()).join("release");
    for (package, source) in guests {
        let library = built.join(format!("{}.wasm", package.replace('-', "_")));
        put(&library, &component_path(package))?;
        let manifest = source.join("plugin.toml");
        if manifest.exists() {
            put(&manifest, &folder.join(format!("{package}.plugin.toml")))?;
        }
    }
    Ok(())
}

/// A guest that is gone from the sources must not be found by a test.
fn remove_others(folder: &Path, guests: &BTreeMap<String, PathBuf>) -> Result<()> {
    for file in inputs::entries(folder)? {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let package = name.strip_suffix(".wasm").or_else(|| name.strip_suffix(".plugin.toml"));
        if package.is_some_and(|package| !guests.contains_key(package) && !js::is_one(package)) {
            fs::remove_file(&file).map_err(|e| Failure::io("remove", &file, &e))?;
        }
    }
    Ok(())
}

/// Whoever reads the file meanwhile sees the old one or the new one, never a part.
fn put(from: &Path, to: &Path) -> Result<()> {
    let content = fs::read(from).map_err(|e| Failure::io("read", from, &e))?;
    if fs::read(to).is_ok_and(|there| there == content) {
        return Ok(());
    }
    let new = to.with_extension("new");
    fs::write(&new, content).map_err(|e| Failure::io("write", &new, &e))?;
    fs::rename(&new, to).map_err(|e| Failure::io("write", to, &e))
}

fn component_path(package: &str) -> PathBuf {
    place::guests().join(format!("{package}.wasm"))
}
