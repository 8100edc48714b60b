//! What is deployed: of each bundle its versions, the one that new runs get, and one that is
//! tried with a share of them.
//!
//! Values in, values out: whoever changes it stores what [`Catalogue::written`] says and only
//! then uses the changed one. Invariants: the active and the tried version are among the
//! versions; a workflow's name belongs to one bundle; versions of a bundle differ in their text.

mod canary;
mod change;
mod collect;
mod resolve;
mod stored;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use semver::Version;
use serde::{Deserialize, Serialize};
use wfhost_workflow::{Digest, DirAsk, LimitSettings, Name, Origin, PinnedPlugin, TimestampMs};

use crate::{Bundle, BundledPlugin, BundledWorkflow, KeyId};

pub use canary::{Canary, CanaryAsk, Counts, Ended, Share, Tally, Verdict};
pub use change::{Change, Deploy, Refused};
pub use collect::KEEP_LAST;
pub use resolve::{NotFound, Resolved};
pub use stored::{NoteWrite, Unreadable};

/// What is remembered of what happened to one bundle.
const HISTORY_MAX: usize = 100;

/// Everything that is deployed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue {
    bundles: BTreeMap<String, Arc<Deployed>>,
}

/// What is deployed under one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployed {
    /// The bundle's name.
    pub name: String,
    /// Rises with every change.
    pub revision: u64,
    /// What new runs get.
    pub active: Digest,
    /// What a share of new runs gets.
    pub canary: Option<Canary>,
    /// In the order in which they were first deployed.
    pub versions: Vec<DeployedVersion>,
    /// What was done, the newest last; at most a hundred entries.
    pub history: Vec<Entry>,
}

/// A version of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployedVersion {
    /// The bundle's digest.
    pub digest: Digest,
    /// As its manifest says.
    #[serde(with = "as_text")]
    pub version: Version,
    /// When it was first deployed.
    pub deployed_at: TimestampMs,
    /// What was active when it was made so: what a rollback goes back to.
    pub after: Option<Digest>,
    /// It is kept, whatever is collected.
    pub pinned: bool,
    /// Its signatures, a content.
    pub signatures: Digest,
    /// What its components offer, a content.
    pub contracts: Digest,
    /// Whose signatures they are.
    pub signers: Vec<SignedBy>,
    /// What runs are started from; kept apart, since it never changes.
    #[serde(skip)]
    pub detail: Arc<Detail>,
}

/// A signature that counted when the version was deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedBy {
    /// The key.
    #[serde(with = "as_text")]
    pub key: KeyId,
    /// Whose it was, as the operator said.
    pub comment: String,
}

/// What of a version never changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// In the order of the manifest.
    pub workflows: Vec<DeployedWorkflow>,
    /// In the order of the manifest.
    pub plugins: Vec<DeployedPlugin>,
    /// For people.
    pub description: String,
    /// Every content that belongs to it: list of files, files, signatures, contracts.
    #[serde(skip)]
    pub contents: Vec<Digest>,
}

/// A workflow of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployedWorkflow {
    /// What it is started by.
    pub name: Name,
    /// Its own version.
    pub version: String,
    /// Its file.
    pub definition: Digest,
    /// For each of its plugins, in its order: the name that its steps use, and the position in
    /// [`Detail::plugins`].
    pub plugins: Vec<(Name, usize)>,
    /// Whether its runs are given directories.
    pub gives_dirs: bool,
}

/// A plugin of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployedPlugin {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its component.
    pub component: Digest,
    /// The directories that it asks for.
    pub dirs: Vec<DirAsk>,
    /// The most that it says it needs, by the limits' names.
    pub limits: BTreeMap<String, u64>,
}

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: TimestampMs,
    /// What.
    pub what: Done,
    /// To which version.
    pub version: Digest,
    /// Which was active before, if that changed.
    pub from: Option<Digest>,
    /// Why, for people; empty where nobody said.
    #[serde(default)]
    pub why: String,
}

