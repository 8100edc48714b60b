//! A server on the network that commands can ask instead of a data folder.

use std::path::PathBuf;

use clap::Args;
use wfhost_transport::keys::KeyPair;
use wfhost_transport::{Coordinator, Curve, Endpoint};

use crate::command::{ServerKey, key_error};
use crate::error::{CommandError, Result};

/// Options of commands that ask whoever serves.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Options to ask a server on the network")]
pub(crate) struct ServerArgs {
    /// Its address, such as tcp://coordinator:7411, in the place of a data folder
    #[arg(
        long,
        global = true,
        value_name = "ADDRESS",
        env = "WFHOST_SERVER",
        hide_env_values = true
    )]
    server: Option<Endpoint>,
    /// The public half of its key: 64 digits, or @FILE
    #[arg(
        long,
        global = true,
        value_name = "KEY",
        env = "WFHOST_SERVER_KEY",
        hide_env_values = true
    )]
    server_key: Option<ServerKey>,
    /// The file with this client's key, made with `wfhost keygen`
    #[arg(long, global = true, value_name = "FILE", env = "WFHOST_KEY", hide_env_values = true)]
    key: Option<PathBuf>,
}

impl ServerArgs {
    /// The server that is meant; `None`: whoever serves the data folder.
    pub(crate) fn server(&self) -> Result<Option<Coordinator>> {
        let Some(endpoint) = self.server.clone() else { return Ok(None) };
        let curve = match (&self.server_key, &self.key) {
            (Some(server), Some(path)) => {
                let own = KeyPair::read(path).map_err(key_error)?;
                Some(Curve { own, server: server.0 })
            }
            (None, None) if endpoint.is_loopback() => None,
            _ => {
                return Err(CommandError::usage(format!("asking {endpoint} takes two keys"))
                    .hint("`--server-key` (or WFHOST_SERVER_KEY) is the server's public half, which it says when it starts")
                    .hint("`--key FILE` (or WFHOST_KEY) is this client's, made with `wfhost keygen --out FILE`; its public half belongs in the server's list of clients"));
            }
        };
        Ok(Some(Coordinator { endpoint, curve }))
    }
}
