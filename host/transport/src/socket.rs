//! The only file that names zmq: sockets with the settings that every link relies on.
//!
//! - A socket belongs to one thread. All sockets of a process come from one [`Hub`].
//! - Queues: zmq queues messages without a word, up to a number per connection. The numbers below
//!   only bound memory; what keeps queues short is that a coordinator sends a worker no more than
//!   it has slots for. A full queue is an error at the sender ([`SendError::Full`]), never a silent
//!   loss: a router is mandatory, and nothing here blocks in `send`.
//! - A link that is dropped still delivers what it was given, for [`LINGER_MS`]: a last result, or
//!   the answer before the end. A client that leaves has nothing more to say.
//! - Over TCP both ends have a key, and what is said is encrypted. The router's end asks
//!   `zap.rs` who may connect, and each message says whose it is.
//! - A router names a connection itself; a peer that wants to choose its name is not listened to,
//!   so nobody can step into somebody else's place.

use std::io;
use std::ops::Deref;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::keys::{KeyPair, PublicKey};
use crate::{Endpoint, Error, SendError};

/// All links of a process share one hub; `inproc` endpoints are names within it.
///
/// Dropping the last handle waits until all links that came from it are dropped and have delivered
/// what they were given, for half a second at most.
#[derive(Clone, Default)]
pub struct Hub {
    context: zmq::Context,
}

impl Hub {
    /// A new hub. One a process.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits until all links are dropped and what they were given is delivered or given up, at
    /// most `limit`. Links that are still open fail from now on: it is for the end of a process,
    /// where a last answer would otherwise be lost with libzmq's thread.
    pub fn close(self, limit: Duration) {
        let mut context = self.context;
        let (done, waiting) = mpsc::sync_channel(1);
        let closing = thread::Builder::new().name("hub-close".to_owned()).spawn(move || {
            // A context that is closed already has nothing to deliver.
            let _closed = context.destroy();
            // Nobody waits any more after the limit.
            let _late = done.try_send(());
        });
        if closing.is_ok() {
            // After the limit the process ends all the same.
            let _late = waiting.recv_timeout(limit);
        }
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hub")
    }
}

/// Whether the libzmq in use can encrypt; without that, TCP is refused.
#[must_use]
pub fn has_curve() -> bool {
    zmq::has("curve") == Some(true)
}

/// A new key: its public half and its secret one.
pub(crate) fn new_key_pair() -> Option<([u8; 32], [u8; 32])> {
    // libzmq's own text for both halves is no good on a command line.
    has_curve().then(zmq::CurveKeyPair::new)?.ok().map(|pair| (pair.public_key, pair.secret_key))
}

/// How a connection over the network is encrypted: by whom, and to whom.
#[derive(Debug, Clone)]
pub struct Curve {
    /// Who this end is.
    pub own: KeyPair,
    /// Who the other end must be.
    pub server: PublicKey,
}

/// A router on the network asks about every connection; libzmq does so where a name is set.
const ZAP_DOMAIN: &str = "wfhost";

/// Of connections over `ipc`, which have no keys: who connects is told by its user.
const LOCAL_DOMAIN: &str = "wfhost-local";

/// Where libzmq asks.
const ZAP_ENDPOINT: &str = "inproc://zeromq.zap.01";

/// What a socket may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Messages that wait to be sent, per connection.
    pub(crate) send_queue: i32,
    /// Messages that wait to be read, per connection.
    pub(crate) receive_queue: i32,
    /// A longer frame ends the connection (not over `inproc`, where the decoder refuses it).
    pub(crate) frame_bytes_max: usize,
}

/// The end of a process waits no longer than this for a peer that does not read.
const LINGER_MS: i32 = 500;

/// One connection of a router, by the name that the router gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Peer(pub(crate) u32);

impl Peer {
    /// A name made by libzmq: a zero byte and four more.
    fn parse(name: &[u8]) -> Option<Self> {
        let &[0, a, b, c, d] = name else { return None };
        Some(Self(u32::from_be_bytes([a, b, c, d])))
    }

