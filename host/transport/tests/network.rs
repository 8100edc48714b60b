//! Links over the network: who is let in, who is not, and what happens to a key that is taken off
//! its list.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "helpers of tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use wfhost_transport::client::{Answer, Request};
use wfhost_transport::keys::{KeyPair, PublicKey};
use wfhost_transport::message::{FromWorker, Hello, PROTOCOL, ToWorker};
use wfhost_transport::{
    Bind, ClientLink, Coordinator, Curve, Endpoint, Error, Hub, KeyFiles, PeerKey, ServerEvent,
    ServerLink, ServerOptions, Target, WorkerEvent, WorkerLink,
};
use wfhost_workflow::{Digest, WorkerId};

const PATIENCE: Duration = Duration::from_secs(30);

/// What is answered while a stranger knocks: many times what a handshake takes.
const ROUND_TRIPS: usize = 300;

struct Setting {
    folder: tempfile::TempDir,
    hub: Hub,
    own: KeyPair,
}

impl Setting {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, hub: Hub::new(), own: KeyPair::generate().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces a list as an editor does.
    fn list(&self, name: &str, keys: &[PublicKey]) {
        let text: String = keys.iter().map(|key| format!("{key} someone\n")).collect();
        let new = self.path("new");
        fs::write(&new, text).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(&new, self.path(name)).unwrap();
    }

    fn serve(&self, workers: &[PublicKey], clients: &[PublicKey]) -> (ServerLink, Endpoint) {
        self.list("workers", workers);
        self.list("clients", clients);
        let keys =
            KeyFiles { workers: Some(self.path("workers")), clients: Some(self.path("clients")) };
        let bind = Bind { endpoint: "127.0.0.1:0".parse().unwrap(), key: Some(self.own.clone()) };
        let hub = self.hub.clone();
        let network = vec![bind];
        let options = ServerOptions { hub, network, keys, ..ServerOptions::default() };
        let (link, _) = ServerLink::bind(&options).unwrap();
        let address = link.addresses()[0].parse().unwrap();
        (link, address)
    }

    fn worker(&self, at: &Endpoint, own: &KeyPair, server: PublicKey) -> WorkerLink {
        let curve = Some(Curve { own: own.clone(), server });
        // Another process has a hub of its own.
        WorkerLink::connect(&Hub::new(), Coordinator { endpoint: at.clone(), curve }).unwrap().0
    }
}

fn hello() -> FromWorker {
    FromWorker::Hello(Box::new(Hello { protocol: PROTOCOL, ..Hello::default() }))
}

#[track_caller]
fn next(server: &mut ServerLink, what: &str) -> ServerEvent {
    let started = Instant::now();
    let mut events = Vec::new();
    loop {
        assert!(started.elapsed() < PATIENCE, "{what} never came");
        server.poll(Some(Duration::from_millis(100)), &mut events).unwrap();
        events.retain(|event| !matches!(event, ServerEvent::Woken));
        assert!(events.len() < 2, "{events:?}");
        if let Some(event) = events.pop() {
            return event;
        }
    }
}

