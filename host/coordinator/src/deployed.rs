//! What is deployed: changes of it, one after the other, each durable before runs get it.
//!
//! A start sees what was deployed before a change or after it, never a part: the catalogue is
//! replaced as a whole, on the thread that starts runs. What goes is gone for starts at once.

mod change;
mod inspect;
mod shown;
mod start;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use wfhost_bundle::catalogue::{Catalogue, Change, Ended, NoteWrite, Tally};
use wfhost_bundle::trust::TrustPolicy;
use wfhost_checkpoint as checkpoint;
use wfhost_transport::client::Refusal;
use wfhost_transport::message::BundleOrigin;
use wfhost_workflow::run::{Run, RunSummary};
use wfhost_workflow::{Digest, DurationMs, MonotonicMs, OperatorLimits, RunId};

use crate::commands::ReplyTo;
use crate::event_loop::EventLoop;
use crate::queries::Query;

pub(crate) use inspect::{BundleQuery, BundlesAsked};
pub(crate) use start::Starting;

/// How old counts of ended runs may be in the store: a process that dies loses at most so much.
const TALLY_AFTER: DurationMs = DurationMs(2_000);

/// Changes that wait for the one that is being stored.
const WAITING_MAX: usize = 64;

/// Whose bundles are deployed, and what they may have.
#[derive(Debug)]
pub struct DeployOptions {
    /// Whose.
    pub trust: TrustPolicy,
    /// What they may be given; read whenever it is asked. `None` or no such file: nothing.
    pub policy: Option<PathBuf>,
    /// The most that their plugins may use.
    pub limits: OperatorLimits,
    /// How many versions of each bundle stay that nothing needs.
    pub keep_last: usize,
}

impl Default for DeployOptions {
    /// Nobody's, and nothing.
    fn default() -> Self {
        Self {
            trust: TrustPolicy::default(),
            policy: None,
            limits: OperatorLimits::default(),
            keep_last: wfhost_bundle::catalogue::KEEP_LAST,
        }
    }
}

/// What is deployed, as the event loop has it.
#[derive(Default)]
pub(crate) struct Deployments {
    catalogue: Catalogue,
    tally: Tally,
    /// Since when the store has other counts.
    uncounted: Option<MonotonicMs>,
    /// What is on its way to the store.
    storing: Option<Storing>,
    waiting: VecDeque<(Wanted, ReplyTo)>,
    /// Open runs of each version that the store has and this process does not serve.
    unserved: BTreeMap<Digest, u64>,
}

struct Storing {
    next: Catalogue,
    /// Which bundle the answer is about.
    name: Option<String>,
    /// Versions that nothing needs may go afterwards.
    collect: bool,
}

/// A change that somebody wants.
struct Wanted {
    change: Change,
    name: Option<String>,
    /// Only whether it could be done.
    plan: bool,
}

impl Deployments {
    /// Of a store's notes.
    pub(crate) fn read(store: &dyn checkpoint::Store) -> Result<Self, Refusal> {
        let failed = |error: &dyn std::fmt::Display| {
            Refusal::Store(format!("what is deployed cannot be read: {error}"))
        };
        let notes = store.notes().map_err(|error| failed(&error))?;
        let notes = notes.iter().map(|note| (&*note.name, &*note.bytes, &*note.references));
        let (catalogue, tally) = Catalogue::read(notes).map_err(|error| failed(&error))?;
        Ok(Self { catalogue, tally, ..Self::default() })
    }

    /// A run of a bundle's version could not be read back: it needs the version all the same.
    pub(crate) fn note_unserved(&mut self, summary: &RunSummary) {
        if let Some(origin) = summary.origin {
            *self.unserved.entry(origin).or_default() += 1;
        }
    }

    pub(crate) fn started(&mut self, version: Digest, now: MonotonicMs) {
        self.tally.started(version);
        self.uncounted.get_or_insert(now);
    }

    fn due(&self, now: MonotonicMs) -> bool {
        self.uncounted.is_some_and(|since| now - since >= TALLY_AFTER)
    }
}

impl EventLoop {
    /// What the workers of a run's steps look at before they run them; `None`: it was started
    /// from a file.
    pub(crate) fn origin_of(&self, run: RunId) -> Option<BundleOrigin> {
        let bundle = self.runs.get(run)?.origin?;
        let mut bundles = self.deployments.catalogue.bundles();
        let version = bundles.find_map(|deployed| deployed.version(bundle));
        // Without a version there is nothing that a worker could look at: it refuses.
        let signatures = version.map_or(bundle, |version| version.signatures);
        Some(BundleOrigin { bundle, signatures })
    }

    /// A run of a version is over and durable.
    pub(crate) fn count_ended(&mut self, run: &Run) {
        let RunSummary { origin, status, started_at, changed_at, .. } = run.summary();
        let Some(version) = origin else { return };
        self.deployments.tally.ended(version, Ended { status, took: changed_at - started_at });
        let now = self.parts.clock.monotonic();
        self.deployments.uncounted.get_or_insert(now);
        self.judge(version);
    }

    /// A run that had failed goes on.
    pub(crate) fn count_reopened(&mut self, run: &Run) {
        if let Some(version) = run.summary().origin {
            self.deployments.tally.reopened(version);
        }
    }

    /// Stores counts that have waited long enough.
    pub(crate) fn store_counts(&mut self, now: MonotonicMs) {
        if !self.deployments.due(now) {
            return;
        }
        self.deployments.uncounted = None;
        let Deployments { catalogue, tally, .. } = &mut self.deployments;
        tally.retain(|version| catalogue.bundles().any(|it| it.version(*version).is_some()));
        let note = to_store(tally.written());
        self.ask(Query::WriteNotes { notes: vec![note], change: None }, ReplyTo::Nobody);
    }

    /// The last counts, of a process that ends.
    pub(crate) fn store_last_counts(&self) {
        if self.deployments.uncounted.is_none() || self.parts.failure.get().is_some() {
            return;
        }
        let note = to_store(self.deployments.tally.written());
        if let Err(error) = self.parts.store.write_notes(&[note]) {
            tracing::warn!(%error, "the last counts of ended runs are not stored");
        }
    }

    /// How many open runs each version has: those that are served, and those that are not.
    fn open_by_version(&self, scanned: Option<BTreeMap<Digest, u64>>) -> BTreeMap<Digest, u64> {
        let mut served = BTreeMap::new();
        for origin in self.runs.slots().filter_map(|slot| slot.origin) {
            *served.entry(origin).or_insert(0) += 1;
        }
        match scanned {
            // The scan has those that are served, but for those that were just started.
            Some(mut open) => {
                for (version, runs) in served {
                    let known = open.entry(version).or_default();
                    *known = runs.max(*known);
                }
                open
            }
            None => {
                for (version, runs) in &self.deployments.unserved {
                    *served.entry(*version).or_default() += runs;
                }
                served
            }
        }
    }
}

fn to_store(note: NoteWrite) -> checkpoint::NoteWrite {
    let NoteWrite { name, value } = note;
    checkpoint::NoteWrite { name, value }
}
