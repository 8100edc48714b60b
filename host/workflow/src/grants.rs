//! Permissions and limits: what a plugin asks for, is given, and may use.

use serde::{Deserialize, Serialize};

use crate::{Digest, Name};

/// Whether a directory may be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DirMode {
    /// Files may be read.
    #[serde(rename = "ro")]
    ReadOnly,
    /// Files may be read, written, created and removed.
    #[serde(rename = "rw")]
    ReadWrite,
}

impl DirMode {
    /// Whether this permits everything that `wanted` needs.
    #[must_use]
    pub const fn permits(self, wanted: Self) -> bool {
        matches!((self, wanted), (Self::ReadWrite, _) | (_, Self::ReadOnly))
    }

    /// `ro` or `rw`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "ro",
            Self::ReadWrite => "rw",
        }
    }
}

/// A directory that a plugin's manifest asks for, by the path the guest uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirAsk {
    /// The absolute path inside the sandbox, such as `/in`.
    pub guest_path: String,
    /// What it needs there.
    pub mode: DirMode,
}

/// A host directory that the operator allows workflows to give away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowedDir {
    /// Absolute and canonical.
    pub host_path: String,
    /// The most that may be given.
    pub mode: DirMode,
}

/// A directory grant that holds: asked for, given and allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirGrant {
    /// Absolute and canonical.
    pub host_path: String,
    /// The absolute path inside the sandbox.
    pub guest_path: String,
    /// What the guest may do there.
    pub mode: DirMode,
}

/// What one attempt may use at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// All linear memories of the instance together.
    pub memory_bytes: u64,
    /// The output's JSON text.
    pub output_bytes: u64,
    /// The input's JSON text.
    pub input_bytes: u64,
    /// All log lines of the attempt, with standard output and error.
    pub log_bytes: u64,
    /// All elements of all tables together.
    pub table_elements: u64,
    /// Work done by the host for the guest, in wasmtime's units of host-call fuel.
    pub hostcall_fuel: u64,
    /// One value of the run's key-value store.
    pub kv_value_bytes: u64,
    /// All keys and values of the run's key-value store.
    pub kv_total_bytes: u64,
}

impl Default for Limits {
    /// Room for a Python or JavaScript guest at ordinary work.
    fn default() -> Self {
        Self {
            memory_bytes: 512 << 20,
            output_bytes: 16 << 20,
            input_bytes: 64 << 20,
            log_bytes: 1 << 20,
            table_elements: 400_000,
            hostcall_fuel: 128 << 20,
            kv_value_bytes: 64 << 10,
            kv_total_bytes: 1 << 20,
        }
    }
}

/// A plugin as a run holds it from its start to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinnedPlugin {
    /// The name that the definition's steps use.
    pub alias: Name,
    /// The component (or core module) by content.
    pub digest: Digest,
    /// The directories that its steps see.
    pub dirs: Vec<DirGrant>,
    /// What each attempt may use.
    pub limits: Limits,
}
