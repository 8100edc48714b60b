//! `wfhost plugin inspect FILE`: what a component is, offers and needs.

mod grants;
mod json;
mod text;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use wfhost_plugin::Manifest;
use wfhost_plugin::facts::ComponentFacts;
use wfhost_workflow::Contract;

use crate::command::Context;
use crate::engine::{Engine, EngineSetup};
use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;
use crate::sanitise;
use crate::workflow_file::{Component, with_sources};

/// Show what a plugin offers and what it needs
#[derive(Debug, Args)]
#[command(after_help = "\
Reads the component and the plugin.toml beside it. Only a component of the step world is run, to ask
for its steps: in a sandbox, with no permission.

Examples:
  wfhost plugin inspect hello.wasm
  wfhost plugin inspect hello.wasm --wit > hello.wit
  wfhost plugin inspect text.wasm --output json | jq '.steps[] | {name, input_schema}'
  wfhost plugin inspect text.wasm --output json | jq -r '.imports[] | [.offered, .name] | @tsv'")]
pub(crate) struct InspectArgs {
    /// The component, or a core module that carries its WIT
    file: PathBuf,
    /// Write its WIT and nothing else
    #[arg(long)]
    wit: bool,
}

/// All that is known of a plugin.
struct Inspected {
    path: PathBuf,
    facts: Arc<ComponentFacts>,
    manifest: Option<Manifest>,
    steps: Steps,
}

/// What a component of the step world says of its steps.
enum Steps {
    /// It is none.
    NoStepWorld,
    /// It answered.
    Described(Vec<Contract>),
    /// It cannot be loaded, or did not answer.
    Unknown(String),
}

impl InspectArgs {
    pub(crate) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        let component = Component::read(&self.file).map_err(CommandError::usage)?;
        let output = &context.output;
        let engine = Engine::new(EngineSetup::new(1, &context.config), output)?;
        let read = engine.host().facts(Arc::clone(&component.bytes), component.digest);
        let facts = engine.runtime().block_on(read).map_err(|error| {
            CommandError::invalid(with_sources(&error)).context(self.file.display().to_string())
        })?;
        if self.wit {
            if output.is_json() {
                output.json(&serde_json::json!({ "wit": facts.wit }))?;
            } else {
                output.data(sanitise::block(facts.wit.trim_end()).as_ref())?;
            }
            return Ok(ExitCode::Done);
        }
        let manifest = Manifest::beside(&self.file)
            .map_err(|error| CommandError::invalid(error.to_string()))?;
        let steps = steps(&component, &facts, &engine);
        let inspected = Inspected { path: self.file, facts, manifest, steps };
        if output.is_json() {
            output.json(&json::of(&inspected))?;
        } else {
            output.data(&text::of(&inspected, output))?;
        }
        Ok(ExitCode::Done)
    }
}

/// Asks the component for its steps, where it has the step world.
fn steps(component: &Component, facts: &ComponentFacts, engine: &Engine) -> Steps {
    if facts.step_world.is_none() {
        return Steps::NoStepWorld;
    }
    match engine.offers(&[component]).pop() {
        Some(Ok(contracts)) => Steps::Described(
            Arc::unwrap_or_clone(contracts)
                .into_iter()
                .filter(|contract| facts.function(&contract.name).is_none())
                .collect(),
        ),
        Some(Err(message)) => Steps::Unknown(message),
        None => Steps::Unknown("it was not asked".to_owned()),
    }
}
