//! The coordinator's end: one router for each address of workers, one for clients.
//!
//! Lives on the coordinator's thread, which waits here and nowhere else.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use wfhost_workflow::WorkerId;

use crate::client::{Answer, Refusal, Request};
use crate::codec::{self, CLIENT_FRAME_BYTES_MAX, DecodeError, WORKER_FRAME_BYTES_MAX};
use crate::message::{FromWorker, ToWorker};
use crate::socket::{Bounds, Peer, Router, Wait, wait};
use crate::waker::Bell;
use crate::{Endpoint, Error, Hub, SendError, Waker, control};

/// A worker sends an `Ended` for each slot, and little else.
const WORKER_BOUNDS: Bounds =
    Bounds { send_queue: 4096, receive_queue: 1024, frame_bytes_max: WORKER_FRAME_BYTES_MAX };

/// A client waits for an answer before it asks again.
const CLIENT_BOUNDS: Bounds =
    Bounds { send_queue: 64, receive_queue: 64, frame_bytes_max: CLIENT_FRAME_BYTES_MAX };

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
#[derive(Debug)]
pub struct ServerOptions {
    /// The process's hub.
    pub hub: Hub,
    /// Where workers connect.
    pub workers: Vec<Endpoint>,
    /// The data folder whose clients are served; `None`: there are no clients.
    ///
    /// The caller holds this folder's lock: listening takes the address away from anybody else.
    pub control: Option<PathBuf>,
}

/// A connection of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(u32);

/// What a [`ServerLink`] has received.
#[derive(Debug)]
pub enum ServerEvent {
    /// A worker said something. The id stands for the connection: a worker that connects anew has
    /// another one, and begins with `Hello` (if not, ask it to with `Identify`).
    Worker(WorkerId, FromWorker),
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
    workers: Vec<Router>,
    clients: Option<Router>,
    bell: Bell,
    frame: Vec<u8>,
    bad: HashMap<WorkerId, u8>,
}

impl ServerLink {
    /// Listens.
    ///
    /// # Errors
    /// If an address cannot be listened on, or the control folder cannot be made safe.
    pub fn bind(options: &ServerOptions) -> Result<(Self, Waker), Error> {
        let (bell, waker) = Bell::new()?;
        let hub = &options.hub;
        let workers = options.workers.iter().map(|at| Router::bind(hub, at, WORKER_BOUNDS));
        let workers = workers.collect::<Result<_, _>>()?;
        let clients = match &options.control {
            Some(data) => {
                let endpoint = Endpoint::ipc(control::prepare(data)?);
                Some(Router::bind(hub, &endpoint, CLIENT_BOUNDS)?)
            }
            None => None,
        };
        Ok((Self { workers, clients, bell, frame: Vec::new(), bad: HashMap::new() }, waker))
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
            let sockets =
                self.workers.iter().chain(&self.clients).map(|router| router as &dyn Wait);
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
        let router = self.workers.get(position).ok_or(SendError::Gone)?;
        router.send(peer, &mut self.frame)
    }

    /// Answers a client; never blocks.
    ///
    /// # Errors
    /// [`SendError::Gone`] if the client has left. An answer that is too large is reported, and the
    /// client is told so in its place.
    pub fn answer(&mut self, client: ClientId, id: u64, answer: &Answer) -> Result<(), SendError> {
        let router = self.clients.as_ref().ok_or(SendError::Gone)?;
        let encoded = codec::encode_answer(id, answer, &mut self.frame);
        if let Err(error) = &encoded {
            let refusal = Refusal::Invalid(format!("the answer cannot be sent: {error}"));
            codec::encode_answer(id, &Answer::Refused(refusal), &mut self.frame)?;
        }
        router.send(Peer(client.0), &mut self.frame)?;
        Ok(encoded?)
    }

    fn drain(&mut self, events: &mut Vec<ServerEvent>) -> Result<(), Error> {
        for position in 0..self.workers.len() {
            self.drain_workers(position, events)?;
        }
        self.drain_clients(events)?;
        if self.bell.take() {
            events.push(ServerEvent::Woken);
        }
        Ok(())
    }

    fn drain_workers(
        &mut self,
        position: usize,
        events: &mut Vec<ServerEvent>,
    ) -> Result<(), Error> {
        let mut bytes = 0;
        for _ in 0..EVENTS_PER_SOCKET_MAX {
            let Some((peer, frame)) = self.workers[position].receive()? else { break };
            bytes += frame.len();
            let worker = worker_of(position, peer);
            if !self.bad.is_empty() && self.bad.get(&worker) == Some(&BAD_FRAMES_MAX) {
                continue;
            }
            let message = if frame.alone { codec::decode(&frame) } else { Err(DecodeError::Parts) };
            events.push(match message {
                Ok(message) => ServerEvent::Worker(worker, message),
                Err(error) => ServerEvent::BadWorkerMessage(worker, self.note_bad(worker, error)),
            });
            if bytes > BYTES_PER_SOCKET_MAX {
                break;
            }
        }
        Ok(())
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

    fn drain_clients(&mut self, events: &mut Vec<ServerEvent>) -> Result<(), Error> {
        let mut bytes = 0;
        for _ in 0..EVENTS_PER_SOCKET_MAX {
            let Some(router) = &self.clients else { return Ok(()) };
            let Some((peer, frame)) = router.receive()? else { break };
            bytes += frame.len();
            let client = ClientId(peer.0);
            match codec::decode_request(&frame) {
                (Some(id), Ok(request)) if frame.alone => {
                    events.push(ServerEvent::Client { client, id, request });
                }
                (Some(id), Err(error)) => self.refuse(client, id, &error),
                (_, _) => tracing::debug!(?client, "a client's frame cannot be read"),
            }
            if bytes > BYTES_PER_SOCKET_MAX {
                break;
            }
        }
        Ok(())
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
        f.debug_struct("ServerLink").field("workers", &self.workers.len()).finish_non_exhaustive()
    }
}

/// The router's name for the connection is unique per router; 32 bits of each make the id.
fn worker_of(position: usize, peer: Peer) -> WorkerId {
    WorkerId((position as u64) << 32 | u64::from(peer.0))
}

fn parts_of(worker: WorkerId) -> (usize, Peer) {
    ((worker.0 >> 32) as usize, Peer((worker.0 & u64::from(u32::MAX)) as u32))
}
