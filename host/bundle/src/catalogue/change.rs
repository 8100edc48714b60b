//! Changes of what is deployed, each whole or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use wfhost_workflow::definition::did_you_mean;
use wfhost_workflow::{Digest, TimestampMs};

use super::{Canary, CanaryAsk, Catalogue, Deployed, DeployedVersion, Done, Entry, Tally};

/// What somebody wants changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A version is deployed: new runs get it, or a share of them.
    Deploy(Box<Deploy>),
    /// New runs get an earlier version: the one that is named, or what was active before the
    /// active one. Without a name, a version that is tried is given up instead.
    Rollback {
        /// The bundle.
        name: String,
        /// The version, as somebody names it.
        to: Option<String>,
    },
    /// New runs get the version that was tried.
    Promote {
        /// The bundle.
        name: String,
    },
    /// The version that is tried gets no more runs.
    Abort {
        /// The bundle.
        name: String,
        /// Why, for people.
        why: String,
    },
    /// A version is kept, or no longer.
    Pin {
        /// The bundle.
        name: String,
        /// The version, as somebody names it.
        version: String,
        /// Whether it is kept.
        pinned: bool,
    },
    /// A version goes, or all of them.
    Remove {
        /// The bundle.
        name: String,
        /// The version, as somebody names it; `None`: the bundle.
        version: Option<String>,
    },
    /// Versions that nothing needs go.
    Collect {
        /// The newest of each bundle stay.
        keep_last: usize,
    },
}

/// A version that is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deploy {
    /// The bundle's name.
    pub name: String,
    /// The version.
    pub version: DeployedVersion,
    /// What was active when it was decided (`Some(None)`: nothing); `None`: whatever is.
    pub over: Option<Option<Digest>>,
    /// The older version that somebody named in so many words.
    pub downgrade: Option<String>,
    /// Only a share of new runs gets it.
    pub canary: Option<CanaryAsk>,
}

/// Why nothing is changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nothing is deployed under that name.
    #[error("no bundle `{name}` is deployed{}", near.as_ref().map(|near| format!(": {near}")).unwrap_or_default())]
    NoBundle {
        /// As it was named.
        name: String,
        /// A name that is like it.
        near: Option<String>,
    },
    /// It has no such version.
    #[error("bundle `{name}` has no version `{version}`: it has {}", known.join(", "))]
    NoVersion {
        /// The bundle.
        name: String,
        /// As it was named.
        version: String,
        /// Those that it has.
        known: Vec<String>,
    },
    /// Somebody else was faster.
    #[error("`{name}` was changed meanwhile: {now} is active now")]
    Overtaken {
        /// The bundle.
        name: String,
        /// What is active.
        now: String,
    },
    /// It is older than what is active.
    #[error("{offered} of `{name}` is older than {active}, which is active")]
    Downgrade {
        /// The bundle.
        name: String,
        /// The active version.
        active: String,
        /// The older one.
        offered: String,
    },
    /// The downgrade that was named is not this one.
    #[error("the bundle is version {offered}, and {named} was to be gone back to")]
    OtherDowngrade {
        /// As it was named.
        named: String,
        /// What it is.
        offered: String,
    },
    /// There is such a version, and it is another.
    #[error("version {version} of `{name}` is deployed already, with other contents ({known})")]
    SameVersion {
        /// The bundle.
        name: String,
        /// The version.
        version: String,
        /// What is deployed under it.
        known: Digest,
    },
    /// Another bundle has a workflow of that name.
    #[error("workflow `{workflow}` is already deployed, by bundle `{by}`")]
    WorkflowTaken {
        /// The workflow.
        workflow: String,
        /// Whose it is.
        by: String,
    },
    /// A version is being tried.
    #[error("version {tried} of `{name}` is being tried")]
    Trying {
        /// The bundle.
        name: String,
        /// The version that is tried.
        tried: String,
    },
    /// A first version cannot be tried beside another.
    #[error("`{0}` is not deployed yet: there is nothing that the other runs could get")]
    NothingBeside(String),
    /// No version is tried.
    #[error("no version of `{0}` is being tried")]
    NotTrying(String),
    /// Nothing was active before.
    #[error("nothing of `{name}` was active before {active}, or it is no longer kept")]
    NothingBefore {
        /// The bundle.
        name: String,
        /// The active version.
        active: String,
    },
    /// A version that is needed.
    #[error("version {version} of `{name}` {why}")]
    Needed {
        /// The bundle.
        name: String,
        /// The version.
        version: String,
        /// By what.
        why: String,
    },
}

