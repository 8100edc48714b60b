//! Summaries in their stored form.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wfhost_workflow::run::{RunStatus, RunSummary};
use wfhost_workflow::{Digest, Revision, RunId, TimestampMs};

use super::{Unreadable, decode, encode, value};
use crate::Error;

/// A summary is rewritten with every commit, so it must stay small.
const SUMMARY_BYTES_MAX: usize = 16 << 10;

#[derive(Serialize, Deserialize)]
struct StoredSummary<'a> {
    workflow: Cow<'a, str>,
    version: Cow<'a, str>,
    #[serde(with = "value::digest")]
    definition: Digest,
    status: StoredStatus,
    revision: u64,
    started_at_ms: u64,
    changed_at_ms: u64,
    steps_done: u32,
    steps_total: u32,
    error: Option<Cow<'a, str>>,
    /// Absent before there were bundles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<value::StoredDigest>,
    /// Absent before there were upgrades.
    #[serde(default, skip_serializing_if = "is_none")]
    upgrades: u32,
}

/// Most runs have had none.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_none(upgrades: &u32) -> bool {
    *upgrades == 0
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StoredStatus {
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

/// The stored form of `summary`; the run's id is in the key.
pub(crate) fn encode_summary(summary: &RunSummary) -> Result<Vec<u8>, Error> {
    let RunSummary {
        run,
        workflow,
        version,
        definition,
        status,
        revision,
        started_at,
        changed_at,
        steps_done,
        steps_total,
        error,
        origin,
        upgrades,
    } = summary;
    let stored = StoredSummary {
        workflow: Cow::Borrowed(workflow),
        version: Cow::Borrowed(version),
        definition: *definition,
        status: match status {
            RunStatus::Running => StoredStatus::Running,
            RunStatus::Succeeded => StoredStatus::Succeeded,
            RunStatus::Failed => StoredStatus::Failed,
            RunStatus::Cancelled => StoredStatus::Cancelled,
        },
        revision: revision.0,
        started_at_ms: started_at.0,
        changed_at_ms: changed_at.0,
        steps_done: *steps_done,
        steps_total: *steps_total,
        error: error.as_deref().map(Cow::Borrowed),
        origin: origin.map(value::StoredDigest),
        upgrades: *upgrades,
    };
    let bytes = encode(*run, &stored)?;
    if bytes.len() > SUMMARY_BYTES_MAX {
        return Err(Error::TooLarge {
            run: *run,
            what: "the summary",
            bytes: bytes.len(),
            max: SUMMARY_BYTES_MAX,
        });
    }
    Ok(bytes)
}

/// The inverse of [`encode_summary`].
pub(crate) fn decode_summary(run: RunId, payload: &[u8]) -> Result<RunSummary, Unreadable> {
    let stored: StoredSummary<'_> = decode(payload)?;
    Ok(RunSummary {
        run,
        workflow: Arc::from(stored.workflow),
        version: stored.version.into_owned(),
        definition: stored.definition,
        status: match stored.status {
            StoredStatus::Running => RunStatus::Running,
            StoredStatus::Succeeded => RunStatus::Succeeded,
            StoredStatus::Failed => RunStatus::Failed,
            StoredStatus::Cancelled => RunStatus::Cancelled,
        },
        revision: Revision(stored.revision),
        started_at: TimestampMs(stored.started_at_ms),
        changed_at: TimestampMs(stored.changed_at_ms),
        steps_done: stored.steps_done,
        steps_total: stored.steps_total,
        error: stored.error.map(Cow::into_owned),
        origin: stored.origin.map(|digest| digest.0),
        upgrades: stored.upgrades,
    })
}
