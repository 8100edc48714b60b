//! What a folder's `bundle.toml` lists, before anything of it is packed: for who builds
//! components, and for who wants to know all that is wrong at once.

use std::path::Path;

use crate::bounds::MANIFEST_BYTES_MAX;
use crate::contents::{ContentError, bundle_toml};
use crate::manifest::{BundleManifest, ManifestError, PluginManifest};
use crate::pack::{self, PackError};
use crate::path::BundlePath;

/// The manifests of a folder that may become a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Of the bundle.
    pub manifest: BundleManifest,
    /// In the order of the manifest.
    pub plugins: Vec<PluginLayout>,
}

/// A plugin of the folder, whether or not its component is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginLayout {
    /// Where its manifest is.
    pub path: BundlePath,
    /// What the manifest says.
    pub manifest: PluginManifest,
    /// Where its component is, or will be when it is built.
    pub component: BundlePath,
}

impl Layout {
    /// Reads the manifests of a folder.
    ///
    /// # Errors
    /// All that is wrong with them; at least one.
    pub fn read(folder: &Path) -> Result<Self, Vec<PackError>> {
        let manifest = bundle_manifest(folder).map_err(|error| vec![error])?;
        let (mut plugins, mut errors) = (Vec::new(), Vec::new());
        for path in &manifest.plugins {
            match plugin(folder, path) {
                Ok(plugin) => plugins.push(plugin),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(Self { manifest, plugins }) } else { Err(errors) }
    }
}

fn bundle_manifest(folder: &Path) -> Result<BundleManifest, PackError> {
    let path = bundle_toml();
    let text = text(folder, &path)?;
    BundleManifest::parse(&text).map_err(|problem| wrong(&path, problem))
}

fn plugin(folder: &Path, path: &BundlePath) -> Result<PluginLayout, PackError> {
    let text = text(folder, path)?;
    let wrong = |problem| wrong(path, problem);
    let manifest = PluginManifest::parse(&text).map_err(wrong)?;
    manifest.check_for_bundle().map_err(wrong)?;
    let component = manifest.component_at(path).map_err(wrong)?;
    Ok(PluginLayout { path: path.clone(), manifest, component })
}

fn text(folder: &Path, path: &BundlePath) -> Result<String, PackError> {
    pack::read_text(folder, path, MANIFEST_BYTES_MAX).map(|(_, text)| text)
}

fn wrong(path: &BundlePath, problem: ManifestError) -> PackError {
    ContentError::Manifest { path: path.clone(), problem }.into()
}