impl Refused {
    /// What to do about it, for people.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoBundle { .. } => "`wfhost bundles list` shows what is deployed".to_owned(),
            Self::Overtaken { .. } => "look at the plan again".to_owned(),
            Self::Downgrade { offered, .. } => {
                format!("`--downgrade {offered}` if that is what you want")
            }
            Self::SameVersion { .. } => "raise `version` in bundle.toml".to_owned(),
            Self::Trying { name, .. } => format!(
                "`wfhost bundles promote {name}` or `wfhost bundles abort {name}` ends the trial"
            ),
            Self::NothingBefore { .. } => {
                "`--to VERSION` names one; `wfhost bundles show` lists those that are kept"
                    .to_owned()
            }
            Self::NoVersion { .. }
            | Self::OtherDowngrade { .. }
            | Self::WorkflowTaken { .. }
            | Self::NothingBeside(_)
            | Self::NotTrying(_)
            | Self::Needed { .. } => return None,
        })
    }
}

/// How many open runs each version has.
pub(super) type Open<'o> = &'o BTreeMap<Digest, u64>;

impl Catalogue {
    /// What is deployed after a change: the same, if there is nothing to change. `open` says how
    /// many open runs versions have, those that were just started among them.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn changed(
        &self,
        change: Change,
        now: TimestampMs,
        open: Open<'_>,
        tally: &Tally,
    ) -> Result<Self, Refused> {
        let mut next = self.clone();
        match change {
            Change::Deploy(deploy) => next.deploy(*deploy, now, tally)?,
            Change::Rollback { name, to } => {
                next.edit(&name, |bundle| bundle.roll_back(to.as_deref(), now))?;
            }
            Change::Promote { name } => next.edit(&name, |bundle| bundle.promote(now))?,
            Change::Abort { name, why } => next.edit(&name, |bundle| bundle.abort(why, now))?,
            Change::Pin { name, version, pinned } => {
                next.edit(&name, |bundle| bundle.pin(&version, pinned))?;
            }
            Change::Remove { name, version } => next.remove(&name, version.as_deref(), open)?,
            Change::Collect { keep_last } => next.collect(keep_last, open),
        }
        next.check_names(self)?;
        Ok(next)
    }

    fn edit(
        &mut self,
        name: &str,
        edit: impl FnOnce(&mut Deployed) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        let near = did_you_mean(name, self.bundles.keys().map(String::as_str));
        let Some(bundle) = self.bundles.get_mut(name) else {
            return Err(Refused::NoBundle { name: name.chars().take(80).collect(), near });
        };
        let mut changed = Deployed::clone(bundle);
        edit(&mut changed)?;
        if changed != **bundle {
            changed.revision += 1;
            *bundle = Arc::new(changed);
        }
        Ok(())
    }

    fn deploy(&mut self, deploy: Deploy, now: TimestampMs, tally: &Tally) -> Result<(), Refused> {
        let active = self.bundle(&deploy.name).map(|bundle| bundle.active);
        if deploy.over.is_some_and(|over| over != active) {
            let bundle = self.bundle(&deploy.name);
            let now = bundle.map_or_else(|| "nothing".to_owned(), Deployed::active_text);
            return Err(Refused::Overtaken { name: deploy.name, now });
        }
        if active.is_some() {
            let name = deploy.name.clone();
            return self.edit(&name, |bundle| bundle.deploy(deploy, now, tally));
        }
        if deploy.canary.is_some() {
            return Err(Refused::NothingBeside(deploy.name));
        }
        let digest = deploy.version.digest;
        let mut first = Deployed {
            name: deploy.name.clone(),
            revision: 1,
            active: digest,
            canary: None,
            versions: vec![deploy.version],
            history: Vec::new(),
        };
        first.note(Entry {
            at: now,
            what: Done::Deployed,
            version: digest,
            from: None,
            why: String::new(),
        });
        self.bundles.insert(deploy.name, Arc::new(first));
        Ok(())
    }

    fn remove(&mut self, name: &str, version: Option<&str>, open: Open<'_>) -> Result<(), Refused> {
        let Some(version) = version else {
            return self.remove_all(name, open);
        };
        self.edit(name, |bundle| {
            let found = bundle.named(version)?;
            if let Some(why) = bundle.why_needed(found, open) {
                return Err(bundle.needed(found, why));
            }
            let digest = found.digest;
            bundle.versions.retain(|version| version.digest != digest);
            Ok(())
        })
    }

    fn remove_all(&mut self, name: &str, open: Open<'_>) -> Result<(), Refused> {
        self.edit(name, |bundle| {
            let busy = |version: &&DeployedVersion| open.contains_key(&version.digest);
            match bundle.versions.iter().find(busy) {
                Some(version) => {
                    let runs = open.get(&version.digest).copied().unwrap_or_default();
                    Err(bundle.needed(version, has_open(runs)))
                }
                None => Ok(()),
            }
        })?;
        self.bundles.remove(name);
        Ok(())
    }

    /// A workflow's name must not come to belong to two bundles.
    fn check_names(&self, before: &Self) -> Result<(), Refused> {
        let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
        let mut taken = Vec::new();
        for bundle in self.bundles() {
            for version in bundle.served() {
                for workflow in &version.detail.workflows {
                    let other = owners.insert(&workflow.name, &bundle.name);
                    if let Some(other) = other.filter(|other| *other != bundle.name) {
                        taken.push((&*workflow.name, other, bundle.name.as_str()));
                    }
                }
            }
        }
        let Some((workflow, one, other)) = taken.pop() else { return Ok(()) };
        let had = before.owner_of(workflow).map(|owner| owner.name.as_str());
        let by = if had == Some(other) { other } else { one };
        Err(Refused::WorkflowTaken { workflow: workflow.to_owned(), by: by.to_owned() })
    }
}