#[track_caller]
fn heard(server: &mut ServerLink) -> (WorkerId, PeerKey, FromWorker) {
    match next(server, "a worker's message") {
        ServerEvent::Worker(id, key, message) => (id, key, message),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn told(worker: &mut WorkerLink) -> ToWorker {
    let started = Instant::now();
    let mut events = Vec::new();
    loop {
        assert!(started.elapsed() < PATIENCE, "nothing came");
        worker.poll(Some(Duration::from_millis(100)), &mut events).unwrap();
        if let Some(WorkerEvent::Message(message)) = events.pop() {
            return message;
        }
    }
}

#[test]
fn a_worker_is_its_key_and_both_ends_hear_each_other() {
    let setting = Setting::new();
    let keys = [KeyPair::generate().unwrap(), KeyPair::generate().unwrap()];
    let (mut server, at) = setting.serve(&[keys[0].public(), keys[1].public()], &[]);
    let mut ids = Vec::new();
    for own in &keys {
        let mut worker = setting.worker(&at, own, setting.own.public());
        worker.send(&hello()).unwrap();
        let (id, key, message) = heard(&mut server);
        assert_eq!((key, message), (PeerKey::Key(own.public()), hello()));
        assert!(server.is_worker(key));
        server.send_worker(id, &ToWorker::Drain).unwrap();
        assert_eq!(told(&mut worker), ToWorker::Drain);
        ids.push(id);
    }
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn strangers_are_not_heard_and_the_rest_goes_on() {
    let setting = Setting::new();
    let (known, stranger) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let (mut server, at) = setting.serve(&[known.public()], &[]);
    let own = setting.own.public();
    let mut knocking = [
        setting.worker(&at, &stranger, own),
        // The right key, and another server in mind.
        setting.worker(&at, &known, stranger.public()),
        WorkerLink::connect(&Hub::new(), Coordinator::local(at.clone())).unwrap().0,
    ];
    for link in &mut knocking {
        link.send(&hello()).unwrap();
    }
    let mut worker = setting.worker(&at, &known, own);
    for _ in 0..ROUND_TRIPS {
        worker.send(&FromWorker::Heartbeat).unwrap();
        let (id, key, message) = heard(&mut server);
        assert_eq!((key, message), (PeerKey::Key(known.public()), FromWorker::Heartbeat));
        server.send_worker(id, &ToWorker::Heartbeat).unwrap();
        assert_eq!(told(&mut worker), ToWorker::Heartbeat);
    }
}

#[test]
fn a_key_that_is_taken_off_is_not_heard_on_the_connection_that_it_has() {
    let setting = Setting::new();
    let (stays, goes) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let (mut server, at) = setting.serve(&[stays.public(), goes.public()], &[]);
    let mut going = setting.worker(&at, &goes, setting.own.public());
    going.send(&hello()).unwrap();
    let (id, key, _) = heard(&mut server);
    setting.list("workers", &[stays.public()]);
    assert!(matches!(next(&mut server, "the change"), ServerEvent::KeysChanged));
    assert!(!server.is_worker(key));
    // It can still be told why.
    server.send_worker(id, &ToWorker::Drain).unwrap();
    assert_eq!(told(&mut going), ToWorker::Drain);
    going.send(&hello()).unwrap();
    let mut staying = setting.worker(&at, &stays, setting.own.public());
    for _ in 0..ROUND_TRIPS {
        staying.send(&FromWorker::Heartbeat).unwrap();
        let (_, key, _) = heard(&mut server);
        assert_eq!(key, PeerKey::Key(stays.public()));
    }
    setting.list("workers", &[goes.public(), stays.public()]);
    assert!(matches!(next(&mut server, "the change"), ServerEvent::KeysChanged));
    going.send(&hello()).unwrap();
    assert_eq!(heard(&mut server).1, PeerKey::Key(goes.public()));
}

#[test]
fn a_clients_key_takes_no_steps() {
    let setting = Setting::new();
    let client = KeyPair::generate().unwrap();
    let (mut server, at) = setting.serve(&[], &[client.public()]);
    let mut posing = setting.worker(&at, &client, setting.own.public());
    posing.send(&hello()).unwrap();
    let mut events = Vec::new();
    let mut answers = Vec::new();
    let started = Instant::now();
    while answers.is_empty() {
        assert!(started.elapsed() < PATIENCE, "no answer");
        server.poll(Some(Duration::from_millis(20)), &mut events).unwrap();
        posing.poll(Some(Duration::from_millis(20)), &mut answers).unwrap();
    }
    assert!(!events.iter().any(|event| matches!(event, ServerEvent::Worker(..))), "{events:?}");
    match &answers[0] {
        WorkerEvent::Message(ToWorker::Refused { reason }) => assert!(reason.contains("clients")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_open_address_without_keys_is_refused_at_both_ends() {
    let open: Endpoint = "0.0.0.0:0".parse().unwrap();
    let network = vec![Bind { endpoint: open, key: None }];
    let refused = ServerLink::bind(&ServerOptions { network, ..ServerOptions::default() });
    assert!(matches!(refused, Err(Error::Insecure { .. })), "{refused:?}");
    let elsewhere = Coordinator::local("192.0.2.1:1".parse().unwrap());
    let refused = WorkerLink::connect(&Hub::new(), elsewhere);
    assert!(matches!(refused, Err(Error::Insecure { .. })), "{refused:?}");
}

#[test]
fn over_an_open_address_a_client_is_whoever_sends_what_clients_send() {
    let network = vec![Bind { endpoint: "127.0.0.1:0".parse().unwrap(), key: None }];
    let options = ServerOptions { network, ..ServerOptions::default() };
    let (mut server, _) = ServerLink::bind(&options).unwrap();
    let at: Endpoint = server.addresses()[0].parse().unwrap();
    let part = Request::Put { digest: Digest::of(b"x"), offset: 0, total: 1, bytes: b"x".to_vec() };
    for asked in [part, Request::Workers] {
        std::thread::scope(|scope| {
            let target = Target::Server(Coordinator::local(at.clone()));
            let mut client = ClientLink::connect(&Hub::new(), target).unwrap();
            let asks = asked.clone();
            let asking = scope.spawn(move || client.request(&asks, PATIENCE).unwrap());
            match next(&mut server, "a request") {
                ServerEvent::Client { client, id, request } => {
                    assert_eq!(request, asked);
                    server.answer(client, id, &Answer::Done).unwrap();
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(asking.join().unwrap(), Answer::Done);
        });
    }
    let mut worker = WorkerLink::connect(&Hub::new(), Coordinator::local(at)).unwrap().0;
    worker.send(&hello()).unwrap();
    assert_eq!(heard(&mut server).2, hello());
}

#[test]
fn lists_that_cannot_be_used_keep_it_from_listening() {
    let setting = Setting::new();
    fs::write(setting.path("workers"), "nonsense").unwrap();
    let keys = KeyFiles { workers: Some(setting.path("workers")), clients: None };
    let key = Some(setting.own);
    let network = vec![Bind { endpoint: "127.0.0.1:0".parse().unwrap(), key }];
    let refused = ServerLink::bind(&ServerOptions { network, keys, ..ServerOptions::default() });
    assert!(matches!(refused, Err(Error::Keys(_))), "{refused:?}");
}
