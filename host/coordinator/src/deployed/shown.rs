//! From what is deployed to what clients see of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use wfhost_bundle::catalogue::{Canary, Catalogue, Counts, Deployed, DeployedVersion, Tally};
use wfhost_bundle::trust::{Trust, TrustPolicy};
use wfhost_transport::client::{
    Answer, Canary as ShownAsk, Refusal, ShownBundle, ShownCanary, ShownChange, ShownCounts,
    ShownSigner, ShownVersion,
};
use wfhost_workflow::{Digest, TimestampMs};

use crate::event_loop::EventLoop;

/// What else is known of versions.
#[derive(Clone, Copy)]
pub(super) struct With<'w> {
    open: &'w BTreeMap<Digest, u64>,
    tally: &'w Tally,
    trust: &'w TrustPolicy,
    now: TimestampMs,
}

impl EventLoop {
    pub(super) fn shown_with<'w>(&'w self, open: &'w BTreeMap<Digest, u64>) -> With<'w> {
        let now = self.parts.clock.now();
        With { open, tally: &self.deployments.tally, trust: &self.parts.deploys.trust, now }
    }

    pub(super) fn answer_about(
        &self,
        catalogue: &Catalogue,
        name: &str,
        open: &BTreeMap<Digest, u64>,
    ) -> Answer {
        match catalogue.bundle(name) {
            Some(deployed) => {
                Answer::Bundle(Box::new(bundle(self.shown_with(open), deployed, true)))
            }
            None => {
                let name: String = name.chars().take(80).collect();
                let message = format!("no bundle `{name}` is deployed");
                Answer::Refused(Refusal::NotFound(message))
            }
        }
    }
}

pub(super) fn bundle(with: With<'_>, deployed: &Deployed, history: bool) -> ShownBundle {
    let trust = with.trust.current().map_or_else(Arc::default, |current| current.trust);
    let change = |entry: &wfhost_bundle::catalogue::Entry| ShownChange {
        at: entry.at,
        what: entry.what.name().to_owned(),
        version: entry.version,
        from: entry.from,
        why: entry.why.clone(),
    };
    let versions = deployed.versions.iter();
    ShownBundle {
        name: deployed.name.clone(),
        revision: deployed.revision,
        active: deployed.active,
        canary: deployed.canary.as_ref().map(|it| canary(with, it)),
        versions: versions.map(|it| version(with, &trust, &deployed.name, it)).collect(),
        history: deployed.history.iter().filter(|_| history).map(change).collect(),
    }
}

fn canary(with: With<'_>, canary: &Canary) -> ShownCanary {
    let Canary { version, ask, since, before } = canary;
    let counts = with.tally.of(*version).since(before);
    ShownCanary {
        version: *version,
        ask: ShownAsk {
            share: ask.share.hundredths(),
            abort_over: ask.abort_over.map(|share| share.hundredths()),
            runs_min: ask.runs_min,
        },
        since: *since,
        counts: shown_counts(&counts, with.open.get(version).copied().unwrap_or_default()),
    }
}

fn version(with: With<'_>, trust: &Trust, name: &str, version: &DeployedVersion) -> ShownVersion {
    let keys = || version.signers.iter().map(|signer| signer.key);
    let signer = |signed: &wfhost_bundle::catalogue::SignedBy| ShownSigner {
        key: signed.key.to_string(),
        comment: signed.comment.clone(),
        standing: trust.standing(signed.key, name, with.now).to_string(),
    };
    let detail = &version.detail;
    let plugins = detail.plugins.iter();
    let open = with.open.get(&version.digest).copied().unwrap_or_default();
    ShownVersion {
        digest: version.digest,
        version: version.version.to_string(),
        deployed_at: version.deployed_at,
        pinned: version.pinned,
        signatures: version.signatures,
        contracts: version.contracts,
        signers: version.signers.iter().map(signer).collect(),
        refused: with.trust.admit_keys(name, keys(), with.now).err().map(|why| why.to_string()),
        counts: shown_counts(&with.tally.of(version.digest), open),
        description: detail.description.clone(),
        workflows: detail
            .workflows
            .iter()
            .map(|workflow| (workflow.name.to_string(), workflow.version.clone()))
            .collect(),
        plugins: plugins.map(|it| (it.name.clone(), it.version.clone(), it.component)).collect(),
    }
}

fn shown_counts(counts: &Counts, open: u64) -> ShownCounts {
    let Counts { started, succeeded, failed, cancelled, succeeded_ms } = *counts;
    let mean_ms = succeeded_ms.checked_div(succeeded);
    ShownCounts { started, open, succeeded, failed, cancelled, mean_ms }
}
