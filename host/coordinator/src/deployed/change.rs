//! Changes of what is deployed, and the trial's end that nobody asked for.

use std::collections::BTreeMap;

use wfhost_bundle::catalogue::{CanaryAsk, Change, Refused, Verdict};
use wfhost_checkpoint::crash_points;
use wfhost_transport::client::{Answer, BundleChange, Canary, Refusal};
use wfhost_workflow::Digest;

use super::inspect::{BundleQuery, BundlesAsked, Inspected};
use super::{Storing, WAITING_MAX, Wanted, shown, to_store};
use crate::commands::ReplyTo;
use crate::event_loop::EventLoop;
use crate::queries::{Freed, Query};

impl EventLoop {
    /// Answers what was asked about bundles, now that what has to be read for it is there.
    pub(crate) fn bundles_asked(
        &mut self,
        asked: BundlesAsked,
        open: Option<BTreeMap<Digest, u64>>,
        reply: ReplyTo,
    ) {
        let wanted = match asked {
            BundlesAsked::All => {
                let open = self.open_by_version(open);
                let bundles = self.deployments.catalogue.bundles();
                let show = |bundle| shown::bundle(self.shown_with(&open), bundle, false);
                let answer = Answer::Bundles(bundles.map(show).collect());
                return self.reply(reply, answer);
            }
            BundlesAsked::One(name) => {
                let open = self.open_by_version(open);
                let answer = self.answer_about(&self.deployments.catalogue, &name, &open);
                return self.reply(reply, answer);
            }
            BundlesAsked::Change(name, change) => {
                let change = change_of(name.clone(), change);
                Wanted { change, name: Some(name), plan: false }
            }
            BundlesAsked::Collect { keep_last } => {
                Wanted { change: Change::Collect { keep_last }, name: None, plan: false }
            }
            BundlesAsked::Deploy(inspected) => {
                let Inspected { deploy, plan } = *inspected;
                let name = Some(deploy.name.clone());
                Wanted { change: Change::Deploy(Box::new(deploy)), name, plan }
            }
        };
        self.change(wanted, open, reply);
    }

    fn change(&mut self, wanted: Wanted, open: Option<BTreeMap<Digest, u64>>, reply: ReplyTo) {
        if self.deployments.storing.is_some() && !wanted.plan {
            if self.deployments.waiting.len() >= WAITING_MAX {
                let refusal = Refusal::Unavailable("too much is being deployed at once".to_owned());
                return self.reply(reply, Answer::Refused(refusal));
            }
            return self.deployments.waiting.push_back((wanted, reply));
        }
        let Wanted { change, name, plan } = wanted;
        let open = self.open_by_version(open);
        let goes = matches!(change, Change::Remove { .. } | Change::Collect { .. });
        let collect =
            matches!(change, Change::Deploy(_) | Change::Promote { .. } | Change::Abort { .. });
        let deployments = &mut self.deployments;
        let now = self.parts.clock.now();
        let next = match deployments.catalogue.changed(change, now, &open, &deployments.tally) {
            Ok(next) => next,
            Err(refused) => return self.reply(reply, Answer::Refused(refusal_of(&refused))),
        };
        if plan || next == deployments.catalogue {
            let answer = match &name {
                Some(name) if next.bundle(name).is_some() => self.answer_about(&next, name, &open),
                Some(_) | None => Answer::Done,
            };
            return self.reply(reply, answer);
        }
        let notes = next.written(&deployments.catalogue).into_iter().map(to_store).collect();
        if goes {
            // A start that came in between would get what is no longer kept.
            deployments.catalogue = next.clone();
        }
        deployments.storing = Some(Storing { next, name, collect });
        crash_points::die_at("before-deploy");
        self.ask(Query::WriteNotes { notes, change: Some(Freed(goes)) }, reply);
    }

