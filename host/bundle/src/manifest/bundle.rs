//! `bundle.toml`.

use schemars::JsonSchema;
use semver::Version;
use serde::Deserialize;

use super::{Build, Labels, ManifestError};
use crate::bounds::LISTED_MAX;
use crate::path::BundlePath;
use crate::sbom::SbomFormat;
use crate::toml_text;

/// What a bundle's `bundle.toml` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleManifest {
    /// The bundle's name.
    pub name: String,
    /// The bundle's version.
    pub version: Version,
    /// For people.
    pub description: String,
    /// The manifests of its plugins.
    pub plugins: Vec<BundlePath>,
    /// Its workflows.
    pub workflows: Vec<BundlePath>,
    /// What else is in it: a licence, a list of parts.
    pub files: Vec<BundlePath>,
    /// Its list of parts.
    pub sbom: Option<BundlePath>,
    /// What somebody notes about it.
    pub labels: Labels,
    /// How to build what is in it.
    pub build: Option<Build>,
}

/// A bundle: what is deployed together. Nothing is in it but what is listed here.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "bundle.toml")]
pub(super) struct File {
    /// The bundle's name: letters, digits, `-`, `_` and `.`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"))]
    name: String,
    /// The bundle's version, such as `1.2.0`.
    #[schemars(regex(pattern = r"^[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?$"))]
    version: String,
    /// For people.
    #[serde(default)]
    description: String,
    /// Plugins: folders with a `plugin.toml`, or manifests `<component>.plugin.toml`.
    #[serde(default)]
    plugins: Vec<String>,
    /// Workflow files.
    #[serde(default)]
    workflows: Vec<String>,
    /// Further files, such as a licence.
    #[serde(default)]
    files: Vec<String>,
    /// A list of parts (SBOM): a file `*.cdx.json` of CycloneDX, or `*.spdx.json` of SPDX.
    #[schemars(regex(pattern = r"\.(cdx|spdx)\.json$"))]
    sbom: Option<String>,
    /// Notes, by name.
    #[serde(default)]
    labels: Labels,
    /// How to build what is in it.
    build: Option<Build>,
}

impl BundleManifest {
    /// Its name in every bundle.
    pub const FILE: &str = "bundle.toml";

    /// Reads the text of a manifest.
    ///
    /// # Errors
    /// What is wrong, with line and column or the key.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let file: File = toml_text::parse(text).map_err(ManifestError::from)?;
        super::check_name(&file.name)?;
        super::check_description(&file.description)?;
        super::check_labels(&file.labels)?;
        file.build.as_ref().map_or(Ok(()), super::check_build)?;
        let manifest = |path: &String| {
            if path.ends_with(".toml") { path.clone() } else { format!("{path}/plugin.toml") }
        };
        let plugins: Vec<String> = file.plugins.iter().map(manifest).collect();
        let manifest = Self {
            version: super::parse_version(&file.version)?,
            name: file.name,
            description: file.description,
            plugins: paths("plugins", &plugins)?,
            workflows: paths("workflows", &file.workflows)?,
            files: paths("files", &file.files)?,
            sbom: file.sbom.as_deref().map(sbom).transpose()?,
            labels: file.labels,
            build: file.build,
        };
        if manifest.plugins.is_empty() && manifest.workflows.is_empty() {
            let problem = "it lists neither `plugins` nor `workflows`";
            return Err(ManifestError::new(problem));
        }
        Ok(manifest)
    }
}

fn sbom(written: &str) -> Result<BundlePath, ManifestError> {
    let path = BundlePath::new(written);
    let path = path.map_err(|error| ManifestError::new(format!("sbom: {error}")))?;
    if SbomFormat::of(&path).is_some() {
        return Ok(path);
    }
    let said = "sbom: its name must end in `.cdx.json` (CycloneDX) or `.spdx.json` (SPDX)";
    Err(ManifestError::new(said))
}

fn paths(key: &str, written: &[String]) -> Result<Vec<BundlePath>, ManifestError> {
    if written.len() > LISTED_MAX {
        return Err(ManifestError::new(format!("{key}: more than {LISTED_MAX}")));
    }
    let path = |text: &String| BundlePath::new(text);
    let paths = written.iter().map(path).collect::<Result<Vec<_>, _>>();
    paths.map_err(|error| ManifestError::new(format!("{key}: {error}")))
}
