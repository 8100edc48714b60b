//! More connections than there are descriptors. Alone in its process, whose limit it lowers.

#![cfg(target_os = "linux")]
use std::fs::File;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use wfhost_transport::client::{Answer, Request};
use wfhost_transport::keys::KeyPair;
use wfhost_transport::{
    Bind, ClientLink, Coordinator, Curve, Endpoint, Hub, KeyFiles, ServerEvent, ServerLink,
    ServerOptions, Target,
};

/// Of the whole process: the server's descriptors, the client's, and the flood's.
const DESCRIPTORS: u64 = 400;

const LIMIT: Duration = Duration::from_secs(20);

#[expect(clippy::disallowed_methods, reason = "a test's own limit")]
fn now() -> Instant {
    Instant::now()
}

/// Answers every request.
fn serve(mut server: ServerLink) {
    std::thread::spawn(move || {
        let mut events = Vec::new();
        while server.poll(Some(LIMIT), &mut events).is_ok() {
            for event in events.drain(..) {
                if let ServerEvent::Client { client, id, .. } = event {
                    let _gone = server.answer(client, id, &Answer::Done);
                }
            }
        }
    });
}

#[test]
fn connections_leave_descriptors_and_who_is_in_stays_in() {
    let folder = tempfile::tempdir().unwrap();
    let (own, client) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let list = folder.path().join("clients");
    std::fs::write(&list, client.public().to_string()).unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&list, private).unwrap();
    let limit = Rlimit { current: Some(DESCRIPTORS), maximum: Some(DESCRIPTORS) };
    setrlimit(Resource::Nofile, limit).unwrap();
    let endpoint: Endpoint = "tcp://127.0.0.1:0".parse().unwrap();
    let server_key = own.public();
    let options = ServerOptions {
        network: vec![Bind { endpoint, key: Some(own) }],
        keys: KeyFiles { workers: None, clients: Some(list) },
        ..ServerOptions::default()
    };
    let (server, _) = ServerLink::bind(&options).unwrap();
    let open_limit = getrlimit(Resource::Nofile).current.unwrap();
    assert!(open_limit < DESCRIPTORS, "some are kept in reserve");
    let address = server.addresses()[0].clone();
    serve(server);
    let target = || {
        let curve = Some(Curve { own: client.clone(), server: server_key });
        Target::Server(Coordinator { endpoint: address.parse().unwrap(), curve })
    };
    let mut link = ClientLink::connect(&Hub::new(), target()).unwrap();
    let mut done = || matches!(link.request(&Request::Workers, LIMIT), Ok(Answer::Done));
    assert!(done());
    // The flood has its descriptors from the same process: it ends where no more can be had.
    let at = address.trim_start_matches("tcp://").parse().unwrap();
    let mut flood = Vec::new();
    let began = now();
    while getrlimit(Resource::Nofile).current != Some(DESCRIPTORS) {
        assert!(now() - began < LIMIT, "the door stays open with {} connections", flood.len());
        if let Ok(stream) = TcpStream::connect_timeout(&at, Duration::from_millis(50)) {
            flood.push(stream);
        }
    }
    assert!(File::open("/proc/self/stat").is_ok(), "what was kept can be used");
    assert!(done(), "who is in stays in");
    let refused = TcpStream::connect_timeout(&at, Duration::from_millis(300));
    assert!(refused.is_err(), "nobody else comes in: {refused:?}");
    drop(flood);
    let began = now();
    while ClientLink::connect(&Hub::new(), target()).is_err() {
        assert!(now() - began < LIMIT, "the door stays shut");
    }
    assert!(done());
    assert_eq!(getrlimit(Resource::Nofile).current, Some(open_limit));
}