    const fn name(self) -> [u8; 5] {
        let [a, b, c, d] = self.0.to_be_bytes();
        [0, a, b, c, d]
    }
}

/// A received frame.
pub(crate) struct Frame {
    message: zmq::Message,
    /// There was exactly one frame.
    pub(crate) alone: bool,
}

impl Frame {
    /// Who sent it, by what was answered to [`ZapQuestion`]; `None` where nobody was asked.
    pub(crate) fn user(&mut self) -> Option<&str> {
        self.message.gets("User-Id")
    }
}

impl Deref for Frame {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.message
    }
}

/// Between two tries to connect again, at first and at most.
const RECONNECT_MS: i32 = 20;
const RECONNECT_MS_MAX: i32 = 1000;

/// Frames above this are handed over without a copy.
const COPY_BYTES_MAX: usize = 64 << 10;

/// Hands `frame` over; an emptied or smaller buffer is left behind.
fn message_of(frame: &mut Vec<u8>) -> zmq::Message {
    if frame.len() <= COPY_BYTES_MAX {
        zmq::Message::from(&frame[..])
    } else {
        zmq::Message::from(std::mem::take(frame))
    }
}

fn send_error(error: zmq::Error) -> SendError {
    match error {
        zmq::Error::EAGAIN => SendError::Full,
        zmq::Error::EHOSTUNREACH => SendError::Gone,
        other => SendError::System(other.into()),
    }
}

fn make(hub: &Hub, kind: zmq::SocketType, bounds: Bounds) -> Result<zmq::Socket, Error> {
    let set = || {
        let socket = hub.context.socket(kind)?;
        socket.set_linger(LINGER_MS)?;
        socket.set_sndhwm(bounds.send_queue)?;
        socket.set_rcvhwm(bounds.receive_queue)?;
        socket.set_maxmsgsize(i64::try_from(bounds.frame_bytes_max).unwrap_or(i64::MAX))?;
        // A stranger who connects and says nothing holds a descriptor no longer than this.
        socket.set_handshake_ivl(2000)?;
        // A peer that has vanished with its cable: the system finds out within half a minute,
        // and what waits for it is given up. Leases are what ends sooner.
        socket.set_tcp_keepalive(1)?;
        socket.set_tcp_keepalive_idle(10)?;
        socket.set_tcp_keepalive_intvl(5)?;
        socket.set_tcp_keepalive_cnt(4)?;
        Ok(socket)
    };
    set().map_err(|source: zmq::Error| Error::system("make a socket", source))
}

/// An address in IPv6 is only taken by a socket that may speak it.
fn speak_ipv6(socket: &zmq::Socket, endpoint: &Endpoint) -> Result<(), zmq::Error> {
    match endpoint {
        Endpoint::Tcp(address) if address.starts_with('[') => socket.set_ipv6(true),
        Endpoint::Tcp(_) | Endpoint::Ipc(_) | Endpoint::Inproc(_) => Ok(()),
    }
}

/// Answers many peers.
pub(crate) struct Router {
    socket: zmq::Socket,
}

impl Router {
    /// With `key`, only who is encrypted and let in can connect: somebody must answer
    /// [`ZapSocket`] before this is called.
    pub(crate) fn bind(
        hub: &Hub,
        endpoint: &Endpoint,
        bounds: Bounds,
        key: Option<&KeyPair>,
    ) -> Result<Self, Error> {
        let socket = make(hub, zmq::ROUTER, bounds)?;
        let bind = || {
            socket.set_router_mandatory(true)?;
            if matches!(endpoint, Endpoint::Ipc(_)) {
                socket.set_zap_domain(LOCAL_DOMAIN)?;
            }
            if let Some(key) = key {
                socket.set_zap_domain(ZAP_DOMAIN)?;
                socket.set_curve_server(true)?;
                socket.set_curve_secretkey(key.secret())?;
            }
            speak_ipv6(&socket, endpoint)?;
            socket.bind(&endpoint.to_string())
        };
        bind().map_err(|source| Error::Bind {
            endpoint: endpoint.to_string(),
            source: source.into(),
        })?;
        Ok(Self { socket })
    }

