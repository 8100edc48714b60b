//! A workflow file with its plugins, read and checked; nothing of it is stored or run yet.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wfhost_plugin::Manifest;
use wfhost_workflow::definition::{Location, PluginUse, Problem, render};
use wfhost_workflow::{Contract, Definition, Digest, Name};

use crate::engine::Engine;
use crate::error::{CommandError, Result};
use crate::sanitise;

/// A longer workflow is refused before it is looked at.
const WORKFLOW_BYTES_MAX: u64 = 16 << 20;
/// More than any language's runtime takes.
const COMPONENT_BYTES_MAX: u64 = 512 << 20;

/// A workflow file that is well-formed.
#[derive(Debug)]
pub(crate) struct WorkflowFile {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    pub(crate) definition: Definition,
}

/// A component file.
#[derive(Debug, Clone)]
pub(crate) struct Component {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) digest: Digest,
}

/// A plugin of the workflow, with what its manifest says.
#[derive(Debug)]
pub(crate) struct LoadedPlugin {
    pub(crate) component: Component,
    pub(crate) manifest: Option<Manifest>,
}

/// What the plugins offer, by their names in the workflow.
pub(crate) type Contracts = BTreeMap<Name, Arc<Vec<Contract>>>;

/// Why a file cannot be used.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It cannot be read.
    Unreadable(CommandError),
    /// It can, and this is wrong with it.
    Invalid(ProblemList),
}

/// What is wrong with a file.
#[derive(Debug)]
pub(crate) struct ProblemList {
    path: PathBuf,
    text: String,
    pub(crate) problems: Vec<Problem>,
    left_out: usize,
}

impl From<Refused> for CommandError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Unreadable(error) => error,
            Refused::Invalid(list) => list.into_error(),
        }
    }
}

impl ProblemList {
    fn into_error(self) -> CommandError {
        let path = self.path.display().to_string();
        let path = sanitise::line(&path);
        let mut report = render(&self.problems, &path, &self.text);
        let count = self.problems.len() + self.left_out;
        if self.left_out > 0 {
            report.push_str(&format!("and {} more\n", self.left_out));
        }
        let noun = if count == 1 { "problem" } else { "problems" };
        CommandError::invalid(format!("{path} has {count} {noun}")).report(report.trim_end())
    }
}

impl WorkflowFile {
    /// Reads and parses a file.
    pub(crate) fn read(path: &Path) -> Result<Self, Refused> {
        let text = read_text(path).map_err(Refused::Unreadable)?;
        match Definition::parse(&text) {
            Ok(definition) => Ok(Self { path: path.to_path_buf(), text, definition }),
            Err(problems) => Err(Refused::Invalid(ProblemList {
                path: path.to_path_buf(),
                text,
                problems: problems.found().to_vec(),
                left_out: problems.left_out(),
            })),
        }
    }

    /// Reads the files of all plugins.
    pub(crate) fn plugins(&self) -> Result<Vec<LoadedPlugin>, Refused> {
        let (mut plugins, mut problems) = (Vec::new(), Vec::new());
        let mut seen: BTreeMap<PathBuf, Component> = BTreeMap::new();
        for plugin in &self.definition.plugins {
            let path = self.folder().join(&plugin.path);
            let component = match seen.get(&path) {
                Some(component) => Ok(component.clone()),
                None => Component::read(&path),
            };
            let manifest = Manifest::beside(&path).map_err(|error| with_sources(&error));
            match (component, manifest) {
                (Ok(component), Ok(manifest)) => {
                    seen.insert(path, component.clone());
                    plugins.push(LoadedPlugin { component, manifest });
                }
                (Err(message), _) => {
                    let hint = "the path is relative to the workflow file; is the plugin built?";
                    problems.push(problem(plugin, message, Some(hint.to_owned())));
                }
                (_, Err(message)) => problems.push(problem(plugin, message, None)),
            }
        }
        if problems.is_empty() { Ok(plugins) } else { Err(self.refused(problems)) }
    }

    /// Asks the plugins what they offer and compares it with how they are called.
    pub(crate) fn check(
        &self,
        plugins: &[LoadedPlugin],
        engine: &Engine,
    ) -> Result<Contracts, Refused> {
        let (mut contracts, mut problems) = (Contracts::new(), Vec::new());
        let components: Vec<_> = plugins.iter().map(|plugin| &plugin.component).collect();
        let offers = engine.offers(&components);
        for ((used, plugin), offered) in self.definition.plugins.iter().zip(plugins).zip(offers) {
            match offered {
                Ok(offered) => {
                    contracts.insert(Arc::clone(&used.alias), offered);
                }
                Err(message) => {
                    let message = format!(
                        "plugin `{}` ({}): {message}",
                        used.alias,
                        plugin.component.path.display()
                    );
                    problems.push(problem(used, message, None));
                }
            }
        }
        problems.extend(self.definition.check_contracts(&contracts));
        if problems.is_empty() { Ok(contracts) } else { Err(self.refused(problems)) }
    }

