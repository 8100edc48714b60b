//! Which directories the plugins of a run get: asked for, given and allowed.

use std::path::{Path, PathBuf};

use wfhost_bundle::grants::{self, Denial, GivenDir};
use wfhost_workflow::definition::{DirGiven, PluginUse};
use wfhost_workflow::expression::{RunFacts, Scope, StepOutputs};
use wfhost_workflow::{AllowedDir, DirAsk, DirGrant, Json, OperatorLimits, PinnedPlugin, StepId};

use crate::data_folder::DataDir;
use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;
use crate::output::{Output, Tone};
use crate::sanitise;
use crate::workflow_file::{LoadedPlugin, WorkflowFile};

/// What the operator allows, and how to ask for more.
pub(crate) struct Operator<'a> {
    pub(crate) data: &'a DataDir,
    pub(crate) output: &'a Output,
    pub(crate) allowed: Vec<AllowedDir>,
    pub(crate) limits: OperatorLimits,
}

/// The plugins with what they get, in the order of the definition.
pub(crate) fn pin(
    file: &WorkflowFile,
    plugins: &[LoadedPlugin],
    run: &RunFacts,
    input: &Json,
    operator: &mut Operator<'_>,
) -> Result<Vec<PinnedPlugin>> {
    let mut pinned = Vec::new();
    for (used, plugin) in file.definition.plugins.iter().zip(plugins) {
        let given = used
            .dirs
            .iter()
            .map(|dir| given_dir(file, dir, run, input))
            .collect::<Result<Vec<_>>>()?;
        let asks = plugin.manifest.as_ref().map_or(&[][..], |manifest| &manifest.dirs);
        for ask in grants::not_given(asks, &given) {
            warn_not_given(used, ask, operator.output);
        }
        let limits = match &plugin.manifest {
            Some(manifest) => used.limits.lowered(&manifest.limits),
            None => used.limits,
        };
        pinned.push(PinnedPlugin {
            alias: used.alias.clone(),
            digest: plugin.component.digest,
            dirs: decide(&used.alias, asks, &given, operator)?,
            limits: operator.limits.lower(limits),
            determinism: used.determinism,
            plugin: None,
        });
    }
    Ok(pinned)
}

/// Asks the operator where only that is missing, and somebody is there.
fn decide(
    alias: &str,
    asks: &[DirAsk],
    given: &[GivenDir],
    operator: &mut Operator<'_>,
) -> Result<Vec<DirGrant>> {
    loop {
        let denial = match grants::decide(alias, asks, given, &operator.allowed) {
            Ok(grants) => return Ok(grants),
            Err(denial) => denial,
        };
        match denial.question() {
            Some(wanted) if operator.output.can_ask() => operator.ask(&denial, wanted)?,
            _ => return Err(denied(&denial)),
        }
    }
}

impl Operator<'_> {
    fn ask(&mut self, denial: &Denial, wanted: AllowedDir) -> Result<()> {
        let verb = match wanted.mode {
            wfhost_workflow::DirMode::ReadOnly => "read",
            wfhost_workflow::DirMode::ReadWrite => "read and change",
        };
        let question = format!(
            "plugin `{}` wants to {verb} {} (as {})\n{} [o]nce, [r]emember, [N]o: ",
            sanitise::line(&denial.alias),
            self.output.paint_message(Tone::Strong, &sanitise::line(&wanted.host_path)),
            sanitise::line(&denial.guest_path),
            self.output.paint_message(Tone::Busy, "allow it?"),
        );
        match self.output.ask(&question).unwrap_or_default().to_lowercase().as_str() {
            "o" | "once" | "y" | "yes" => {}
            "r" | "remember" => self.data.remember_allowed_dir(&wanted)?,
            _ => return Err(denied(denial)),
        }
        self.allowed.push(wanted);
        Ok(())
    }
}

fn denied(denial: &Denial) -> CommandError {
    CommandError::new(ExitCode::of_denial(&denial.reason), anyhow::Error::msg(denial.to_string()))
        .hint(denial.remedy())
}

fn warn_not_given(used: &PluginUse, ask: &DirAsk, output: &Output) {
    let (alias, path) = (sanitise::line(&used.alias), sanitise::line(&ask.guest_path));
    output.warn(&format!(
        "plugin `{alias}` asks for a directory as {path} ({}), and the workflow gives none",
        ask.mode.name()
    ));
}

