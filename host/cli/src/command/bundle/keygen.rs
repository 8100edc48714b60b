//! `wfhost bundle keygen`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use wfhost_bundle::SigningKey;
use wfhost_bundle::trust::Trust;

use crate::bundle_file;
use crate::command::Context;
use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;

/// Make a key that signs bundles
#[derive(Debug, Args)]
#[command(after_help = "\
The file is secret: whoever has it can sign as this key, and only its owner may read it. What is
written to standard output is the entry for a list of trusted keys, which a server reads; what the
key may deploy is written there.

Examples:
  wfhost bundle keygen -o team.key --comment 'release team' --deploys my-agents >> trusted.toml
  wfhost bundle keygen -o team.key --output json | jq -r .id
  wfhost bundle keygen --public team.key")]
pub(crate) struct KeygenArgs {
    /// Where the key is written; never over another file
    #[arg(short, long, value_name = "FILE", required_unless_present = "public")]
    out: Option<PathBuf>,
    /// Whose it is, in words
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    comment: String,
    /// A bundle that it may deploy, for the entry; `*` stands for any characters
    #[arg(long, value_name = "NAME", default_value = "*")]
    deploys: Vec<String>,
    /// Write the entry of a key that is there
    #[arg(long, value_name = "FILE", conflicts_with_all = ["out", "comment"])]
    public: Option<PathBuf>,
}

impl KeygenArgs {
    pub(super) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        let key = match &self.public {
            Some(path) => bundle_file::signing_key(path)?,
            None => SigningKey::generate(&self.comment).map_err(bundle_file::key_error)?,
        };
        let entry = self.entry(&key)?;
        if let Some(out) = &self.out {
            key.write_new(out).map_err(bundle_file::key_error)?;
        }
        if context.output.is_json() {
            let id = key.id().to_string();
            let file = self.out.or(self.public).map(|path| path.display().to_string());
            let json = json!({ "id": id, "comment": key.comment(), "file": file, "entry": entry });
            context.output.json(&json)?;
        } else {
            context.output.data(&entry)?;
        }
        Ok(ExitCode::Done)
    }

    /// For the list of trusted keys, which takes it.
    fn entry(&self, key: &SigningKey) -> Result<String> {
        let text = |text: &str| toml::Value::from(text).to_string();
        let mut entry = format!("[[keys]]\nid = {}\n", text(&key.id().to_string()));
        if !key.comment().is_empty() {
            entry.push_str(&format!("comment = {}\n", text(key.comment())));
        }
        let deploys: Vec<String> = self.deploys.iter().map(|name| text(name)).collect();
        entry.push_str(&format!("deploys = [{}]\n", deploys.join(", ")));
        match Trust::parse(&entry) {
            Ok(_) => Ok(entry),
            Err(error) => Err(CommandError::usage(error.to_string())),
        }
    }
}
