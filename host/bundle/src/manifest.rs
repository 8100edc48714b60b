//! `plugin.toml` and `bundle.toml`: who a plugin, or a bundle, says it is, and what it asks for.
//! Asking grants nothing.
//!
//! Unknown keys are refused, with the nearest known one. The JSON Schemas in `schemas/` say the
//! same to editors.

mod bundle;
mod plugin;
mod schema;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use semver::Version;
use serde::Deserialize;
use wfhost_workflow::definition::Problem;

pub use bundle::BundleManifest;
pub use plugin::{PluginManifest, check_guest_path};
pub use schema::{bundle_schema, plugin_schema};

use crate::bounds::{ARGUMENTS_MAX, LABELS_MAX, NAME_CHARS_MAX, TEXT_CHARS_MAX};
use crate::toml_text::{self, WrongToml};

/// A manifest that cannot be used. Names line and column where the text itself is wrong, else
/// the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{said}")]
pub struct ManifestError {
    said: String,
    problem: Option<Box<Problem>>,
}

impl ManifestError {
    /// `said` begins with the key.
    pub(crate) fn new(said: impl Into<String>) -> Self {
        Self { said: said.into(), problem: None }
    }

    /// The same with its place in the manifest's text: where no place is known, that of the key
    /// that it is about, else the beginning.
    #[must_use]
    pub fn problem(&self, text: &str) -> Problem {
        if let Some(problem) = &self.problem {
            return (**problem).clone();
        }
        let key = self.said.split_once(": ").map_or("", |(key, _)| key);
        let key = key.rsplit('.').next().unwrap_or_default();
        let names = |line: &&str| {
            let line = line.trim_start_matches(|c: char| c.is_whitespace() || c == '[');
            let rest = line.strip_prefix(key).map(str::trim_start);
            rest.is_some_and(|rest| rest.starts_with(['=', ']', '.']))
        };
        let line = text.split_inclusive('\n').find(|line| !key.is_empty() && names(line));
        // A part of the text, so that its address says where it is.
        let at = line.map_or(0, |line| line.as_ptr() as usize - text.as_ptr() as usize);
        let (said, hint) = match self.said.split_once('\n') {
            Some((said, hint)) => (said, Some(hint.to_owned())),
            None => (self.said.as_str(), None),
        };
        Problem::new(toml_text::location(text, at), said).hinted(hint)
    }
}

impl From<WrongToml> for ManifestError {
    fn from(wrong: WrongToml) -> Self {
        Self { said: wrong.shown, problem: wrong.problem.map(Box::new) }
    }
}

/// How to build what a manifest is about.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// A program and its arguments, run in the manifest's folder; no shell takes part.
    pub command: Vec<String>,
}

/// What somebody notes about a plugin or a bundle.
pub type Labels = BTreeMap<String, String>;

/// Letters, digits, `-`, `_` and `.`, as names of workflows have them.
fn check_name(name: &str) -> Result<(), ManifestError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let valid = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= NAME_CHARS_MAX
        && name.chars().all(plain);
    if valid {
        return Ok(());
    }
    let name: String = name.chars().take(NAME_CHARS_MAX).collect();
    Err(ManifestError::new(format!(
        "name: `{name}` is no name: letters, digits, `-`, `_` and `.`, at most {NAME_CHARS_MAX}, \
         a letter or digit first"
    )))
}

fn parse_version(text: &str) -> Result<Version, ManifestError> {
    let short = text.chars().count() <= NAME_CHARS_MAX;
    let shown: String = text.chars().take(NAME_CHARS_MAX).collect();
    Version::parse(text).ok().filter(|_| short).ok_or_else(|| {
        ManifestError::new(format!("version: `{shown}` is no semantic version, such as `1.2.0`"))
    })
}

fn check_description(text: &str) -> Result<(), ManifestError> {
    let short = text.chars().take(TEXT_CHARS_MAX + 1).count() <= TEXT_CHARS_MAX;
    if short && !text.contains(|c: char| c.is_control() && c != '\n') {
        return Ok(());
    }
    Err(ManifestError::new(format!("description: at most {TEXT_CHARS_MAX} printable characters")))
}

fn check_labels(labels: &Labels) -> Result<(), ManifestError> {
    if labels.len() > LABELS_MAX {
        return Err(ManifestError::new(format!("labels: more than {LABELS_MAX}")));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    for (name, value) in labels {
        if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(plain) {
            let name: String = name.chars().take(NAME_CHARS_MAX).collect();
            return Err(ManifestError::new(format!("labels: `{name}` is no name of a label")));
        }
        if value.chars().count() > TEXT_CHARS_MAX || value.contains(char::is_control) {
            return Err(ManifestError::new(format!(
                "labels: the value of `{name}` is no line of text"
            )));
        }
    }
    Ok(())
}

fn check_build(build: &Build) -> Result<(), ManifestError> {
    let command = &build.command;
    if command.first().is_none_or(String::is_empty) || command.len() > ARGUMENTS_MAX {
        return Err(ManifestError::new(format!(
            "build.command: a program and at most {ARGUMENTS_MAX} arguments"
        )));
    }
    Ok(())
}
