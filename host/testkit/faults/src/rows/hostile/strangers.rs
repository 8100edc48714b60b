//! Those who are on no list, or on the wrong one.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use wfhost_transport::client::{Answer, Refusal, Request};
use wfhost_transport::keys::KeyPair;
use wfhost_transport::message::{FromWorker, ToWorker};
use wfhost_transport::{ClientLink, Coordinator, Curve, Error, Hub, RawPeer, Target};

use super::EVIL;
use super::arena::{ANSWER_MAX, Arena, Seen, frame, hello, next, send};
use crate::failure::{Doing as _, Failure, Result};

/// Connections at once.
const CROWD: u64 = 200;

/// Messages of one connection.
const MANY: u64 = 2000;

/// In which nobody of a crowd is answered.
const SILENCE: Duration = Duration::from_millis(1500);

pub(super) fn all(arena: &mut Arena<'_, '_>) -> Result<()> {
    arena.attack("a key of no list", wrong_key)?;
    arena.attack("a worker's key used as a client's", worker_as_client)?;
    arena.attack("a client's key used as a worker's", client_as_worker)?;
    arena.attack("plain ZeroMQ without a key", no_key)?;
    arena.attack("plain TCP that says something else", plain_tcp)?;
    arena.attack("random bytes on the port", random_bytes)
}

fn new_key() -> Result<KeyPair> {
    KeyPair::generate().doing("make a key")
}

/// Says hello so often on each, and gives how many were answered.
fn answered(peers: &[RawPeer]) -> Result<usize> {
    let hello = frame(&FromWorker::Hello(Box::new(hello(1, 1))))?;
    for peer in peers {
        peer.send(&[&hello]).doing("send")?;
    }
    std::thread::sleep(SILENCE);
    let mut answered = 0;
    for peer in peers {
        let answer = peer.receive(Duration::ZERO).doing("receive")?;
        answered += usize::from(answer.is_some());
    }
    Ok(answered)
}

fn wrong_key(arena: &mut Arena<'_, '_>) -> Result<Seen> {
    let hub = Hub::new();
    let mut peers = Vec::new();
    for _ in 0..CROWD {
        let curve = arena.curve(new_key()?);
        peers.push(arena.raw(&hub, Some(&curve), None)?);
    }
    let heard = answered(&peers)?;
    drop(peers);
    let not_let_in = |target| match ClientLink::connect(&Hub::new(), target) {
        Err(Error::NotLetIn { .. }) => Ok(()),
        Ok(_) => Err(Failure::new("somebody with a wrong key was let in")),
        Err(error) => Err(Failure::new(error.to_string())),
    };
    let unlisted = arena.cluster.target_of(new_key()?)?;
    // Its own key is right, and the server is not the one that it wants.
    let curve = Curve { own: arena.cluster.client_key().clone(), server: new_key()?.public() };
    let endpoint = arena.endpoint()?;
    let elsewhere = Target::Server(Coordinator { endpoint, curve: Some(curve) });
    // Each takes its time until it gives up.
    let (stranger, elsewhere) = std::thread::scope(|scope| {
        let other = scope.spawn(|| not_let_in(elsewhere));
        let panicked = |_| Err(Failure::new("a thread panicked"));
        (not_let_in(unlisted), other.join().unwrap_or_else(panicked))
    });
    let detail = format!("{heard} answered; a client: {stranger:?}; another server: {elsewhere:?}");
    let refused = heard == 0 && stranger.is_ok() && elsewhere.is_ok();
    Ok(Seen { refused, detail, sent: CROWD + 2 })
}

fn worker_as_client(arena: &mut Arena<'_, '_>) -> Result<Seen> {
    let target = arena.cluster.target_of(arena.key_of(EVIL)?)?;
    let mut link = ClientLink::connect(&Hub::new(), target).doing("connect a client")?;
    let (mut denied, mut other) = (0, String::new());
    // It is told so as often as it is listened to.
    for _ in 0..MANY {
        match link.request(&Request::Workers, Duration::from_secs(1)) {
            Ok(Answer::Refused(Refusal::Denied(_))) => denied += 1,
            Ok(answer) => return Ok(seen(false, format!("{answer:?}"), denied)),
            Err(error) => {
                other = error.to_string();
                break;
            }
        }
    }
    Ok(seen(denied > 0, format!("denied {denied} times; then: {other}"), denied + 1))
}

