//! `wfhost bundle sign FILE`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use wfhost_bundle::{KeyId, Signatures, on_disk};

use crate::command::Context;
use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;
use crate::shown::count;
use crate::{bundle_file, sanitise};

/// Sign a bundle, or take signatures away
#[derive(Debug, Args)]
#[command(after_help = "\
Every file in it is checked first: what is signed is what is there. The digest stays as it is, and
other signatures stay; signing again with the same key changes nothing. The file is replaced when
the new one is whole.

Examples:
  wfhost bundle sign my-agents-1.2.0.wfb --key team.key
  wfhost bundle sign my-agents-1.2.0.wfb --key new.key --remove ed25519:3f0c9be1
  wfhost bundle sign my-agents-1.2.0.wfb --remove ed25519:3f0c9be1")]
pub(crate) struct SignArgs {
    /// The bundle
    file: PathBuf,
    /// Sign with this key; `wfhost bundle keygen` makes one
    #[arg(long, value_name = "FILE", required_unless_present = "remove")]
    key: Option<PathBuf>,
    /// Take away the signature of the key whose id begins so
    #[arg(long, value_name = "KEYID")]
    remove: Vec<String>,
}

impl SignArgs {
    pub(super) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        let key = self.key.as_deref().map(bundle_file::signing_key).transpose()?;
        let output = &context.output;
        let file = on_disk::open(&self.file).map_err(bundle_file::disk_error)?;
        let removed = self.removed(file.signatures())?;
        drop(file);
        let bundle = on_disk::change_signatures(&self.file, |digest, signatures| {
            for id in &removed {
                signatures.remove(*id);
            }
            key.as_ref().map_or(Ok(()), |key| signatures.sign(digest, key))
        })
        .map_err(bundle_file::disk_error)?;
        let keys: Vec<String> = bundle.signatures.keys().map(|key| key.to_string()).collect();
        if output.is_json() {
            let digest = bundle.digest().to_string();
            output.json(&json!({ "digest": digest, "signatures": keys }))?;
        } else {
            let name = self.file.display().to_string();
            let by = key.map(|key| format!(", signed by {}", key.id())).unwrap_or_default();
            output.note(&format!(
                "{}: {}{by}",
                sanitise::line(&name),
                count(keys.len(), "signature")
            ));
        }
        Ok(ExitCode::Done)
    }

    /// A key that did not sign is no error: then its signature is not there, as was wanted.
    fn removed(&self, signatures: &Signatures) -> Result<Vec<KeyId>> {
        let mut removed = Vec::new();
        for beginning in &self.remove {
            let begins = |key: &KeyId| {
                let id = key.to_string();
                let digits = id.split_once(':').map_or("", |(_, digits)| digits);
                id.starts_with(beginning.as_str()) || digits.starts_with(beginning.as_str())
            };
            let found: Vec<KeyId> = signatures.keys().filter(begins).collect();
            if found.len() > 1 {
                let message = format!("{} keys that signed begin with `{beginning}`", found.len());
                return Err(CommandError::usage(message).hint("name more of it"));
            }
            removed.extend(found);
        }
        Ok(removed)
    }
}
