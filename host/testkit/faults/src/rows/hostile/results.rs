//! A worker of the list that ends what it was not given, and what it was given too often.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wfhost_transport::message::{Dispatch, FromWorker, Held, Outcome, Payload, ToWorker, Token};
use wfhost_transport::{Coordinator, Hub, WorkerLink};
use wfhost_workflow::{Attempt, AttemptId, Digest, Json, StepId, TaskId};

use super::EVIL;
use super::arena::{ANSWER_MAX, Arena, Seen, hello, next, send};
use crate::failure::{Doing as _, Result};
use crate::history::Execution;
use crate::work;

/// Ends of attempts of others, and contents that are nowhere.
const MANY: usize = 2000;

/// Replays of one end.
const REPLAYS: usize = 200;

pub(super) fn all(arena: &mut Arena<'_, '_>) -> Result<()> {
    arena.attack("ends of attempts of others", ends_of_others)?;
    arena.attack("a hello that claims attempts of others", claims)?;
    arena.attack("requests for contents that are nowhere", fetches)?;
    arena.attack("ends that are repeated", repeated_ends)?;
    arena.attack("hellos that are repeated", repeated_hellos)?;
    arena.attack("recorded bytes of a session", recorded_bytes)
}

fn greet(link: &mut WorkerLink, slots: u32, instance: u64, running: Vec<Held>) -> Result<()> {
    let mut hello = hello(slots, instance);
    hello.running = running;
    send(link, &FromWorker::Hello(Box::new(hello)))
}

fn welcome(message: &ToWorker) -> Option<()> {
    matches!(message, ToWorker::Welcome { .. }).then_some(())
}

/// What honest workers have had last, as the wire names it.
fn attempts(arena: &Arena<'_, '_>) -> Result<Vec<AttemptId>> {
    let mut executions = arena.cluster.executions()?;
    executions.sort_by_key(|it| std::cmp::Reverse(it.start_ns));
    Ok(executions.iter().take(64).filter_map(id_of).collect())
}

fn id_of(execution: &Execution) -> Option<AttemptId> {
    let step = ["first", "fan", "last"].iter().position(|step| *step == execution.task.step)?;
    let step = StepId(u32::try_from(step).ok()?);
    let task = TaskId { step, index: execution.task.index };
    Some(AttemptId { run: execution.run, task, attempt: Attempt(execution.attempt) })
}

fn lie() -> Outcome {
    Outcome::Succeeded { output: Payload::Inline(Json::from_value(&666.into())), kv: Vec::new() }
}

/// What the server counts of the evil worker: done, late, forged.
fn counts(arena: &mut Arena<'_, '_>) -> Result<(u64, u64, u64)> {
    let workers = arena.client().workers()?;
    let evil = workers.into_iter().find(|it| it.name == EVIL);
    let counts = evil.doing("see the evil worker")?.counts;
    Ok((counts.done, counts.late_refused, counts.forged))
}

fn ends_of_others(arena: &mut Arena<'_, '_>) -> Result<Seen> {
    let mut link = arena.link(arena.key_of(EVIL)?)?;
    greet(&mut link, 0, arena.random.u64(..), Vec::new())?;
    next(&mut link, ANSWER_MAX, |it| welcome(&it)).doing("join")?;
    let mut sent = 0;
    let mut taken = 0;
    while sent < MANY {
        // Again and again those that are under way now.
        for attempt in attempts(arena)? {
            let mut token = Token::default();
            arena.random.fill(&mut token.0);
            send(&mut link, &FromWorker::Ended { attempt, token, outcome: lie() })?;
            sent += 1;
        }
        let mut events = Vec::new();
        link.poll(Some(Duration::from_millis(20)), &mut events).doing("poll")?;
        taken += events.len();
    }
    let all = crate::clock::until(ANSWER_MAX, || {
        let (done, _, forged) = counts(arena).ok()?;
        (done > 0 || forged == sent as u64).then_some((done, forged))
    });
    let detail = format!("{sent} sent, {taken} answers at least; counted (done, forged): {all:?}");
    Ok(Seen { refused: all == Some((0, sent as u64)), detail, sent: sent as u64 })
}

