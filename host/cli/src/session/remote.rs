//! Another process that holds the data folder, over its socket.

use std::time::Duration;

use wfhost_transport::client::{Answer, Request};
use wfhost_transport::{ClientLink, Error, Hub};

use super::{Holder, Requests};
use crate::data_folder::DataDir;
use crate::error::{CommandError, Result};

/// Beyond what the request itself waits for: a holder that is busy still answers.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// A connection to the holder.
pub(crate) struct Remote {
    holder: Holder,
    link: ClientLink,
}

impl Remote {
    pub(crate) fn connect(data: &DataDir, holder: &Holder) -> Result<Self> {
        let link = ClientLink::connect(&Hub::new(), data.path()).map_err(unreachable)?;
        Ok(Self { holder: holder.clone(), link })
    }

    /// The process that listens for the folder's clients.
    pub(crate) fn reach(data: &DataDir) -> Result<Self> {
        let link = ClientLink::connect(&Hub::new(), data.path()).map_err(unreachable)?;
        let (pid, command) = data.last_holder().unwrap_or_default();
        Ok(Self { holder: Holder { pid, command }, link })
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

/// How long the holder itself may wait before it answers.
const fn waits(request: &Request) -> Duration {
    match request {
        Request::Watch { wait_ms, .. } | Request::Await { wait_ms, .. } => {
            Duration::from_millis(*wait_ms)
        }
        Request::Start(_)
        | Request::Has { .. }
        | Request::Put { .. }
        | Request::Retry { .. }
        | Request::Release { .. }
        | Request::Workers
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
    let version = matches!(error, Error::Answer(_));
    let error = CommandError::new(crate::exit_code::ExitCode::Unreachable, error);
    if version {
        error.hint(
            "is the process that holds the data folder another version? see `wfhost --version`",
        )
    } else {
        error
    }
}
