//! A workflow file with its plugins, read and checked; nothing of it is stored or run yet.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wfhost_bundle::grants::is_by_name;
use wfhost_plugin::Manifest;
use wfhost_workflow::definition::{
    Checked, Code, Draft, Location, Offer, PluginUse, Problem, Severity, render,
};
use wfhost_workflow::{Contract, Definition, Digest, Name};

use crate::component_facts::{tell_refused, tell_unlisted, uses_files};
use crate::engine::LazyEngine;
use crate::error::{CommandError, Result};
use crate::output::Output;
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

/// A workflow file with all that was found wrong with it and its plugins.
#[derive(Debug)]
pub(crate) struct Examined {
    path: PathBuf,
    draft: Draft,
    /// In the order of the definition; `None` for one that cannot be used.
    pub(crate) plugins: Vec<Option<LoadedPlugin>>,
    pub(crate) contracts: Contracts,
    pub(crate) checked: Checked,
}

impl Examined {
    /// Reads a workflow and its plugins, and checks everything that can be.
    pub(crate) fn read(path: &Path, engine: &mut LazyEngine<'_>) -> Result<Self> {
        let text = read_text(path)?;
        let draft = Draft::read(&text);
        let mut examined = Self {
            path: path.to_path_buf(),
            draft,
            plugins: Vec::new(),
            contracts: Contracts::new(),
            checked: Checked::default(),
        };
        let (mut offers, mut problems) = (BTreeMap::new(), Vec::new());
        let mut seen = BTreeMap::new();
        let mut plugins = Vec::new();
        for used in examined.definition().map_or(&[][..], |definition| &definition.plugins) {
            // What is wrong with the path has been said.
            if used.path.is_empty() {
                plugins.push(None);
                continue;
            }
            let mut offer = Offer::default();
            plugins.push(examined.plugin(used, &mut seen, &mut offer, &mut problems));
            offers.insert(Arc::clone(&used.alias), offer);
            problems.extend(examined.missing_dirs(used));
        }
        let all = examined.definition().map_or(&[][..], |definition| &definition.plugins);
        let usable: Vec<_> = all
            .iter()
            .zip(&plugins)
            .filter_map(|(used, plugin)| Some((used, plugin.as_ref()?)))
            .collect();
        let components: Vec<&Component> =
            usable.iter().map(|(_, plugin)| &plugin.component).collect();
        let engine = if usable.is_empty() { None } else { Some(engine.get()?) };
        let told = engine.as_ref().map_or_else(Vec::new, |engine| engine.offers(&components));
        let mut contracts = Contracts::new();
        let mut every = Contracts::new();
        for ((used, plugin), told) in usable.into_iter().zip(told) {
            match told {
                Ok(all) => {
                    let offered = plugin.offered(&all);
                    every.insert(Arc::clone(&used.alias), all);
                    if let Some(offer) = offers.get_mut(&used.alias) {
                        offer.contracts = Some(Arc::clone(&offered));
                        // Of any other it is of no interest.
                        let asks_nothing = offer.asks.as_ref().is_some_and(Vec::is_empty);
                        if let Some(engine) = engine.as_ref().filter(|_| asks_nothing) {
                            offer.uses_files = uses_files(engine, &plugin.component);
                        }
                    }
                    contracts.insert(Arc::clone(&used.alias), offered);
                }
                Err(message) => {
                    let path = plugin.component.path.display();
                    let message = format!("plugin `{}` ({path}): {message}", used.alias);
                    problems.push(unusable(used, message));
                }
            }
        }
        examined.contracts = contracts;
        examined.checked = examined.draft.check(&offers, problems);
        if let (Some(definition), Some(engine)) = (examined.draft.definition(), &engine) {
            tell_refused(&mut examined.checked, definition, &plugins, engine);
            tell_unlisted(&mut examined.checked, definition, &plugins, &every);
        }
        examined.plugins = plugins;
        Ok(examined)
    }