fn claims(arena: &mut Arena<'_, '_>) -> Result<Seen> {
    let mut link = arena.link(arena.key_of(EVIL)?)?;
    let instance = arena.random.u64(..);
    let (mut sent, mut stopped) = (0, 0);
    for _ in 0..20 {
        let attempts = attempts(arena)?;
        let mut running = Vec::new();
        for attempt in &attempts {
            let mut token = Token::default();
            arena.random.fill(&mut token.0);
            running.push(Held { attempt: *attempt, token });
        }
        greet(&mut link, 8, instance, running)?;
        sent += attempts.len();
        // Without a token: that would be the proof it lacks.
        let want = stopped + attempts.len();
        next(&mut link, ANSWER_MAX, |message| {
            if matches!(message, ToWorker::Cancel { token, .. } if token == Token::default()) {
                stopped += 1;
            }
            (stopped >= want).then_some(())
        });
    }
    send(&mut link, &FromWorker::Goodbye)?;
    settle(&mut link);
    let detail = format!("{stopped} of {sent} claims were answered with a stop and no token");
    Ok(Seen { refused: stopped == sent, detail, sent: sent as u64 })
}

/// Until what was sent has surely arrived.
fn settle(link: &mut WorkerLink) {
    let _nothing = next(link, Duration::from_millis(300), |_| None::<()>);
}

fn fetches(arena: &mut Arena<'_, '_>) -> Result<Seen> {
    let mut link = arena.link(arena.key_of(EVIL)?)?;
    greet(&mut link, 0, arena.random.u64(..), Vec::new())?;
    next(&mut link, ANSWER_MAX, |it| welcome(&it)).doing("join")?;
    for number in 0..MANY {
        let digest = Digest::of(&number.to_le_bytes());
        send(&mut link, &FromWorker::Fetch { digest, offset: 0, len: 1 })?;
    }
    let (mut nothing, mut something) = (0, 0);
    next(&mut link, ANSWER_MAX, |message| {
        match message {
            ToWorker::Chunk { total: 0, .. } => nothing += 1,
            ToWorker::Chunk { .. } => something += 1,
            _ => {}
        }
        (nothing + something == MANY).then_some(())
    });
    let detail = format!("{nothing} of {MANY} were told that there is nothing");
    Ok(Seen { refused: something == 0 && nothing > 0, detail, sent: MANY as u64 })
}

/// Honest once, then the same again and again, also on another connection, and another end of it.
fn repeated_ends(arena: &mut Arena<'_, '_>) -> Result<Seen> {
    let mut link = arena.link(arena.key_of(EVIL)?)?;
    let instance = arena.random.u64(..);
    greet(&mut link, 1, instance, Vec::new())?;
    let given = next(&mut link, ANSWER_MAX, |message| match message {
        ToWorker::Dispatch(dispatch) => Some(dispatch),
        _ => None,
    });
    let given = given.doing("be given a step")?;
    let honest = honest_end(&given)?;
    send(&mut link, &FromWorker::Draining)?;
    for _ in 0..REPLAYS {
        send(&mut link, &honest)?;
    }
    let Dispatch { attempt, token, .. } = *given;
    next(&mut link, ANSWER_MAX, |message| {
        matches!(message, ToWorker::Taken { attempt: taken } if taken == attempt).then_some(())
    });
    link.reconnect().doing("connect again")?;
    greet(&mut link, 1, instance, vec![Held { attempt, token }])?;
    for _ in 0..REPLAYS {
        send(&mut link, &honest)?;
        send(&mut link, &FromWorker::Ended { attempt, token, outcome: lie() })?;
    }
    let want = 2 * REPLAYS;
    let mut taken = 0;
    next(&mut link, ANSWER_MAX, |message| {
        taken += usize::from(matches!(message, ToWorker::Taken { attempt: of } if of == attempt));
        (taken == want).then_some(())
    });
    let seen = counts(arena)?;
    send(&mut link, &FromWorker::Goodbye)?;
    settle(&mut link);
    let detail = format!(
        "after another connection {taken} of {want} were answered; counted (done, late, forged): {seen:?}"
    );
    Ok(Seen { refused: taken == want && seen.0 <= 1, detail, sent: (want + REPLAYS) as u64 })
}

fn honest_end(given: &Dispatch) -> Result<FromWorker> {
    let Payload::Inline(input) = &given.input else {
        return None.doing("be given a small input");
    };
    let number = input.to_value()["number"].as_u64().doing("read an input")?;
    let output = Payload::Inline(Json::from_value(&work::work(number).into()));
    let outcome = Outcome::Succeeded { output, kv: Vec::new() };
    Ok(FromWorker::Ended { attempt: given.attempt, token: given.token, outcome })
}

