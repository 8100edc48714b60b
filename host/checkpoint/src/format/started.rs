//! What a run is made from, in its stored form.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wfhost_workflow::run::{RunStarted, Upgraded};
use wfhost_workflow::{
    Attempt, Determinism, Digest, DirGrant, DirMode, Limit, Limits, Origin, PinnedPlugin,
    PluginOrigin, RunId,
};

use super::Unreadable;
use super::value::{self, Fetch, Large, StoredJson};

#[derive(Serialize, Deserialize)]
pub(super) struct StoredStarted<'a> {
    #[serde(with = "serde_bytes")]
    run: [u8; 16],
    workflow: Cow<'a, str>,
    version: Cow<'a, str>,
    #[serde(with = "value::digest")]
    definition: Digest,
    input: StoredJson<'a>,
    plugins: Vec<StoredPlugin<'a>>,
    seed: u64,
    /// Absent before there were bundles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<StoredOrigin<'a>>,
}

#[derive(Serialize, Deserialize)]
struct StoredOrigin<'a> {
    bundle: Cow<'a, str>,
    version: Cow<'a, str>,
    #[serde(with = "value::digest")]
    digest: Digest,
    signers: Vec<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
struct StoredPlugin<'a> {
    alias: Cow<'a, str>,
    #[serde(with = "value::digest")]
    digest: Digest,
    dirs: Vec<StoredDir<'a>>,
    limits: StoredLimits<'a>,
    #[serde(default)]
    strict: bool,
    /// Absent before there were bundles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    plugin: Option<StoredPluginOrigin<'a>>,
}

#[derive(Serialize, Deserialize)]
struct StoredPluginOrigin<'a> {
    name: Cow<'a, str>,
    version: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
struct StoredDir<'a> {
    host_path: Cow<'a, str>,
    guest_path: Cow<'a, str>,
    mode: StoredMode,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StoredMode {
    Ro,
    Rw,
}

/// By name, so that a limit can be added: what is missing is the default of today.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct StoredLimits<'a>(BTreeMap<Cow<'a, str>, u64>);

impl<'a> StoredStarted<'a> {
    pub(super) fn to_stored(started: &'a RunStarted, large: &mut Large<'a>) -> Self {
        let RunStarted { run, workflow, version, definition, input, plugins, seed, origin } =
            started;
        Self {
            run: run.to_bytes(),
            workflow: Cow::Borrowed(workflow),
            version: Cow::Borrowed(version),
            definition: *definition,
            input: StoredJson::to_stored(input, large),
            plugins: plugins.iter().map(StoredPlugin::to_stored).collect(),
            seed: *seed,
            origin: origin.as_ref().map(StoredOrigin::to_stored),
        }
    }

    pub(super) fn into_started(self, fetch: Fetch<'_>) -> Result<RunStarted, Unreadable> {
        Ok(RunStarted {
            run: RunId::from_bytes(self.run),
            workflow: Arc::from(self.workflow),
            version: self.version.into_owned(),
            definition: self.definition,
            input: self.input.into_json(fetch)?,
            plugins: self
                .plugins
                .into_iter()
                .map(StoredPlugin::into_plugin)
                .collect::<Result<_, _>>()?,
            seed: self.seed,
            origin: self.origin.map(StoredOrigin::into_origin),
        })
    }

    pub(super) fn references(&self, found: &mut dyn FnMut(Digest)) {
        found(self.definition);
        self.input.references(found);
        for plugin in &self.plugins {
            found(plugin.digest);
        }
    }
}

/// What a run is made from since it was upgraded.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredUpgraded<'a> {
    version: Cow<'a, str>,
    #[serde(with = "value::digest")]
    definition: Digest,
    plugins: Vec<StoredPlugin<'a>>,
    origin: Option<StoredOrigin<'a>>,
    last_attempt: u32,
}

impl<'a> StoredUpgraded<'a> {
    pub(super) fn to_stored(upgraded: &'a Upgraded) -> Self {
        let Upgraded { version, definition, plugins, origin, last_attempt } = upgraded;
        Self {
            version: Cow::Borrowed(version),
            definition: *definition,
            plugins: plugins.iter().map(StoredPlugin::to_stored).collect(),
            origin: origin.as_ref().map(StoredOrigin::to_stored),
            last_attempt: last_attempt.0,
        }
    }

    pub(super) fn into_upgraded(self) -> Result<Upgraded, Unreadable> {
        let plugins = self.plugins.into_iter().map(StoredPlugin::into_plugin);
        Ok(Upgraded {
            version: self.version.into_owned(),
            definition: self.definition,
            plugins: plugins.collect::<Result<_, _>>()?,
            origin: self.origin.map(StoredOrigin::into_origin),
            last_attempt: Attempt(self.last_attempt),
        })
    }

    pub(super) fn references(&self, found: &mut dyn FnMut(Digest)) {
        found(self.definition);
        for plugin in &self.plugins {
            found(plugin.digest);
        }
    }
}