    pub(crate) const fn definition(&self) -> Option<&Definition> {
        self.draft.definition()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn text(&self) -> &str {
        self.draft.source()
    }

    /// What paths in the file are relative to.
    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// The plugin's files; what its manifest asks for goes to `offer`.
    fn plugin(
        &self,
        used: &PluginUse,
        seen: &mut BTreeMap<PathBuf, Component>,
        offer: &mut Offer,
        problems: &mut Vec<Problem>,
    ) -> Option<LoadedPlugin> {
        let path = self.folder().join(&used.path);
        let manifest = match Manifest::beside(&path) {
            Ok(manifest) => {
                offer.asks =
                    Some(manifest.as_ref().map_or_else(Vec::new, |manifest| manifest.dirs.clone()));
                Some(manifest)
            }
            Err(error) => {
                problems.push(unusable(used, with_sources(&error)));
                None
            }
        };
        let component = match seen.get(&path) {
            Some(component) => component.clone(),
            None => match Component::read(&path) {
                Ok(component) => component,
                Err(message) => {
                    let hint = "the path is relative to the workflow file; is the plugin built?";
                    problems.push(unusable(used, message).hinted(Some(hint.to_owned())));
                    // A manifest that lies beside nothing says nothing.
                    offer.asks = None;
                    return None;
                }
            },
        };
        seen.insert(path, component.clone());
        Some(LoadedPlugin { component, manifest: manifest? })
    }

    /// Directories that the file names and that are none.
    fn missing_dirs<'e>(&'e self, used: &'e PluginUse) -> impl Iterator<Item = Problem> + 'e {
        used.dirs.iter().filter_map(|dir| {
            let path: String = serde_json::from_str(dir.path.constant_text()?).ok()?;
            // What workers call so is known to them alone.
            if is_by_name(Path::new(&path)) {
                return None;
            }
            let path = self.folder().join(path);
            let why = match std::fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() => return None,
                Ok(_) => "it is not a directory".to_owned(),
                Err(error) => error.to_string(),
            };
            let message = format!("{} cannot be given: {why}", path.display());
            let hint = "the path is relative to the workflow file";
            Some(
                Problem::new(dir.at, message)
                    .rated(Severity::Error, Code::GrantUnusable)
                    .hinted(Some(hint.to_owned())),
            )
        })
    }

    /// The file and its plugins, unless something is wrong with them: that is written.
    pub(crate) fn into_valid(self, output: &Output) -> Result<(WorkflowFile, Vec<LoadedPlugin>)> {
        if self.checked.is_refused() {
            crate::problems::write(output, &self, Severity::Warning);
            return Err(crate::problems::refusal(&self));
        }
        let Self { path, draft, plugins, .. } = self;
        let text = draft.source().to_owned();
        let plugins: Option<Vec<LoadedPlugin>> = plugins.into_iter().collect();
        match (draft.into_definition(), plugins) {
            (Some(definition), Some(plugins)) => {
                Ok((WorkflowFile { path, text, definition }, plugins))
            }
            _ => Err(CommandError::invalid(format!("{} cannot be read", path.display()))),
        }
    }
}

impl LoadedPlugin {
    /// Those of the component's functions that the manifest lists, which are all where it lists none.
    fn offered(&self, all: &Arc<Vec<Contract>>) -> Arc<Vec<Contract>> {
        match &self.manifest {
            Some(manifest) if manifest.exports.is_some() => Arc::new(manifest.exported(all)),
            Some(_) | None => Arc::clone(all),
        }
    }
}

impl WorkflowFile {
    /// What paths in the file are relative to.
    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Refuses the file for something that was found at one of its places.
    pub(crate) fn refused_at(&self, at: Location, message: String) -> CommandError {
        let problem = Problem::new(at, message);
        let name = self.path.display().to_string();
        let name = sanitise::line(&name);
        let report = render(&[problem], &name, &self.text, &|_, text| text.to_owned());
        CommandError::invalid(format!("{name} has 1 error")).report(report.trim_end())
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

fn unusable(plugin: &PluginUse, message: String) -> Problem {
    Problem::new(plugin.at, message).rated(Severity::Error, Code::PluginUnusable)
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
    use crate::output::Format;

    /// No plugin is loaded here.
    fn no_engine() -> Result<crate::engine::Engine> {
        Err(CommandError::invalid("no engine is needed"))
    }

    /// What is read, and what is written about it.
    fn read(text: &str) -> (Result<WorkflowFile>, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.yaml");
        std::fs::write(&path, text).unwrap();
        let output = Output::captured(Format::Text);
        let read = Examined::read(&path, &mut LazyEngine::new(&no_engine))
            .and_then(|examined| examined.into_valid(&output))
            .map(|(file, _)| file);
        (read, output.written().stderr)
    }

    #[test]
    fn a_file_is_read_or_its_problems_are_shown() {
        assert!(read("workflow: w\nsteps:\n  - id: a\n    set: 1\noutput: ${steps.a}\n").0.is_ok());
        let (refused, report) = read("workflow: w\nstpes: []\n");
        assert_eq!(refused.unwrap_err().code, ExitCode::Invalid);
        assert!(report.contains("w.yaml:2:1") && report.contains("steps"), "{report}");
    }

    #[test]
    fn what_is_no_text_file_is_said() {
        let check = |path: &Path, code, text: &str| {
            let error = Examined::read(path, &mut LazyEngine::new(&no_engine)).unwrap_err();
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
        let (refused, report) =
            read("workflow: w\nplugins:\n  t: ./none.wasm\nsteps:\n  - id: a\n    call: t/f\n");
        assert_eq!(refused.unwrap_err().code, ExitCode::Invalid);
        assert!(report.contains("none.wasm") && report.contains("w.yaml:3:"), "{report}");
    }
}