    /// Where it listens: with the port that was free, if any was asked for.
    pub(crate) fn address(&self) -> Option<String> {
        self.socket.get_last_endpoint().ok()?.ok()
    }

    /// Never blocks. `None`: nothing is there.
    pub(crate) fn receive(&self) -> Result<Option<(Peer, Frame)>, Error> {
        loop {
            let Some(name) = receive(&self.socket)? else { return Ok(None) };
            if name.alone {
                continue;
            }
            let Some(frame) = receive(&self.socket)? else { return Ok(None) };
            let mut more = !frame.alone;
            while more {
                more = receive(&self.socket)?.is_some_and(|part| !part.alone);
            }
            if let Some(peer) = Peer::parse(&name) {
                return Ok(Some((peer, frame)));
            }
        }
    }

    /// Never blocks.
    pub(crate) fn send(&self, peer: Peer, frame: &mut Vec<u8>) -> Result<(), SendError> {
        let flags = zmq::DONTWAIT;
        self.socket.send(&peer.name()[..], flags | zmq::SNDMORE).map_err(send_error)?;
        self.socket.send(message_of(frame), flags).map_err(send_error)
    }
}

/// Speaks with one router.
pub(crate) struct Dealer {
    socket: zmq::Socket,
}

impl Dealer {
    /// Returns at once, also if nobody listens yet.
    pub(crate) fn connect(
        hub: &Hub,
        endpoint: &Endpoint,
        bounds: Bounds,
        curve: Option<&Curve>,
    ) -> Result<Self, Error> {
        Self::connect_named(hub, endpoint, bounds, curve, None)
    }

    /// As [`Self::connect`], with a routing id that it has chosen itself.
    pub(crate) fn connect_named(
        hub: &Hub,
        endpoint: &Endpoint,
        bounds: Bounds,
        curve: Option<&Curve>,
        name: Option<&[u8]>,
    ) -> Result<Self, Error> {
        let dealer = Self { socket: make(hub, zmq::DEALER, bounds)? };
        let set = || {
            if let Some(name) = name {
                dealer.socket.set_identity(name)?;
            }
            // Again at once, then slower: a coordinator that restarts must not wait for its
            // workers, and one that is away must not be flooded.
            dealer.socket.set_reconnect_ivl(RECONNECT_MS)?;
            dealer.socket.set_reconnect_ivl_max(RECONNECT_MS_MAX)
        };
        set().map_err(|source: zmq::Error| Error::system("make a socket", source))?;
        dealer.connect_to(endpoint, curve)?;
        Ok(dealer)
    }

    /// As [`Self::connect`], but it connects once: after the connection has ended, or could not be
    /// made, [`Self::is_connected`] is false for ever.
    ///
    /// (A socket monitor would say it sooner, but libzmq blocks its own thread when it reports to a
    /// monitor that is closed already, and then never ends.)
    pub(crate) fn connect_once(
        hub: &Hub,
        endpoint: &Endpoint,
        bounds: Bounds,
        curve: Option<&Curve>,
    ) -> Result<Self, Error> {
        let dealer = Self { socket: make(hub, zmq::DEALER, bounds)? };
        let set = || {
            dealer.socket.set_linger(0)?;
            dealer.socket.set_reconnect_ivl(-1)?;
            // No queue without a connection: that is how the loss of one is seen.
            dealer.socket.set_immediate(true)
        };
        set().map_err(|source: zmq::Error| Error::system("make a socket", source))?;
        dealer.connect_to(endpoint, curve)?;
        Ok(dealer)
    }

    /// Of a dealer that [`Self::connect_once`] made: whether it can speak with its router.
    pub(crate) fn is_connected(&self) -> Result<bool, Error> {
        let events = self.socket.get_events();
        let events = events.map_err(|source| Error::system("look at a socket", source))?;
        Ok(events.contains(zmq::POLLOUT))
    }

