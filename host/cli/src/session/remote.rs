//! Another process that holds the data folder, over its socket, or a server on the network.

use std::time::Duration;

use wfhost_transport::client::{Answer, Request};
use wfhost_transport::{ClientLink, Coordinator, Error, Hub, Target};

use super::{Holder, Requests};
use crate::data_folder::DataDir;
use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;

/// Beyond what the request itself waits for: a holder that is busy still answers.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// A connection to whoever serves.
pub(crate) struct Remote {
    holder: Holder,
    link: ClientLink,
}

impl Remote {
    pub(crate) fn connect(data: &DataDir, holder: &Holder) -> Result<Self> {
        let target = Target::Folder(data.path().to_owned());
        let link = ClientLink::connect(&Hub::new(), target).map_err(unreachable)?;
        Ok(Self { holder: holder.clone(), link })
    }

    /// The process that listens for the folder's clients.
    pub(crate) fn reach(data: &DataDir) -> Result<Self> {
        let (pid, command) = data.last_holder().unwrap_or_default();
        Self::connect(data, &Holder { pid, command, address: None })
    }

    /// A server on the network.
    pub(crate) fn server(server: &Coordinator) -> Result<Self> {
        let address = server.endpoint.to_string();
        let target = Target::Server(server.clone());
        let link = ClientLink::connect(&Hub::new(), target).map_err(unreachable)?;
        let holder = Holder { pid: 0, command: String::new(), address: Some(address) };
        Ok(Self { holder, link })
    }

    pub(crate) const fn holder(&self) -> &Holder {
        &self.holder
    }
}

impl Requests for Remote {
    fn request(&mut self, request: Request) -> Result<Answer> {
        let limit = ANSWER_LIMIT + waits(&request);
        self.link.request(&request, limit).map_err(unreachable)
    }
}

/// For the largest of bundles on a slow disk.
const DEPLOY_LIMIT: Duration = Duration::from_secs(120);

/// How long the holder itself may wait before it answers.
const fn waits(request: &Request) -> Duration {
    match request {
        Request::Watch { wait_ms, .. } | Request::Await { wait_ms, .. } => {
            Duration::from_millis(*wait_ms)
        }
        // All files of a bundle are looked at.
        Request::Deploy(_) => DEPLOY_LIMIT,
        Request::Start(_)
        | Request::StartDeployed(_)
        | Request::Get { .. }
        | Request::ChangeBundle { .. }
        | Request::Bundles
        | Request::Bundle { .. }
        | Request::Has { .. }
        | Request::Put { .. }
        | Request::Retry { .. }
        | Request::Release { .. }
        | Request::Workers
        | Request::Pool
        | Request::Prefetch { .. }
        | Request::DrainWorker { .. }
        | Request::RemoveWorker { .. }
        | Request::Scale { .. }
        | Request::Resume { .. }
        | Request::Cancel { .. }
        | Request::List { .. }
        | Request::Find { .. }
        | Request::Show { .. }
        | Request::Events { .. }
        | Request::Logs { .. }
        | Request::Output { .. }
        | Request::Remove { .. } => Duration::ZERO,
    }
}

fn unreachable(error: Error) -> CommandError {
    let code = match &error {
        Error::NotLetIn { .. } => ExitCode::Denied,
        Error::Insecure { .. } | Error::NoCurve { .. } => ExitCode::Usage,
        _ => ExitCode::Unreachable,
    };
    let hints: &[&str] = match &error {
        Error::Answer(_) => &["is the process that serves another version? see `wfhost --version`"],
        Error::NotLetIn { .. } => &[
            "is this client's public key in the server's list of clients? `wfhost keygen --public FILE` shows it",
            "is `--server-key` the key that the server says when it starts?",
        ],
        Error::Connect { endpoint, .. } if endpoint.starts_with("tcp:") => {
            &["is this the server's address, and does `wfhost serve` run there?"]
        }
        _ => &[],
    };
    let error = CommandError::new(code, error);
    hints.iter().fold(error, |error, hint| error.hint(*hint))
}
