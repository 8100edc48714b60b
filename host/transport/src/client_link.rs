//! A command's end: asks the process that holds a data folder, and waits for the answer.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::client::{Answer, Request};
use crate::codec::{self, CLIENT_FRAME_BYTES_MAX, DecodeError};
use crate::socket::{Bounds, Dealer, Loss, Wait, wait};
use crate::{Endpoint, Error, Hub, SendError, clock, control};

const BOUNDS: Bounds =
    Bounds { send_queue: 64, receive_queue: 64, frame_bytes_max: CLIENT_FRAME_BYTES_MAX };

/// Requests and their answers, one at a time.
///
/// After [`Error::Disconnected`] or [`Error::NobodyListens`] the next request connects anew, so a
/// restarted process is found again.
pub struct ClientLink {
    hub: Hub,
    data: PathBuf,
    connection: Option<Connection>,
    request_id: u64,
    frame: Vec<u8>,
}

struct Connection {
    dealer: Dealer,
    loss: Loss,
}

impl ClientLink {
    /// Connects to the process that holds this data folder.
    ///
    /// # Errors
    /// [`Error::NobodyListens`], at once, if there is no such process.
    pub fn connect(hub: &Hub, data: &Path) -> Result<Self, Error> {
        let connection = connect(hub, data)?;
        Ok(Self {
            hub: hub.clone(),
            data: data.to_owned(),
            connection: Some(connection),
            request_id: 0,
            frame: Vec::new(),
        })
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// [`Error::Timeout`] and [`Error::Disconnected`] leave open whether the request was carried
    /// out. A refusal is an [`Answer`], not an error.
    pub fn request(&mut self, request: &Request, timeout: Duration) -> Result<Answer, Error> {
        let deadline = clock::now() + timeout;
        let id = self.send(request)?;
        loop {
            let connection = self.connection.as_ref().ok_or(Error::Disconnected)?;
            if let Some(answer) = connection.answer(id)? {
                return Ok(answer);
            }
            if connection.loss.happened()? {
                // The answer may have come just before the end.
                let answer = connection.answer(id)?;
                self.connection = None;
                return answer.ok_or(Error::Disconnected);
            }
            let left = deadline.saturating_duration_since(clock::now());
            if left.is_zero() {
                let waited_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
                return Err(Error::Timeout { waited_ms });
            }
            wait([&connection.dealer as &dyn Wait, &connection.loss], None, Some(left))?;
        }
    }

    fn send(&mut self, request: &Request) -> Result<u64, Error> {
        self.request_id += 1;
        codec::encode_request(self.request_id, request, &mut self.frame)?;
        let lost = match &self.connection {
            Some(connection) => connection.loss.happened()?,
            None => true,
        };
        if lost {
            self.connection = None;
        }
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(&self.hub, &self.data)?,
        };
        let sent = connection.dealer.send(&mut self.frame);
        self.connection = Some(connection);
        match sent {
            Ok(()) => Ok(self.request_id),
            Err(SendError::Gone | SendError::Full) => Err(Error::Disconnected),
            Err(SendError::Message(error)) => Err(Error::Request(error)),
            Err(SendError::System(source)) => {
                Err(Error::System { doing: "send the request", source })
            }
        }
    }
}

impl Connection {
    /// Drops late answers to earlier requests.
    fn answer(&self, id: u64) -> Result<Option<Answer>, Error> {
        while let Some(frame) = self.dealer.receive()? {
            match codec::decode_answer(&frame) {
                (Some(of), Ok(answer)) if of == id && frame.alone => return Ok(Some(answer)),
                (Some(of), Err(error)) if of == id => return Err(Error::Answer(error)),
                (None, Err(error @ DecodeError::Layout(_))) => return Err(Error::Answer(error)),
                (_, _) => {}
            }
        }
        Ok(None)
    }
}

impl std::fmt::Debug for ClientLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientLink").field("data", &self.data).finish_non_exhaustive()
    }
}

/// libzmq would try for ever, so it is asked first whether somebody listens.
fn connect(hub: &Hub, data: &Path) -> Result<Connection, Error> {
    let path = control::locate(data)?;
    if let Err(source) = UnixStream::connect(&path) {
        return Err(match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                Error::NobodyListens { data: data.to_owned() }
            }
            _ => Error::Connect { endpoint: path.display().to_string(), source },
        });
    }
    let (dealer, loss) = Dealer::connect_once(hub, &Endpoint::ipc(path), BOUNDS)?;
    Ok(Connection { dealer, loss })
}
