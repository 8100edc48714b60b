//! A command's end: asks the process that holds a data folder, or a server on the network, and
//! waits for the answer.

use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::client::{Answer, Request};
use crate::codec::{self, CLIENT_FRAME_BYTES_MAX, DecodeError};
use crate::socket::{Bounds, Dealer, Wait, wait};
use crate::{Coordinator, Endpoint, Error, Hub, SendError, clock, control, has_curve};

const BOUNDS: Bounds =
    Bounds { send_queue: 64, receive_queue: 64, frame_bytes_max: CLIENT_FRAME_BYTES_MAX };

/// How often it is looked whether the other process is still there, while its answer is awaited.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// From somebody who listens to a connection takes no longer, also on a busy machine.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How often a server that listens is tried before it counts as one that does not let in.
const CONNECT_TRIES: u32 = 2;

/// For a machine that may be away: it does not even refuse.
const PROBE_MAX: Duration = Duration::from_secs(3);

/// Whom a command asks.
#[derive(Debug, Clone)]
pub enum Target {
    /// The process that holds this data folder, over its socket.
    Folder(PathBuf),
    /// A server on the network.
    Server(Coordinator),
}

impl Target {
    /// Connects once.
    fn connect(&self, hub: &Hub) -> Result<Dealer, Error> {
        match self {
            Self::Folder(data) => connect_to_folder(hub, data),
            Self::Server(server) => connect_to_server(hub, server),
        }
    }
}

/// Requests and their answers, one at a time.
///
/// After [`Error::Disconnected`] or [`Error::NobodyListens`] the next request connects anew, so a
/// restarted process is found again.
pub struct ClientLink {
    hub: Hub,
    target: Target,
    connection: Option<Dealer>,
    request_id: u64,
    frame: Vec<u8>,
}

impl ClientLink {
    /// Connects.
    ///
    /// # Errors
    /// [`Error::NobodyListens`] or [`Error::Connect`], at once, if there is nobody;
    /// [`Error::NotLetIn`] if there is somebody who does not take this key, or has another one.
    pub fn connect(hub: &Hub, target: Target) -> Result<Self, Error> {
        let connection = target.connect(hub)?;
        Ok(Self {
            hub: hub.clone(),
            target,
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
            Some(_) | None => self.target.connect(&self.hub)?,
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
        f.debug_struct("ClientLink").field("target", &self.target).finish_non_exhaustive()
    }
}

/// libzmq does not say whether somebody listens, so the system is asked: first, and again for as
/// long as the connection is not made.
fn connect_to_folder(hub: &Hub, data: &Path) -> Result<Dealer, Error> {
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

/// What is not let in, or finds another key than it was told, is left without a word: the system is
/// asked whether anybody listens, so that the two can be told apart.
fn connect_to_server(hub: &Hub, server: &Coordinator) -> Result<Dealer, Error> {
    let Coordinator { endpoint, curve } = server;
    let text = endpoint.to_string();
    if curve.is_some() && !has_curve() {
        return Err(Error::NoCurve { endpoint: text });
    }
    if curve.is_none() && !endpoint.is_loopback() {
        return Err(Error::Insecure { endpoint: text });
    }
    let listens = || match endpoint {
        Endpoint::Tcp(address) => {
            probe(address).map_err(|source| Error::Connect { endpoint: text.clone(), source })
        }
        Endpoint::Ipc(_) | Endpoint::Inproc(_) => Ok(()),
    };
    // A server that ends or begins meanwhile looks the same: a second try meets the one after it.
    for _ in 0..CONNECT_TRIES {
        listens()?;
        let dealer = Dealer::connect_once(hub, endpoint, BOUNDS, curve.as_ref())?;
        let deadline = clock::now() + CONNECT_MAX / CONNECT_TRIES;
        while !dealer.is_connected()? && clock::now() < deadline {
            dealer.wait_connected(LOOK_EVERY)?;
        }
        if dealer.is_connected()? {
            return Ok(dealer);
        }
    }
    listens()?;
    Err(Error::NotLetIn { endpoint: text })
}

/// Whether anybody takes connections there.
fn probe(address: &str) -> io::Result<()> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PROBE_MAX) {
            Ok(_closed_at_once) => return Ok(()),
            Err(error) => failed = error,
        }
    }
    Err(failed)
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
