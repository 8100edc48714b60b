//! TOML that people write: refused where it is wrong, with the place and the likely right word.

use serde::de::DeserializeOwned;
use wfhost_workflow::definition::did_you_mean;

/// Reads a file's text. The problem names line and column, and for an unknown key the nearest
/// known one.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| with_hint(&error.to_string()))
}

/// Adds the nearest known key where the parser met an unknown one.
fn with_hint(problem: &str) -> String {
    let problem = problem.trim_end();
    let unknown = ["unknown field `", "unknown variant `"]
        .iter()
        .find_map(|words| problem.split_once(words).map(|(_, names)| names));
    let Some(names) = unknown else { return problem.to_owned() };
    let mut names = names.split('`').step_by(2);
    let written = names.next().unwrap_or_default();
    match did_you_mean(written, names) {
        Some(hint) => format!("{problem}\n{hint}"),
        None => problem.to_owned(),
    }
}
