//! Guests in JavaScript: a component of 12 MB each, since it carries an engine. Only what asks
//! for them builds them: they need Node and packages from npm.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{component_path, inputs};
use crate::clock::Started;
use crate::failure::{Failure, Result};
use crate::{place, process, say};

/// Folders of guests end like this; the folder `words-js` makes `target/guests/js-words.wasm`.
const ENDING: &str = "-js";
const PREFIX: &str = "js-";

const WHY: &str = "guests in JavaScript are built by componentize-js, which needs Node and npm";
const TOOL: &str = "node_modules/@bytecodealliance/componentize-js/src/cli.js";

/// Whether a component in `target/guests` is one of these.
pub(super) fn is_one(package: &str) -> bool {
    package.starts_with(PREFIX)
}

/// Builds what has changed.
pub(crate) fn build() -> Result<()> {
    for folder in inputs::folders(&place::root().join("plugins"))? {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(name) = name.strip_suffix(ENDING)
            && folder.join("package.json").exists()
        {
            build_one(&folder, name)?;
        }
    }
    Ok(())
}

fn build_one(source: &Path, name: &str) -> Result<()> {
    let root = place::root();
    let built = place::guests_build().join(format!("{PREFIX}{name}"));
    let component = component_path(&format!("{PREFIX}{name}"));
    let stamp = built.join(".inputs");
    let node = node()?;
    let digest = inputs::digest_of(&root, &[source.to_path_buf(), root.join("wit")], &node)?;
    if component.exists() && fs::read_to_string(&stamp).is_ok_and(|of| of == digest) {
        return Ok(());
    }
    let started = Started::now();
    say::step(&format!("building the guest {PREFIX}{name} with Node {}", node.trim()));
    install(source, &built)?;
    let new = component.with_extension("new");
    fs::create_dir_all(place::guests()).map_err(|e| Failure::io("make", &place::guests(), &e))?;
    let mut tool = process::program("node");
    tool.arg(built.join(TOOL))
        .arg(source.join(format!("{name}.js")))
        .arg("--wit")
        .arg(root.join("wit"))
        .args(["--world-name", "step", "--out"])
        .arg(&new)
        .current_dir(&built);
    process::capture(&mut tool)?;
    fs::rename(&new, &component).map_err(|e| Failure::io("write", &component, &e))?;
    fs::write(&stamp, digest).map_err(|e| Failure::io("write", &stamp, &e))?;
    say::step(&format!("{} is there ({})", component.display(), started.shown()));
    Ok(())
}

/// The tool, below Cargo's target folder: nothing is installed anywhere else.
fn install(source: &Path, built: &Path) -> Result<()> {
    fs::create_dir_all(built).map_err(|e| Failure::io("make", built, &e))?;
    let (wanted, manifest) = (source.join("package.json"), built.join("package.json"));
    let text = fs::read(&wanted).map_err(|e| Failure::io("read", &wanted, &e))?;
    if built.join(TOOL).exists() && fs::read(&manifest).is_ok_and(|there| there == text) {
        return Ok(());
    }
    fs::write(&manifest, text).map_err(|e| Failure::io("write", &manifest, &e))?;
    say::step(&format!("npm install in {}: {WHY}", built.display()));
    let mut npm: Command = process::program("npm");
    npm.args(["install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]);
    process::run(npm.current_dir(built))
}

/// Node's version.
fn node() -> Result<String> {
    let missing = |what: &str| {
        Failure::new(format!("{WHY}; there is no `{what}`"))
            .hint("install Node 20 or newer with npm: https://nodejs.org")
    };
    for program in ["node", "npm"] {
        if place::on_path(program).is_none() {
            return Err(missing(program));
        }
    }
    process::capture(process::program("node").arg("--version"))
}
