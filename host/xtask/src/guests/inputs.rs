//! What guests are built from, as one digest: by content, so that neither a checkout nor an
//! editor that saves the same text causes a build.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use super::WORKSPACES;
use crate::failure::{Failure, Result};

/// Besides the workspaces of guests. The root's manifest holds the versions that the SDK uses.
const SHARED: [&str; 3] = ["guest-sdk", "wit", "Cargo.toml"];

/// A digest of every file that guests are built from, and of the compiler.
pub(crate) fn digest(root: &Path, compiler: &str) -> Result<String> {
    let parts: Vec<PathBuf> =
        WORKSPACES.into_iter().chain(SHARED).map(|part| root.join(part)).collect();
    digest_of(root, &parts, compiler)
}

/// A digest of every file in some folders, and of the compiler.
pub(super) fn digest_of(root: &Path, parts: &[PathBuf], compiler: &str) -> Result<String> {
    let mut files = Vec::new();
    for part in parts {
        collect(part, &mut files)?;
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    compiler.hash(&mut hasher);
    for file in files {
        let content = fs::read(&file).map_err(|e| Failure::io("read", &file, &e))?;
        file.strip_prefix(root).unwrap_or(&file).hash(&mut hasher);
        content.hash(&mut hasher);
    }
    Ok(format!("{:016x}\n", hasher.finish()))
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_file() {
        files.push(path.to_path_buf());
    } else if path.file_name().is_some_and(|name| name != "target") {
        for entry in entries(path)? {
            collect(&entry, files)?;
        }
    }
    Ok(())
}

/// The folders right below `path`, in order; none where it does not exist.
pub(crate) fn folders(path: &Path) -> Result<Vec<PathBuf>> {
    let mut folders: Vec<PathBuf> = entries(path)?.into_iter().filter(|e| e.is_dir()).collect();
    folders.sort();
    Ok(folders)
}

/// What is right below `path`; nothing where it does not exist.
pub(crate) fn entries(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let fail = |e: std::io::Error| Failure::io("read", path, &e);
    fs::read_dir(path).map_err(fail)?.map(|entry| Ok(entry.map_err(fail)?.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_follows_content_names_and_compiler() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let file = root.path().join("plugins/hello/src/lib.rs");
        fs::create_dir_all(file.parent().expect("it has one")).expect("made");
        fs::write(&file, "one").expect("written");
        let of = |compiler| digest(root.path(), compiler).expect("readable");
        let first = of("a");
        fs::write(&file, "one").expect("written");
        assert_eq!(of("a"), first, "the same content at another time");
        assert_ne!(of("b"), first, "another compiler");
        fs::write(&file, "two").expect("written");
        assert_ne!(of("a"), first, "other content");
        fs::write(&file, "one").expect("written");
        fs::rename(&file, file.with_file_name("main.rs")).expect("renamed");
        assert_ne!(of("a"), first, "another name");
        fs::rename(file.with_file_name("main.rs"), &file).expect("renamed");
        let built = root.path().join("plugins/target/x");
        fs::create_dir_all(&built).expect("made");
        fs::write(built.join("y"), "z").expect("written");
        assert_eq!(of("a"), first, "what Cargo builds is no input");
    }
}
