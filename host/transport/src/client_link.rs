//! A command's end: asks the process that holds a data folder, and waits for the answer.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::client::{Answer, Request};
use crate::codec::{self, CLIENT_FRAME_BYTES_MAX, DecodeError};
use crate::socket::{Bounds, Dealer, Wait, wait};
use crate::{Endpoint, Error, Hub, SendError, clock, control};

const BOUNDS: Bounds =
    Bounds { send_queue: 64, receive_queue: 64, frame_bytes_max: CLIENT_FRAME_BYTES_MAX };

/// How often it is looked whether the other process is still there, while its answer is awaited.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// From somebody who listens to a connection takes no longer, also on a busy machine.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Requests and their answers, one at a time.
///
/// After [`Error::Disconnected`] or [`Error::NobodyListens`] the next request connects anew, so a
/// restarted process is found again.
pub struct ClientLink {
    hub: Hub,
    data: PathBuf,
    connection: Option<Dealer>,
    request_id: u64,
    frame: Vec<u8>,
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
            let dealer = self.connection.as_ref().ok_or(Error::Disconnected)?;
            // Looked at first: the answer may have come just before the end.
            let connected = dealer.is_connected()?;
            if let Some(answer) = answer(dealer, id)? {
                return Ok(answer);
            }
            if !connected {
                self.connection = None;
                return Err(Error::Disconnected);
            }
            let left = deadline.saturating_duration_since(clock::now());
            if left.is_zero() {
                let waited_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
                return Err(Error::Timeout { waited_ms });
            }
            wait([dealer as &dyn Wait], None, Some(left.min(LOOK_EVERY)))?;
        }
    }

    fn send(&mut self, request: &Request) -> Result<u64, Error> {
        self.request_id += 1;
        codec::encode_request(self.request_id, request, &mut self.frame)?;
        let dealer = match self.connection.take() {
            Some(dealer) if dealer.is_connected()? => dealer,
            Some(_) | None => connect(&self.hub, &self.data)?,
        };
        match dealer.send(&mut self.frame) {
            Ok(()) => {
                self.connection = Some(dealer);
                Ok(self.request_id)
            }
            Err(SendError::Gone | SendError::Full) => Err(Error::Disconnected),
            Err(SendError::Message(error)) => Err(Error::Request(error)),
            Err(SendError::System(source)) => {
                Err(Error::System { doing: "send the request", source })
            }
        }
    }
}

/// Drops late answers to earlier requests.
fn answer(dealer: &Dealer, id: u64) -> Result<Option<Answer>, Error> {
    while let Some(frame) = dealer.receive()? {
        match codec::decode_answer(&frame) {
            (Some(of), Ok(answer)) if of == id && frame.alone => return Ok(Some(answer)),
            (Some(of), Err(error)) if of == id => return Err(Error::Answer(error)),
            (None, Err(error @ DecodeError::Layout(_))) => return Err(Error::Answer(error)),
            (_, _) => {}
        }
    }
    Ok(None)
}

impl std::fmt::Debug for ClientLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientLink").field("data", &self.data).finish_non_exhaustive()
    }
}

/// libzmq does not say whether somebody listens, so the system is asked: first, and again for as
/// long as the connection is not made.
fn connect(hub: &Hub, data: &Path) -> Result<Dealer, Error> {
    let path = control::locate(data)?;
    listens(&path, data)?;
    let dealer = Dealer::connect_once(hub, &Endpoint::ipc(path.clone()), BOUNDS, None)?;
    let deadline = clock::now() + CONNECT_MAX;
    while !dealer.is_connected()? {
        if clock::now() >= deadline {
            return Err(Error::Disconnected);
        }
        dealer.wait_connected(LOOK_EVERY)?;
        if !dealer.is_connected()? {
            listens(&path, data)?;
        }
    }
    Ok(dealer)
}

fn listens(path: &Path, data: &Path) -> Result<(), Error> {
    match UnixStream::connect(path) {
        Ok(_closed_at_once) => Ok(()),
        Err(source) => Err(match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                Error::NobodyListens { data: data.to_owned() }
            }
            _ => Error::Connect { endpoint: path.display().to_string(), source },
        }),
    }
}