    /// Waits until [`Self::is_connected`], at most `timeout`; may return early after a signal.
    pub(crate) fn wait_connected(&self, timeout: Duration) -> Result<(), Error> {
        let timeout_ms = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
        match self.socket.poll(zmq::POLLOUT, timeout_ms) {
            Ok(_) | Err(zmq::Error::EINTR) => Ok(()),
            Err(source) => Err(Error::system("wait for a connection", source)),
        }
    }

    fn connect_to(&self, endpoint: &Endpoint, curve: Option<&Curve>) -> Result<(), Error> {
        let connect = || {
            if let Some(curve) = curve {
                self.socket.set_curve_serverkey(curve.server.bytes())?;
                self.socket.set_curve_publickey(curve.own.public().bytes())?;
                self.socket.set_curve_secretkey(curve.own.secret())?;
            }
            speak_ipv6(&self.socket, endpoint)?;
            self.socket.connect(&endpoint.to_string())
        };
        connect().map_err(|source| Error::Connect {
            endpoint: endpoint.to_string(),
            source: source.into(),
        })
    }

    /// Never blocks. `None`: nothing is there.
    pub(crate) fn receive(&self) -> Result<Option<Frame>, Error> {
        let Some(mut frame) = receive(&self.socket)? else { return Ok(None) };
        let mut more = !frame.alone;
        while more {
            more = receive(&self.socket)?.is_some_and(|part| !part.alone);
            frame.alone = false;
        }
        Ok(Some(frame))
    }

    /// A message of any frames. Never blocks.
    pub(crate) fn send_parts(&self, frames: &[&[u8]]) -> Result<(), SendError> {
        self.socket.send_multipart(frames, zmq::DONTWAIT).map_err(send_error)
    }

    /// Never blocks. Over `inproc` a link whose other end is gone is always [`SendError::Full`].
    pub(crate) fn send(&self, frame: &mut Vec<u8>) -> Result<(), SendError> {
        self.socket.send(message_of(frame), zmq::DONTWAIT).map_err(send_error)
    }
}

/// A connection that wants to be let in.
#[derive(Debug)]
pub(crate) struct ZapQuestion {
    id: Vec<u8>,
    /// Where it comes from.
    pub(crate) address: String,
    /// How it says who it is.
    pub(crate) mechanism: String,
    /// Whose it is: whoever asks holds this key's secret half.
    pub(crate) key: Option<PublicKey>,
    /// Which user has connected, over `ipc`.
    pub(crate) user: Option<u32>,
}

/// Where libzmq asks who may connect (ZeroMQ RFC 27).
pub(crate) struct ZapSocket {
    socket: zmq::Socket,
}

/// The protocol's version, an id, domain, address, routing id, mechanism, and credentials.
const ZAP_PARTS_MIN: usize = 6;

impl ZapSocket {
    pub(crate) fn bind(hub: &Hub) -> Result<Self, Error> {
        let bind = || {
            let socket = hub.context.socket(zmq::REP)?;
            socket.set_linger(0)?;
            socket.bind(ZAP_ENDPOINT)?;
            Ok(socket)
        };
        let socket = bind().map_err(|source: zmq::Error| Error::system("check keys", source))?;
        Ok(Self { socket })
    }

