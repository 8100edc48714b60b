//! What a component says of its steps: asked once, believed only as far as it can be
//! checked.

use std::collections::{BTreeMap, HashSet};
use std::pin::pin;
use std::sync::Arc;

use tokio::time::timeout;
use wfhost_workflow::{Contract, Digest, Failure, FailureKind, Json, Limit, Limits, Schema};

use crate::ability::kv::Kv;
use crate::ability::{LogLevel, StepSink};
use crate::bindings::StepPre;
use crate::bindings::steps::Description;
use crate::facts::ComponentFacts;
use crate::limits::Held;
use crate::replay::Replay;
use crate::run::{GRACE, Slot, instantiate};
use crate::shape::Shaped;
use crate::state::AttemptState;
use crate::{Plugin, PluginHost, failure};

/// All texts of an answer together.
const ANSWER_BYTES_MAX: u64 = 4 << 20;
const STEPS_MAX: usize = 1000;
const NAME_BYTES_MAX: usize = 128;

/// What the lanes call the description: no step is called so, since a name has no blank.
const DESCRIBE: &str = "describe itself";

impl PluginHost {
    /// The steps that a plugin offers, in its order. Asked once and kept with the plugin; a
    /// failure is that of all who wait for the answer.
    ///
    /// # Errors
    /// If `describe` fails, goes over a limit, or its answer makes no sense.
    pub async fn contracts(&self, plugin: &Plugin) -> Result<Arc<Vec<Contract>>, Failure> {
        plugin.contracts.get(async || self.asked_once(plugin).await).await
    }

    /// What the component of that digest offers, if it has been asked before and the cache
    /// still knows: then nothing need be loaded to know it.
    pub async fn known_contracts(&self, digest: &Digest) -> Option<Arc<Vec<Contract>>> {
        self.inner.compiler.contracts(*digest).await
    }

    async fn asked_once(&self, plugin: &Plugin) -> Result<Arc<Vec<Contract>>, Failure> {
        if let Some(known) = self.known_contracts(plugin.digest()).await {
            return Ok(known);
        }
        let contracts = Arc::new(self.offered(plugin).await?);
        self.inner.compiler.keep_contracts(*plugin.digest(), Arc::clone(&contracts)).await;
        Ok(contracts)
    }

    /// The described steps, then the exported functions that JSON can carry.
    async fn offered(&self, plugin: &Plugin) -> Result<Vec<Contract>, Failure> {
        let functions = &plugin.linked.functions;
        let mut contracts = match &plugin.linked.steps {
            Some(steps) => self.describe(plugin, steps).await?,
            None => Vec::new(),
        };
        for Contract { name, .. } in &contracts {
            if functions.find(name).is_some() {
                return Err(lie(format!("`{name}` is a step and an exported function")));
            }
        }
        if let Some(facts) = &plugin.facts {
            contracts.extend(exported(facts.as_ref().map_err(lie)?));
        }
        Ok(contracts)
    }

    async fn describe(
        &self,
        plugin: &Plugin,
        steps: &StepPre<AttemptState>,
    ) -> Result<Vec<Contract>, Failure> {
        let limits = Limits::default().with(Limit::HostcallFuel, ANSWER_BYTES_MAX);
        let options = &self.inner.options;
        let held = Held::new(limits, options.describe_timeout.to_std(), options.operator, None);
        let held = Arc::new(held);
        let slot = self.slot(&plugin.shaped, &held, &Nowhere).await?;
        let asked = Asked { shaped: Arc::clone(&plugin.shaped), pre: steps.clone() };
        let answer = self.clone().ask(asked, Arc::clone(&held), slot);
        let answer = self.inner.lanes.run(&plugin.long, DESCRIBE, Box::pin(answer));
        let answer = timeout(held.wall + GRACE, answer).await;
        let answer = answer.unwrap_or_else(|_elapsed| Err(held.timed_out()));
        check(answer?)
    }

    async fn ask(
        self,
        asked: Asked,
        held: Arc<Held>,
        _slot: Slot,
    ) -> Result<Vec<Description>, Failure> {
        let kv = Kv::new(Arc::new(BTreeMap::new()), &held.limits);
        let replay = self.inner.options.fixed.as_ref().map(Replay::fixed);
        let state = AttemptState::new(&held.limits, Arc::new(Nowhere), kv, replay);
        let mut store = asked.shaped.store(state, &held)?;
        let answer = async {
            let step = instantiate(&asked.pre, &mut store, &held).await?;
            step.wfhost_step_steps()
                .call_describe(&mut store)
                .await
                .map_err(|error| failure::from_call(&error, &held))
        };
        self.kept(&held, pin!(answer)).await
    }
}

/// What of a plugin its description needs: the attempt may outlive the plugin.
struct Asked {
    shaped: Arc<Shaped>,
    pre: StepPre<AttemptState>,
}

/// The exported functions that a workflow can call.
fn exported(facts: &ComponentFacts) -> impl Iterator<Item = Contract> {
    let callable = facts.functions.iter().filter(|function| function.refused.is_none());
    callable.map(|function| Contract {
        name: function.full_name(),
        docs: function.docs.clone(),
        input_schema: function.input_schema.clone(),
        output_schema: function.output_schema.clone(),
    })
}

/// Nothing is kept of what a component says while it describes itself.
struct Nowhere;

impl StepSink for Nowhere {
    fn log(&self, _level: LogLevel, _message: String, _fields: Vec<(String, String)>) {}

    fn progress(&self, _done: u64, _total: u64, _message: String) {}
}

fn check(answer: Vec<Description>) -> Result<Vec<Contract>, Failure> {
    if answer.len() > STEPS_MAX {
        return Err(lie(format!("it has {} steps of at most {STEPS_MAX}", answer.len())));
    }
    let mut names = HashSet::new();
    for Description { name, .. } in &answer {
        let fits = !name.is_empty() && name.len() <= NAME_BYTES_MAX;
        if !fits || name.chars().any(|char| char.is_control() || char.is_whitespace()) {
            let shown = failure::bounded(name, NAME_BYTES_MAX);
            return Err(lie(format!(
                "`{}` is no name for a step (1 to {NAME_BYTES_MAX} bytes, no blanks)",
                shown.escape_debug()
            )));
        }
        if !names.insert(name.as_str()) {
            return Err(lie(format!("it names the step `{name}` twice")));
        }
    }
    answer.into_iter().map(contract).collect()
}

fn contract(description: Description) -> Result<Contract, Failure> {
    let Description { name, docs, input_schema, output_schema } = description;
    let schema = |which: &str, text: &str| {
        let json = Json::parse(text)
            .map_err(|error| lie(format!("the {which} schema of `{name}` is no JSON: {error}")))?;
        let is_schema = json.as_str().starts_with('{') || matches!(json.as_str(), "true" | "false");
        if !is_schema {
            let what = "is neither an object nor a boolean";
            return Err(lie(format!("the {which} schema of `{name}` {what}")));
        }
        Schema::compile(&json)
            .map_err(|error| lie(format!("the {which} schema of `{name}`: {error}")))?;
        Ok(json)
    };
    let input_schema = schema("input", &input_schema)?;
    let output_schema = schema("output", &output_schema)?;
    Ok(Contract { name, docs, input_schema, output_schema })
}

fn lie(what: impl std::fmt::Display) -> Failure {
    let message = format!("the component's description of itself cannot be used: {what}");
    Failure::new(FailureKind::Permanent, "describe", message)
}
