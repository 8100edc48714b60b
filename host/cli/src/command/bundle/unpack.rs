//! `wfhost bundle unpack FILE`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use wfhost_bundle::on_disk;

use crate::command::Context;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::shown::count;
use crate::{bundle_file, sanitise};

/// Write a bundle's files into a new folder
#[derive(Debug, Args)]
#[command(after_help = "\
The folder must not be there yet. Each file is held against the bundle's digest; if anything is
wrong, nothing is left of the folder. Packing it again gives the same digest.

Examples:
  wfhost bundle unpack my-agents-1.2.0.wfb
  wfhost bundle unpack my-agents-1.2.0.wfb -o looked-at")]
pub(crate) struct UnpackArgs {
    /// The bundle
    file: PathBuf,
    /// The folder [default: NAME-VERSION, here]
    #[arg(short, long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

impl UnpackArgs {
    pub(super) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        // What its parts say is checked before anything is written.
        let bundle = bundle_file::read(&self.file)?;
        let usual = || format!("{}-{}", bundle.manifest.name, bundle.manifest.version).into();
        let folder: PathBuf = self.out.unwrap_or_else(usual);
        let mut file = on_disk::open(&self.file).map_err(bundle_file::disk_error)?;
        wfhost_bundle::unpack(&mut file, &folder)
            .map_err(|error| bundle_file::unpack_error(&self.file, &folder, error))?;
        let (digest, files) = (file.digest(), file.tree().entries().len());
        if context.output.is_json() {
            let folder = folder.display().to_string();
            let json = json!({ "folder": folder, "files": files, "digest": digest.to_string() });
            context.output.json(&json)?;
        } else {
            let folder = folder.display().to_string();
            let folder = sanitise::line(&folder);
            context.output.note(&format!("{} in {folder}", count(files, "file")));
        }
        Ok(ExitCode::Done)
    }
}