/// What can be done to a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Done {
    /// Deployed: new runs get it.
    Deployed,
    /// Deployed: a share of new runs gets it.
    Tried,
    /// Tried, and now new runs get it.
    Promoted,
    /// Tried, and given up.
    Aborted,
    /// Gone back to.
    RolledBack,
}

impl Done {
    /// The word for people and scripts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deployed => "deployed",
            Self::Tried => "tried",
            Self::Promoted => "promoted",
            Self::Aborted => "aborted",
            Self::RolledBack => "rolled-back",
        }
    }
}

impl Catalogue {
    /// By name, in its order.
    pub fn bundles(&self) -> impl Iterator<Item = &Deployed> + '_ {
        self.bundles.values().map(|deployed| &**deployed)
    }

    /// What is deployed under a name.
    #[must_use]
    pub fn bundle(&self, name: &str) -> Option<&Deployed> {
        self.bundles.get(name).map(|deployed| &**deployed)
    }

    /// The bundle that a workflow's name belongs to.
    #[must_use]
    pub fn owner_of(&self, workflow: &str) -> Option<&Deployed> {
        self.bundles().find(|deployed| {
            let mut served = deployed.served();
            served.any(|version| version.detail.workflow(workflow).is_some())
        })
    }
}

impl Deployed {
    /// A version by its digest.
    #[must_use]
    pub fn version(&self, digest: Digest) -> Option<&DeployedVersion> {
        self.versions.iter().find(|version| version.digest == digest)
    }

    /// What new runs may get without naming a version: the active one, and one that is tried.
    pub fn served(&self) -> impl Iterator<Item = &DeployedVersion> + '_ {
        let tried = self.canary.as_ref().map(|canary| canary.version);
        [Some(self.active), tried].into_iter().flatten().filter_map(|digest| self.version(digest))
    }

    /// The version that somebody names: its text, or the beginning of its digest (at least six
    /// digits).
    ///
    /// # Errors
    /// [`Refused::NoVersion`].
    pub fn named(&self, text: &str) -> Result<&DeployedVersion, Refused> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        let is_digest = digits.len() >= 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let by_text = self.versions.iter().find(|version| version.version.to_string() == text);
        let found = by_text.or_else(|| {
            let digits = digits.to_ascii_lowercase();
            let mut by_digest = self
                .versions
                .iter()
                .filter(|version| is_digest && version.digest.hex().starts_with(&digits));
            by_digest.next().filter(|_| by_digest.next().is_none())
        });
        found.ok_or_else(|| Refused::NoVersion {
            name: self.name.clone(),
            version: text.chars().take(80).collect(),
            known: self.versions.iter().map(|version| version.version.to_string()).collect(),
        })
    }

    fn version_mut(&mut self, digest: Digest) -> Option<&mut DeployedVersion> {
        self.versions.iter_mut().find(|version| version.digest == digest)
    }

    fn note(&mut self, entry: Entry) {
        self.history.push(entry);
        let over = self.history.len().saturating_sub(HISTORY_MAX);
        self.history.drain(..over);
    }
}

impl DeployedVersion {
    /// A version as it is when it is first deployed; `contents` are those of its files.
    #[must_use]
    pub fn of(
        bundle: &Bundle,
        signatures: Digest,
        contracts: Digest,
        signers: Vec<SignedBy>,
        now: TimestampMs,
    ) -> Self {
        let files = bundle.tree.entries().iter().map(|entry| entry.digest);
        let mut contents: Vec<_> =
            [bundle.digest(), signatures, contracts].into_iter().chain(files).collect();
        contents.sort_unstable();
        contents.dedup();
        let plugins: Vec<_> = bundle.plugins.iter().map(DeployedPlugin::of).collect();
        let workflows = bundle.workflows.iter().map(|it| DeployedWorkflow::of(it, bundle));
        let detail = Detail {
            workflows: workflows.collect(),
            plugins,
            description: bundle.manifest.description.clone(),
            contents,
        };
        Self {
            digest: bundle.digest(),
            version: bundle.manifest.version.clone(),
            deployed_at: now,
            after: None,
            pinned: false,
            signatures,
            contracts,
            signers,
            detail: Arc::new(detail),
        }
    }

