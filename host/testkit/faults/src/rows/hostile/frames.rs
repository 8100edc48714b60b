//! Frames that are none, are too long, or are of another version: with the key of a worker.

use std::time::Duration;

use wfhost_transport::Hub;
use wfhost_transport::client::{Answer, Request};
use wfhost_transport::codec::{self, WORKER_FRAME_BYTES_MAX};
use wfhost_transport::message::{FromWorker, PROTOCOL, ToWorker};

use super::arena::{ANSWER_MAX, Arena, Seen, frame, hello, said};
use crate::clock;
use crate::failure::{Doing as _, Result};

/// Connections, and messages of each.
const PEERS: u64 = 50;
const EACH: u64 = 100;

pub(super) fn all(arena: &mut Arena<'_, '_>) -> Result<()> {
    arena.attack("random frames of a worker's key", random_frames)?;
    arena.attack("workers of an old protocol", old_workers)?;
    arena.attack("a client of an old protocol", old_client)?;
    arena.attack("oversized frames", oversized)?;
    arena.attack("routing ids that are chosen", chosen_names)
}

/// Waits for what was said to be read by the other side, which answers none of it.
fn silent_or(peers: &[wfhost_transport::RawPeer]) -> Result<Vec<ToWorker>> {
    std::thread::sleep(Duration::from_millis(500));
    let mut answers = Vec::new();
    for peer in peers {
        while let Some(frame) = peer.receive(Duration::ZERO).doing("receive")? {
            answers.extend(said(&frame));
        }
    }
    Ok(answers)
}

fn random_frames(arena: &mut Arena<'_, '_>) -> Result<Seen> {
    let hub = Hub::new();
    let mut peers = Vec::new();
    for _ in 0..PEERS {
        let peer = arena.raw_evil(&hub, None)?;
        for number in 0..EACH {
            let mut bytes = vec![0; arena.random.usize(0..2048)];
            arena.random.fill(&mut bytes);
            // Half of them say that they are something.
            if number % 2 == 0 {
                bytes.splice(0..0, [codec::LAYOUT, arena.random.u8(1..=10)]);
            }
            match number % 10 {
                9 => peer.send(&[&bytes, &bytes, b""]).doing("send")?,
                _ => peer.send(&[&bytes]).doing("send")?,
            }
        }
        peers.push(peer);
    }
    let answers = silent_or(&peers)?;
    let welcomed = answers.iter().any(|it| matches!(it, ToWorker::Welcome { .. }));
    let detail = format!("{} answers, none of them a welcome: {}", answers.len(), !welcomed);
    Ok(Seen { refused: !welcomed, detail, sent: PEERS * EACH })
}

fn old_workers(arena: &mut Arena<'_, '_>) -> Result<Seen> {
    let hub = Hub::new();
    let old = PROTOCOL - 1;
    let mut hello = hello(8, 1);
    hello.protocol = old;
    let readable = frame(&FromWorker::Hello(Box::new(hello)))?;
    // Of a version whose hello had less: `{"hello": {"protocol": 2}}`.
    let mut other = vec![codec::LAYOUT, readable[1], 0x81, 0xa5];
    other.extend_from_slice(b"hello\x81\xa8protocol");
    other.push(u8::try_from(old).unwrap_or_default());
    let (mut right, mut detail) = (0, String::new());
    for number in 0..PEERS {
        let peer = arena.raw_evil(&hub, None)?;
        for _ in 0..EACH {
            peer.send(&[if number % 2 == 0 { &readable } else { &other }]).doing("send")?;
        }
        let answer = peer.receive(ANSWER_MAX).doing("receive")?;
        let answer = answer.and_then(|frame| said(&frame).ok());
        let (ours, theirs) = (format!("protocol {PROTOCOL}"), format!("worker {old}"));
        let names_both = |reason: &str| reason.contains(&ours) && reason.contains(&theirs);
        match answer {
            Some(ToWorker::Refused { reason }) if names_both(&reason) => right += 1,
            other => detail = format!("; and {other:?}"),
        }
    }
    let detail = format!("{right} of {PEERS} were told both versions{detail}");
    Ok(Seen { refused: right == PEERS, detail, sent: PEERS * EACH })
}