    /// The next question; `None` if there is none within `timeout`.
    pub(crate) fn question(&self, timeout: Duration) -> Result<Option<ZapQuestion>, Error> {
        let timeout_ms = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX).saturating_add(1);
        let error = |source| Error::system("check keys", source);
        match self.socket.poll(zmq::POLLIN, timeout_ms) {
            Ok(0) | Err(zmq::Error::EINTR) => return Ok(None),
            Ok(_) => {}
            Err(source) => return Err(error(source)),
        }
        let parts = self.socket.recv_multipart(zmq::DONTWAIT).map_err(error)?;
        if parts.len() < ZAP_PARTS_MIN {
            // Only libzmq asks here, in its own format.
            self.socket.send("", 0).map_err(error)?;
            return Ok(None);
        }
        let text = |at: usize| String::from_utf8_lossy(&parts[at]).into_owned();
        let (address, mechanism) = (text(3), text(5));
        let key = parts.get(6).filter(|_| mechanism == "CURVE");
        let key = key.and_then(|key| Some(PublicKey::new(key.as_slice().try_into().ok()?)));
        let user = (text(2) == LOCAL_DOMAIN).then(|| user_of(&address)).flatten();
        Ok(Some(ZapQuestion { id: parts[1].clone(), address, mechanism, key, user }))
    }

    /// Lets the connection in as `user`, or not at all.
    pub(crate) fn answer(&self, question: &ZapQuestion, user: Option<&str>) -> Result<(), Error> {
        let (code, text) = if user.is_some() { ("200", "OK") } else { ("400", "not allowed") };
        let parts: [&[u8]; 6] = [
            b"1.0",
            &question.id,
            code.as_bytes(),
            text.as_bytes(),
            user.unwrap_or_default().as_bytes(),
            b"",
        ];
        self.socket.send_multipart(parts, 0).map_err(|source| Error::system("check keys", source))
    }
}

/// Of what the operating system tells libzmq of a peer over `ipc`, which ends in `:uid:gid:pid`.
fn user_of(address: &str) -> Option<u32> {
    address.rsplit(':').nth(2)?.parse().ok()
}

fn receive(socket: &zmq::Socket) -> Result<Option<Frame>, Error> {
    let mut message = zmq::Message::new();
    loop {
        match socket.recv(&mut message, zmq::DONTWAIT) {
            Ok(()) => {
                let alone = !message.get_more();
                return Ok(Some(Frame { message, alone }));
            }
            Err(zmq::Error::EAGAIN) => return Ok(None),
            Err(zmq::Error::EINTR) => {}
            Err(source) => return Err(Error::system("receive", source)),
        }
    }
}

/// Something that can be waited for.
pub(crate) trait Wait {
    fn item(&self) -> zmq::PollItem<'_>;
}

impl Wait for Router {
    fn item(&self) -> zmq::PollItem<'_> {
        self.socket.as_poll_item(zmq::POLLIN)
    }
}

impl Wait for Dealer {
    fn item(&self) -> zmq::PollItem<'_> {
        self.socket.as_poll_item(zmq::POLLIN)
    }
}

/// Waits until one of `sockets` or `descriptor` can be read; returns early after a signal.
/// Says whether `descriptor` can be read.
pub(crate) fn wait<'a>(
    sockets: impl IntoIterator<Item = &'a dyn Wait>,
    descriptor: Option<BorrowedFd<'_>>,
    timeout: Option<Duration>,
) -> Result<bool, Error> {
    let mut items: Vec<zmq::PollItem<'a>> = Vec::with_capacity(4);
    if let Some(descriptor) = descriptor {
        items.push(zmq::PollItem::from_fd(descriptor.as_raw_fd(), zmq::POLLIN));
    }
    items.extend(sockets.into_iter().map(Wait::item));
    // Rounded up: a wait that ends too early would be repeated with nothing left.
    let timeout_ms = timeout.map_or(-1, |timeout| {
        i64::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(i64::MAX)
    });
    match zmq::poll(&mut items, timeout_ms) {
        Ok(_) => Ok(descriptor.is_some() && items.first().is_some_and(zmq::PollItem::is_readable)),
        Err(zmq::Error::EINTR) => Ok(false),
        Err(source) => {
            Err(Error::System { doing: "wait for messages", source: io::Error::from(source) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peers_user_is_read() {
        assert_eq!(user_of("localhost:1000:100:4242"), Some(1000));
        assert_eq!(user_of(":0:0:1"), Some(0));
        for nobody in ["", "127.0.0.1", "a:b:c", "1:2"] {
            assert_eq!(user_of(nobody), None, "{nobody}");
        }
    }
}