const fn seen(refused: bool, detail: String, sent: u64) -> Seen {
    Seen { refused, detail, sent }
}

fn client_as_worker(arena: &mut Arena<'_, '_>) -> Result<Seen> {
    let mut link = arena.link(arena.cluster.client_key().clone())?;
    let hello = FromWorker::Hello(Box::new(hello(8, 1)));
    for _ in 0..MANY {
        send(&mut link, &hello)?;
    }
    let answer = next(&mut link, ANSWER_MAX, Some);
    let refused = matches!(&answer, Some(ToWorker::Refused { reason }) if reason.contains("key"));
    Ok(seen(refused, format!("{answer:?}"), MANY))
}

fn no_key(arena: &mut Arena<'_, '_>) -> Result<Seen> {
    let hub = Hub::new();
    let peers = (0..CROWD).map(|_| arena.raw(&hub, None, None)).collect::<Result<Vec<_>>>()?;
    let heard = answered(&peers)?;
    Ok(seen(heard == 0, format!("{heard} answered"), CROWD))
}

/// Sends and waits for the end of the connection.
pub(super) fn is_left(stream: &mut TcpStream, bytes: &[u8]) -> Result<bool> {
    stream.set_read_timeout(Some(ANSWER_MAX)).doing("set a timeout")?;
    // Who is left already cannot send.
    let _sent = stream.write_all(bytes);
    let mut answer = [0; 512];
    loop {
        match stream.read(&mut answer) {
            Ok(0) => return Ok(true),
            Ok(_greeting) => {}
            Err(error) => {
                use std::io::ErrorKind::{TimedOut, WouldBlock};
                return Ok(!matches!(error.kind(), TimedOut | WouldBlock));
            }
        }
    }
}

fn plain_tcp(arena: &mut Arena<'_, '_>) -> Result<Seen> {
    let at = arena.host_and_port()?;
    let connect = || TcpStream::connect(&at).doing("connect");
    let mut silent = (0..CROWD).map(|_| connect()).collect::<Result<Vec<_>>>()?;
    let mut http = connect()?;
    let spoke = is_left(&mut http, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")?;
    let mut left = 0;
    for stream in &mut silent {
        left += u64::from(is_left(stream, b"")?);
    }
    let detail = format!("{left} of {CROWD} silent ones and HTTP ({spoke}) were left");
    Ok(seen(spoke && left == CROWD, detail, CROWD + 1))
}

/// How a peer of ZMTP 3 with CURVE begins.
fn greeting() -> [u8; 64] {
    let mut greeting = [0; 64];
    greeting[0] = 0xff;
    greeting[9] = 0x7f;
    greeting[10] = 3;
    greeting[12..17].copy_from_slice(b"CURVE");
    greeting
}

fn random_bytes(arena: &mut Arena<'_, '_>) -> Result<Seen> {
    let at = arena.host_and_port()?;
    let (mut open, mut failed) = (Vec::new(), 0);
    for number in 0..MANY / 2 {
        let mut stream = TcpStream::connect(&at).doing("connect")?;
        let mut bytes = vec![0; arena.random.usize(1..4096)];
        arena.random.fill(&mut bytes);
        if number % 2 == 0 {
            bytes.splice(0..0, greeting());
        }
        if number % 4 == 0 {
            // A command that says it is as long as anything can be.
            bytes.splice(64..64, [6, 0x7f, 255, 255, 255, 255, 255, 255, 255]);
        }
        failed += u64::from(stream.write_all(&bytes).is_err());
        open.push(stream);
        if open.len() == 64 {
            open.clear();
        }
    }
    let mut left = 0;
    let last = open.len();
    for mut stream in open {
        left += usize::from(is_left(&mut stream, b"")?);
    }
    let detail = format!("{left} of the last {last} were left; {failed} while they still spoke");
    Ok(seen(left == last, detail, MANY / 2))
}
