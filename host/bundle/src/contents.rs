//! What a bundle means: its manifests and workflows read and held against each other.
//!
//! The same is asked of a bundle when it is packed and when it is read, so that none is packed
//! that would be refused later.

use std::collections::{BTreeMap, BTreeSet};

use semver::Version;
use wfhost_workflow::definition::Problems;
use wfhost_workflow::{Definition, Digest, Json, Name};

use crate::bounds::{MANIFEST_BYTES_MAX, SBOM_BYTES_MAX, TEXTS_BYTES_MAX, WORKFLOW_BYTES_MAX};
use crate::file::{BundleFile, FormatError};
use crate::manifest::{BundleManifest, ManifestError, PluginManifest};
use crate::path::{BundlePath, PathError};
use crate::payload::{PayloadError, Take};
use crate::sbom::{Sbom, SbomError, SbomFormat};
use crate::signature::Signatures;
use crate::tree::{Tree, TreeEntry};

/// A bundle that has been read and makes sense.
#[derive(Debug)]
pub struct Bundle {
    /// What it says of itself.
    pub manifest: BundleManifest,
    /// In the order of the manifest.
    pub plugins: Vec<BundledPlugin>,
    /// In the order of the manifest.
    pub workflows: Vec<BundledWorkflow>,
    /// Its list of parts.
    pub sbom: Option<Sbom>,
    /// Its files.
    pub tree: Tree,
    /// Signatures of its digest. Whether they count is for [`crate::trust::Trust`] to say.
    pub signatures: Signatures,
}

/// A plugin of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundledPlugin {
    /// What it says of itself.
    pub manifest: PluginManifest,
    /// Its version.
    pub version: Version,
    /// Where the manifest is.
    pub path: BundlePath,
    /// Its component.
    pub component: TreeEntry,
}

/// A workflow of a bundle.
#[derive(Debug)]
pub struct BundledWorkflow {
    /// The workflow.
    pub definition: Definition,
    /// The file as it is.
    pub source: String,
    /// Where and what the file is.
    pub file: TreeEntry,
    /// The component that each of its plugins is, in the order of [`Definition::plugins`].
    pub components: Vec<TreeEntry>,
}

impl BundledWorkflow {
    /// The schema of its input, if it has one.
    #[must_use]
    pub fn input_schema(&self) -> Option<&Json> {
        self.definition.input.as_ref().map(wfhost_workflow::Schema::text)
    }
}

/// A bundle whose parts do not go together.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// The file itself.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A file that something names.
    #[error("`{path}` is missing, which `{by}` names")]
    Missing {
        /// What is not there.
        path: BundlePath,
        /// Who names it.
        by: BundlePath,
    },
    /// A file that nothing names.
    #[error("`{0}` is in it, and nothing names it")]
    NotNamed(BundlePath),
    /// A file that is named for two things.
    #[error("`{0}` is named twice")]
    NamedTwice(BundlePath),
    /// A text that is too large, or none.
    #[error("`{path}` is no text of at most {bytes_max} bytes")]
    NoText {
        /// Which file.
        path: BundlePath,
        /// The most it may have.
        bytes_max: u64,
    },
    /// All texts together.
    #[error(
        "its manifests, workflows and lists of parts have more than {TEXTS_BYTES_MAX} bytes together"
    )]
    Texts,
    /// A manifest.
    #[error("{path}: {problem}")]
    Manifest {
        /// Which.
        path: BundlePath,
        /// What is wrong with it.
        problem: ManifestError,
    },
    /// A workflow.
    #[error("{path}: it is no valid workflow")]
    Workflow {
        /// Which.
        path: BundlePath,
        /// What is wrong with it.
        source: Problems,
        /// The file as it is, so that the places can be shown.
        text: String,
    },
    /// A list of parts.
    #[error("{path}: {problem}")]
    Sbom {
        /// Which.
        path: BundlePath,
        /// What is wrong with it.
        problem: SbomError,
    },
    /// A workflow that uses what is not in the bundle.
    #[error(
        "{path}: its plugin `{alias}` is {named}, which is no component of a plugin in the bundle"
    )]
    ForeignPlugin {
        /// The workflow's file.
        path: BundlePath,
        /// As its steps call the plugin.
        alias: Name,
        /// As the workflow names it.
        named: String,
    },
    /// Two plugins, or two workflows, that go by one name.
    #[error("two {what} are called `{name}`, but for case perhaps")]
    SameName {
        /// `plugins` or `workflows`.
        what: &'static str,
        /// The name of the second.
        name: String,
    },
}

