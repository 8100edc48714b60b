//! `plugin inspect --output json`: everything, as it is.

use serde_json::{Value, json};
use wfhost_plugin::Manifest;
use wfhost_plugin::facts::{FunctionFacts, Import, Offer};
use wfhost_workflow::Contract;

use super::grants::{self, Disagreement};
use super::{Inspected, Steps};

pub(super) fn of(inspected: &Inspected) -> Value {
    let Inspected { path, facts, manifest, steps } = inspected;
    let (steps, steps_error) = match steps {
        Steps::NoStepWorld => (Value::Null, Value::Null),
        Steps::Described(steps) => (steps.iter().map(step).collect(), Value::Null),
        Steps::Unknown(message) => (Value::Null, message.as_str().into()),
    };
    let (mut not_needed, mut not_asked) = (Vec::new(), Vec::new());
    for found in grants::compare(facts, manifest.as_ref()) {
        match found {
            Disagreement::NotNeeded(key) => not_needed.push(key),
            Disagreement::NotAsked(key) => not_asked.push(key),
        }
    }
    json!({
        "file": path.display().to_string(),
        "digest": facts.digest.to_string(),
        "bytes": facts.bytes,
        "kind": facts.kind,
        "about": facts.about,
        "docs": facts.docs,
        "core_modules": facts.core_modules,
        "components": facts.components,
        "memories": facts.memories,
        "step_world": facts.step_world,
        "steps": steps,
        "steps_error": steps_error,
        "functions": facts.functions.iter().map(function).collect::<Vec<_>>(),
        "imports": facts.imports.iter().map(import).collect::<Vec<_>>(),
        "wasi": facts.wasi,
        "manifest": manifest.as_ref().map(manifest_json),
        "grants": { "asked_not_needed": not_needed, "needed_not_asked": not_asked },
        "producers": facts.producers,
        "wit": facts.wit,
    })
}

fn step(contract: &Contract) -> Value {
    json!({
        "name": contract.name,
        "docs": contract.docs,
        "input_schema": contract.input_schema.to_value(),
        "output_schema": contract.output_schema.to_value(),
    })
}

fn function(function: &FunctionFacts) -> Value {
    json!({
        "name": function.name,
        "interface": function.interface,
        "function": function.function,
        "docs": function.docs,
        "signature": function.signature,
        "async": function.is_async,
        "refused": function.refused,
        "input_schema": function.input_schema.to_value(),
        "output_schema": function.output_schema.to_value(),
        "error_schema": function.error_schema.as_ref().map(wfhost_workflow::Json::to_value),
    })
}

fn import(import: &Import) -> Value {
    let (offered, grant, because) = match &import.offer {
        Offer::Always => ("always", None, None),
        Offer::ByGrant { grant } => ("by-grant", Some(grant), None),
        Offer::Denied { because } => ("denied", None, Some(because)),
        Offer::Never { because } => ("never", None, Some(because)),
    };
    json!({
        "name": import.name,
        "interface": import.interface,
        "version": import.version,
        "functions": import.functions,
        "offered": offered,
        "grant": grant,
        "because": because,
    })
}

fn manifest_json(manifest: &Manifest) -> Value {
    let dirs =
        manifest.dirs.iter().map(|dir| json!({ "as": dir.guest_path, "mode": dir.mode.name() }));
    json!({
        "path": manifest.path.display().to_string(),
        "name": manifest.name,
        "version": manifest.version,
        "dirs": dirs.collect::<Vec<_>>(),
    })
}
