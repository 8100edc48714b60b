//! The coordinator's end: a router for each address.
//!
//! Lives on the coordinator's thread, which waits here and nowhere else. Whoever connects over
//! the network is its key, which is looked up for every message: a key that was taken off its list
//! is not listened to from then on.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wfhost_workflow::WorkerId;

use crate::client::{Answer, Refusal, Request};
use crate::codec::{self, CLIENT_FRAME_BYTES_MAX, DecodeError, Kind, WORKER_FRAME_BYTES_MAX};
use crate::door::Door;
use crate::keys::{KeyPair, PublicKey};
use crate::message::{FromWorker, ToWorker};
use crate::socket::{Bounds, Frame, Peer, Router, Wait, wait};
use crate::waker::Bell;
use crate::zap::{Doorkeeper, Guard, KeyFiles, Role};
use crate::{Endpoint, Error, Hub, SendError, Waker, control, has_curve};

/// A worker sends an `Ended` for each slot, and little else. What is not received waits at the
/// sender.
const WORKER_BOUNDS: Bounds =
    Bounds { send_queue: 4096, receive_queue: 256, frame_bytes_max: WORKER_FRAME_BYTES_MAX };

/// A client waits for an answer before it asks again.
const CLIENT_BOUNDS: Bounds =
    Bounds { send_queue: 64, receive_queue: 64, frame_bytes_max: CLIENT_FRAME_BYTES_MAX };

/// Both come over the same address. The decoder bounds what a worker sends.
const NETWORK_BOUNDS: Bounds =
    Bounds { send_queue: 4096, receive_queue: 128, frame_bytes_max: CLIENT_FRAME_BYTES_MAX };

/// From one socket in one `poll`, so that none starves the others.
const EVENTS_PER_SOCKET_MAX: usize = 256;

/// Bytes that one socket may bring in one `poll`: results are large, and the caller handles what
/// it was given before it asks for more.
const BYTES_PER_SOCKET_MAX: usize = 64 << 20;

/// A connection that sends this many bad frames is no longer listened to.
const BAD_FRAMES_MAX: u8 = 16;

/// Connections whose bad frames are counted; past that, the count begins anew.
const BAD_PEERS_MAX: usize = 1024;

/// What a [`ServerLink`] listens on.
#[derive(Debug, Default)]
pub struct ServerOptions {
    /// The process's hub.
    pub hub: Hub,
    /// Where workers of this process, and of this user, connect.
    pub workers: Vec<Endpoint>,
    /// The data folder whose clients are served; `None`: there are no clients.
    ///
    /// The caller holds this folder's lock: listening takes the address away from anybody else.
    pub control: Option<PathBuf>,
    /// Whether workers of this user join there too.
    pub local_workers: bool,
    /// Where workers and clients connect over the network.
    pub network: Vec<Bind>,
    /// Which of them may.
    pub keys: KeyFiles,
}

/// An address on the network.
#[derive(Debug, Clone)]
pub struct Bind {
    /// A [`Endpoint::Tcp`].
    pub endpoint: Endpoint,
    /// Who listens there. `None`: nothing is encrypted and anybody may connect, which is only
    /// taken where no other machine can.
    pub key: Option<KeyPair>,
}

/// A connection of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(u64);

/// Whose a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerKey {
    /// This process's or this user's on this machine.
    Local,
    /// The holder's of this key.
    Key(PublicKey),
}

/// What a [`ServerLink`] has received.
#[derive(Debug)]
pub enum ServerEvent {
    /// A worker said something. The id stands for the connection: a worker that connects anew has
    /// another one, and begins with `Hello` (if not, ask it to with `Identify`).
    Worker(WorkerId, PeerKey, FromWorker),
    /// The lists of keys were changed: see [`ServerLink::is_worker`].
    KeysChanged,
    /// A worker sent what is no message. After a few of these it is no longer listened to.
    BadWorkerMessage(WorkerId, DecodeError),
    /// A client asks; [`ServerLink::answer`] with the same client and id.
    Client {
        /// Who asks.
        client: ClientId,
        /// Which of its requests.
        id: u64,
        /// What it wants.
        request: Request,
    },
    /// Somebody called [`Waker::wake`].
    Woken,
}

/// The coordinator's end of all its links.
pub struct ServerLink {
    /// Before the sockets, whose addresses it holds.
    _door: Option<Door>,
    sockets: Vec<Socket>,
    bell: Bell,
    frame: Vec<u8>,
    bad: HashMap<WorkerId, u8>,
    guard: Guard,
    keys_changed: Arc<AtomicBool>,
    local_workers: Option<Endpoint>,
    /// After the sockets, which ask it.
    _doorkeeper: Option<Doorkeeper>,
}