fn old_client(arena: &mut Arena<'_, '_>) -> Result<Seen> {
    let hub = Hub::new();
    let curve = arena.curve(arena.cluster.client_key().clone());
    let peer = arena.raw(&hub, Some(&curve), None)?;
    let mut bytes = Vec::new();
    codec::encode_request(7, &Request::Workers, &mut bytes).doing("encode")?;
    bytes[2..4].copy_from_slice(&(PROTOCOL - 1).to_le_bytes());
    for _ in 0..EACH {
        peer.send(&[&bytes]).doing("send")?;
    }
    let answer = peer.receive(ANSWER_MAX).doing("receive")?;
    let text = match answer.as_deref().map(codec::decode_answer) {
        Some((Some(7), Ok(Answer::Refused(refusal)))) => refusal.to_string(),
        other => format!("{other:?}"),
    };
    let ours = text.contains(&format!("program speaks {PROTOCOL}"));
    let theirs = text.contains(&format!("protocol {}", PROTOCOL - 1));
    Ok(Seen { refused: ours && theirs, detail: text, sent: EACH })
}

/// Longer than a worker's may be, and longer than anybody's.
fn oversized(arena: &mut Arena<'_, '_>) -> Result<Seen> {
    let hub = Hub::new();
    let long = vec![codec::LAYOUT; WORKER_FRAME_BYTES_MAX + 1];
    let peer = arena.raw_evil(&hub, None)?;
    for _ in 0..3 {
        peer.send(&[&long]).doing("send")?;
    }
    drop(long);
    // Nobody's: the connection ends, and what is said on the next one is somebody else's.
    let other = arena.raw_evil(&hub, None)?;
    other.send(&[&frame(&FromWorker::Hello(Box::new(hello(0, 2))))?]).doing("send")?;
    let answer = |is: fn(&ToWorker) -> bool| {
        clock::until(ANSWER_MAX, || {
            let frame = other.receive(Duration::ZERO).ok()??;
            said(&frame).ok().filter(is)
        })
    };
    let welcomed = answer(|it| matches!(it, ToWorker::Welcome { .. })).is_some();
    let longest = vec![codec::LAYOUT; codec::CLIENT_FRAME_BYTES_MAX + 1];
    other.send(&[&longest]).doing("send")?;
    drop(longest);
    other.send(&[&frame(&FromWorker::Heartbeat)?]).doing("send")?;
    let ended = answer(|it| matches!(it, ToWorker::Identify)).is_some();
    let answers = silent_or(&[peer])?;
    let detail = format!("answers: {answers:?}; the longest one ends its connection: {ended}");
    Ok(Seen { refused: answers.is_empty() && welcomed && ended, detail, sent: 6 })
}

/// Names that a peer chooses do not make it heard as somebody else.
fn chosen_names(arena: &mut Arena<'_, '_>) -> Result<Seen> {
    let hub = Hub::new();
    let mut peers = Vec::new();
    let hello = frame(&FromWorker::Hello(Box::new(hello(0, 3))))?;
    let mut welcomed = 0;
    for number in 0..PEERS {
        let mut name = *b"worker-1-of-the-list";
        arena.random.fill(&mut name[if number == 0 { 20 } else { 1 }..]);
        let peer = arena.raw_evil(&hub, Some(&name))?;
        peer.send(&[&hello]).doing("send")?;
        peers.push(peer);
    }
    for answer in silent_or(&peers)? {
        welcomed += u64::from(matches!(answer, ToWorker::Welcome { .. }));
    }
    let detail = format!("{welcomed} of {PEERS} were heard");
    Ok(Seen { refused: welcomed == 0, detail, sent: PEERS })
}
