//! Reads a bundle that is to be deployed, and decides whether it may be: on the thread that may
//! block.

use std::collections::BTreeMap;
use std::sync::Arc;

use wfhost_bundle::catalogue::{self, DeployedVersion, SignedBy};
use wfhost_bundle::policy::Policy;
use wfhost_bundle::trust::{NotAdmitted, Signer};
use wfhost_bundle::{Bundle, KeyError, StoredError};
use wfhost_transport::client::{BundleChange, Deploy, Refusal, Seen};
use wfhost_workflow::definition::{Draft, Offer};
use wfhost_workflow::{Contract, Digest, TimestampMs};

use super::DeployOptions;
use super::change::canary_of;
use crate::queries::{Sources, store_failed};

/// Contracts of some thousand functions.
const CONTRACTS_BYTES_MAX: u64 = 64 << 20;

/// What is asked about bundles.
pub(crate) enum BundleQuery {
    All,
    One(String),
    Change(String, BundleChange),
    Deploy(Box<Deploy>),
    Collect { keep_last: usize },
}

/// The same, with what had to be read for it.
pub(crate) enum BundlesAsked {
    All,
    One(String),
    Change(String, BundleChange),
    Deploy(Box<Inspected>),
    Collect { keep_last: usize },
}

/// A bundle that may be deployed, as far as it is looked at by itself.
pub(crate) struct Inspected {
    pub(crate) deploy: catalogue::Deploy,
    pub(crate) plan: bool,
}

impl Sources {
    pub(crate) fn bundles(
        &self,
        query: BundleQuery,
        now: TimestampMs,
    ) -> Result<BundlesAsked, Refusal> {
        Ok(match query {
            BundleQuery::All => BundlesAsked::All,
            BundleQuery::One(name) => BundlesAsked::One(name),
            BundleQuery::Change(name, change) => BundlesAsked::Change(name, change),
            BundleQuery::Collect { keep_last } => BundlesAsked::Collect { keep_last },
            BundleQuery::Deploy(deploy) => {
                BundlesAsked::Deploy(Box::new(self.inspect(&deploy, now)?))
            }
        })
    }

    fn inspect(&self, deploy: &Deploy, now: TimestampMs) -> Result<Inspected, Refusal> {
        let canary = deploy.canary.map(canary_of).transpose()?;
        let bundle = self.bundle(deploy.bundle, deploy.signatures)?;
        let name = bundle.manifest.name.clone();
        let signers = admitted(&self.deploys, &bundle, now)?;
        let contracts = self.contracts(deploy.contracts)?;
        check_offers(&bundle, &contracts)?;
        check_policy(&self.deploys, &bundle)?;
        if !deploy.plan {
            self.check_whole(&bundle)?;
        }
        let signers = signers.into_iter().map(|it| SignedBy { key: it.key, comment: it.comment });
        let version = DeployedVersion::of(
            &bundle,
            deploy.signatures,
            deploy.contracts,
            signers.collect(),
            now,
        );
        let over = deploy.over.map(|seen| match seen {
            Seen::Nothing => None,
            Seen::Version(digest) => Some(digest),
        });
        let (plan, downgrade) = (deploy.plan, deploy.downgrade.clone());
        let deploy = catalogue::Deploy { name, version, over, downgrade, canary };
        Ok(Inspected { deploy, plan })
    }

    /// A bundle of the content store; its components are not looked at.
    pub(crate) fn bundle(&self, digest: Digest, signatures: Digest) -> Result<Bundle, Refusal> {
        let get = |digest, bytes_max| self.content_of(digest, bytes_max);
        Bundle::from_contents(digest, signatures, get).map_err(|error| match error {
            StoredError::Get(refusal) => refusal,
            other => Refusal::Invalid(format!("bundle {digest}: {other}")),
        })
    }

    /// What the components of a version offer.
    pub(crate) fn contracts(
        &self,
        digest: Digest,
    ) -> Result<BTreeMap<Digest, Arc<Vec<Contract>>>, Refusal> {
        let bytes = self.content_of(digest, CONTRACTS_BYTES_MAX)?;
        let contracts: BTreeMap<Digest, Vec<Contract>> = serde_json::from_slice(&bytes)
            .map_err(|error| Refusal::Invalid(format!("the contracts {digest}: {error}")))?;
        Ok(contracts.into_iter().map(|(digest, all)| (digest, Arc::new(all))).collect())
    }