struct Socket {
    router: Router,
    serves: Serves,
}

/// Who is at the other ends of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Serves {
    /// This user's workers.
    Workers,
    /// This user's clients.
    Clients,
    /// Both, by their keys.
    Keys,
    /// Both, by what they send.
    Anybody,
}

/// Who sent a frame.
enum Sender {
    Worker(PeerKey),
    Client,
    /// Nobody who may.
    Stranger,
}

impl ServerLink {
    /// Listens.
    ///
    /// # Errors
    /// If an address cannot be listened on or is not safe, the lists of keys cannot be read, or
    /// the control folder cannot be made safe.
    pub fn bind(options: &ServerOptions) -> Result<(Self, Waker), Error> {
        let (bell, waker) = Bell::new()?;
        let hub = &options.hub;
        let encrypted = options.network.iter().find(|bind| bind.key.is_some());
        if let Some(bind) = encrypted.filter(|_| !has_curve()) {
            return Err(Error::NoCurve { endpoint: bind.endpoint.to_string() });
        }
        let is_local = |endpoint: &Endpoint| matches!(endpoint, Endpoint::Ipc(_));
        let local = options.control.is_some() || options.workers.iter().any(is_local);
        let (doorkeeper, guard, keys_changed) = if local || encrypted.is_some() {
            let (doorkeeper, guard, changed) =
                Doorkeeper::start(hub, options.keys.clone(), waker.clone())?;
            (Some(doorkeeper), guard, changed)
        } else {
            (None, Guard::default(), Arc::default())
        };
        let (mut sockets, mut local_workers) = (Vec::new(), None);
        for endpoint in &options.workers {
            let router = Router::bind(hub, endpoint, WORKER_BOUNDS, None)?;
            sockets.push(Socket { router, serves: Serves::Workers });
        }
        if let Some(data) = &options.control {
            let path = control::prepare(data)?;
            let endpoint = Endpoint::ipc(&path);
            let router = Router::bind(hub, &endpoint, CLIENT_BOUNDS, None)?;
            sockets.push(Socket { router, serves: Serves::Clients });
            if options.local_workers {
                let endpoint = Endpoint::ipc(control::workers(&path));
                let router = Router::bind(hub, &endpoint, WORKER_BOUNDS, None)?;
                sockets.push(Socket { router, serves: Serves::Workers });
                local_workers = Some(endpoint);
            }
        }
        for Bind { endpoint, key } in &options.network {
            if key.is_none() && !endpoint.is_loopback() {
                return Err(Error::Insecure { endpoint: endpoint.to_string() });
            }
            let router = Router::bind(hub, endpoint, NETWORK_BOUNDS, key.as_ref())?;
            let serves = if key.is_some() { Serves::Keys } else { Serves::Anybody };
            sockets.push(Socket { router, serves });
        }
        let (frame, bad) = (Vec::new(), HashMap::new());
        let mut link = Self {
            _door: None,
            sockets,
            bell,
            frame,
            bad,
            guard,
            keys_changed,
            local_workers,
            _doorkeeper: doorkeeper,
        };
        let addresses = link.addresses();
        if !addresses.is_empty() {
            link._door = Door::watch(&addresses);
        }
        Ok((link, waker))
    }

