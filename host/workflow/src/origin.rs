//! Where a run's definition and plugins came from: the bundle that was deployed.

use serde::{Deserialize, Serialize};

use crate::Digest;

/// A version of a bundle, as those remember it that were started from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The bundle's name.
    pub bundle: String,
    /// Its version.
    pub version: String,
    /// Its digest.
    pub digest: Digest,
    /// Whose signatures counted when it was deployed: of each, the key's id and comment.
    pub signers: Vec<String>,
}

/// What a component is inside its bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginOrigin {
    /// The plugin's name.
    pub name: String,
    /// Its version.
    pub version: String,
}