    fn content_of(&self, digest: Digest, bytes_max: u64) -> Result<Vec<u8>, Refusal> {
        let missing = || Refusal::Invalid(format!("{digest} is not in the content store"));
        let length = self.content.len(&digest).map_err(store_failed)?.ok_or_else(missing)?;
        if length > bytes_max {
            let message = format!("{digest} has {length} bytes, and may have {bytes_max}");
            return Err(Refusal::Invalid(message));
        }
        self.content.get(&digest).map_err(store_failed)
    }

    /// Every file is there and whole, and stays until the version refers to it.
    fn check_whole(&self, bundle: &Bundle) -> Result<(), Refusal> {
        for entry in bundle.tree.entries() {
            if !self.content.renew(&entry.digest).map_err(store_failed)? {
                let message = format!("`{}` ({}) was not sent", entry.path, entry.digest);
                return Err(Refusal::Invalid(message));
            }
        }
        Ok(())
    }
}

fn admitted(
    options: &DeployOptions,
    bundle: &Bundle,
    now: TimestampMs,
) -> Result<Vec<Signer>, Refusal> {
    let name = &bundle.manifest.name;
    options.trust.admit(name, &bundle.signatures, now).map_err(|why| {
        let hint = match why {
            NotAdmitted::NoList => {
                "`trust.toml` in the server's data folder, or `--trust FILE`, says whose bundles it takes; a development server may be started with `--allow-unsigned`"
            }
            NotAdmitted::Refused(_) => {
                "`wfhost bundle sign` signs it; the server's list of trusted keys says who may deploy what"
            }
        };
        Refusal::Denied(format!("bundle `{name}` is not deployed: {why}\nhint: {hint}"))
    })
}

/// Every workflow must fit what the plugins offer: nothing is deployed that cannot run.
fn check_offers(
    bundle: &Bundle,
    contracts: &BTreeMap<Digest, Arc<Vec<Contract>>>,
) -> Result<(), Refusal> {
    let refused = |text: String| Err(Refusal::Invalid(text));
    for plugin in &bundle.plugins {
        let Some(offered) = contracts.get(&plugin.component.digest) else {
            let what = "the contracts do not say what it offers";
            return refused(format!("{}: {what}", plugin.component.path));
        };
        let missing = plugin.manifest.missing_exports(offered);
        if let Some(name) = missing.first() {
            let what = format!("`exports` names `{name}`, which the component does not offer");
            return refused(format!("{}: {what}", plugin.path));
        }
    }
    for workflow in &bundle.workflows {
        let uses = workflow.definition.plugins.iter().zip(&workflow.components);
        let offer = |(used, component): (&wfhost_workflow::definition::PluginUse, _)| {
            let component: &wfhost_bundle::TreeEntry = component;
            let plugin = bundle.plugin_of(&component.path);
            let offer = Offer {
                contracts: contracts.get(&component.digest).cloned(),
                asks: plugin.map(|plugin| plugin.manifest.dirs.clone()),
                uses_files: None,
            };
            (used.alias.clone(), offer)
        };
        let checked = Draft::read(&workflow.source).check(&uses.map(offer).collect(), Vec::new());
        if checked.is_refused() {
            let path = workflow.file.path.as_str();
            let problems = wfhost_workflow::definition::render(
                &checked.problems,
                path,
                &workflow.source,
                &|_, text| text.to_owned(),
            );
            return refused(format!("{path} does not fit its plugins\n{}", problems.trim_end()));
        }
    }
    Ok(())
}

/// What an operator lets bundles be given.
pub(super) fn policy_of(options: &DeployOptions) -> Result<Policy, Refusal> {
    let Some(path) = &options.policy else { return Ok(Policy::default()) };
    match Policy::read(path) {
        Ok(policy) => Ok(policy),
        Err(KeyError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(Policy::default())
        }
        Err(error) => {
            let message = format!("the server's policy cannot be used: {error}");
            Err(Refusal::Denied(message))
        }
    }
}

fn check_policy(options: &DeployOptions, bundle: &Bundle) -> Result<(), Refusal> {
    let Err(denials) = policy_of(options)?.check(bundle) else { return Ok(()) };
    let name = &bundle.manifest.name;
    let mut text = format!("bundle `{name}` would be given what the policy does not allow");
    for denial in denials.iter().take(20) {
        text.push_str(&format!("\n  {denial}\n    to allow it, {}", denial.remedy));
    }
    Err(Refusal::Denied(text))
}
