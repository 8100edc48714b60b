//! What a run is made from, in its stored form.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wfhost_workflow::run::RunStarted;
use wfhost_workflow::{Digest, DirGrant, DirMode, Limits, PinnedPlugin, RunId};

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
}

#[derive(Serialize, Deserialize)]
struct StoredPlugin<'a> {
    alias: Cow<'a, str>,
    #[serde(with = "value::digest")]
    digest: Digest,
    dirs: Vec<StoredDir<'a>>,
    limits: StoredLimits,
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

#[derive(Clone, Copy, Serialize, Deserialize)]
struct StoredLimits {
    memory_bytes: u64,
    output_bytes: u64,
    input_bytes: u64,
    log_bytes: u64,
    table_elements: u64,
    hostcall_fuel: u64,
    kv_value_bytes: u64,
    kv_total_bytes: u64,
}

impl<'a> StoredStarted<'a> {
    pub(super) fn to_stored(started: &'a RunStarted, large: &mut Large<'a>) -> Self {
        let RunStarted { run, workflow, version, definition, input, plugins, seed } = started;
        Self {
            run: run.to_bytes(),
            workflow: Cow::Borrowed(workflow),
            version: Cow::Borrowed(version),
            definition: *definition,
            input: StoredJson::to_stored(input, large),
            plugins: plugins.iter().map(StoredPlugin::to_stored).collect(),
            seed: *seed,
        }
    }

    pub(super) fn into_started(self, fetch: Fetch<'_>) -> Result<RunStarted, Unreadable> {
        Ok(RunStarted {
            run: RunId::from_bytes(self.run),
            workflow: Arc::from(self.workflow),
            version: self.version.into_owned(),
            definition: self.definition,
            input: self.input.into_json(fetch)?,
            plugins: self.plugins.into_iter().map(StoredPlugin::into_plugin).collect(),
            seed: self.seed,
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

impl<'a> StoredPlugin<'a> {
    fn to_stored(plugin: &'a PinnedPlugin) -> Self {
        let PinnedPlugin { alias, digest, dirs, limits } = plugin;
        Self {
            alias: Cow::Borrowed(alias),
            digest: *digest,
            dirs: dirs.iter().map(StoredDir::to_stored).collect(),
            limits: StoredLimits::to_stored(limits),
        }
    }

    fn into_plugin(self) -> PinnedPlugin {
        PinnedPlugin {
            alias: Arc::from(self.alias),
            digest: self.digest,
            dirs: self.dirs.into_iter().map(StoredDir::into_dir).collect(),
            limits: self.limits.into_limits(),
        }
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

impl StoredLimits {
    fn to_stored(limits: &Limits) -> Self {
        let Limits {
            memory_bytes,
            output_bytes,
            input_bytes,
            log_bytes,
            table_elements,
            hostcall_fuel,
            kv_value_bytes,
            kv_total_bytes,
        } = *limits;
        Self {
            memory_bytes,
            output_bytes,
            input_bytes,
            log_bytes,
            table_elements,
            hostcall_fuel,
            kv_value_bytes,
            kv_total_bytes,
        }
    }

    fn into_limits(self) -> Limits {
        let Self {
            memory_bytes,
            output_bytes,
            input_bytes,
            log_bytes,
            table_elements,
            hostcall_fuel,
            kv_value_bytes,
            kv_total_bytes,
        } = self;
        Limits {
            memory_bytes,
            output_bytes,
            input_bytes,
            log_bytes,
            table_elements,
            hostcall_fuel,
            kv_value_bytes,
            kv_total_bytes,
        }
    }
}
