//! The little that is read of a guest's `Cargo.toml`.

use std::fs;
use std::path::Path;

use crate::failure::{Failure, Result};

/// The package's name, if the folder holds a package that makes a component.
pub(crate) fn component(folder: &Path) -> Result<Option<String>> {
    let manifest = folder.join("Cargo.toml");
    if !manifest.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(&manifest).map_err(|e| Failure::io("read", &manifest, &e))?;
    if !text.contains("cdylib") {
        return Ok(None);
    }
    match package_name(&text) {
        Some(name) => Ok(Some(name.to_owned())),
        None => Err(Failure::new(format!("{} names no package", manifest.display()))),
    }
}

/// `name = "…"` of the table `[package]`.
fn package_name(manifest: &str) -> Option<&str> {
    manifest
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != "[package]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .find_map(|line| {
            let value = line.strip_prefix("name")?.trim_start().strip_prefix('=')?.trim();
            value.strip_prefix('"')?.split('"').next()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_packages_own() {
        let manifest = "[lib]\nname = \"other\"\n[package]\nversion = \"1\"\nname = \"memory-bomb\" # x\n\
                        [dependencies]\nname = \"third\"\n";
        assert_eq!(package_name(manifest), Some("memory-bomb"));
        assert_eq!(package_name("[dependencies]\nname = \"x\"\n"), None);
    }

    #[test]
    fn only_packages_that_make_components_count() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(component(folder.path()).expect("no manifest"), None);
        let manifest = folder.path().join("Cargo.toml");
        fs::write(&manifest, "[package]\nname = \"words\"\n").expect("written");
        assert_eq!(component(folder.path()).expect("a library"), None);
        fs::write(&manifest, "[package]\nname = \"words\"\n[lib]\ncrate-type = [\"cdylib\"]\n")
            .expect("written");
        assert_eq!(component(folder.path()).expect("a guest"), Some("words".into()));
    }
}
