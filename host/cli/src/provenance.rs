//! Which bundle, version and component a run and its steps are of.

use serde_json::{Value, json};
use wfhost_transport::client::{RunView, StepView};
use wfhost_workflow::run::{Era, MadeBy};
use wfhost_workflow::{Digest, Origin, PinnedPlugin};

use crate::sanitise;

/// Letters of a digest in text: it can be found by them.
const DIGEST_CHARS: usize = 19;

/// Names of lines and what they say: nothing for a run that was started from files and never
/// upgraded.
pub(crate) fn lines(view: &RunView) -> Vec<(String, String)> {
    match &view.versions[..] {
        [] => Vec::new(),
        [only] => {
            only.origin.iter().map(|origin| ("bundle".to_owned(), origin_text(origin))).collect()
        }
        versions => (1..)
            .zip(versions)
            .map(|(number, era)| {
                let source = match &era.origin {
                    Some(origin) => origin_text(origin),
                    None => format!("files, {}", short(&era.definition)),
                };
                (
                    format!("version {number}"),
                    format!("{} of {source}", sanitise::line(&era.version)),
                )
            })
            .collect(),
    }
}

/// Which of several versions a step is of.
pub(crate) fn of_step(step: &StepView, view: &RunView) -> Option<String> {
    if view.versions.len() < 2 || step.made_by.is_empty() {
        return None;
    }
    let of = |by: &MadeBy| match by.items {
        0 => format!("version {}", by.era + 1),
        items => format!("{items} of version {}", by.era + 1),
    };
    Some(step.made_by.iter().map(of).collect::<Vec<_>>().join(", "))
}

/// `name version (digest)` of a plugin's component, as far as they are known.
pub(crate) fn plugin_text(plugin: &PinnedPlugin) -> String {
    let alias = sanitise::line(&plugin.alias);
    match &plugin.plugin {
        Some(of) => format!(
            "{alias} {} {} {}",
            sanitise::line(&of.name),
            sanitise::line(&of.version),
            short(&plugin.digest)
        ),
        None => format!("{alias} {}", short(&plugin.digest)),
    }
}

pub(crate) fn versions_json(view: &RunView) -> Value {
    view.versions.iter().map(version_json).collect()
}

/// Adds to a step's JSON where its result, or each part of it, came from.
pub(crate) fn with_made_by(mut value: Value, step: &StepView, view: &RunView) -> Value {
    if let Value::Object(object) = &mut value {
        let made_by = step.made_by.iter().map(|by| made_by_json(by, view));
        object.insert("made_by".to_owned(), made_by.collect());
    }
    value
}

fn version_json(era: &Era) -> Value {
    json!({
        "version": era.version,
        "definition": era.definition.to_string(),
        "since_revision": era.since.0,
        "bundle": era.origin.as_ref().map(origin_json),
    })
}

fn origin_json(origin: &Origin) -> Value {
    json!({
        "name": origin.bundle,
        "version": origin.version,
        "digest": origin.digest.to_string(),
        "signers": origin.signers,
    })
}

fn made_by_json(by: &MadeBy, view: &RunView) -> Value {
    let era = view.versions.get(by.era as usize);
    let plugin = era.zip(by.plugin).and_then(|(era, plugin)| era.plugins.get(plugin as usize));
    json!({
        "version": era.map(|era| &era.version),
        "bundle": era.and_then(|era| era.origin.as_ref()).map(origin_json),
        "plugin": plugin.map(|plugin| json!({
            "alias": &*plugin.alias,
            "name": plugin.plugin.as_ref().map(|of| &of.name),
            "version": plugin.plugin.as_ref().map(|of| &of.version),
            "digest": plugin.digest.to_string(),
        })),
        "items": (by.items > 0).then_some(by.items),
    })
}

fn origin_text(origin: &Origin) -> String {
    let signers: Vec<_> = origin.signers.iter().map(|signer| sanitise::line(signer)).collect();
    let signed = match &signers[..] {
        [] => "not signed".to_owned(),
        signers => format!("signed by {}", signers.join(", ")),
    };
    format!(
        "{} {} {}, {signed}",
        sanitise::line(&origin.bundle),
        sanitise::line(&origin.version),
        short(&origin.digest)
    )
}

fn short(digest: &Digest) -> String {
    digest.to_string().chars().take(DIGEST_CHARS).collect()
}