impl From<PayloadError> for ContentError {
    fn from(error: PayloadError) -> Self {
        Self::Format(error.into())
    }
}

/// The texts of a bundle's manifests and workflows.
pub(crate) type Texts = BTreeMap<BundlePath, String>;

impl Bundle {
    /// Reads all of a bundle, checks every file, and keeps what says what it is. The components
    /// are not kept: see [`BundleFile::read_files`].
    ///
    /// # Errors
    /// If it is damaged, or its parts do not go together.
    pub fn read<R: std::io::Read + std::io::Seek>(
        file: &mut BundleFile<R>,
    ) -> Result<Self, ContentError> {
        let mut collect = Collect::default();
        file.read_files(&mut collect)?;
        Self::assemble(file.tree().clone(), file.signatures().clone(), collect.texts)
    }

    /// The bundle's digest.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.tree.digest()
    }

    /// The plugin whose component this is.
    #[must_use]
    pub fn plugin_of(&self, component: &BundlePath) -> Option<&BundledPlugin> {
        self.plugins.iter().find(|plugin| plugin.component.path == *component)
    }

    pub(crate) fn assemble(
        tree: Tree,
        signatures: Signatures,
        mut texts: Texts,
    ) -> Result<Self, ContentError> {
        let mut parts = Parts { tree: &tree, texts: &mut texts, named: BTreeSet::new() };
        let manifest = parts.bundle_manifest()?;
        let by = bundle_toml();
        let mut plugins = Vec::new();
        for path in &manifest.plugins {
            plugins.push(parts.plugin(path, &by)?);
        }
        unique("plugins", plugins.iter().map(|plugin| plugin.manifest.name.as_str()))?;
        let components: BTreeMap<&BundlePath, &TreeEntry> =
            plugins.iter().map(|plugin| (&plugin.component.path, &plugin.component)).collect();
        let mut workflows = Vec::new();
        for path in &manifest.workflows {
            workflows.push(parts.workflow(path, &by, &components)?);
        }
        unique("workflows", workflows.iter().map(|workflow| &*workflow.definition.name))?;
        for path in &manifest.files {
            parts.name(path, &by)?;
        }
        let sbom = manifest.sbom.as_ref().map(|path| parts.sbom(path, &by)).transpose()?;
        let named = parts.named;
        if let Some(entry) = tree.entries().iter().find(|entry| !named.contains(&entry.path)) {
            return Err(ContentError::NotNamed(entry.path.clone()));
        }
        Ok(Self { manifest, plugins, workflows, sbom, tree, signatures })
    }
}

pub(crate) fn bundle_toml() -> BundlePath {
    BundlePath::new(BundleManifest::FILE).expect("a plain name")
}

/// The files of a bundle while they are given their meaning, each once.
struct Parts<'p> {
    tree: &'p Tree,
    texts: &'p mut Texts,
    named: BTreeSet<BundlePath>,
}

