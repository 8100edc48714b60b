//! What changes from one bundle to another: plugins, what their functions take and give, what
//! they ask for, workflows, limits.
//!
//! What a component's functions are, only the host can tell: a caller gives their contracts by
//! the component's digest. Where it gives none, nothing is said of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use semver::Version;
use wfhost_workflow::{
    Compatibility, Contract, Digest, DirAsk, DirMode, Json, Limit, LimitSettings,
};

use crate::contents::{Bundle, BundledPlugin, BundledWorkflow};

/// The functions of components, by the components' digests.
pub type Contracts = BTreeMap<Digest, Arc<Vec<Contract>>>;

/// What changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    /// The version of before, and that of after.
    pub version: (Version, Version),
    /// Whether both have the same digest: then nothing changes.
    pub is_same: bool,
    /// By name.
    pub plugins: BTreeMap<String, PluginChange>,
    /// By name.
    pub workflows: BTreeMap<String, WorkflowChange>,
    /// Further files, by path.
    pub files: BTreeMap<String, FileChange>,
}

/// What becomes of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginChange {
    /// It was not there. What it asks for, it asks for anew.
    Added {
        /// Its version.
        version: Version,
        /// What it asks for.
        grants: Vec<GrantChange>,
    },
    /// It is no longer there.
    Removed {
        /// The version that was there.
        version: Version,
    },
    /// Something of it is another.
    Changed(Box<PluginDiff>),
}

/// What changes of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginDiff {
    /// The version of before, and that of after.
    pub version: (Version, Version),
    /// The component's digest before and after, if it is another.
    pub component: Option<(Digest, Digest)>,
    /// Its functions, where they change.
    pub functions: Functions,
    /// What it asks for, where that changes.
    pub grants: Vec<GrantChange>,
    /// What it may use, where that changes.
    pub limits: Vec<LimitChange>,
    /// Whether description, labels or how to build it change.
    pub notes: bool,
}

/// What becomes of a plugin's functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Functions {
    /// The caller did not say what they are, before or after.
    Unknown,
    /// Those that change, by name.
    Known(BTreeMap<String, FunctionChange>),
}

/// What becomes of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FunctionChange {
    /// Workflows may call it now.
    Added,
    /// Workflows that call it no longer work.
    Removed,
    /// It takes or gives something else: what that means for workflows that call it.
    Changed(Compatibility),
}

/// What becomes of something that a plugin asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantChange {
    /// A directory, by its path inside the sandbox.
    pub guest_path: String,
    /// What was asked for before.
    pub before: Option<DirMode>,
    /// What is asked for.
    pub after: Option<DirMode>,
}

/// What becomes of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitChange {
    /// Which.
    pub limit: Limit,
    /// What the manifest said; `None`: nothing, so that the default holds.
    pub before: Option<u64>,
    /// What it says.
    pub after: Option<u64>,
}

/// What becomes of a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkflowChange {
    /// It was not there.
    Added {
        /// Its version.
        version: String,
    },
    /// It is no longer there.
    Removed {
        /// The version that was there.
        version: String,
    },
    /// Its file is another, or a plugin that it uses is.
    Changed {
        /// The version of before, and that of after.
        version: (String, String),
        /// Whether the file is another.
        file: bool,
        /// What the change of its input means for who starts it.
        input: Compatibility,
        /// Names of its plugins whose components change under it.
        plugins: Vec<String>,
    },
}

/// What becomes of a further file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileChange {
    /// It was not there.
    Added,
    /// It is no longer there.
    Removed,
    /// Its content is another.
    Changed,
}

impl GrantChange {
    /// Whether more is asked for than before.
    #[must_use]
    pub const fn widens(&self) -> bool {
        match (self.before, self.after) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(before), Some(after)) => !before.permits(after),
        }
    }
}

impl fmt::Display for GrantChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { guest_path, before, after } = self;
        let name = |mode: Option<DirMode>| mode.map_or("nothing", DirMode::name);
        write!(f, "dir {guest_path}: {} → {}", name(*before), name(*after))
    }
}

impl LimitChange {
    /// Whether more may be used than before, as far as the manifest has a say.
    #[must_use]
    pub const fn raises(&self) -> bool {
        let default = self.limit.spec().default;
        let before = match self.before {
            Some(before) => before,
            None => default,
        };
        let after = match self.after {
            Some(after) => after,
            None => default,
        };
        after > before
    }
}

impl fmt::Display for LimitChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, before, after } = self;
        let shown = |value: &Option<u64>| match value {
            Some(value) => limit.show(*value),
            None => format!("{} (default)", limit.show(limit.spec().default)),
        };
        write!(f, "{limit}: {} → {}", shown(before), shown(after))
    }
}

