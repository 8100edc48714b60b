//! `plugin.toml`.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use semver::Version;
use serde::Deserialize;
use wfhost_workflow::definition::did_you_mean;
use wfhost_workflow::{Contract, DirAsk, DirMode, Limit, LimitSettings};

use super::{Build, Labels, ManifestError};
use crate::bounds::{EXPORTS_MAX, TEXT_CHARS_MAX};
use crate::path::BundlePath;
use crate::toml_text;

/// What a plugin's `plugin.toml` says.
///
/// Where a plugin is used by its path, name and version may be any text; in a bundle they must be
/// what [`Self::check_for_bundle`] wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginManifest {
    /// The plugin's name.
    pub name: String,
    /// The plugin's version, as written.
    pub version: String,
    /// For people.
    pub description: String,
    /// The component, by a path from the manifest's folder; `None`: it has the plugin's name.
    pub component: Option<String>,
    /// The functions that are meant for workflows; `None`: all that the component has.
    pub exports: Option<Vec<String>>,
    /// The directories it asks for, each by another path inside the sandbox.
    pub dirs: Vec<DirAsk>,
    /// The most that it says it needs.
    pub limits: LimitSettings,
    /// What somebody notes about it.
    pub labels: Labels,
    /// How to build its component.
    pub build: Option<Build>,
}

/// A plugin: one WebAssembly component and what it asks for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "plugin.toml")]
pub(super) struct File {
    /// The plugin's name.
    name: String,
    /// The plugin's version, such as `1.2.0`.
    version: String,
    /// For people.
    #[serde(default)]
    description: String,
    /// The component, by a path from the folder of this file. `<name>.wasm` where it is left out.
    component: Option<String>,
    /// The functions that are meant for workflows. All where it is left out.
    exports: Option<Vec<String>>,
    /// What it needs of the world outside the sandbox. Asking grants nothing.
    #[serde(default)]
    grants: Grants,
    /// The most that one attempt of its functions needs, by the names of `wfhost limits`.
    #[serde(default)]
    #[schemars(schema_with = "super::schema::limits")]
    limits: BTreeMap<String, LimitValue>,
    /// Notes, by name.
    #[serde(default)]
    labels: Labels,
    /// How to build the component.
    build: Option<Build>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Grants {
    /// Directories.
    #[serde(default)]
    dirs: Vec<Dir>,
}

/// A directory inside the sandbox.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Dir {
    /// The absolute path by which the plugin uses it.
    #[serde(rename = "as")]
    guest_path: String,
    /// Whether it is changed.
    mode: Mode,
}

#[derive(Deserialize, JsonSchema)]
enum Mode {
    /// Files are read.
    #[serde(rename = "ro")]
    ReadOnly,
    /// Files are read, written, created and removed.
    #[serde(rename = "rw")]
    ReadWrite,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a number, or a text such as `64MiB` or `30s`")]
enum LimitValue {
    Number(u64),
    Text(String),
}

impl PluginManifest {
    /// Reads the text of a manifest.
    ///
    /// # Errors
    /// What is wrong, with line and column or the key.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let file: File = toml_text::parse(text).map_err(ManifestError::from)?;
        let manifest = Self {
            name: file.name,
            version: file.version,
            description: file.description,
            component: file.component,
            exports: file.exports,
            dirs: dirs_of(file.grants.dirs)?,
            limits: limits_of(&file.limits)?,
            labels: file.labels,
            build: file.build,
        };
        super::check_description(&manifest.description)?;
        super::check_labels(&manifest.labels)?;
        manifest.exports.as_deref().map_or(Ok(()), check_exports)?;
        manifest.build.as_ref().map_or(Ok(()), super::check_build)?;
        Ok(manifest)
    }

    /// What more a bundle asks of it: a name that can be in a list of names, and a version that
    /// has an order.
    ///
    /// # Errors
    /// Which of them is not.
    pub fn check_for_bundle(&self) -> Result<Version, ManifestError> {
        super::check_name(&self.name)?;
        super::parse_version(&self.version)
    }

