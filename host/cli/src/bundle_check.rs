//! What `wfhost check` says of a workflow, of all that is in a folder before it becomes a bundle:
//! components are loaded, manifests and workflows held against what they offer.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use wfhost_bundle::{BundlePath, ContentError, Layout, PackError, PluginLayout};
use wfhost_workflow::Contract;
use wfhost_workflow::definition::{Location, Problem, Severity};

use crate::engine::LazyEngine;
use crate::error::{CommandError, Result};
use crate::output::Output;
use crate::problems::FileProblems;
use crate::shown::count;
use crate::workflow_file::{Component, Examined};

/// What was found, and what the components offer.
#[derive(Default)]
pub(crate) struct FolderChecked {
    pub(crate) files: Vec<FileProblems>,
    /// By the manifests' paths.
    pub(crate) contracts: BTreeMap<BundlePath, Arc<Vec<Contract>>>,
}

/// Checks all plugins and workflows that a folder lists.
pub(crate) fn folder(
    folder: &Path,
    layout: &Layout,
    least: Severity,
    engine: &mut LazyEngine<'_>,
) -> Result<FolderChecked> {
    let mut checked = FolderChecked::default();
    plugins(folder, layout, engine, &mut checked)?;
    for path in &layout.manifest.workflows {
        let examined = Examined::read(&folder.join(path.as_str()), engine)?;
        checked.files.push(FileProblems::of(&examined, least));
    }
    Ok(checked)
}

fn plugins(
    folder: &Path,
    layout: &Layout,
    engine: &mut LazyEngine<'_>,
    checked: &mut FolderChecked,
) -> Result<()> {
    if layout.plugins.is_empty() {
        return Ok(());
    }
    let read = |plugin: &PluginLayout| Component::read(&folder.join(plugin.component.as_str()));
    let components = layout.plugins.iter().map(read).collect::<std::result::Result<Vec<_>, _>>();
    let components = components.map_err(CommandError::invalid)?;
    let told = engine.get()?.offers(&components.iter().collect::<Vec<_>>());
    for (plugin, told) in layout.plugins.iter().zip(told) {
        let problems = match told {
            Ok(contracts) => {
                let missing = missing_exports(plugin, &contracts);
                checked.contracts.insert(plugin.path.clone(), contracts);
                missing
            }
            Err(message) => vec![(String::new(), format!("{}: {message}", plugin.component))],
        };
        if !problems.is_empty() {
            checked.files.push(of_manifest(folder, &plugin.path, problems));
        }
    }
    Ok(())
}

/// Each with the word that it is about.
fn missing_exports(plugin: &PluginLayout, contracts: &[Contract]) -> Vec<(String, String)> {
    let offered: Vec<&str> = contracts.iter().map(|contract| contract.name.as_str()).collect();
    let missing = plugin.manifest.missing_exports(contracts).into_iter();
    missing
        .map(|name| {
            let hint = wfhost_workflow::definition::did_you_mean(&name, offered.iter().copied());
            let all = format!("the component offers {}", offered.join(", "));
            let hint = hint.unwrap_or(all);
            let said = format!("exports: `{name}` is no function of {}\n{hint}", plugin.component);
            (format!("\"{name}\""), said)
        })
        .collect()
}

fn of_manifest(folder: &Path, path: &BundlePath, said: Vec<(String, String)>) -> FileProblems {
    let text = text_of(folder, path);
    let problem = |(word, said): (String, String)| {
        let (message, hint) = match said.split_once('\n') {
            Some((message, hint)) => (message.to_owned(), Some(hint.to_owned())),
            None => (said, None),
        };
        let (at, length) = place(&text, &word);
        Problem { length, ..Problem::new(at, message) }.hinted(hint)
    };
    let problems = said.into_iter().map(problem).collect();
    FileProblems { name: shown(folder, path), text: text.clone(), problems, left_out: 0 }
}

/// Where a word is in a text; the beginning where it is not.
fn place(text: &str, word: &str) -> (Location, u32) {
    let found = text.lines().enumerate().find_map(|(line, content)| {
        let at = content.find(word).filter(|_| !word.is_empty())?;
        Some((line, content[..at].chars().count()))
    });
    let number = |from_zero: usize| u32::try_from(from_zero + 1).unwrap_or(u32::MAX);
    let (line, column) = found.unwrap_or((0, 0));
    let length = if found.is_some() { word.chars().count() } else { 1 };
    (Location { line: number(line), column: number(column) }, number(length - 1))
}

/// What is wrong with a folder's files as far as a place is known, and what is left.
pub(crate) fn placed(folder: &Path, errors: Vec<PackError>) -> (Vec<FileProblems>, Vec<PackError>) {
    let (mut files, mut others) = (Vec::new(), Vec::new());
    for error in errors {
        match error {
            PackError::Content(ContentError::Manifest { path, problem }) => {
                let text = text_of(folder, &path);
                let problems = vec![problem.problem(&text)];
                files.push(FileProblems {
                    name: shown(folder, &path),
                    text,
                    problems,
                    left_out: 0,
                });
            }
            PackError::Content(ContentError::Workflow { path, source, text }) => {
                let (problems, left_out) = (source.found().to_vec(), source.left_out());
                files.push(FileProblems { name: shown(folder, &path), text, problems, left_out });
            }
            other => others.push(other),
        }
    }
    (files, others)
}

fn shown(folder: &Path, path: &BundlePath) -> String {
    folder.join(path.as_str()).display().to_string()
}

/// It has been read a moment ago; where it is gone, its lines are not shown.
fn text_of(folder: &Path, path: &BundlePath) -> String {
    std::fs::read_to_string(folder.join(path.as_str())).unwrap_or_default()
}

/// Writes all problems; the error to end with, if any is one.
pub(crate) fn refusal(
    folder: &Path,
    files: &[FileProblems],
    output: &Output,
) -> Option<CommandError> {
    let (mut errors, mut with_errors) = (0, 0);
    for file in files {
        file.write(output);
        let grave = file.problems.iter().filter(|it| it.severity == Severity::Error).count();
        errors += grave;
        with_errors += usize::from(grave > 0);
    }
    let name = crate::sanitise::line(&folder.display().to_string()).into_owned();
    let message = format!(
        "{name} is not packed: {} in {}",
        count(errors, "error"),
        count(with_errors, "file")
    );
    (errors > 0).then(|| CommandError::invalid(message))
}
