//! Which bundles a process of this folder takes: options over the folder's `trust.toml`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use wfhost_bundle::KeyError;
use wfhost_bundle::trust::{TrustFile, TrustPolicy, Unsigned};

use crate::data_folder::DataDir;
use crate::error::{CommandError, Result};

/// Its name in a data folder.
pub(crate) const FILE: &str = "trust.toml";

/// Options about whose bundles are taken.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct TrustArgs {
    /// Whose bundles are run: a list of keys, read again when it changes [default: trust.toml in the data folder, if it is there]
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Run bundles that nobody has signed, too; for development
    #[arg(long)]
    allow_unsigned: bool,
    /// Run nothing but signed bundles: no step of a workflow that was started from a file
    #[arg(long, conflicts_with = "allow_unsigned")]
    signed_only: bool,
}

impl TrustArgs {
    /// Which bundles are taken. The same for the coordinator of a data folder and for workers.
    ///
    /// # Errors
    /// If the list cannot be used, or was named and is not there.
    pub(crate) fn policy(&self, data: &DataDir) -> Result<TrustPolicy> {
        let file = match &self.trust {
            Some(path) => TrustFile::open(path),
            // A key may be trusted for the first time while this process lives.
            None => TrustFile::open_or_await(&data.path().join(FILE)),
        };
        let unsigned = if self.allow_unsigned { Unsigned::Allowed } else { Unsigned::Refused };
        Ok(TrustPolicy { file: Some(file.map_err(|error| trust_error(&error))?), unsigned })
    }

    /// What a worker of this process takes.
    ///
    /// # Errors
    /// As [`Self::policy`].
    pub(crate) fn trusting(&self, data: &DataDir) -> Result<wfhost_worker::Trusting> {
        Ok(wfhost_worker::Trusting { policy: self.policy(data)?, signed_only: self.signed_only })
    }

    /// The same for another process of this program.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let mut arguments = Vec::new();
        if let Some(path) = &self.trust {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            arguments.extend(["--trust".into(), path.into()]);
        }
        for (flag, is_set) in
            [("--allow-unsigned", self.allow_unsigned), ("--signed-only", self.signed_only)]
        {
            if is_set {
                arguments.push(flag.into());
            }
        }
        arguments
    }
}

fn trust_error(error: &KeyError) -> CommandError {
    let text = crate::workflow_file::with_sources(error);
    let told = CommandError::usage(text).context("cannot use the list of trusted keys");
    match error {
        KeyError::Open { path, wanted, .. } => {
            told.hint(format!("`chmod {wanted:03o} {}` if it is yours", path.display()))
        }
        KeyError::Io { .. }
        | KeyError::Content { .. }
        | KeyError::NoRandomness(_)
        | KeyError::Comment => told,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_process_is_told_the_same() {
        let args = TrustArgs {
            trust: Some("/tmp/t.toml".into()),
            allow_unsigned: true,
            signed_only: false,
        };
        assert_eq!(args.arguments(), ["--trust", "/tmp/t.toml", "--allow-unsigned"]);
        let args = TrustArgs { trust: None, allow_unsigned: false, signed_only: true };
        assert_eq!(args.arguments(), ["--signed-only"]);
    }
}
