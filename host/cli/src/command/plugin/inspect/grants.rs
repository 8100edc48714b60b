//! What the manifest asks for beside what the component imports.

use wfhost_plugin::Manifest;
use wfhost_plugin::facts::{ComponentFacts, Offer};

/// The directories of `plugin.toml`, by their key.
const DIRS: &str = "grants.dirs";

/// Where manifest and imports do not agree.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Disagreement {
    /// `grants.dirs` is asked for, and the component has no use for it.
    NotNeeded(&'static str),
    /// The component has a use for it, and does not ask.
    NotAsked(&'static str),
}

pub(super) fn compare(facts: &ComponentFacts, manifest: Option<&Manifest>) -> Vec<Disagreement> {
    let needs = facts.imports.iter().any(|import| match &import.offer {
        Offer::ByGrant { grant } => grant == DIRS && !import.functions.is_empty(),
        Offer::Always | Offer::Denied { .. } | Offer::Never { .. } => false,
    });
    let asks = manifest.is_some_and(|manifest| !manifest.dirs.is_empty());
    match (asks, needs) {
        (true, false) => vec![Disagreement::NotNeeded(DIRS)],
        (false, true) => vec![Disagreement::NotAsked(DIRS)],
        (true, true) | (false, false) => Vec::new(),
    }
}
