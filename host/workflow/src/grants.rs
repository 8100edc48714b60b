//! Permissions: what a plugin asks for, is given, and may use.

use serde::{Deserialize, Serialize};

use crate::{Digest, Limits, Name, PluginOrigin};

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

/// Whether a plugin's attempts may see the world change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Determinism {
    /// Real clocks and randomness.
    #[default]
    Relaxed,
    /// Clocks and randomness follow from run, step, index and attempt; arithmetic is the
    /// same on every machine.
    Strict,
}

impl Determinism {
    /// The word in workflow files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Relaxed => "relaxed",
            Self::Strict => "strict",
        }
    }

    /// Whether the same input gives the same bytes.
    #[must_use]
    pub const fn is_strict(self) -> bool {
        matches!(self, Self::Strict)
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
    /// Whether the same input gives the same output, to the byte.
    #[serde(default)]
    pub determinism: Determinism,
    /// What it is in its bundle. `None`: it came from a file.
    #[serde(default)]
    pub plugin: Option<PluginOrigin>,
}