    /// Where its component is, if the manifest is at `path` of a bundle.
    ///
    /// # Errors
    /// If that is no path of a bundle's file.
    pub fn component_at(&self, path: &BundlePath) -> Result<BundlePath, ManifestError> {
        let own = path.file_name().strip_suffix(".plugin.toml");
        let name = match (&self.component, own) {
            (Some(named), _) => named.clone(),
            (None, Some(stem)) => format!("{stem}.wasm"),
            (None, None) => format!("{}.wasm", self.name),
        };
        path.beside(&name).map_err(|error| ManifestError::new(format!("component: {error}")))
    }

    /// Functions that it names and its component does not have, as far as a workflow could call
    /// them by that name.
    #[must_use]
    pub fn missing_exports(&self, contracts: &[Contract]) -> Vec<String> {
        let named = self.exports.iter().flatten();
        named.filter(|name| Contract::find(contracts, name).is_none()).cloned().collect()
    }
}

/// Bounded by the manifest's bytes, as it was before there were bundles.
fn dirs_of(dirs: Vec<Dir>) -> Result<Vec<DirAsk>, ManifestError> {
    let wrong = |problem| ManifestError::new(format!("grants.dirs: {problem}"));
    let mut asks: Vec<DirAsk> = Vec::new();
    for Dir { guest_path, mode } in dirs {
        check_guest_path(&guest_path).map_err(wrong)?;
        if asks.iter().any(|ask| ask.guest_path == guest_path) {
            return Err(wrong(format!("`{guest_path}` is asked for twice")));
        }
        let mode = match mode {
            Mode::ReadOnly => DirMode::ReadOnly,
            Mode::ReadWrite => DirMode::ReadWrite,
        };
        asks.push(DirAsk { guest_path, mode });
    }
    Ok(asks)
}

/// Why `path` is no path inside the sandbox.
///
/// # Errors
/// A sentence for people.
pub fn check_guest_path(path: &str) -> Result<(), String> {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let plain = |part: &&str| !matches!(*part, "" | "." | "..");
    if path.starts_with('/') && !parts.is_empty() && parts.iter().all(plain) {
        return Ok(());
    }
    Err(format!("`{path}` must be an absolute path without `.`, `..` or a slash at its end"))
}

fn limits_of(written: &BTreeMap<String, LimitValue>) -> Result<LimitSettings, ManifestError> {
    let wrong = |problem: &dyn fmt::Display| ManifestError::new(format!("limits: {problem}"));
    let mut limits = LimitSettings::default();
    for (name, value) in written {
        let limit: Limit = name.parse().map_err(|error: wfhost_workflow::UnknownLimit| {
            match did_you_mean(name, Limit::ALL.map(Limit::name)) {
                Some(hint) => wrong(&format!("{error}\n{hint}")),
                None => wrong(&error),
            }
        })?;
        let value = match value {
            LimitValue::Number(number) => limit.from_number(*number),
            LimitValue::Text(text) => limit.parse(text),
        };
        limits.set(limit, value.map_err(|error| wrong(&error))?);
    }
    Ok(limits)
}

fn check_exports(exports: &[String]) -> Result<(), ManifestError> {
    let wrong = |problem: String| Err(ManifestError::new(format!("exports: {problem}")));
    if exports.len() > EXPORTS_MAX {
        return wrong(format!("more than {EXPORTS_MAX}"));
    }
    for (at, name) in exports.iter().enumerate() {
        let odd = |c: char| c.is_control() || c.is_whitespace();
        if name.is_empty() || name.len() > TEXT_CHARS_MAX || name.contains(odd) {
            let name: String = name.chars().take(80).collect();
            return wrong(format!("`{name}` is no name of a function"));
        }
        if exports[..at].contains(name) {
            return wrong(format!("`{name}` is there twice"));
        }
    }
    Ok(())
}