    /// What its runs say of where they came from.
    #[must_use]
    pub fn origin(&self, name: &str) -> Origin {
        Origin {
            bundle: name.to_owned(),
            version: self.version.to_string(),
            digest: self.digest,
            signers: self.signers.iter().map(ToString::to_string).collect(),
        }
    }
}

impl fmt::Display for SignedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.comment.as_str() {
            "" => write!(f, "{}", self.key),
            comment => write!(f, "{} {comment}", self.key),
        }
    }
}

impl Detail {
    /// The workflow of this name.
    #[must_use]
    pub fn workflow(&self, name: &str) -> Option<&DeployedWorkflow> {
        self.workflows.iter().find(|workflow| &*workflow.name == name)
    }

    /// The plugins of a workflow: the name that its steps use, and what it is.
    pub fn plugins_of<'d>(
        &'d self,
        workflow: &'d DeployedWorkflow,
    ) -> impl Iterator<Item = (&'d Name, &'d DeployedPlugin)> + 'd {
        let plugin = |(alias, at): &'d (Name, usize)| Some((alias, self.plugins.get(*at)?));
        workflow.plugins.iter().filter_map(plugin)
    }
}

impl DeployedWorkflow {
    fn of(workflow: &BundledWorkflow, bundle: &Bundle) -> Self {
        let BundledWorkflow { definition, file, components, .. } = workflow;
        let position = |path: &crate::BundlePath| {
            bundle.plugins.iter().position(|it| it.component.path == *path)
        };
        let aliases = definition.plugins.iter().map(|plugin| plugin.alias.clone());
        let positions = components.iter().filter_map(|entry| position(&entry.path));
        Self {
            name: definition.name.clone(),
            version: definition.version.clone(),
            definition: file.digest,
            plugins: aliases.zip(positions).collect(),
            gives_dirs: definition.plugins.iter().any(|plugin| !plugin.dirs.is_empty()),
        }
    }
}

impl DeployedPlugin {
    fn of(plugin: &BundledPlugin) -> Self {
        let manifest = &plugin.manifest;
        Self {
            name: manifest.name.clone(),
            version: plugin.version.to_string(),
            component: plugin.component.digest,
            dirs: manifest.dirs.clone(),
            limits: manifest
                .limits
                .iter()
                .map(|(limit, value)| (limit.name().to_owned(), value))
                .collect(),
        }
    }

    /// The most that it says it needs.
    #[must_use]
    pub fn limit_settings(&self) -> LimitSettings {
        let mut settings = LimitSettings::default();
        for (name, value) in &self.limits {
            // A limit that this program does not know, it does not give either.
            if let Ok(limit) = name.parse() {
                settings.set(limit, *value);
            }
        }
        settings
    }

    /// The plugin for a run that gives it no directories.
    #[must_use]
    pub fn pinned(
        &self,
        used: &wfhost_workflow::definition::PluginUse,
        operator: &wfhost_workflow::OperatorLimits,
    ) -> PinnedPlugin {
        PinnedPlugin {
            alias: used.alias.clone(),
            digest: self.component,
            dirs: Vec::new(),
            limits: operator.lower(used.limits).lowered(&self.limit_settings()),
            determinism: used.determinism,
            plugin: Some(wfhost_workflow::PluginOrigin {
                name: self.name.clone(),
                version: self.version.clone(),
            }),
        }
    }
}

/// What has a text form and no other.
mod as_text {
    use std::fmt;
    use std::str::FromStr;

    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<T: fmt::Display, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.to_string().serialize(serializer)
    }

    pub(super) fn deserialize<'de, T: FromStr, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error>
    where
        T::Err: fmt::Display,
    {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}