impl FunctionChange {
    /// Whether workflows that call it may stop working, for certain.
    #[must_use]
    pub const fn breaks(&self) -> bool {
        match self {
            Self::Removed | Self::Changed(Compatibility::Incompatible(_)) => true,
            Self::Added
            | Self::Changed(
                Compatibility::Same | Compatibility::Compatible | Compatibility::Unclear,
            ) => false,
        }
    }
}

impl Diff {
    /// What changes from `before` to `after`.
    #[must_use]
    pub fn between(before: &Bundle, after: &Bundle, contracts: &Contracts) -> Self {
        let is_same = before.digest() == after.digest();
        let version = (before.manifest.version.clone(), after.manifest.version.clone());
        Self {
            version,
            is_same,
            plugins: plugins(before, after, contracts),
            workflows: workflows(before, after),
            files: files(before, after),
        }
    }

    /// What is asked for that was not before: the plugin's name, and what.
    pub fn widened(&self) -> impl Iterator<Item = (&str, &GrantChange)> + '_ {
        self.plugins.iter().flat_map(|(name, change)| {
            let grants = match change {
                PluginChange::Added { grants, .. } => grants.as_slice(),
                PluginChange::Changed(diff) => diff.grants.as_slice(),
                PluginChange::Removed { .. } => &[],
            };
            let wider = grants.iter().filter(|grant| grant.widens());
            wider.map(move |grant| (name.as_str(), grant))
        })
    }

    /// Functions by which workflows break: the plugin's name, the function's, and why.
    pub fn broken(&self) -> impl Iterator<Item = (&str, &str, &FunctionChange)> + '_ {
        self.plugins.iter().flat_map(|(name, change)| {
            let functions = match change {
                PluginChange::Changed(diff) => match &diff.functions {
                    Functions::Known(functions) => Some(functions),
                    Functions::Unknown => None,
                },
                PluginChange::Added { .. } | PluginChange::Removed { .. } => None,
            };
            let broken = functions.into_iter().flatten().filter(|(_, change)| change.breaks());
            broken.map(move |(function, change)| (name.as_str(), function.as_str(), change))
        })
    }
}

fn plugins(
    before: &Bundle,
    after: &Bundle,
    contracts: &Contracts,
) -> BTreeMap<String, PluginChange> {
    pairs(&before.plugins, &after.plugins, |plugin| &plugin.manifest.name)
        .filter_map(|(name, pair)| {
            let change = match pair {
                Pair::After(plugin) => PluginChange::Added {
                    version: plugin.version.clone(),
                    grants: grants(&[], &plugin.manifest.dirs),
                },
                Pair::Before(plugin) => PluginChange::Removed { version: plugin.version.clone() },
                Pair::Both(before, after) => {
                    PluginChange::Changed(Box::new(plugin_diff(before, after, contracts)?))
                }
            };
            Some((name.to_owned(), change))
        })
        .collect()
}

fn plugin_diff(
    before: &BundledPlugin,
    after: &BundledPlugin,
    contracts: &Contracts,
) -> Option<PluginDiff> {
    let (old, new) = (&before.manifest, &after.manifest);
    let digests = (before.component.digest, after.component.digest);
    if old == new && digests.0 == digests.1 {
        return None;
    }
    let notes = (&old.description, &old.labels, &old.build, &old.component)
        != (&new.description, &new.labels, &new.build, &new.component);
    Some(PluginDiff {
        version: (before.version.clone(), after.version.clone()),
        component: (digests.0 != digests.1).then_some(digests),
        functions: functions(before, after, contracts),
        grants: grants(&old.dirs, &new.dirs),
        limits: limits(&old.limits, &new.limits),
        notes,
    })
}

fn functions(before: &BundledPlugin, after: &BundledPlugin, contracts: &Contracts) -> Functions {
    let offered = |plugin: &BundledPlugin| {
        let all = contracts.get(&plugin.component.digest)?;
        let listed = plugin.manifest.exports.as_deref();
        let is_offered = |contract: &&Contract| {
            let named = |name: &String| Contract::find(all, name).is_some_and(|it| it == *contract);
            listed.is_none_or(|names| names.iter().any(named))
        };
        Some(all.iter().filter(is_offered).cloned().collect::<Vec<_>>())
    };
    let (Some(old), Some(new)) = (offered(before), offered(after)) else {
        return Functions::Unknown;
    };
    let changes = pairs(&old, &new, |contract| &contract.name).filter_map(|(name, pair)| {
        let change = match pair {
            Pair::After(_) => FunctionChange::Added,
            Pair::Before(_) => FunctionChange::Removed,
            Pair::Both(old, new) => match new.compatibility(old) {
                Compatibility::Same => return None,
                other => FunctionChange::Changed(other),
            },
        };
        Some((name.to_owned(), change))
    });
    Functions::Known(changes.collect())
}