    /// What paths in the file are relative to.
    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Refuses the file for something that was found at one of its places.
    pub(crate) fn refused_at(&self, at: Location, message: String) -> CommandError {
        self.refused(vec![Problem { at, length: 1, message, hint: None }]).into()
    }

    fn refused(&self, problems: Vec<Problem>) -> Refused {
        Refused::Invalid(ProblemList {
            path: self.path.clone(),
            text: self.text.clone(),
            problems,
            left_out: 0,
        })
    }
}

impl Component {
    /// Reads a component file. Errors are for people.
    pub(crate) fn read(path: &Path) -> std::result::Result<Self, String> {
        let bytes = read_bounded(path, COMPONENT_BYTES_MAX)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let bytes: Arc<[u8]> = bytes.into();
        let digest = Digest::of(&bytes);
        Ok(Self { path: path.to_path_buf(), bytes, digest })
    }
}

fn problem(plugin: &PluginUse, message: String, hint: Option<String>) -> Problem {
    Problem { at: plugin.at, length: 1, message, hint }
}

fn read_text(path: &Path) -> Result<String> {
    let failed = |error: std::io::Error| {
        let code = match error.kind() {
            std::io::ErrorKind::NotFound => crate::exit_code::ExitCode::Usage,
            _ => crate::exit_code::ExitCode::Store,
        };
        CommandError::new(code, error).context(format!("could not read {}", path.display()))
    };
    let bytes = read_bounded(path, WORKFLOW_BYTES_MAX).map_err(failed)?;
    String::from_utf8(bytes).map_err(|error| {
        CommandError::invalid(format!(
            "{} is not a text in UTF-8: the byte at {} is not",
            path.display(),
            error.utf8_error().valid_up_to()
        ))
    })
}

/// Reads a regular file: a pipe or device may never end.
fn read_bounded(path: &Path, bytes_max: u64) -> std::io::Result<Vec<u8>> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(std::io::Error::other("it is not a file"));
    }
    let too_large = || std::io::Error::other(format!("it is larger than {bytes_max} bytes"));
    if metadata.len() > bytes_max {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max { Err(too_large()) } else { Ok(bytes) }
}

/// The chain of an error on one line.
pub(crate) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit_code::ExitCode;

    fn read(text: &str) -> Result<WorkflowFile, CommandError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.yaml");
        std::fs::write(&path, text).unwrap();
        WorkflowFile::read(&path).map_err(CommandError::from)
    }

    #[test]
    fn a_file_is_read_or_its_problems_are_shown() {
        assert!(read("workflow: w\nsteps:\n  - id: a\n    set: 1\noutput: ${steps.a}\n").is_ok());
        let error = read("workflow: w\nstpes: []\n").unwrap_err();
        assert_eq!(error.code, ExitCode::Invalid);
        let report = error.report.unwrap_or_default();
        assert!(report.contains("w.yaml:2:1") && report.contains("steps"), "{report}");
    }

    #[test]
    fn what_is_no_text_file_is_said() {
        let check = |path: &Path, code, text: &str| {
            let error = CommandError::from(WorkflowFile::read(path).unwrap_err());
            assert_eq!(error.code, code);
            assert!(error.message().contains(text), "{}", error.message());
        };
        let folder = tempfile::tempdir().unwrap();
        check(folder.path(), ExitCode::Store, "not a file");
        check(&folder.path().join("none.yaml"), ExitCode::Usage, "could not read");
        let binary = folder.path().join("binary.yaml");
        std::fs::write(&binary, b"workflow: \xff").unwrap();
        check(&binary, ExitCode::Invalid, "the byte at 10");
        let large = folder.path().join("large.yaml");
        File::create(&large).unwrap().set_len(WORKFLOW_BYTES_MAX + 1).unwrap();
        check(&large, ExitCode::Store, "larger than");
    }

    #[test]
    fn plugins_that_are_missing_are_problems_of_the_file() {
        let file =
            read("workflow: w\nplugins:\n  t: ./none.wasm\nsteps:\n  - id: a\n    call: t/f\n")
                .unwrap();
        let error = CommandError::from(file.plugins().unwrap_err());
        assert_eq!(error.code, ExitCode::Invalid);
        let report = error.report.unwrap_or_default();
        assert!(report.contains("none.wasm") && report.contains("w.yaml:3:"), "{report}");
    }
}
