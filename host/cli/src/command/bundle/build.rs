//! The build commands of a folder: run for who packs it and says so, never for who reads.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wfhost_bundle::manifest::Build;
use wfhost_bundle::{Layout, PluginLayout};

use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;
use crate::output::{self, Output};
use crate::sanitise;

/// Runs the bundle's command, then those of its plugins.
pub(super) fn all(folder: &Path, layout: &Layout, output: &Output) -> Result<()> {
    let plugins = layout.plugins.iter().map(|plugin| (&plugin.manifest.build, own(folder, plugin)));
    let bundle = (&layout.manifest.build, folder.to_owned());
    for (build, folder) in std::iter::once(bundle).chain(plugins) {
        if let Some(build) = build {
            run(build, &folder, output)?;
        }
    }
    missing(folder, layout, true)
}

/// Refuses a folder in which a component is not built.
pub(super) fn missing(folder: &Path, layout: &Layout, is_built: bool) -> Result<()> {
    let is_there =
        |plugin: &&PluginLayout| folder.join(plugin.component.as_str()).symlink_metadata().is_ok();
    let Some(plugin) = layout.plugins.iter().find(|plugin| !is_there(plugin)) else {
        return Ok(());
    };
    let component = folder.join(plugin.component.as_str());
    let message = format!(
        "{} is missing, the component of plugin `{}`",
        component.display(),
        plugin.manifest.name
    );
    let error = CommandError::invalid(message);
    let build = plugin.manifest.build.as_ref().or(layout.manifest.build.as_ref());
    Err(match (build, is_built) {
        (Some(build), false) => {
            error.hint(format!("`--build` runs `{}`", sanitise::line(&shown(build))))
        }
        (Some(build), true) => {
            error.hint(format!("`{}` did not make it", sanitise::line(&shown(build))))
        }
        (None, _) => error.hint(format!(
            "build it, or name another file as `component` in {}",
            folder.join(plugin.path.as_str()).display()
        )),
    })
}

fn own(folder: &Path, plugin: &PluginLayout) -> PathBuf {
    let manifest = folder.join(plugin.path.as_str());
    manifest.parent().map_or_else(|| folder.to_owned(), Path::to_owned)
}

fn shown(build: &Build) -> String {
    build.command.join(" ")
}

/// What it says goes to standard error as it is: it is the user's own tool, and shows progress
/// in its own way.
fn run(build: &Build, folder: &Path, said: &Output) -> Result<()> {
    let text = shown(build);
    let name = sanitise::line(&text);
    said.note(&format!("in {}: {name}", sanitise::line(&folder.display().to_string())));
    let Some((program, arguments)) = build.command.split_first() else { return Ok(()) };
    // A program that is named by a path is meant from the folder, as in a shell there.
    let program = match program.contains('/') {
        true => std::path::absolute(folder.join(program)).unwrap_or_else(|_| folder.join(program)),
        false => PathBuf::from(program),
    };
    let status = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(output::for_a_tool())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(CommandError::invalid(format!("`{name}` failed: {status}"))),
        Err(error) => {
            Err(CommandError::new(ExitCode::Usage, error).context(format!("cannot run `{name}`")))
        }
    }
}
