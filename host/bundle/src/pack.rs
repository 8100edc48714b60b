//! From a folder to a bundle: what `bundle.toml` lists, and nothing else.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::bounds::{MANIFEST_BYTES_MAX, SBOM_BYTES_MAX, WORKFLOW_BYTES_MAX};
use crate::contents::{Bundle, ContentError, Texts, bundle_toml};
use crate::file;
use crate::manifest::{BundleManifest, PluginManifest};
use crate::path::BundlePath;
use crate::signature::Signatures;
use crate::tree::{Tree, TreeEntry};

/// A folder that cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A link, a device, a folder where a file should be.
    #[error("{} is {found}: only ordinary files are packed", path.display())]
    Kind {
        /// Which.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// What would be in the bundle.
    #[error(transparent)]
    Content(#[from] ContentError),
}

/// Packs a folder with a `bundle.toml`. The same contents give the same bytes, wherever the
/// folder is, however old its files are and whoever owns them. Nothing is built, nothing is run.
///
/// # Errors
/// If the folder holds no bundle, with what is wrong; `out` then holds a part of it.
pub fn pack(folder: &Path, out: impl Write + Seek) -> Result<Bundle, PackError> {
    let bundle = plan(folder)?;
    write(folder, &bundle, out)?;
    Ok(bundle)
}

/// Packs what [`plan`] gave, with the signatures that it has by now.
///
/// # Errors
/// If a file is no longer what it was, or cannot be read; `out` then holds a part of the bundle.
pub fn write(folder: &Path, bundle: &Bundle, out: impl Write + Seek) -> Result<(), PackError> {
    let open = |entry: &TreeEntry| {
        let path = folder.join(entry.path.as_str());
        Ok(Box::new(File::open(path)?) as Box<dyn Read>)
    };
    file::write(&bundle.tree, &bundle.signatures, open, out).map_err(ContentError::Format)?;
    Ok(())
}

/// What packing a folder would give, without writing it: its digest tells whether anything would
/// change.
///
/// # Errors
/// As [`pack`].
pub fn plan(folder: &Path) -> Result<Bundle, PackError> {
    let mut found = Found { folder, entries: Vec::new(), texts: Texts::new() };
    let top = bundle_toml();
    let text = found.text(&top, MANIFEST_BYTES_MAX)?;
    let manifest = BundleManifest::parse(&text)
        .map_err(|problem| ContentError::Manifest { path: top, problem })?;
    for path in &manifest.plugins {
        let text = found.text(path, MANIFEST_BYTES_MAX)?;
        let component = PluginManifest::parse(&text).and_then(|plugin| {
            plugin.check_for_bundle()?;
            plugin.component_at(path)
        });
        let component =
            component.map_err(|problem| ContentError::Manifest { path: path.clone(), problem })?;
        found.file(&component)?;
    }
    for path in &manifest.workflows {
        found.text(path, WORKFLOW_BYTES_MAX)?;
    }
    for path in &manifest.files {
        found.file(path)?;
    }
    if let Some(path) = &manifest.sbom {
        found.text(path, SBOM_BYTES_MAX)?;
    }
    let tree = Tree::new(found.entries).map_err(|error| ContentError::Format(error.into()))?;
    Ok(Bundle::assemble(tree, Signatures::none(), found.texts)?)
}

struct Found<'f> {
    folder: &'f Path,
    entries: Vec<TreeEntry>,
    texts: Texts,
}

impl Found<'_> {
    fn file(&mut self, path: &BundlePath) -> Result<(), PackError> {
        let content = open(self.folder, path)?;
        let read = |source| PackError::Read { path: self.folder.join(path.as_str()), source };
        self.entries.push(TreeEntry::of_reader(path.clone(), content).map_err(read)?);
        Ok(())
    }

    fn text(&mut self, path: &BundlePath, bytes_max: u64) -> Result<String, PackError> {
        let (entry, text) = read_text(self.folder, path, bytes_max)?;
        self.entries.push(entry);
        self.texts.insert(path.clone(), text.clone());
        Ok(text)
    }
}

/// Reads a text of a folder.
pub(crate) fn read_text(
    folder: &Path,
    path: &BundlePath,
    bytes_max: u64,
) -> Result<(TreeEntry, String), PackError> {
    let mut content = Vec::new();
    let read = open(folder, path)?.take(bytes_max + 1).read_to_end(&mut content);
    read.map_err(|source| PackError::Read { path: folder.join(path.as_str()), source })?;
    let entry = TreeEntry::of(path.clone(), &content);
    let text = String::from_utf8(content).ok().filter(|_| entry.size <= bytes_max);
    let text = text.ok_or(ContentError::NoText { path: path.clone(), bytes_max })?;
    Ok((entry, text))
}

/// Opens an ordinary file to which no link leads.
fn open(folder: &Path, path: &BundlePath) -> Result<File, PackError> {
    let mut on_disk = folder.to_owned();
    let parts: Vec<&str> = path.as_str().split('/').collect();
    for (at, part) in parts.iter().enumerate() {
        on_disk.push(part);
        let kind = fs::symlink_metadata(&on_disk).map(|meta| meta.file_type());
        let kind = kind.map_err(|source| PackError::Read { path: on_disk.clone(), source })?;
        let is_last = at + 1 == parts.len();
        let found = match (kind.is_symlink(), kind.is_dir(), kind.is_file()) {
            (true, ..) => "a symbolic link",
            (_, true, _) if is_last => "a folder",
            (_, true, _) => continue,
            (.., true) if is_last => continue,
            _ => "no ordinary file",
        };
        return Err(PackError::Kind { path: on_disk, found });
    }
    File::open(&on_disk).map_err(|source| PackError::Read { path: on_disk, source })
}
