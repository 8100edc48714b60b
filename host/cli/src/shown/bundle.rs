//! A bundle as JSON for scripts and as lines for people.

use serde_json::{Map, Value, json};
use wfhost_bundle::{Bundle, BundledPlugin, BundledWorkflow};
use wfhost_workflow::{DirAsk, Limit, LimitUnit};

use super::{count, size};
use crate::output::{Output, Tone};
use crate::{sanitise, schema_text};

/// Characters of a description that lines for people hold.
const DESCRIPTION_CHARS_MAX: usize = 200;

/// Characters of a workflow's input, in words.
const SCHEMA_CHARS_MAX: usize = 160;

/// Everything, as it is.
pub(crate) fn json(bundle: &Bundle) -> Value {
    let manifest = &bundle.manifest;
    json!({
        "name": manifest.name,
        "version": manifest.version.to_string(),
        "digest": bundle.digest().to_string(),
        "description": manifest.description,
        "labels": manifest.labels,
        "content_bytes": content_bytes(bundle),
        "plugins": bundle.plugins.iter().map(plugin_json).collect::<Vec<_>>(),
        "workflows": bundle.workflows.iter().map(workflow_json).collect::<Vec<_>>(),
        "sbom": bundle.sbom.as_ref().map(|sbom| json!({
            "path": sbom.file.path.as_str(),
            "format": sbom.format.name(),
            "version": sbom.version,
            "components": sbom.components,
        })),
        "files": bundle.tree.entries().iter().map(|entry| json!({
            "path": entry.path.as_str(),
            "bytes": entry.size,
            "digest": entry.digest.to_string(),
        })).collect::<Vec<_>>(),
        "signatures": bundle.signatures.keys().map(|key| key.to_string()).collect::<Vec<_>>(),
    })
}

fn plugin_json(plugin: &BundledPlugin) -> Value {
    let manifest = &plugin.manifest;
    json!({
        "name": manifest.name,
        "version": plugin.version.to_string(),
        "description": manifest.description,
        "manifest": plugin.path.as_str(),
        "component": plugin.component.path.as_str(),
        "digest": plugin.component.digest.to_string(),
        "bytes": plugin.component.size,
        "exports": manifest.exports,
        "grants": { "dirs": manifest.dirs.iter().map(|dir| {
            json!({ "as": dir.guest_path, "mode": dir.mode.name() })
        }).collect::<Vec<_>>() },
        "limits": manifest.limits.iter()
            .map(|(limit, value)| (limit.name().to_owned(), limit_json(limit, value)))
            .collect::<Map<_, _>>(),
        "labels": manifest.labels,
        "build": manifest.build.as_ref().map(|build| &build.command),
    })
}

/// As a manifest has it: a time as text, else a number.
pub(crate) fn limit_json(limit: Limit, value: u64) -> Value {
    match limit.spec().unit {
        LimitUnit::Milliseconds => limit.show(value).into(),
        LimitUnit::Bytes | LimitUnit::PowerOfTwoBytes | LimitUnit::Count => value.into(),
    }
}

fn workflow_json(workflow: &BundledWorkflow) -> Value {
    let used = workflow.definition.plugins.iter().zip(&workflow.components);
    json!({
        "name": &*workflow.definition.name,
        "version": workflow.definition.version,
        "path": workflow.file.path.as_str(),
        "digest": workflow.file.digest.to_string(),
        "steps": workflow.definition.steps.iter().map(|step| &*step.name).collect::<Vec<_>>(),
        "plugins": used.map(|(used, component)| {
            (used.alias.to_string(), component.path.as_str().into())
        }).collect::<Map<_, _>>(),
        "input_schema": super::json_or_null(workflow.input_schema()),
    })
}

fn content_bytes(bundle: &Bundle) -> u64 {
    bundle.tree.entries().iter().map(|entry| entry.size).sum()
}

/// `bundle my-agents 1.2.0, 2 plugins, 1 workflow, 6 files with 1.2 MB`.
pub(crate) fn summary(bundle: &Bundle) -> String {
    format!(
        "bundle {} {}, {}, {}, {} with {}",
        bundle.manifest.name,
        bundle.manifest.version,
        count(bundle.plugins.len(), "plugin"),
        count(bundle.workflows.len(), "workflow"),
        count(bundle.tree.entries().len(), "file"),
        size(content_bytes(bundle)),
    )
}