    /// The network's addresses in the order of the options, with the ports that were free where
    /// any was asked for.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        let network = |socket: &&Socket| matches!(socket.serves, Serves::Keys | Serves::Anybody);
        self.sockets.iter().filter(network).filter_map(|socket| socket.router.address()).collect()
    }

    /// Where workers of this user join, if they may.
    #[must_use]
    pub const fn local_workers(&self) -> Option<&Endpoint> {
        self.local_workers.as_ref()
    }

    /// Whether this peer may take steps now.
    #[must_use]
    pub fn is_worker(&self, key: PeerKey) -> bool {
        match key {
            PeerKey::Local => true,
            PeerKey::Key(key) => self.guard.role(&key) == Some(Role::Worker),
        }
    }

    /// Whether a client came through the data folder, which only this user can enter.
    #[must_use]
    pub fn is_of_this_user(&self, client: ClientId) -> bool {
        let (position, _) = parts_of(WorkerId(client.0));
        self.sockets.get(position).is_some_and(|socket| socket.serves == Serves::Clients)
    }

    /// The lists as they are now.
    #[must_use]
    pub fn guard(&self) -> Guard {
        self.guard.clone()
    }

    /// Makes `poll` return, from any thread.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.bell.waker()
    }

    /// Adds what is there to `events`; if there is nothing, waits until there is, at most
    /// `timeout` (`None`: for ever). May return early with nothing, for example after a signal.
    ///
    /// Bounded per call: what is left comes with the next one.
    ///
    /// # Errors
    /// Only if the operating system or libzmq refuses what should work: the link is then useless.
    pub fn poll(
        &mut self,
        timeout: Option<Duration>,
        events: &mut Vec<ServerEvent>,
    ) -> Result<(), Error> {
        let before = events.len();
        self.drain(events)?;
        if events.len() > before || timeout == Some(Duration::ZERO) {
            return Ok(());
        }
        if self.bell.before_wait() {
            let sockets = self.sockets.iter().map(|socket| &socket.router as &dyn Wait);
            let rung = wait(sockets, Some(self.bell.descriptor()), timeout);
            self.bell.after_wait(matches!(rung, Ok(true)));
            rung?;
        }
        self.drain(events)
    }

    /// Sends to a worker; never blocks.
    ///
    /// # Errors
    /// [`SendError::Gone`] if the connection has ended. [`SendError::Full`] cannot happen to a
    /// worker that reads and that is sent no more than it has slots for.
    pub fn send_worker(&mut self, worker: WorkerId, message: &ToWorker) -> Result<(), SendError> {
        let (position, peer) = parts_of(worker);
        codec::encode(message, &mut self.frame)?;
        let socket = self.sockets.get(position).ok_or(SendError::Gone)?;
        socket.router.send(peer, &mut self.frame)
    }

    /// Answers a client; never blocks.
    ///
    /// # Errors
    /// [`SendError::Gone`] if the client has left. An answer that is too large is reported, and the
    /// client is told so in its place.
    pub fn answer(&mut self, client: ClientId, id: u64, answer: &Answer) -> Result<(), SendError> {
        let (position, peer) = parts_of(WorkerId(client.0));
        let socket = self.sockets.get(position).ok_or(SendError::Gone)?;
        let encoded = codec::encode_answer(id, answer, &mut self.frame);
        if let Err(error) = &encoded {
            let refusal = Refusal::Invalid(format!("the answer cannot be sent: {error}"));
            codec::encode_answer(id, &Answer::Refused(refusal), &mut self.frame)?;
        }
        socket.router.send(peer, &mut self.frame)?;
        Ok(encoded?)
    }

    fn drain(&mut self, events: &mut Vec<ServerEvent>) -> Result<(), Error> {
        if self.keys_changed.swap(false, Ordering::SeqCst) {
            events.push(ServerEvent::KeysChanged);
        }
        for position in 0..self.sockets.len() {
            self.drain_socket(position, events)?;
        }
        if self.bell.take() {
            events.push(ServerEvent::Woken);
        }
        Ok(())
    }

    fn drain_socket(
        &mut self,
        position: usize,
        events: &mut Vec<ServerEvent>,
    ) -> Result<(), Error> {
        let mut bytes = 0;
        for _ in 0..EVENTS_PER_SOCKET_MAX {
            let Some((peer, mut frame)) = self.sockets[position].router.receive()? else { break };
            bytes += frame.len();
            let id = id_of(position, peer);
            match self.sender(position, &mut frame) {
                Sender::Worker(key) => self.worker_frame(id, key, &frame, events),
                Sender::Client => self.client_frame(id, &frame, events),
                Sender::Stranger => tracing::debug!(?id, "a frame of somebody who may not"),
            }
            if bytes > BYTES_PER_SOCKET_MAX {
                break;
            }
        }
        Ok(())
    }

    /// Whose frame it is: by its connection, and by the lists as they are now.
    fn sender(&self, position: usize, frame: &mut Frame) -> Sender {
        match self.sockets[position].serves {
            Serves::Workers => Sender::Worker(PeerKey::Local),
            Serves::Clients => Sender::Client,
            Serves::Anybody if is_clients(frame) => Sender::Client,
            Serves::Anybody => Sender::Worker(PeerKey::Local),
            Serves::Keys => {
                // What `Doorkeeper` answered at the handshake.
                let key = frame.user().and_then(|user| user.get(1..)?.parse::<PublicKey>().ok());
                match key.and_then(|key| Some((key, self.guard.role(&key)?))) {
                    Some((key, Role::Worker)) => Sender::Worker(PeerKey::Key(key)),
                    Some((_, Role::Client)) => Sender::Client,
                    None => Sender::Stranger,
                }
            }
        }
    }

    fn worker_frame(
        &mut self,
        worker: WorkerId,
        key: PeerKey,
        frame: &Frame,
        events: &mut Vec<ServerEvent>,
    ) {
        if !self.bad.is_empty() && self.bad.get(&worker) == Some(&BAD_FRAMES_MAX) {
            return;
        }
        if is_clients(frame) {
            self.refuse_worker_as_client(worker, frame);
        }
        let message = if frame.alone { codec::decode(frame) } else { Err(DecodeError::Parts) };
        events.push(match message {
            Ok(message) => ServerEvent::Worker(worker, key, message),
            Err(error) => {
                // Another version's: only its number can be read.
                let error = match codec::protocol_of_hello(frame) {
                    Some(protocol) => DecodeError::Protocol(protocol),
                    None => error,
                };
                ServerEvent::BadWorkerMessage(worker, self.note_bad(worker, error))
            }
        });
    }

    fn refuse_worker_as_client(&mut self, worker: WorkerId, frame: &[u8]) {
        if let (Some(id), _) = codec::decode_request(frame) {
            let text = "this key is in the list of workers: a client needs a key of its own";
            let refusal = Answer::Refused(Refusal::Denied(text.to_owned()));
            if let Err(error) = self.answer(ClientId(worker.0), id, &refusal) {
                tracing::debug!(?worker, %error, "a worker was not told that it is no client");
            }
        }
    }

    /// Counts a bad frame; the last one that is listened to is reported as such.
    fn note_bad(&mut self, worker: WorkerId, error: DecodeError) -> DecodeError {
        if self.bad.len() >= BAD_PEERS_MAX && !self.bad.contains_key(&worker) {
            self.bad.clear();
        }
        let count = self.bad.entry(worker).or_insert(0);
        *count = count.saturating_add(1);
        if *count >= BAD_FRAMES_MAX { DecodeError::Ignored } else { error }
    }

    fn client_frame(&mut self, id: WorkerId, frame: &Frame, events: &mut Vec<ServerEvent>) {
        let client = ClientId(id.0);
        match codec::decode_request(frame) {
            (Some(id), Ok(request)) if frame.alone => {
                events.push(ServerEvent::Client { client, id, request });
            }
            (_, Err(_)) if codec::protocol_of_hello(frame).is_some() => {
                let text = "this key is in the list of clients: a worker needs a key of its own";
                let refused = ToWorker::Refused { reason: text.to_owned() };
                if let Err(error) = self.send_worker(id, &refused) {
                    tracing::debug!(?client, %error, "a client was not told that it is no worker");
                }
            }
            (Some(id), Err(error)) => self.refuse(client, id, &error),
            (_, _) => tracing::debug!(?client, "a client's frame cannot be read"),
        }
    }

    fn refuse(&mut self, client: ClientId, id: u64, error: &DecodeError) {
        let text = format!("the process that serves the folder cannot read the request: {error}");
        let refusal = match error {
            DecodeError::Protocol(_) | DecodeError::Layout(_) => Refusal::Unavailable(text),
            DecodeError::Short
            | DecodeError::Parts
            | DecodeError::Kind(_)
            | DecodeError::TooLarge { .. }
            | DecodeError::Shape(_)
            | DecodeError::Value(_)
            | DecodeError::Ignored => Refusal::Invalid(text),
        };
        if let Err(error) = self.answer(client, id, &Answer::Refused(refusal)) {
            tracing::debug!(?client, %error, "a client was not told that its request is bad");
        }
    }
}

impl std::fmt::Debug for ServerLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerLink").field("sockets", &self.sockets.len()).finish_non_exhaustive()
    }
}

/// Whether a frame is one that only clients send.
fn is_clients(frame: &[u8]) -> bool {
    let kind = frame.get(1).and_then(|kind| Kind::of_byte(*kind));
    matches!(kind, Some(Kind::Start | Kind::Request | Kind::Put))
}

/// The router's name for the connection is unique per router; 32 bits of each make the id.
fn id_of(position: usize, peer: Peer) -> WorkerId {
    WorkerId((position as u64) << 32 | u64::from(peer.0))
}

fn parts_of(id: WorkerId) -> (usize, Peer) {
    ((id.0 >> 32) as usize, Peer((id.0 & u64::from(u32::MAX)) as u32))
}
