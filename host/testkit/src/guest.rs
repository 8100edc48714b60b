//! Guests as tests load them: built for WebAssembly by `cargo xtask guests`.

use std::path::{Path, PathBuf};

/// The workspace's root folder.
#[must_use]
pub fn workspace() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest).to_path_buf()
}

/// The file of a built guest, by its package's name.
///
/// # Panics
///
/// If it is not built, with the command that builds it.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    let file = workspace().join("target/guests").join(format!("{name}.wasm"));
    assert!(file.is_file(), "guest `{name}` is not built: run `cargo xtask guests`");
    file
}

/// The content of a built guest, by its package's name.
///
/// # Panics
///
/// If it is not built, with the command that builds it.
#[must_use]
pub fn content(name: &str) -> Vec<u8> {
    let file = path(name);
    std::fs::read(&file).unwrap_or_else(|error| panic!("cannot read {}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_the_workspaces() {
        let manifest = std::fs::read_to_string(workspace().join("Cargo.toml")).expect("readable");
        assert!(manifest.contains("[workspace]"));
    }

    #[test]
    #[should_panic(expected = "guest `none-such` is not built: run `cargo xtask guests`")]
    fn a_missing_guest_names_the_command_that_builds_it() {
        let _never = path("none-such");
    }
}
