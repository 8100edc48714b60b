//! `wfhost bundle pack FOLDER`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use wfhost_bundle::on_disk::{self, Existing};
use wfhost_bundle::{Bundle, ContentError, FormatError, Layout, PackError, SigningKey};
use wfhost_workflow::definition::Severity;

use super::build;
use crate::bundle_check::{self, FolderChecked};
use crate::command::Context;
use crate::engine::{Engine, EngineSetup, LazyEngine};
use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;
use crate::output::{Output, Tone};
use crate::problems::{self, FileProblems};
use crate::shown::bundle as shown;
use crate::{bundle_file, sanitise};

/// Pack plugins and workflows into one file
#[derive(Debug, Args)]
#[command(after_help = "\
Packs what the folder's bundle.toml lists, and nothing else. The same contents give the same bytes
on every machine; the digest names the bundle everywhere. Before that, everything is checked as
`wfhost check` does: components are loaded, manifests and workflows are held against what they
offer. Nothing of a plugin is run but, without any permission, the description of its steps.

Examples:
  wfhost bundle pack my-agents
  wfhost bundle pack my-agents -o my-agents.wfb --key team.key
  wfhost bundle pack my-agents --build --force
  wfhost bundle pack my-agents --output json | jq -r .digest")]
pub(crate) struct PackArgs {
    /// The folder with bundle.toml
    folder: PathBuf,
    /// Where the bundle is written [default: NAME-VERSION.wfb, here]
    #[arg(short = 'o', long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Sign it with this key; see `wfhost bundle keygen`
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Run the build commands of bundle.toml and of the plugins first, each in its folder
    #[arg(long)]
    build: bool,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
    /// Load no component and hold nothing against what it offers
    #[arg(long)]
    no_check: bool,
}

impl PackArgs {
    pub(super) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        let output = &context.output;
        let key = self.key.as_deref().map(bundle_file::signing_key).transpose()?;
        let layout =
            Layout::read(&self.folder).map_err(|errors| self.unreadable(errors, output))?;
        match self.build {
            true => build::all(&self.folder, &layout, output)?,
            false => build::missing(&self.folder, &layout, false)?,
        }
        let path = self.path(&layout);
        if path.symlink_metadata().is_ok() && !self.force {
            let message = format!("there is a file {} already", path.display());
            return Err(CommandError::usage(message).hint("`--force` replaces it"));
        }
        let mut bundle = self.checked(&layout, context)?;
        if let Some(key) = &key {
            sign(&mut bundle, key)?;
        }
        let existing = if self.force { Existing::Replaced } else { Existing::Kept };
        on_disk::pack_planned(&self.folder, &bundle, &path, existing)
            .map_err(bundle_file::disk_error)?;
        self.say(&bundle, &path, output)
    }

    fn path(&self, layout: &Layout) -> PathBuf {
        let usual = || format!("{}-{}.wfb", layout.manifest.name, layout.manifest.version).into();
        self.out.clone().unwrap_or_else(usual)
    }

    /// What is to be packed, when nothing stands against it.
    fn checked(&self, layout: &Layout, context: &Context) -> Result<Bundle> {
        let output = &context.output;
        let planned = wfhost_bundle::plan(&self.folder);
        let is_workflow =
            |error: &PackError| matches!(error, PackError::Content(ContentError::Workflow { .. }));
        // Of workflows that are wrong the check says more: all that is wrong, in each.
        if !self.no_check && planned.as_ref().err().is_none_or(is_workflow) {
            let make = || Engine::new(EngineSetup::new(1, &context.config), output);
            let mut engine = LazyEngine::new(&make);
            let least = if output.is_quiet() { Severity::Warning } else { Severity::Note };
            let FolderChecked { files, .. } =
                bundle_check::folder(&self.folder, layout, least, &mut engine)?;
            if let Some(refusal) = self.refusal(&files, output)? {
                return Err(refusal);
            }
        }
        planned.map_err(|error| self.unreadable(vec![error], output))
    }

    fn unreadable(&self, errors: Vec<PackError>, output: &Output) -> CommandError {
        let (files, others) = bundle_check::placed(&self.folder, errors);
        let others: Vec<CommandError> = others.into_iter().map(|it| self.plain(it)).collect();
        for other in others.iter().rev().skip(usize::from(files.is_empty())) {
            output.error(other);
        }
        match self.refusal(&files, output) {
            Ok(Some(refusal)) | Err(refusal) => refusal,
            Ok(None) => others.into_iter().next_back().unwrap_or_else(|| {
                CommandError::invalid(format!("{} cannot be packed", self.folder.display()))
            }),
        }
    }

    fn plain(&self, error: PackError) -> CommandError {
        let top = self.folder.join("bundle.toml");
        let no_bundle = matches!(
            &error,
            PackError::Read { path, source }
                if *path == top && source.kind() == std::io::ErrorKind::NotFound
        );
        let mut error = bundle_file::pack_error(error);
        if no_bundle {
            error.code = ExitCode::Usage;
            error = error.hint(
                "bundle.toml says name, version, plugins and workflows of what is to be packed",
            );
        }
        error
    }

    fn refusal(&self, files: &[FileProblems], output: &Output) -> Result<Option<CommandError>> {
        let refusal = bundle_check::refusal(&self.folder, files, output);
        if refusal.is_some() && output.is_json() {
            let problems = files.iter().flat_map(|file| {
                file.problems.iter().map(|problem| {
                    let mut json = problems::json(problem);
                    json["file"] = file.name.as_str().into();
                    json
                })
            });
            output.json(&json!({ "packed": false, "problems": problems.collect::<Vec<_>>() }))?;
        }
        Ok(refusal)
    }

    fn say(&self, bundle: &Bundle, path: &Path, output: &Output) -> Result<ExitCode> {
        let bytes = path.metadata().map_or(0, |metadata| metadata.len());
        if output.is_json() {
            let mut json = shown::json(bundle);
            json["packed"] = true.into();
            json["file"] = path.display().to_string().into();
            json["file_bytes"] = bytes.into();
            output.json(&json)?;
        } else {
            let mut lines = vec![format!(
                "{} {}: {}, {} packed",
                output.paint(Tone::Good, "ok"),
                sanitise::line(&path.display().to_string()),
                shown::summary(bundle),
                crate::shown::size(bytes),
            )];
            lines.push(format!("   digest {}", bundle.digest()));
            lines.extend(shown::short_lines(bundle));
            output.data(&lines.join("\n"))?;
        }
        Ok(ExitCode::Done)
    }
}

fn sign(bundle: &mut Bundle, key: &SigningKey) -> Result<()> {
    let digest = bundle.digest();
    let signed = bundle.signatures.sign(digest, key);
    signed.map_err(|error| {
        bundle_file::pack_error(ContentError::from(FormatError::from(error)).into())
    })
}