/// A path that the file names is relative to the file; one that comes from an expression, to
/// where the command is run, since that is where inputs are written.
fn given_dir(
    file: &WorkflowFile,
    dir: &DirGiven,
    run: &RunFacts,
    input: &Json,
) -> Result<GivenDir> {
    let scope = Scope { run: Some(run), input, steps: &NoSteps, item: None };
    let value = dir
        .path
        .evaluate(&scope)
        .map_err(|error| file.refused_at(dir.at, format!("the directory's path: {error}")))?;
    let serde_json::Value::String(path) = value.to_value() else {
        return Err(
            file.refused_at(dir.at, format!("the directory's path must be text, not {value:?}"))
        );
    };
    if path.is_empty() {
        return Err(file.refused_at(dir.at, "the directory's path is empty".to_owned()));
    }
    let by_name = grants::is_by_name(Path::new(&path));
    let host_path = if dir.path.constant_text().is_some() && !by_name {
        file.folder().join(&path)
    } else {
        PathBuf::from(&path)
    };
    Ok(GivenDir { host_path, guest_path: dir.guest_path.clone(), mode: dir.mode })
}

/// No step has run when directories are decided.
struct NoSteps;

impl StepOutputs for NoSteps {
    fn output(&self, _step: StepId) -> Option<Json> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_folder::Surroundings;
    use crate::output::Format;
    use wfhost_workflow::{DirMode, RunId, TimestampMs};

    struct Place {
        folder: tempfile::TempDir,
        data: DataDir,
        output: Output,
    }

    fn place() -> Place {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("texts")).unwrap();
        let data =
            DataDir::resolve(Some(&folder.path().join("data")), &Surroundings::default()).unwrap();
        Place { folder, data, output: Output::captured(Format::Text) }
    }

    fn grants(place: &Place, path: &str, input: &str, allowed: &[&str]) -> Result<Vec<DirGrant>> {
        let workflow = format!(
            "workflow: w\ninput: {{ type: object }}\nplugins:\n  t: {{ path: t.wasm, grants: {{ dirs: [ {{ path: \"{path}\", as: /in, mode: ro }} ] }} }}\nsteps:\n  - id: a\n    call: t/f\n"
        );
        let path = place.folder.path().join("w.yaml");
        std::fs::write(&path, workflow).unwrap();
        std::fs::write(place.folder.path().join("t.wasm"), "").unwrap();
        let manifest =
            "name = \"t\"\nversion = \"1\"\n[grants]\ndirs = [{ as = \"/in\", mode = \"ro\" }]";
        std::fs::write(place.folder.path().join("plugin.toml"), manifest).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let definition = wfhost_workflow::Definition::parse(&text).unwrap();
        let file = WorkflowFile { path, text, definition };
        let wasm = place.folder.path().join("t.wasm");
        let plugins = vec![LoadedPlugin {
            component: crate::workflow_file::Component::read(&wasm).unwrap(),
            manifest: wfhost_plugin::Manifest::beside(&wasm).unwrap(),
        }];
        let run = RunFacts { id: RunId::new(TimestampMs(0), 0), workflow: "w".into() };
        let allowed = allowed
            .iter()
            .map(|below| {
                let path = place.folder.path().join(below).canonicalize().unwrap();
                AllowedDir { host_path: path.to_str().unwrap().to_owned(), mode: DirMode::ReadOnly }
            })
            .collect();
        let mut operator = Operator {
            data: &place.data,
            output: &place.output,
            allowed,
            limits: OperatorLimits::default(),
        };
        let pinned = pin(&file, &plugins, &run, &Json::parse(input).unwrap(), &mut operator)?;
        Ok(pinned.into_iter().flat_map(|plugin| plugin.dirs).collect())
    }

    #[test]
    fn a_path_in_the_file_is_relative_to_the_file() {
        let place = place();
        let texts = place.folder.path().canonicalize().unwrap().join("texts");
        let got = grants(&place, "texts", "{}", &["texts"]).unwrap();
        assert_eq!(
            got.iter().map(|dir| dir.host_path.as_str()).collect::<Vec<_>>(),
            [texts.to_str().unwrap()]
        );
        let input = serde_json::json!({ "folder": texts }).to_string();
        assert_eq!(grants(&place, "${input.folder}", &input, &["."]).unwrap(), got);
    }

    #[test]
    fn what_is_not_allowed_is_denied_with_the_flag_to_add() {
        let place = place();
        let error = grants(&place, "texts", "{}", &[]).unwrap_err();
        assert_eq!(error.code, ExitCode::Denied);
        assert!(
            error.hints[0].contains("--allow-dir") && error.hints[0].ends_with("texts:ro"),
            "{:?}",
            error.hints
        );
    }

    #[test]
    fn paths_that_cannot_be_are_refused() {
        let place = place();
        let check = |path: &str, input: &str| {
            let error = grants(&place, path, input, &["."]).unwrap_err();
            assert_eq!(error.code, ExitCode::Invalid, "{path} {input}: {}", error.message());
        };
        check("none", "{}");
        check("${input.folder}", "{}");
        check("${input.folder}", r#"{"folder": 7}"#);
        check("${input.folder}", r#"{"folder": ""}"#);
    }
}