fn grants(before: &[DirAsk], after: &[DirAsk]) -> Vec<GrantChange> {
    let change = |(path, pair): (&str, Pair<'_, DirAsk>)| {
        let (before, after) = match pair {
            Pair::Before(ask) => (Some(ask.mode), None),
            Pair::After(ask) => (None, Some(ask.mode)),
            Pair::Both(old, new) => (Some(old.mode), Some(new.mode)),
        };
        (before != after).then(|| GrantChange { guest_path: path.to_owned(), before, after })
    };
    pairs(before, after, |ask| &ask.guest_path).filter_map(change).collect()
}

fn limits(before: &LimitSettings, after: &LimitSettings) -> Vec<LimitChange> {
    let change = |limit| LimitChange { limit, before: before.get(limit), after: after.get(limit) };
    let changes = Limit::ALL.into_iter().map(change);
    changes.filter(|change| change.before != change.after).collect()
}

fn workflows(before: &Bundle, after: &Bundle) -> BTreeMap<String, WorkflowChange> {
    let name = |workflow: &BundledWorkflow| workflow.definition.name.clone();
    let names: BTreeSet<_> = before.workflows.iter().chain(&after.workflows).map(name).collect();
    let find = |bundle: &'_ Bundle, wanted: &str| {
        bundle.workflows.iter().position(|workflow| *workflow.definition.name == *wanted)
    };
    let change = |name: &str| match (find(before, name), find(after, name)) {
        (Some(old), Some(new)) => {
            workflow_change((before, &before.workflows[old]), (after, &after.workflows[new]))
        }
        (Some(old), None) => {
            let version = before.workflows[old].definition.version.clone();
            Some(WorkflowChange::Removed { version })
        }
        (None, new) => {
            let version = after.workflows[new?].definition.version.clone();
            Some(WorkflowChange::Added { version })
        }
    };
    names.iter().filter_map(|name| Some((name.to_string(), change(name)?))).collect()
}

fn workflow_change(
    (before, old): (&Bundle, &BundledWorkflow),
    (after, new): (&Bundle, &BundledWorkflow),
) -> Option<WorkflowChange> {
    let used = |bundle: &Bundle, workflow: &BundledWorkflow| -> BTreeMap<String, Digest> {
        let plugins = workflow.components.iter().filter_map(|entry| bundle.plugin_of(&entry.path));
        plugins.map(|it| (it.manifest.name.clone(), it.component.digest)).collect()
    };
    let (old_plugins, new_plugins) = (used(before, old), used(after, new));
    let other = |(name, digest): &(&String, &Digest)| {
        old_plugins.get(*name).is_some_and(|before| before != *digest)
    };
    let plugins: Vec<String> =
        new_plugins.iter().filter(other).map(|(name, _)| name.clone()).collect();
    let file = old.file.digest != new.file.digest;
    if !file && plugins.is_empty() {
        return None;
    }
    let anything = Json::from_trusted("true");
    let input = |workflow: &BundledWorkflow| workflow.input_schema().cloned();
    let (before, after) = (input(old), input(new));
    let input = match (before, after) {
        (None, None) => Compatibility::Same,
        // Without a schema, every input is taken.
        (_, None) => Compatibility::Compatible,
        (before, Some(after)) => Compatibility::of("input", &before.unwrap_or(anything), &after),
    };
    let version = (old.definition.version.clone(), new.definition.version.clone());
    Some(WorkflowChange::Changed { version, file, input, plugins })
}

/// Files that are neither manifest, component nor workflow.
fn files(before: &Bundle, after: &Bundle) -> BTreeMap<String, FileChange> {
    let further = |bundle: &Bundle| -> BTreeMap<String, Digest> {
        let paths = bundle.manifest.files.iter().chain(&bundle.manifest.sbom);
        let entries = paths.filter_map(|path| bundle.tree.get(path));
        entries.map(|entry| (entry.path.to_string(), entry.digest)).collect()
    };
    let (old, new) = (further(before), further(after));
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let change = |path: &String| match (old.get(path), new.get(path)) {
        (Some(one), Some(other)) => (one != other).then_some(FileChange::Changed),
        (Some(_), None) => Some(FileChange::Removed),
        (None, _) => Some(FileChange::Added),
    };
    paths.into_iter().filter_map(|path| Some((path.clone(), change(path)?))).collect()
}

/// Something with a name, on one side or on both.
enum Pair<'p, T> {
    Before(&'p T),
    After(&'p T),
    Both(&'p T, &'p T),
}

fn pairs<'p, T>(
    before: &'p [T],
    after: &'p [T],
    name: impl Fn(&'p T) -> &'p str,
) -> impl Iterator<Item = (&'p str, Pair<'p, T>)> {
    let mut pairs: BTreeMap<&str, Pair<'p, T>> = BTreeMap::new();
    for one in before {
        pairs.insert(name(one), Pair::Before(one));
    }
    for other in after {
        let pair = match pairs.remove(name(other)) {
            Some(Pair::Before(one)) => Pair::Both(one, other),
            Some(Pair::After(_) | Pair::Both(..)) | None => Pair::After(other),
        };
        pairs.insert(name(other), pair);
    }
    pairs.into_iter()
}
