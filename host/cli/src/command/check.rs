//! `wfhost check FILE`.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use wfhost_workflow::Definition;
use wfhost_workflow::definition::{Code, FanOut, Severity};

use super::Context;
use crate::engine::{Engine, EngineSetup, LazyEngine};
use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;
use crate::output::{Output, Tone};
use crate::problems;
use crate::sanitise;
use crate::workflow_file::Examined;

/// Characters of what a run gives, in words.
const SHOWN_OUTPUT_CHARS_MAX: usize = 200;

/// Lists without a bound that the summary names.
const NAMED_LISTS_MAX: usize = 5;

/// Check a workflow and its plugins without running anything
#[derive(Debug, Args)]
#[command(after_help = "\
Reads the file, compiles its expressions, loads its plugins, and compares what every step is given
with what its function takes. Errors fail in every run that gets there; warnings fail for some of
the values that the schemas allow; notes are worth knowing. Exit code 3 if there are errors.

Examples:
  wfhost check brief.yaml
  wfhost check --strict brief.yaml
  wfhost check --explain may-be-null
  wfhost check brief.yaml --output json | jq '.problems[].message'")]
pub(crate) struct CheckArgs {
    /// The workflow file
    #[arg(required_unless_present = "explain")]
    file: Option<PathBuf>,
    /// Refuse a file with warnings, too
    #[arg(long)]
    strict: bool,
    /// Say what a kind of problem means: its name stands in brackets behind each
    #[arg(long, value_name = "CODE", conflicts_with = "file")]
    explain: Option<String>,
}

impl CheckArgs {
    pub(crate) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        let output = &context.output;
        if let Some(name) = &self.explain {
            return explain(output, name);
        }
        let Some(file) = &self.file else { return Ok(ExitCode::Usage) };
        let make = || Engine::new(EngineSetup::new(1, &context.config), output);
        let examined = Examined::read(file, &mut LazyEngine::new(&make))?;
        let checked = &examined.checked;
        let refused = checked.is_refused() || self.strict && checked.warnings > 0;
        if output.is_json() {
            output.json(&as_json(&examined, !refused))?;
        } else {
            let least = if output.is_quiet() { Severity::Warning } else { Severity::Note };
            problems::write(output, &examined, least);
            if let (false, Some(definition)) = (refused, examined.definition()) {
                output.data(&as_text(&examined, definition, output))?;
            }
        }
        if refused { Err(problems::refusal(&examined)) } else { Ok(ExitCode::Done) }
    }
}

fn explain(output: &Output, name: &str) -> Result<ExitCode> {
    let Some(code) = Code::named(name) else {
        let names: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
        return Err(CommandError::usage(format!("there is no kind of problem `{name}`"))
            .hint(format!("there are {}", names.join(", "))));
    };
    if output.is_json() {
        output.json(&json!({ "code": code.name(), "meaning": code.meaning() }))?;
    } else {
        output.data(&format!("{}: {}", output.paint(Tone::Strong, code.name()), code.meaning()))?;
    }
    Ok(ExitCode::Done)
}

fn as_text(examined: &Examined, definition: &Definition, output: &Output) -> String {
    let mut lines = vec![format!(
        "{} {}: workflow {} (version {}), {} steps, {}",
        output.paint(Tone::Good, "ok"),
        sanitise::line(&examined.path().display().to_string()),
        definition.name,
        sanitise::line(&definition.version),
        definition.steps.len(),
        problems::counts(examined),
    )];
    for (used, plugin) in definition.plugins.iter().zip(&examined.plugins) {
        let offered = examined.contracts.get(&used.alias).map_or(&[][..], |contracts| contracts);
        let names: Vec<_> = offered.iter().map(|contract| sanitise::line(&contract.name)).collect();
        if let Some(plugin) = plugin {
            lines.push(format!(
                "   plugin {}: {} offers {}",
                used.alias,
                sanitise::line(&plugin.component.path.display().to_string()),
                names.join(", ")
            ));
        }
    }
    if let Some(gives) = &examined.checked.output {
        lines.push(format!("   output: {}", sanitise::line_of(gives, SHOWN_OUTPUT_CHARS_MAX)));
    }
    if let Some(fan_out) = &examined.checked.fan_out {
        lines.extend(fan_out_lines(fan_out));
    }
    lines.join("\n")
}

fn fan_out_lines(fan_out: &FanOut) -> Vec<String> {
    let calls = |count: u64| format!("{count} call{}", if count == 1 { "" } else { "s" });
    let all = match fan_out.calls {
        Some(count) => format!("at most {}", calls(count)),
        None => "calls without a bound".to_owned(),
    };
    let mut lines = vec![format!("   largest: {all}, at most {} at once", fan_out.at_once)];
    for list in fan_out.unbounded.iter().take(NAMED_LISTS_MAX) {
        lines.push(format!(
            "     step {} maps `{}`, which has no `maxItems`",
            list.step,
            sanitise::line(&list.list)
        ));
    }
    let more = fan_out.unbounded.len().saturating_sub(NAMED_LISTS_MAX);
    if more > 0 {
        lines.push(format!("     and {more} more"));
    }
    lines
}

fn as_json(examined: &Examined, valid: bool) -> Value {
    let checked = &examined.checked;
    let mut value = json!({
        "file": examined.path().display().to_string(),
        "valid": valid,
        "errors": checked.errors,
        "warnings": checked.warnings,
        "notes": checked.notes,
        "problems": checked.problems.iter().map(problems::json).collect::<Vec<_>>(),
    });
    if let Some(definition) = examined.definition() {
        value["workflow"] = (*definition.name).into();
        value["version"] = definition.version.as_str().into();
        value["steps"] = definition.steps.iter().map(|step| &*step.name).collect::<Vec<_>>().into();
        value["plugins"] = definition
            .plugins
            .iter()
            .zip(&examined.plugins)
            .map(|(used, plugin)| plugin_json(examined, used, plugin.as_ref()))
            .collect();
    }
    if let Some(gives) = &checked.output {
        value["output"] = gives.as_str().into();
    }
    if let Some(fan_out) = &checked.fan_out {
        value["fan_out"] = json!({
            "calls": fan_out.calls,
            "at_once": fan_out.at_once,
            "unbounded": fan_out.unbounded.iter().map(|list| json!({
                "step": &*list.step,
                "list": list.list,
                "line": list.at.line,
            })).collect::<Vec<_>>(),
        });
    }
    value
}

fn plugin_json(
    examined: &Examined,
    used: &wfhost_workflow::definition::PluginUse,
    plugin: Option<&crate::workflow_file::LoadedPlugin>,
) -> Value {
    let offered = examined.contracts.get(&used.alias).map_or(&[][..], |contracts| contracts);
    json!({
        "alias": &*used.alias,
        "path": plugin.map(|plugin| plugin.component.path.display().to_string()),
        "digest": plugin.map(|plugin| plugin.component.digest.to_string()),
        "functions": offered.iter().map(|contract| json!({
            "name": contract.name,
            "docs": contract.docs,
            "input_schema": contract.input_schema.to_value(),
            "output_schema": contract.output_schema.to_value(),
        })).collect::<Vec<_>>(),
    })
}