impl Parts<'_> {
    fn name(&mut self, path: &BundlePath, by: &BundlePath) -> Result<TreeEntry, ContentError> {
        let Some(entry) = self.tree.get(path) else {
            return Err(ContentError::Missing { path: path.clone(), by: by.clone() });
        };
        if !self.named.insert(path.clone()) {
            return Err(ContentError::NamedTwice(path.clone()));
        }
        Ok(entry.clone())
    }

    fn text(
        &mut self,
        path: &BundlePath,
        by: &BundlePath,
        bytes_max: u64,
    ) -> Result<(TreeEntry, String), ContentError> {
        let entry = self.name(path, by)?;
        match self.texts.remove(path).filter(|_| entry.size <= bytes_max) {
            Some(text) => Ok((entry, text)),
            None => Err(ContentError::NoText { path: path.clone(), bytes_max }),
        }
    }

    fn bundle_manifest(&mut self) -> Result<BundleManifest, ContentError> {
        let path = bundle_toml();
        let (_, text) = self.text(&path, &path, MANIFEST_BYTES_MAX)?;
        BundleManifest::parse(&text).map_err(|problem| ContentError::Manifest { path, problem })
    }

    fn plugin(
        &mut self,
        path: &BundlePath,
        by: &BundlePath,
    ) -> Result<BundledPlugin, ContentError> {
        let (_, text) = self.text(path, by, MANIFEST_BYTES_MAX)?;
        let wrong = |problem| ContentError::Manifest { path: path.clone(), problem };
        let manifest = PluginManifest::parse(&text).map_err(wrong)?;
        let version = manifest.check_for_bundle().map_err(wrong)?;
        let component = self.name(&manifest.component_at(path).map_err(wrong)?, path)?;
        Ok(BundledPlugin { manifest, version, path: path.clone(), component })
    }

    fn workflow(
        &mut self,
        path: &BundlePath,
        by: &BundlePath,
        components: &BTreeMap<&BundlePath, &TreeEntry>,
    ) -> Result<BundledWorkflow, ContentError> {
        let (file, source) = self.text(path, by, WORKFLOW_BYTES_MAX)?;
        let definition = match Definition::parse(&source) {
            Ok(definition) => definition,
            Err(problems) => {
                let path = path.clone();
                return Err(ContentError::Workflow { path, source: problems, text: source });
            }
        };
        let component = |plugin: &wfhost_workflow::definition::PluginUse| {
            let found: Result<_, PathError> = path.beside(&plugin.path);
            let entry = found.ok().and_then(|named| components.get(&named).copied());
            entry.cloned().ok_or_else(|| ContentError::ForeignPlugin {
                path: path.clone(),
                alias: plugin.alias.clone(),
                named: format!("`{}`", plugin.path.chars().take(200).collect::<String>()),
            })
        };
        let components = definition.plugins.iter().map(component).collect::<Result<Vec<_>, _>>()?;
        Ok(BundledWorkflow { definition, source, file, components })
    }

    fn sbom(&mut self, path: &BundlePath, by: &BundlePath) -> Result<Sbom, ContentError> {
        let (file, text) = self.text(path, by, SBOM_BYTES_MAX)?;
        let wrong = |problem| ContentError::Sbom { path: path.clone(), problem };
        // The manifest takes no other name.
        let format = SbomFormat::of(path).unwrap_or(SbomFormat::CycloneDx);
        Sbom::read(file, format, text).map_err(wrong)
    }
}

fn unique<'n>(
    what: &'static str,
    names: impl Iterator<Item = &'n str>,
) -> Result<(), ContentError> {
    let mut known = BTreeSet::new();
    for name in names {
        if !known.insert(name.to_ascii_lowercase()) {
            return Err(ContentError::SameName { what, name: name.to_owned() });
        }
    }
    Ok(())
}

/// Whether a file may be a manifest, a workflow or a list of parts, and how large it may then be.
pub(crate) fn text_bytes_max(path: &BundlePath) -> Option<u64> {
    let is = |ending: &str| path.as_str().ends_with(ending);
    if is(".toml") {
        Some(MANIFEST_BYTES_MAX)
    } else if is(".yaml") || is(".yml") {
        Some(WORKFLOW_BYTES_MAX)
    } else if SbomFormat::of(path).is_some() {
        Some(SBOM_BYTES_MAX)
    } else {
        None
    }
}

/// Keeps what may be a manifest, a workflow or a list of parts.
#[derive(Default)]
struct Collect {
    texts: Texts,
    bytes: u64,
    current: Option<(BundlePath, Vec<u8>)>,
}

impl Take for Collect {
    type Error = ContentError;

    fn begin(&mut self, entry: &TreeEntry) -> Result<(), ContentError> {
        if text_bytes_max(&entry.path).is_some_and(|bytes_max| entry.size <= bytes_max) {
            self.bytes += entry.size;
            if self.bytes > TEXTS_BYTES_MAX {
                return Err(ContentError::Texts);
            }
            self.current = Some((entry.path.clone(), Vec::new()));
        }
        Ok(())
    }

    fn part(&mut self, bytes: &[u8]) -> Result<(), ContentError> {
        if let Some((_, kept)) = &mut self.current {
            kept.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), ContentError> {
        if let Some((path, kept)) = self.current.take()
            && let Ok(text) = String::from_utf8(kept)
        {
            self.texts.insert(path, text);
        }
        Ok(())
    }
}
