//! What clients ask about bundles, and what they are told.

use serde::{Deserialize, Serialize};
use wfhost_workflow::{Digest, Json, Origin, RunId, TimestampMs};

/// Bytes of one part of a content that a client reads.
pub const GET_BYTES_MAX: u32 = crate::codec::CHUNK_BYTES;

/// A run of a deployed workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StartDeployed {
    /// Chosen by the client, so that a repeated request is noticed.
    pub run: RunId,
    /// The workflow's name, or `bundle/workflow`.
    pub workflow: String,
    /// A version of its bundle: its text, or the beginning of its digest. `None`: what new runs
    /// get.
    pub version: Option<String>,
    /// The run's input.
    pub input: Json,
}

/// A version of a bundle that is to be deployed. All its contents are in the content store before
/// this is sent; for a plan, its list of files, manifests and workflows are enough.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deploy {
    /// The bundle's digest: that of its list of files.
    pub bundle: Digest,
    /// The text of its signatures, a content.
    pub signatures: Digest,
    /// What its components offer: a JSON object of lists of contracts, by the digest of the
    /// component; a content.
    pub contracts: Digest,
    /// Refused where another version is active by now. `None`: whatever is.
    pub over: Option<Seen>,
    /// The older version that is to be gone back to, in so many words.
    pub downgrade: Option<String>,
    /// Only a share of new runs gets it.
    pub canary: Option<Canary>,
    /// Nothing is changed: only whether it could be.
    pub plan: bool,
}

/// What was active when a deploy was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// Nothing was deployed under the name.
    Nothing,
    /// This version.
    Version(Digest),
}

/// How a version is tried. Shares are in hundredths of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    /// Of new runs.
    pub share: u32,
    /// Of its ended runs, that may fail.
    pub abort_over: Option<u32>,
    /// Ended runs before that is decided.
    pub runs_min: u32,
}

/// Another change of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BundleChange {
    /// New runs get an earlier version.
    Rollback {
        /// Which; `None`: what was active before.
        to: Option<String>,
    },
    /// New runs get the version that is tried.
    Promote,
    /// The version that is tried gets no more runs.
    Abort,
    /// A version is kept, or no longer.
    Pin {
        /// Which.
        version: String,
        /// Whether it is kept.
        pinned: bool,
    },
    /// A version goes; `None`: the bundle.
    Remove {
        /// Which.
        version: Option<String>,
    },
}

/// A bundle, for people and scripts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShownBundle {
    /// Its name.
    pub name: String,
    /// Rises with every change.
    pub revision: u64,
    /// What new runs get.
    pub active: Digest,
    /// What a share of them gets.
    pub canary: Option<ShownCanary>,
    /// The newest last.
    pub versions: Vec<ShownVersion>,
    /// The newest last; only `Bundle` tells.
    pub history: Vec<ShownChange>,
}

/// A version that is tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShownCanary {
    /// Which.
    pub version: Digest,
    /// How.
    pub ask: Canary,
    /// Since when.
    pub since: TimestampMs,
    /// What its runs have come to since then.
    pub counts: ShownCounts,
}

/// A version of a bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShownVersion {
    /// Its digest.
    pub digest: Digest,
    /// As its manifest says.
    pub version: String,
    /// When it was first deployed.
    pub deployed_at: TimestampMs,
    /// It is kept.
    pub pinned: bool,
    /// Its signatures, a content.
    pub signatures: Digest,
    /// What its components offer, a content.
    pub contracts: Digest,
    /// Who has signed, and whether that counts now.
    pub signers: Vec<ShownSigner>,
    /// Why no run is started from it, if none is.
    pub refused: Option<String>,
    /// What runs of it have come to.
    pub counts: ShownCounts,
    /// For people.
    pub description: String,
    /// Its workflows: name and version.
    pub workflows: Vec<(String, String)>,
    /// Its plugins: name, version, component.
    pub plugins: Vec<(String, String, Digest)>,
}

/// Who has signed a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownSigner {
    /// The key's id.
    pub key: String,
    /// Whose it is.
    pub comment: String,
    /// What its signature counts for now, in words.
    pub standing: String,
}

/// What runs of a version have come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ShownCounts {
    /// Runs that were started.
    pub started: u64,
    /// Runs that are not over.
    pub open: u64,
    /// Runs with an output.
    pub succeeded: u64,
    /// Runs that failed.
    pub failed: u64,
    /// Runs that somebody ended.
    pub cancelled: u64,
    /// How long those that succeeded took, on average; `None`: there is none.
    pub mean_ms: Option<u64>,
}

/// Something that was done to a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownChange {
    /// When.
    pub at: TimestampMs,
    /// `deployed`, `tried`, `promoted`, `aborted`, `rolled-back`.
    pub what: String,
    /// To which version.
    pub version: Digest,
    /// What was active before, if that changed.
    pub from: Option<Digest>,
    /// Why; empty where nobody said.
    pub why: String,
}

/// What was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Of which version.
    pub origin: Origin,
    /// The workflow.
    pub workflow: String,
    /// Its own version.
    pub version: String,
    /// Its file.
    pub definition: Digest,
}