    /// A change is durable: from here on runs get it.
    pub(crate) fn changed(&mut self, reply: ReplyTo) {
        crash_points::die_at("before-switch");
        let Some(Storing { next, name, collect }) = self.deployments.storing.take() else {
            return;
        };
        self.deployments.catalogue = next;
        let answer = match name.filter(|name| self.deployments.catalogue.bundle(name).is_some()) {
            Some(name) => {
                let open = self.open_by_version(None);
                self.answer_about(&self.deployments.catalogue, &name, &open)
            }
            None => Answer::Done,
        };
        self.reply(reply, answer);
        if collect {
            let keep_last = self.parts.deploys.keep_last;
            let ask = BundleQuery::Collect { keep_last };
            self.ask(Query::Bundles(ask), ReplyTo::Nobody);
        }
        if let Some((wanted, reply)) = self.deployments.waiting.pop_front() {
            self.change(wanted, None, reply);
        }
    }

    /// Gives up a version that is tried and fails too often.
    pub(super) fn judge(&mut self, version: Digest) {
        let Some((name, Verdict::Abort { failed, ended })) = self.trying(version) else { return };
        let deployments = &self.deployments;
        let waits = deployments.waiting.iter().any(|(wanted, _)| is_abort(wanted, &name));
        if waits || deployments.storing.as_ref().is_some_and(|it| it.name.as_ref() == Some(&name)) {
            return;
        }
        let why = format!("{failed} of {ended} runs failed");
        tracing::warn!(bundle = %name, %version, "a version that was tried is given up: {why}");
        let change = Change::Abort { name: name.clone(), why };
        let wanted = Wanted { change, name: Some(name), plan: false };
        self.change(wanted, None, ReplyTo::Nobody);
    }

    /// The bundle that tries a version, and how that goes.
    fn trying(&self, version: Digest) -> Option<(String, Verdict)> {
        let counts = self.deployments.tally.of(version);
        self.deployments.catalogue.bundles().find_map(|bundle| {
            let canary = bundle.canary.as_ref().filter(|canary| canary.version == version)?;
            Some((bundle.name.clone(), canary.verdict(&counts)))
        })
    }
}

fn is_abort(wanted: &Wanted, name: &str) -> bool {
    matches!(&wanted.change, Change::Abort { name: other, .. } if other == name)
}

fn change_of(name: String, change: BundleChange) -> Change {
    match change {
        BundleChange::Rollback { to } => Change::Rollback { name, to },
        BundleChange::Promote => Change::Promote { name },
        BundleChange::Abort => Change::Abort { name, why: "by hand".to_owned() },
        BundleChange::Pin { version, pinned } => Change::Pin { name, version, pinned },
        BundleChange::Remove { version } => Change::Remove { name, version },
    }
}

/// As a deploy asks for it.
pub(super) fn canary_of(canary: Canary) -> Result<CanaryAsk, Refusal> {
    use wfhost_bundle::catalogue::Share;
    let share = |hundredths| {
        let odd = || Refusal::Invalid(format!("{hundredths} hundredths of a percent are no share"));
        Share::new(hundredths).ok_or_else(odd)
    };
    Ok(CanaryAsk {
        share: share(canary.share)?,
        abort_over: canary.abort_over.map(share).transpose()?,
        runs_min: canary.runs_min,
    })
}

fn refusal_of(refused: &Refused) -> Refusal {
    let text = match refused.hint() {
        Some(hint) => format!("{refused}\nhint: {hint}"),
        None => refused.to_string(),
    };
    match refused {
        Refused::NoBundle { .. } | Refused::NoVersion { .. } => Refusal::NotFound(text),
        Refused::Overtaken { .. }
        | Refused::Trying { .. }
        | Refused::NotTrying(_)
        | Refused::NothingBeside(_)
        | Refused::NothingBefore { .. }
        | Refused::Needed { .. } => Refusal::WrongState(text),
        Refused::Downgrade { .. }
        | Refused::OtherDowngrade { .. }
        | Refused::SameVersion { .. }
        | Refused::WorkflowTaken { .. } => Refusal::Invalid(text),
    }
}
