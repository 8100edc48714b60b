//! What each attack is looked at with: the server's log, and the honest runs that end meanwhile.

use std::fs;
use std::time::Duration;

use wfhost_transport::keys::KeyPair;
use wfhost_transport::message::{FromWorker, Hello, PROTOCOL, ToWorker};
use wfhost_transport::{
    Coordinator, Curve, DecodeError, Endpoint, Hub, RawPeer, WorkerEvent, WorkerLink, codec,
};

use super::EVIL;
use crate::client::{Client, counted};
use crate::clock;
use crate::cluster::Cluster;
use crate::failure::{Doing as _, Failure, Result};
use crate::report::Outcome;

/// Lines that one attack may add to the log, whatever it sends: those of honest work in it.
const LOG_LINES_MAX: usize = 60;

/// For an honest run to end during an attack or after it.
const HONEST_MAX: Duration = Duration::from_secs(10);

/// For an answer to somebody who shall be answered.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(10);

/// What an attack has seen.
pub(super) struct Seen {
    pub(super) refused: bool,
    pub(super) detail: String,
    /// Connections and messages that were sent.
    pub(super) sent: u64,
}

/// The coordinator that is attacked.
pub(super) struct Arena<'c, 't> {
    pub(super) cluster: &'c Cluster<'t>,
    pub(super) random: fastrand::Rng,
    client: Client,
    outcome: Outcome,
    sent: u64,
    lines: usize,
    memory_kib: u64,
}

impl<'c, 't> Arena<'c, 't> {
    pub(super) fn new(cluster: &'c Cluster<'t>, times: u32) -> Result<Self> {
        let random = fastrand::Rng::with_seed(cluster.tools().seed);
        let (client, outcome) = (cluster.client()?, Outcome::new(times));
        Ok(Self { cluster, random, client, outcome, sent: 0, lines: 0, memory_kib: 0 })
    }

    /// Carries out an attack: it is refused, the log hardly grows, honest runs end.
    pub(super) fn attack(
        &mut self,
        what: &str,
        carry_out: impl FnOnce(&mut Self) -> Result<Seen>,
    ) -> Result<()> {
        let (lines, ended, began) = (self.log_lines(), self.ended()?, clock::now());
        let failed =
            |failure: Failure| Seen { refused: false, detail: failure.to_string(), sent: 0 };
        let seen = carry_out(self).unwrap_or_else(failed);
        let meanwhile = self.ended()? - ended;
        let took = began.elapsed();
        let goes_on = clock::until(HONEST_MAX, || match self.ended() {
            Ok(now) => (now > ended).then_some(true),
            Err(_) => Some(false),
        });
        let grown = self.log_lines() - lines;
        let Seen { refused, detail, sent } = seen;
        self.outcome.claim(&format!("{what}: refused"), refused, detail);
        let detail = format!(
            "{sent} connections or messages, {grown} lines of log, {meanwhile} honest runs ended in {:.1} s",
            took.as_secs_f64()
        );
        let holds = grown <= LOG_LINES_MAX && goes_on == Some(true);
        self.outcome.claim(&format!("{what}: hardly logged, and the rest goes on"), holds, detail);
        self.sent += sent;
        self.lines += grown;
        Ok(())
    }

    pub(super) fn over(mut self) -> Outcome {
        self.note_memory();
        self.outcome.counted("hostile connections and messages", self.sent);
        self.outcome.counted("lines of log meanwhile", self.lines);
        self.outcome.counted("MiB of the server's memory at most", self.memory_kib >> 10);
        self.outcome
    }

    fn note_memory(&mut self) {
        let pid = self.cluster.server.as_ref().map_or(0, crate::process::Process::pid);
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        self.memory_kib = kib.unwrap_or_default();
    }

    fn log_lines(&self) -> usize {
        self.cluster.server_log().lines().count()
    }

    fn ended(&mut self) -> Result<usize> {
        Ok(counted(&self.client.list()?).succeeded)
    }

    pub(super) fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    pub(super) fn endpoint(&self) -> Result<Endpoint> {
        self.cluster.address()?.parse().doing("read the address")
    }

    /// `HOST:PORT`.
    pub(super) fn host_and_port(&self) -> Result<String> {
        Ok(self.cluster.address()?.trim_start_matches("tcp://").to_owned())
    }

    /// The key of a worker of the list.
    pub(super) fn key_of(&self, worker: &str) -> Result<KeyPair> {
        KeyPair::read(&self.cluster.path(&format!("{worker}.key"))).doing("read a key")
    }

    pub(super) fn curve(&self, own: KeyPair) -> Curve {
        Curve { own, server: self.cluster.server_key() }
    }

    /// A worker's link with this key.
    pub(super) fn link(&self, own: KeyPair) -> Result<WorkerLink> {
        let coordinator = Coordinator { endpoint: self.endpoint()?, curve: Some(self.curve(own)) };
        Ok(WorkerLink::connect(&Hub::new(), coordinator).doing("connect a worker")?.0)
    }

    /// Many that say what they like with the key of the evil worker.
    pub(super) fn raw_evil(&self, hub: &Hub, name: Option<&[u8]>) -> Result<RawPeer> {
        let curve = self.curve(self.key_of(EVIL)?);
        self.raw(hub, Some(&curve), name)
    }

    pub(super) fn raw(
        &self,
        hub: &Hub,
        curve: Option<&Curve>,
        name: Option<&[u8]>,
    ) -> Result<RawPeer> {
        RawPeer::connect(hub, &self.endpoint()?, curve, name).doing("connect")
    }
}

/// What a worker says first.
pub(super) fn hello(slots: u32, instance: u64) -> Hello {
    let name = EVIL.to_owned();
    Hello { protocol: PROTOCOL, name, slots, instance, ..Hello::default() }
}

/// The frame of a message.
pub(super) fn frame(message: &FromWorker) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    codec::encode(message, &mut bytes).doing("encode")?;
    Ok(bytes)
}

/// What was said, if it can be read.
pub(super) fn said(frame: &[u8]) -> std::result::Result<ToWorker, DecodeError> {
    codec::decode(frame)
}

/// Sends, however full the queue is.
pub(super) fn send(link: &mut WorkerLink, message: &FromWorker) -> Result<()> {
    let sent = clock::until(ANSWER_MAX, || link.send(message).ok());
    sent.doing("send")
}

/// The first message that `is` takes.
pub(super) fn next<T>(
    link: &mut WorkerLink,
    limit: Duration,
    mut is: impl FnMut(ToWorker) -> Option<T>,
) -> Option<T> {
    let began = clock::now();
    let mut events = Vec::new();
    while began.elapsed() < limit {
        link.poll(Some(Duration::from_millis(20)), &mut events).ok()?;
        for event in events.drain(..) {
            if let WorkerEvent::Message(message) = event
                && let Some(found) = is(message)
            {
                return Some(found);
            }
        }
    }
    None
}