impl<'a> StoredOrigin<'a> {
    fn to_stored(origin: &'a Origin) -> Self {
        let Origin { bundle, version, digest, signers } = origin;
        Self {
            bundle: Cow::Borrowed(bundle),
            version: Cow::Borrowed(version),
            digest: *digest,
            signers: signers.iter().map(|signer| Cow::Borrowed(signer.as_str())).collect(),
        }
    }

    fn into_origin(self) -> Origin {
        Origin {
            bundle: self.bundle.into_owned(),
            version: self.version.into_owned(),
            digest: self.digest,
            signers: self.signers.into_iter().map(Cow::into_owned).collect(),
        }
    }
}

impl<'a> StoredPlugin<'a> {
    fn to_stored(plugin: &'a PinnedPlugin) -> Self {
        let PinnedPlugin { alias, digest, dirs, limits, determinism, plugin: origin } = plugin;
        Self {
            alias: Cow::Borrowed(alias),
            digest: *digest,
            dirs: dirs.iter().map(StoredDir::to_stored).collect(),
            limits: StoredLimits::to_stored(limits),
            strict: determinism.is_strict(),
            plugin: origin.as_ref().map(StoredPluginOrigin::to_stored),
        }
    }

    fn into_plugin(self) -> Result<PinnedPlugin, Unreadable> {
        Ok(PinnedPlugin {
            alias: Arc::from(self.alias),
            digest: self.digest,
            dirs: self.dirs.into_iter().map(StoredDir::into_dir).collect(),
            limits: self.limits.into_limits()?,
            determinism: if self.strict { Determinism::Strict } else { Determinism::Relaxed },
            plugin: self.plugin.map(StoredPluginOrigin::into_origin),
        })
    }
}

impl<'a> StoredPluginOrigin<'a> {
    fn to_stored(PluginOrigin { name, version }: &'a PluginOrigin) -> Self {
        Self { name: Cow::Borrowed(name), version: Cow::Borrowed(version) }
    }

    fn into_origin(self) -> PluginOrigin {
        PluginOrigin { name: self.name.into_owned(), version: self.version.into_owned() }
    }
}

impl<'a> StoredDir<'a> {
    fn to_stored(dir: &'a DirGrant) -> Self {
        let DirGrant { host_path, guest_path, mode } = dir;
        Self {
            host_path: Cow::Borrowed(host_path),
            guest_path: Cow::Borrowed(guest_path),
            mode: match mode {
                DirMode::ReadOnly => StoredMode::Ro,
                DirMode::ReadWrite => StoredMode::Rw,
            },
        }
    }

    fn into_dir(self) -> DirGrant {
        DirGrant {
            host_path: self.host_path.into_owned(),
            guest_path: self.guest_path.into_owned(),
            mode: match self.mode {
                StoredMode::Ro => DirMode::ReadOnly,
                StoredMode::Rw => DirMode::ReadWrite,
            },
        }
    }
}

impl StoredLimits<'_> {
    fn to_stored(limits: &Limits) -> Self {
        Self(limits.iter().map(|(limit, value)| (Cow::Borrowed(limit.name()), value)).collect())
    }

    fn into_limits(self) -> Result<Limits, Unreadable> {
        let mut limits = Limits::default();
        for (name, value) in self.0 {
            // A limit that this program does not know cannot be held to.
            limits[limit_named(&name)
                .ok_or_else(|| Unreadable::Form(format!("no limit `{name}`")))?] = value;
        }
        Ok(limits)
    }
}

/// The names of today, and those of the first records.
fn limit_named(name: &str) -> Option<Limit> {
    match name {
        "memory_bytes" => Some(Limit::Memory),
        "output_bytes" => Some(Limit::Output),
        "input_bytes" => Some(Limit::Input),
        "log_bytes" => Some(Limit::Log),
        "kv_value_bytes" => Some(Limit::KvValue),
        "kv_total_bytes" => Some(Limit::KvTotal),
        name => name.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(limits: &[(&str, u64)]) -> Result<Limits, Unreadable> {
        StoredLimits(limits.iter().map(|(name, value)| (Cow::Borrowed(*name), *value)).collect())
            .into_limits()
    }

    #[test]
    fn limits_of_the_first_records_are_read() {
        let old = [("memory_bytes", 1), ("kv_total_bytes", 2), ("table_elements", 3)];
        let limits = read(&old).unwrap();
        let wanted = Limits::default()
            .with(Limit::Memory, 1)
            .with(Limit::KvTotal, 2)
            .with(Limit::TableElements, 3);
        assert_eq!(limits, wanted);
        assert_eq!(StoredLimits::to_stored(&limits).into_limits().unwrap(), wanted);
        assert!(matches!(read(&[("patience", 1)]), Err(Unreadable::Form(_))));
    }
}
