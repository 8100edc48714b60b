//! What a component says of its steps: asked once, believed only as far as it can be
//! checked.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use wfhost_workflow::{Contract, Digest, Failure, FailureKind, Json, Limit, Limits};

use crate::ability::kv::Kv;
use crate::ability::{LogLevel, StepSink};
use crate::bindings::StepPre;
use crate::bindings::steps::Description;
use crate::limits::Held;
use crate::run::{GRACE, instantiate};
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
    /// The steps that a plugin offers, in its order. Asked once and kept with the plugin.
    ///
    /// # Errors
    /// If `describe` fails, goes over a limit, or its answer makes no sense.
    pub async fn contracts(&self, plugin: &Plugin) -> Result<Arc<Vec<Contract>>, Failure> {
        let contracts = plugin.contracts.get_or_try_init(|| self.asked_once(plugin)).await?;
        Ok(Arc::clone(contracts))
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
        let contracts = self.describe(plugin).await?;
        self.inner.compiler.keep_contracts(*plugin.digest(), Arc::clone(&contracts)).await;
        Ok(contracts)
    }

    async fn describe(&self, plugin: &Plugin) -> Result<Arc<Vec<Contract>>, Failure> {
        let slot = plugin.shaped.slot().await?;
        let limits = Limits::default().with(Limit::HostcallFuel, ANSWER_BYTES_MAX);
        let options = &self.inner.options;
        let held = Held::new(limits, options.describe_timeout.to_std(), options.operator, None);
        let held = Arc::new(held);
        let answer = self.clone().ask(Asked::of(plugin), Arc::clone(&held), slot);
        let answer = self.inner.lanes.run(&plugin.long, DESCRIBE, Box::pin(answer));
        let answer = timeout(held.wall + GRACE, answer).await;
        let answer = answer.unwrap_or_else(|_elapsed| Err(held.timed_out()));
        Ok(Arc::new(check(answer?)?))
    }

    async fn ask(
        self,
        asked: Asked,
        held: Arc<Held>,
        _slot: OwnedSemaphorePermit,
    ) -> Result<Vec<Description>, Failure> {
        let kv = Kv::new(Arc::new(BTreeMap::new()), &held.limits);
        let mut state = AttemptState::new(&held.limits, Arc::new(Nowhere), kv);
        state.fixed.clone_from(&self.inner.options.fixed);
        let mut store = asked.shaped.store(state, &held)?;
        let answer = async {
            let step = instantiate(&asked.pre, &mut store, &held).await?;
            step.wfhost_step_steps()
                .call_describe(&mut store)
                .await
                .map_err(|error| failure::from_call(&error, &held))
        };
        self.kept(&held, answer).await
    }
}

/// What of a plugin its description needs: the attempt may outlive the plugin.
struct Asked {
    shaped: Arc<Shaped>,
    pre: StepPre<AttemptState>,
}

impl Asked {
    fn of(plugin: &Plugin) -> Self {
        Self { shaped: Arc::clone(&plugin.shaped), pre: plugin.pre.clone() }
    }
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
        if is_schema {
            Ok(json)
        } else {
            Err(lie(format!("the {which} schema of `{name}` is neither an object nor a boolean")))
        }
    };
    let input_schema = schema("input", &input_schema)?;
    let output_schema = schema("output", &output_schema)?;
    Ok(Contract { name, docs, input_schema, output_schema })
}

fn lie(what: impl std::fmt::Display) -> Failure {
    let message = format!("the component's description of itself cannot be used: {what}");
    Failure::new(FailureKind::Permanent, "describe", message)
}