/// The same hello on one connection, and on two that take it from each other.
fn repeated_hellos(arena: &mut Arena<'_, '_>) -> Result<Seen> {
    let mut one = arena.link(arena.key_of(EVIL)?)?;
    let mut two = arena.link(arena.key_of(EVIL)?)?;
    let instance = arena.random.u64(..);
    for _ in 0..MANY / 4 {
        greet(&mut one, 0, instance, Vec::new())?;
    }
    for number in 0..MANY as u64 / 4 {
        greet(&mut one, 0, instance, Vec::new())?;
        greet(&mut two, 0, instance + number % 3, Vec::new())?;
        let mut events = Vec::new();
        one.poll(Some(Duration::ZERO), &mut events).doing("poll")?;
        two.poll(Some(Duration::ZERO), &mut events).doing("poll")?;
    }
    settle(&mut one);
    settle(&mut two);
    let workers = arena.client().workers()?;
    let evil = workers.iter().filter(|it| it.name == EVIL).count();
    let detail = format!("{evil} workers with the key are known");
    Ok(Seen { refused: evil <= 1, detail, sent: MANY as u64 * 3 / 4 })
}

/// Somebody on the way, who has no key: what was said is said again, in the same connection and in
/// another one.
fn recorded_bytes(arena: &mut Arena<'_, '_>) -> Result<Seen> {
    let at = arena.host_and_port()?;
    let listener = TcpListener::bind("127.0.0.1:0").doing("listen")?;
    let here = listener.local_addr().doing("listen")?;
    let record: Arc<Mutex<Vec<u8>>> = Arc::default();
    let (written, to) = (Arc::clone(&record), at.clone());
    let between = std::thread::spawn(move || relay(&listener, &to, &written));
    let endpoint = format!("tcp://{here}").parse().doing("read an address")?;
    let curve = Some(arena.curve(arena.key_of(EVIL)?));
    let coordinator = Coordinator { endpoint, curve };
    let (mut link, _waker) =
        WorkerLink::connect(&Hub::new(), coordinator).doing("connect a worker")?;
    greet(&mut link, 0, arena.random.u64(..), Vec::new())?;
    next(&mut link, ANSWER_MAX, |it| welcome(&it)).doing("join over the relay")?;
    send(&mut link, &FromWorker::Heartbeat)?;
    let cut = between.join().ok().doing("relay")??;
    drop(link);
    let bytes = record.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut left = 0;
    for _ in 0..20 {
        let mut stream = TcpStream::connect(&at).doing("connect")?;
        left += u64::from(super::strangers::is_left(&mut stream, &bytes)?);
    }
    let detail = format!(
        "{} bytes recorded; said twice in a session, it ended: {cut}; anew: {left} of 20 were left",
        bytes.len()
    );
    Ok(Seen { refused: cut && left == 20, detail, sent: 21 })
}

/// Carries one connection, and what comes after the handshake twice; whether the server leaves.
fn relay(listener: &TcpListener, to: &str, record: &Mutex<Vec<u8>>) -> Result<bool> {
    let (mut worker, _) = listener.accept().doing("accept")?;
    let mut server = TcpStream::connect(to).doing("connect")?;
    let (mut back, mut answers) =
        (worker.try_clone().doing("clone a stream")?, server.try_clone().doing("clone a stream")?);
    answers.set_read_timeout(Some(ANSWER_MAX)).doing("set a timeout")?;
    let answering = std::thread::spawn(move || {
        let copied = std::io::copy(&mut answers, &mut back);
        // An end of its own, or a reset: no silence.
        let left =
            copied.map_or_else(|error| error.kind() != std::io::ErrorKind::WouldBlock, |_| true);
        let _gone = back.shutdown(Shutdown::Both);
        left
    });
    let mut bytes = [0; 64 << 10];
    loop {
        let read = match worker.read(&mut bytes) {
            Ok(0) | Err(_) => break,
            Ok(read) => read,
        };
        let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
        record.extend_from_slice(&bytes[..read]);
        // Greeting, HELLO and INITIATE are not repeated.
        let twice = record.len() > HANDSHAKE_BYTES;
        for _ in 0..if twice { 2 } else { 1 } {
            if server.write_all(&bytes[..read]).is_err() {
                break;
            }
        }
    }
    answering.join().ok().doing("relay")
}

/// 64 of the greeting, 202 of HELLO, and at least 257 of INITIATE.
const HANDSHAKE_BYTES: usize = 64 + 202 + 257 + 120;
