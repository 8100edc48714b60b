//! Runs of deployed workflows.

use std::path::Path;

use wfhost_bundle::catalogue::{DeployedPlugin, NotFound};
use wfhost_bundle::grants::GivenDir;
use wfhost_bundle::policy::Policy;
use wfhost_transport::client::{Answer, Refusal, Start, StartDeployed, Started};
use wfhost_workflow::definition::PluginUse;
use wfhost_workflow::expression::{RunFacts, Scope, StepOutputs};
use wfhost_workflow::{Definition, Digest, Json, Name, Origin, PinnedPlugin, StepId};

use super::DeployOptions;
use super::inspect::policy_of;
use crate::commands::ReplyTo;
use crate::event_loop::EventLoop;
use crate::queries::{Query, store_failed};

/// A run that is to be started.
pub(crate) struct Starting {
    /// Of a deployed workflow, its plugins are pinned once its definition is there.
    pub(crate) start: Start,
    pub(crate) from: Option<Box<FromBundle>>,
}

/// What a run of a deployed workflow comes from.
pub(crate) struct FromBundle {
    pub(crate) origin: Origin,
    plugins: Vec<(Name, DeployedPlugin)>,
    gives_dirs: bool,
}

impl EventLoop {
    pub(crate) fn start_deployed(&mut self, wanted: StartDeployed, reply: ReplyTo) {
        let known = match self.runs.contains(wanted.run) {
            true => Ok(true),
            false => self.parts.store.knows(wanted.run).map_err(store_failed),
        };
        match known {
            Ok(false) => {}
            Ok(true) => return self.reply(reply, Answer::Started(None)),
            Err(refusal) => return self.reply(reply, Answer::Refused(refusal)),
        }
        let (starting, started) = match self.resolved(wanted) {
            Ok(found) => found,
            Err(refusal) => return self.reply(reply, Answer::Refused(refusal)),
        };
        let reply = ReplyTo::Starter(Box::new((reply, started)));
        self.start_from(starting, reply);
    }

    fn resolved(&self, wanted: StartDeployed) -> Result<(Starting, Started), Refusal> {
        let StartDeployed { run, workflow, version, input } = wanted;
        let catalogue = &self.deployments.catalogue;
        let found = catalogue.resolve(&workflow, version.as_deref(), run);
        let found = found.map_err(|error| not_found(&error))?;
        let (name, version) = (&found.bundle.name, found.version);
        let keys = version.signers.iter().map(|signer| signer.key);
        let trust = &self.parts.deploys.trust;
        if let Err(why) = trust.admit_keys(name, keys, self.parts.clock.now()) {
            let number = &version.version;
            let message = format!("no run of bundle `{name}` {number} is started: {why}");
            return Err(Refusal::Denied(message));
        }
        let plugins = version.detail.plugins_of(found.workflow);
        let from = FromBundle {
            origin: version.origin(name),
            plugins: plugins.map(|(alias, plugin)| (alias.clone(), plugin.clone())).collect(),
            gives_dirs: found.workflow.gives_dirs,
        };
        let started = Started {
            origin: from.origin.clone(),
            workflow: found.workflow.name.to_string(),
            version: found.workflow.version.clone(),
            definition: found.workflow.definition,
        };
        let definition = found.workflow.definition;
        let start = Start { run, definition, input, plugins: Vec::new() };
        Ok((Starting { start, from: Some(Box::new(from)) }, started))
    }

    /// Starts it as soon as its definition is compiled and its plugins are pinned.
    pub(crate) fn start_from(&mut self, mut starting: Starting, reply: ReplyTo) {
        let kept = self.parts.definitions.kept(&starting.start.definition);
        let gives_dirs = starting.from.as_ref().is_some_and(|from| from.gives_dirs);
        let Some(definition) = kept.filter(|_| !gives_dirs) else {
            return self.ask(Query::Prepare(Box::new(starting)), reply);
        };
        match starting.pin(&definition, &self.parts.deploys) {
            Ok(()) => self.start_prepared(starting, definition, reply),
            Err(refusal) => self.reply(reply, Answer::Refused(refusal)),
        }
    }
}

fn not_found(error: &NotFound) -> Refusal {
    let hint = match error {
        NotFound::Workflow { .. } => {
            "\nhint: `wfhost bundles list` shows what is deployed; the path of a workflow file ends in .yaml"
        }
        NotFound::InVersion { .. } | NotFound::Version(_) => "",
    };
    Refusal::NotFound(format!("{error}{hint}"))
}

impl Starting {
    pub(crate) fn from_file(start: Start) -> Self {
        Self { start, from: None }
    }

    pub(crate) fn bundle(&self) -> Option<Digest> {
        self.from.as_ref().map(|from| from.origin.digest)
    }

    /// Decides what the plugins of a deployed workflow get. Those of a file came with it.
    pub(crate) fn pin(
        &mut self,
        definition: &Definition,
        options: &DeployOptions,
    ) -> Result<(), Refusal> {
        let Some(from) = &self.from else { return Ok(()) };
        let policy = if from.gives_dirs { policy_of(options)? } else { Policy::default() };
        let run = RunFacts { id: self.start.run, workflow: definition.name.clone() };
        let mut pinned = Vec::with_capacity(definition.plugins.len());
        for used in &definition.plugins {
            let of_alias = from.plugins.iter().find(|(alias, _)| *alias == used.alias);
            let Some((_, plugin)) = of_alias else {
                let message = format!("the bundle has no plugin for `{}`", used.alias);
                return Err(Refusal::Invalid(message));
            };
            let given = given_dirs(used, &run, &self.start.input)?;
            let dirs = policy
                .grants(&from.origin.bundle, &used.alias, &plugin.dirs, &given)
                .map_err(|(why, remedy)| Refusal::Denied(format!("{why}\nhint: {remedy}")))?;
            pinned.push(PinnedPlugin { dirs, ..plugin.pinned(used, &options.limits) });
        }
        self.start.plugins = pinned;
        Ok(())
    }
}

fn given_dirs(used: &PluginUse, run: &RunFacts, input: &Json) -> Result<Vec<GivenDir>, Refusal> {
    let mut given = Vec::new();
    for dir in &used.dirs {
        let scope = Scope { run: Some(run), input, steps: &NoSteps, item: None };
        let odd = |why: String| {
            let at = format!("{}:{}", dir.at.line, dir.at.column);
            Refusal::Invalid(format!("the directory's path at {at} of the workflow: {why}"))
        };
        let value = dir.path.evaluate(&scope).map_err(|error| odd(error.to_string()))?;
        let serde_json::Value::String(path) = value.to_value() else {
            return Err(odd("it must be text".to_owned()));
        };
        let host_path = Path::new(&path).to_owned();
        given.push(GivenDir { host_path, guest_path: dir.guest_path.clone(), mode: dir.mode });
    }
    Ok(given)
}

/// No step has run when directories are decided.
struct NoSteps;

impl StepOutputs for NoSteps {
    fn output(&self, _step: StepId) -> Option<Json> {
        None
    }
}