impl Deployed {
    fn deploy(&mut self, deploy: Deploy, now: TimestampMs, tally: &Tally) -> Result<(), Refused> {
        let Deploy { version, downgrade, canary, .. } = deploy;
        self.check_order(&version, downgrade)?;
        let tried = self.canary.as_ref().map(|canary| canary.version);
        if tried.is_some_and(|tried| tried != version.digest) && version.digest != self.active {
            return Err(self.trying(tried));
        }
        let digest = version.digest;
        self.take_in(version);
        match canary {
            _ if digest == self.active => {}
            Some(ask) => {
                let before = tally.of(digest);
                self.canary = Some(Canary { version: digest, ask, since: now, before });
                self.log(now, Done::Tried, digest, None, String::new());
            }
            None => {
                self.canary = None;
                self.activate(digest, Done::Deployed, now);
            }
        }
        Ok(())
    }

    fn check_order(
        &self,
        version: &DeployedVersion,
        downgrade: Option<String>,
    ) -> Result<(), Refused> {
        let offered = version.version.to_string();
        let same = |known: &&DeployedVersion| {
            known.version == version.version && known.digest != version.digest
        };
        if let Some(known) = self.versions.iter().find(same) {
            let (name, known) = (self.name.clone(), known.digest);
            return Err(Refused::SameVersion { name, version: offered, known });
        }
        let Some(active) = self.version(self.active) else { return Ok(()) };
        let is_older = version.version < active.version;
        match downgrade {
            Some(named) if named != offered => Err(Refused::OtherDowngrade { named, offered }),
            None if is_older => Err(Refused::Downgrade {
                name: self.name.clone(),
                active: active.version.to_string(),
                offered,
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// A version that is known may come with other signatures.
    fn take_in(&mut self, version: DeployedVersion) {
        match self.version_mut(version.digest) {
            Some(known) if known.signatures != version.signatures => {
                let DeployedVersion { signatures, signers, detail, .. } = version;
                (known.signatures, known.signers, known.detail) = (signatures, signers, detail);
                known.contracts = version.contracts;
            }
            Some(_) => {}
            None => self.versions.push(version),
        }
    }

    fn activate(&mut self, digest: Digest, what: Done, now: TimestampMs) {
        let from = self.active;
        if let Some(version) = self.version_mut(digest) {
            version.after = Some(from);
        }
        self.active = digest;
        self.log(now, what, digest, Some(from), String::new());
    }

    fn roll_back(&mut self, to: Option<&str>, now: TimestampMs) -> Result<(), Refused> {
        if to.is_none() && self.canary.is_some() {
            return self.abort("rolled back".to_owned(), now);
        }
        let target = match to {
            Some(text) => self.named(text)?.digest,
            None => self.before_active().ok_or_else(|| Refused::NothingBefore {
                name: self.name.clone(),
                active: self.active_text(),
            })?,
        };
        if target == self.active && self.canary.is_none() {
            return Ok(());
        }
        // What came before it stays what came before it: going back again goes further back.
        let from = self.active;
        self.canary = None;
        self.active = target;
        self.log(now, Done::RolledBack, target, Some(from), String::new());
        Ok(())
    }

    /// What was active before the active version, if it is still kept.
    pub(super) fn before_active(&self) -> Option<Digest> {
        let before = self.version(self.active)?.after?;
        self.version(before).map(|version| version.digest)
    }

    fn promote(&mut self, now: TimestampMs) -> Result<(), Refused> {
        let canary = self.canary.take().ok_or_else(|| Refused::NotTrying(self.name.clone()))?;
        self.activate(canary.version, Done::Promoted, now);
        Ok(())
    }

    fn abort(&mut self, why: String, now: TimestampMs) -> Result<(), Refused> {
        let canary = self.canary.take().ok_or_else(|| Refused::NotTrying(self.name.clone()))?;
        self.log(now, Done::Aborted, canary.version, None, why);
        Ok(())
    }

    fn pin(&mut self, version: &str, pinned: bool) -> Result<(), Refused> {
        let digest = self.named(version)?.digest;
        if let Some(version) = self.version_mut(digest) {
            version.pinned = pinned;
        }
        Ok(())
    }

    fn log(
        &mut self,
        at: TimestampMs,
        what: Done,
        version: Digest,
        from: Option<Digest>,
        why: String,
    ) {
        self.note(Entry { at, what, version, from, why });
    }

    fn trying(&self, tried: Option<Digest>) -> Refused {
        let tried = tried.and_then(|digest| self.version(digest));
        Refused::Trying {
            name: self.name.clone(),
            tried: tried.map(|version| version.version.to_string()).unwrap_or_default(),
        }
    }

    fn needed(&self, version: &DeployedVersion, why: String) -> Refused {
        Refused::Needed { name: self.name.clone(), version: version.version.to_string(), why }
    }

    /// The active version's text.
    #[must_use]
    pub fn active_text(&self) -> String {
        self.version(self.active).map(|version| version.version.to_string()).unwrap_or_default()
    }

    /// By what a version is needed, whoever wants it gone.
    pub(super) fn why_needed(&self, version: &DeployedVersion, open: Open<'_>) -> Option<String> {
        let runs = open.get(&version.digest).copied().unwrap_or_default();
        if version.digest == self.active {
            return Some("is active".to_owned());
        }
        if self.canary.as_ref().is_some_and(|canary| canary.version == version.digest) {
            return Some("is being tried".to_owned());
        }
        if runs > 0 {
            return Some(has_open(runs));
        }
        version.pinned.then(|| "is pinned".to_owned())
    }
}

fn has_open(runs: u64) -> String {
    let noun = if runs == 1 { "run" } else { "runs" };
    format!("has {runs} open {noun}")
}
