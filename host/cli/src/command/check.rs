//! `wfhost check FILE`.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use wfhost_workflow::definition::Problem;

use super::Context;
use crate::config::Config;
use crate::engine::{Engine, EngineSetup};
use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;
use crate::output::{Output, Tone};
use crate::sanitise;
use crate::workflow_file::{Contracts, LoadedPlugin, Refused, WorkflowFile};

/// Check a workflow and its plugins without running anything
#[derive(Debug, Args)]
#[command(after_help = "\
Reads the file, compiles its expressions, loads its plugins and compares what they offer with how
they are called. Exit code 3 if anything is wrong with it.

Examples:
  wfhost check brief.yaml
  wfhost check brief.yaml --output json | jq '.problems[].message'")]
pub(crate) struct CheckArgs {
    /// The workflow file
    file: PathBuf,
}

impl CheckArgs {
    pub(crate) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        let output = &context.output;
        match check(&self.file, &context.config, output) {
            Ok(checked) => {
                if output.is_json() {
                    output.json(&checked.json())?;
                } else {
                    output.data(&checked.text(output))?;
                }
                Ok(ExitCode::Done)
            }
            Err(Refused::Invalid(list)) if output.is_json() => {
                output.json(&json!({
                    "file": self.file.display().to_string(),
                    "valid": false,
                    "problems": list.problems.iter().map(problem_json).collect::<Vec<_>>(),
                }))?;
                Err(CommandError::from(Refused::Invalid(list)))
            }
            Err(refused) => Err(refused.into()),
        }
    }
}

/// A workflow that nothing is wrong with.
struct Checked {
    file: WorkflowFile,
    plugins: Vec<LoadedPlugin>,
    contracts: Contracts,
}

fn check(
    path: &std::path::Path,
    config: &Config,
    output: &Output,
) -> std::result::Result<Checked, Refused> {
    let file = WorkflowFile::read(path)?;
    let plugins = file.plugins()?;
    let contracts = if plugins.is_empty() {
        Contracts::new()
    } else {
        let engine =
            Engine::new(EngineSetup::new(1, config), output).map_err(Refused::Unreadable)?;
        file.check(&plugins, &engine)?
    };
    Ok(Checked { file, plugins, contracts })
}

impl Checked {
    fn text(&self, output: &Output) -> String {
        let definition = &self.file.definition;
        let mut lines = vec![format!(
            "{} {}: workflow {} (version {}), {} steps",
            output.paint(Tone::Good, "ok"),
            sanitise::line(&self.file.path.display().to_string()),
            definition.name,
            sanitise::line(&definition.version),
            definition.steps.len(),
        )];
        for (used, plugin) in definition.plugins.iter().zip(&self.plugins) {
            let offered = self.contracts.get(&used.alias).map_or(&[][..], |contracts| contracts);
            let names: Vec<_> =
                offered.iter().map(|contract| sanitise::line(&contract.name)).collect();
            lines.push(format!(
                "   plugin {}: {} offers {}",
                used.alias,
                sanitise::line(&plugin.component.path.display().to_string()),
                names.join(", ")
            ));
        }
        lines.join("\n")
    }

    fn json(&self) -> Value {
        let definition = &self.file.definition;
        let plugin_json =
            |(used, plugin): (&wfhost_workflow::definition::PluginUse, &LoadedPlugin)| {
                let offered =
                    self.contracts.get(&used.alias).map_or(&[][..], |contracts| contracts);
                json!({
                    "alias": &*used.alias,
                    "path": plugin.component.path.display().to_string(),
                    "digest": plugin.component.digest.to_string(),
                    "functions": offered.iter().map(|contract| json!({
                        "name": contract.name,
                        "docs": contract.docs,
                        "input_schema": contract.input_schema.to_value(),
                        "output_schema": contract.output_schema.to_value(),
                    })).collect::<Vec<_>>(),
                })
            };
        json!({
            "file": self.file.path.display().to_string(),
            "valid": true,
            "workflow": &*definition.name,
            "version": definition.version,
            "steps": definition.steps.iter().map(|step| &*step.name).collect::<Vec<_>>(),
            "plugins": definition.plugins.iter().zip(&self.plugins).map(plugin_json).collect::<Vec<_>>(),
            "problems": [],
        })
    }
}

fn problem_json(problem: &Problem) -> Value {
    json!({
        "line": problem.at.line,
        "column": problem.at.column,
        "length": problem.length,
        "message": problem.message,
        "hint": problem.hint,
    })
}