/// A line for each plugin, workflow and signature.
pub(crate) fn short_lines(bundle: &Bundle) -> Vec<String> {
    let plugins = bundle.plugins.iter().map(|plugin| {
        format!(
            "   plugin {} {}: {}, {}",
            plugin.manifest.name,
            plugin.version,
            plugin.component.path,
            size(plugin.component.size)
        )
    });
    let workflows = bundle.workflows.iter().map(|workflow| {
        let version = sanitise::line(&workflow.definition.version).into_owned();
        let steps = count(workflow.definition.steps.len(), "step");
        format!("   workflow {} (version {version}): {steps}", workflow.definition.name)
    });
    let signatures = bundle.signatures.keys().map(|key| format!("   signed by {key}"));
    plugins.chain(workflows).chain(signatures).collect()
}

/// All that a person would look for.
pub(crate) fn text(bundle: &Bundle, output: &Output) -> String {
    let manifest = &bundle.manifest;
    let mut lines = vec![
        output.paint(Tone::Strong, &format!("{} {}", manifest.name, manifest.version)),
        format!("digest    {}", bundle.digest()),
    ];
    if !manifest.description.is_empty() {
        lines.push(format!("about     {}", short(&manifest.description)));
    }
    for (name, value) in &manifest.labels {
        lines.push(format!("label     {name}={}", sanitise::line(value)));
    }
    if bundle.signatures.is_empty() {
        lines.push(format!("signed    {}", output.paint(Tone::Warn, "by nobody")));
    }
    lines.extend(bundle.signatures.keys().map(|key| format!("signed    by {key}")));
    if let Some(sbom) = &bundle.sbom {
        let parts = count(sbom.components, "component");
        let format = sbom.format.name();
        lines.push(format!("sbom      {}, {format} {}, {parts}", sbom.file.path, sbom.version));
    }
    for plugin in &bundle.plugins {
        lines.push(String::new());
        plugin_lines(plugin, output, &mut lines);
    }
    for workflow in &bundle.workflows {
        lines.push(String::new());
        workflow_lines(workflow, output, &mut lines);
    }
    lines.push(String::new());
    let all = count(bundle.tree.entries().len(), "file");
    lines.push(output.paint(Tone::Strong, &format!("{all} with {}", size(content_bytes(bundle)))));
    for entry in bundle.tree.entries() {
        lines.push(format!("  {:>9}  {}", size(entry.size), entry.path));
    }
    lines.join("\n")
}

fn plugin_lines(plugin: &BundledPlugin, output: &Output, lines: &mut Vec<String>) {
    let manifest = &plugin.manifest;
    let title = format!("plugin {} {}", manifest.name, plugin.version);
    lines.push(output.paint(Tone::Strong, &title));
    if !manifest.description.is_empty() {
        lines.push(format!("  about      {}", short(&manifest.description)));
    }
    let component = &plugin.component;
    lines.push(format!("  component  {}, {}", component.path, size(component.size)));
    lines.push(format!("             {}", component.digest));
    let exports = match &manifest.exports {
        None => "all that it has".to_owned(),
        Some(names) if names.is_empty() => "none".to_owned(),
        Some(names) => sanitise::line(&names.join(", ")).into_owned(),
    };
    lines.push(format!("  functions  {exports}"));
    let asks: Vec<String> = manifest.dirs.iter().map(ask).collect();
    lines.push(format!(
        "  asks for   {}",
        if asks.is_empty() { "nothing".to_owned() } else { asks.join(", ") }
    ));
    let limits =
        manifest.limits.iter().map(|(limit, value)| format!("{limit} {}", limit.show(value)));
    let limits: Vec<String> = limits.collect();
    if !limits.is_empty() {
        lines.push(format!("  limits     {}", limits.join(", ")));
    }
    for (name, value) in &manifest.labels {
        lines.push(format!("  label      {name}={}", sanitise::line(value)));
    }
}

fn ask(dir: &DirAsk) -> String {
    format!("dir {} ({})", sanitise::line(&dir.guest_path), dir.mode.name())
}

fn workflow_lines(workflow: &BundledWorkflow, output: &Output, lines: &mut Vec<String>) {
    let definition = &workflow.definition;
    let title =
        format!("workflow {} (version {})", definition.name, sanitise::line(&definition.version));
    lines.push(output.paint(Tone::Strong, &title));
    lines.push(format!(
        "  file       {}, {}",
        workflow.file.path,
        count(definition.steps.len(), "step")
    ));
    let used = definition.plugins.iter().zip(&workflow.components);
    let used: Vec<String> =
        used.map(|(used, entry)| format!("{} ({})", used.alias, entry.path)).collect();
    if !used.is_empty() {
        lines.push(format!("  plugins    {}", used.join(", ")));
    }
    let input = workflow.input_schema().map_or_else(
        || "anything".to_owned(),
        |schema| schema_text::short(schema, SCHEMA_CHARS_MAX).text,
    );
    let input = sanitise::line(&input);
    lines.push(format!("  input      {input}"));
}

fn short(text: &str) -> String {
    sanitise::line_of(text, DESCRIPTION_CHARS_MAX)
}
