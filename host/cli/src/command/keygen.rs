//! `wfhost keygen`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use wfhost_transport::keys::{KeyError, KeyPair};

use super::Context;
use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;

/// Make a key for a worker, a client or a server
#[derive(Debug, Args)]
#[command(after_help = "\
The file holds both halves: whoever has it is that peer, and only its owner may read it. The public
half, which is written to standard output, goes into a list of the coordinator: a text file with a
key and a name a line (`#` begins a comment), one for workers and one for clients. Lists are read
again when they change: a new key can be added before its worker is started anew, and the old one
taken off afterwards.

Examples:
  wfhost keygen --out node1.key >> workers.keys
  wfhost keygen --out laptop.key --name laptop >> clients.keys
  wfhost keygen --public node1.key")]
pub(crate) struct KeygenArgs {
    /// Where the key is written; never over another file
    #[arg(long, value_name = "FILE", required_unless_present = "public")]
    out: Option<PathBuf>,
    /// Write the public half of a key that is there
    #[arg(long, value_name = "FILE", conflicts_with_all = ["out", "name"])]
    public: Option<PathBuf>,
    /// Whose it is, for the list [default: the file's name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

impl KeygenArgs {
    pub(crate) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        let (path, pair) = match (self.out, self.public) {
            (Some(out), _) => {
                let pair = KeyPair::generate().map_err(key_error)?;
                pair.write_new(&out).map_err(key_error)?;
                (out, pair)
            }
            (None, Some(public)) => {
                let pair = KeyPair::read(&public).map_err(key_error)?;
                (public, pair)
            }
            (None, None) => return Err(CommandError::usage("`--out FILE` is missing")),
        };
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let name = self.name.unwrap_or(stem);
        let public = pair.public().to_string();
        if context.output.is_json() {
            context.output.json(&json!({ "public": public, "name": name, "file": path }))?;
        } else {
            context.output.data(&format!("{public}  {name}\n"))?;
        }
        Ok(ExitCode::Done)
    }
}

/// A key that cannot be used is a matter of permissions, or of the command line.
pub(crate) fn key_error(error: KeyError) -> CommandError {
    let hint = match &error {
        KeyError::Open { path, wanted, .. } => {
            Some(format!("`chmod {wanted:o} {}`", path.display()))
        }
        KeyError::Io { .. } | KeyError::Content { .. } => None,
        KeyError::NoCurve => Some("install libzmq with CURVE (Debian: libzmq5)".to_owned()),
    };
    let code = if hint.is_some() { ExitCode::Denied } else { ExitCode::Usage };
    let error = CommandError::new(code, error);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}
