//! Conversations between real links, over `inproc` and `ipc`.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::time::{Duration, Instant};

use wfhost_transport::client::{Answer, Refusal, Request};
use wfhost_transport::message::{FromWorker, Hello, PROTOCOL, ToWorker};
use wfhost_transport::{
    ClientLink, Coordinator, DecodeError, Endpoint, Error, Hub, SendError, ServerEvent, ServerLink,
    ServerOptions, Target, Waker, WorkerEvent, WorkerLink,
};
use wfhost_workflow::{Digest, Json, WorkerId};

/// Far above what a loaded machine needs; a passing test never waits for it.
const LIMIT: Duration = Duration::from_secs(20);

#[expect(clippy::disallowed_methods, reason = "a test's own limit")]
fn now() -> Instant {
    Instant::now()
}

fn options(hub: &Hub, workers: Vec<Endpoint>, control: Option<&Path>) -> ServerOptions {
    let control = control.map(Path::to_owned);
    ServerOptions { hub: hub.clone(), workers, control, ..ServerOptions::default() }
}

fn bind(hub: &Hub, endpoint: &Endpoint) -> ServerLink {
    ServerLink::bind(&options(hub, vec![endpoint.clone()], None)).unwrap().0
}

/// The next events of the server, until `enough` of them are there.
fn events(server: &mut ServerLink, enough: usize) -> Vec<ServerEvent> {
    let deadline = now() + LIMIT;
    let mut events = Vec::new();
    while events.len() < enough {
        let left = deadline.saturating_duration_since(now());
        assert!(!left.is_zero(), "only {events:?}");
        server.poll(Some(left), &mut events).unwrap();
    }
    events
}

fn messages(worker: &mut WorkerLink, enough: usize) -> Vec<ToWorker> {
    let deadline = now() + LIMIT;
    let mut found = Vec::new();
    while found.len() < enough {
        let left = deadline.saturating_duration_since(now());
        assert!(!left.is_zero(), "only {found:?}");
        let mut events = Vec::new();
        worker.poll(Some(left), &mut events).unwrap();
        found.extend(events.into_iter().map(|event| match event {
            WorkerEvent::Message(message) => message,
            other @ (WorkerEvent::BadMessage(_) | WorkerEvent::Woken) => panic!("{other:?}"),
        }));
    }
    found
}

fn hello(name: &str) -> FromWorker {
    let name = name.to_owned();
    let hello = Hello { protocol: PROTOCOL, name, slots: 2, ..Hello::default() };
    FromWorker::Hello(Box::new(hello))
}

fn greeted(server: &mut ServerLink, name: &str) -> WorkerId {
    let mut events = events(server, 1);
    match events.pop() {
        Some(ServerEvent::Worker(worker, _, message)) if message == hello(name) => worker,
        other => panic!("{other:?}"),
    }
}

/// Both kinds of endpoint; the folder lives as long as the test.
fn endpoints(folder: &Path) -> [Endpoint; 2] {
    [Endpoint::inproc("workers"), Endpoint::ipc(folder.join("w.sock"))]
}

#[test]
fn a_worker_says_hello_and_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    for endpoint in endpoints(folder.path()) {
        let hub = Hub::new();
        let mut server = bind(&hub, &endpoint);
        let (mut worker, _) =
            WorkerLink::connect(&hub, Coordinator::local(endpoint.clone())).unwrap();
        worker.send(&hello("a")).unwrap();
        let id = greeted(&mut server, "a");
        let welcome = ToWorker::Welcome { protocol: PROTOCOL, heartbeat_ms: 200 };
        server.send_worker(id, &welcome).unwrap();
        assert_eq!(messages(&mut worker, 1), [welcome]);
    }
}

#[test]
fn a_worker_may_come_before_its_coordinator() {
    let folder = tempfile::tempdir().unwrap();
    for endpoint in endpoints(folder.path()) {
        let hub = Hub::new();
        let (mut worker, _) =
            WorkerLink::connect(&hub, Coordinator::local(endpoint.clone())).unwrap();
        worker.send(&hello("early")).unwrap();
        let mut server = bind(&hub, &endpoint);
        greeted(&mut server, "early");
    }
}

#[test]
fn workers_on_several_endpoints_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::new();
    let at = endpoints(folder.path());
    let (mut server, _) = ServerLink::bind(&options(&hub, at.to_vec(), None)).unwrap();
    let mut links = Vec::new();
    let mut ids = Vec::new();
    for (number, endpoint) in at.iter().chain(&at).enumerate() {
        let (mut link, _) =
            WorkerLink::connect(&hub, Coordinator::local(endpoint.clone())).unwrap();
        link.send(&hello(&number.to_string())).unwrap();
        ids.push(greeted(&mut server, &number.to_string()));
        links.push(link);
    }
    for (link, id) in links.iter_mut().zip(&ids) {
        let reason = format!("{id:?}");
        server.send_worker(*id, &ToWorker::Refused { reason: reason.clone() }).unwrap();
        assert_eq!(messages(link, 1), [ToWorker::Refused { reason }]);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[test]
fn ten_thousand_messages_arrive_in_order() {
    let hub = Hub::new();
    let endpoint = Endpoint::inproc("many");
    let mut server = bind(&hub, &endpoint);
    let sender = std::thread::spawn(move || {
        let (mut worker, _) =
            WorkerLink::connect(&hub, Coordinator::local(endpoint.clone())).unwrap();
        let mut events = Vec::new();
        for offset in 0..10_000 {
            let fetch = FromWorker::Fetch { digest: Digest::of(b"x"), offset, len: 1 };
            while let Err(error) = worker.send(&fetch) {
                assert!(matches!(error, SendError::Full), "{error}");
                worker.poll(Some(Duration::from_millis(1)), &mut events).unwrap();
            }
        }
        // The link stays until the server has read everything.
        messages(&mut worker, 1)
    });
    let mut expected = 0;
    let mut from = None;
    while expected < 10_000 {
        for event in events(&mut server, 1) {
            match event {
                ServerEvent::Worker(worker, _, FromWorker::Fetch { offset, .. }) => {
                    assert_eq!(offset, expected);
                    assert_eq!(*from.get_or_insert(worker), worker);
                    expected += 1;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    server.send_worker(from.unwrap(), &ToWorker::Drain).unwrap();
    assert_eq!(sender.join().unwrap(), [ToWorker::Drain]);
}

#[test]
fn a_worker_that_is_gone_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    for endpoint in endpoints(folder.path()) {
        let hub = Hub::new();
        let mut server = bind(&hub, &endpoint);
        let (mut worker, _) =
            WorkerLink::connect(&hub, Coordinator::local(endpoint.clone())).unwrap();
        worker.send(&hello("a")).unwrap();
        let id = greeted(&mut server, "a");
        drop(worker);
        let deadline = now() + LIMIT;
        loop {
            server.poll(Some(Duration::from_millis(1)), &mut Vec::new()).unwrap();
            match server.send_worker(id, &ToWorker::Heartbeat) {
                Err(SendError::Gone) => break,
                other => assert!(now() < deadline, "{other:?}"),
            }
        }
    }
    let mut server = bind(&Hub::new(), &Endpoint::inproc("x"));
    let nobody = server.send_worker(WorkerId(u64::MAX), &ToWorker::Drain);
    assert!(matches!(nobody, Err(SendError::Gone)), "{nobody:?}");
}

#[test]
fn a_coordinator_in_the_same_process_that_is_gone_is_noticed() {
    let hub = Hub::new();
    let endpoint = Endpoint::inproc("gone");
    let mut server = bind(&hub, &endpoint);
    let (mut worker, _) = WorkerLink::connect(&hub, Coordinator::local(endpoint)).unwrap();
    worker.send(&hello("a")).unwrap();
    greeted(&mut server, "a");
    drop(server);
    let deadline = now() + LIMIT;
    while !matches!(worker.send(&FromWorker::Heartbeat), Err(SendError::Full)) {
        assert!(now() < deadline);
    }
}

#[test]
fn large_frames_pass() {
    let folder = tempfile::tempdir().unwrap();
    for endpoint in endpoints(folder.path()) {
        let hub = Hub::new();
        let mut server = bind(&hub, &endpoint);
        let (mut worker, _) =
            WorkerLink::connect(&hub, Coordinator::local(endpoint.clone())).unwrap();
        worker.send(&hello("a")).unwrap();
        let id = greeted(&mut server, "a");
        let bytes = vec![7; 256 << 10];
        let digest = Digest::of(&bytes);
        let chunk = ToWorker::Chunk { digest, offset: 0, total: 256 << 10, bytes };
        for _ in 0..8 {
            server.send_worker(id, &chunk).unwrap();
        }
        let found = messages(&mut worker, 8);
        assert!(found.iter().all(|message| *message == chunk));
        let too_large = ToWorker::Refused { reason: "x".repeat(65 << 10) };
        assert!(matches!(server.send_worker(id, &too_large), Err(SendError::Message(_))));
    }
}

#[test]
fn wakes_are_merged_and_never_lost() {
    let hub = Hub::new();
    let (mut server, waker) = ServerLink::bind(&options(&hub, Vec::new(), None)).unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (sender, waker): (_, Waker) = (sender.clone(), waker.clone());
            std::thread::spawn(move || {
                for _ in 0..5000 {
                    sender.send(()).unwrap();
                    waker.wake();
                }
            })
        })
        .collect();
    let (mut seen, mut woken) = (0, 0);
    while seen < 20_000 {
        woken += events(&mut server, 1).len();
        seen += receiver.try_iter().count();
    }
    assert!(woken <= 20_000);
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn a_worker_is_woken_too() {
    let hub = Hub::new();
    let (mut worker, waker) =
        WorkerLink::connect(&hub, Coordinator::local(Endpoint::inproc("nobody"))).unwrap();
    let thread = std::thread::spawn(move || waker.wake());
    let mut events = Vec::new();
    while events.is_empty() {
        worker.poll(Some(LIMIT), &mut events).unwrap();
    }
    assert!(matches!(events[..], [WorkerEvent::Woken]));
    thread.join().unwrap();
}

/// A peer that says what it likes.
fn stranger(folder: &Path, frames: &[&[u8]], name: Option<&[u8]>) -> zmq::Socket {
    let socket = zmq::Context::new().socket(zmq::DEALER).unwrap();
    socket.set_linger(2000).unwrap();
    if let Some(name) = name {
        socket.set_identity(name).unwrap();
    }
    socket.connect(&format!("ipc://{}", folder.join("w.sock").display())).unwrap();
    socket.send_multipart(frames, 0).unwrap();
    socket
}

#[test]
fn bad_frames_are_reported_and_then_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::new();
    let endpoint = Endpoint::ipc(folder.path().join("w.sock"));
    let mut server = bind(&hub, &endpoint);
    let bad = stranger(folder.path(), &[b"garbage"], None);
    for _ in 0..50 {
        bad.send(&b""[..], 0).unwrap();
    }
    let reported = events(&mut server, 16);
    let ids: Vec<_> = reported
        .iter()
        .map(|event| match event {
            ServerEvent::BadWorkerMessage(worker, _) => *worker,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(ids.iter().all(|id| *id == ids[0]));
    assert_eq!(reported.len(), 16, "the others are dropped");
    assert!(matches!(
        reported.last(),
        Some(ServerEvent::BadWorkerMessage(_, DecodeError::Ignored))
    ));
    // Others are still heard.
    let (mut worker, _) = WorkerLink::connect(&hub, Coordinator::local(endpoint)).unwrap();
    worker.send(&hello("good")).unwrap();
    assert_ne!(greeted(&mut server, "good"), ids[0]);
}

#[test]
fn a_message_of_several_frames_is_bad_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::ipc(folder.path().join("w.sock"));
    let mut server = bind(&Hub::new(), &endpoint);
    let socket = stranger(folder.path(), &[b"a", b"b", b"c"], None);
    let reported = events(&mut server, 1);
    assert!(matches!(reported[..], [ServerEvent::BadWorkerMessage(_, DecodeError::Parts)]));
    socket
        .send(&[1, 2, 0xa9, b'h', b'e', b'a', b'r', b't', b'b', b'e', b'a', b't'][..], 0)
        .unwrap();
    let next = events(&mut server, 1);
    assert!(matches!(next[..], [ServerEvent::Worker(_, _, FromWorker::Heartbeat)]), "{next:?}");
}

#[test]
fn a_peer_that_names_itself_is_not_heard() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::new();
    let endpoint = Endpoint::ipc(folder.path().join("w.sock"));
    let mut server = bind(&hub, &endpoint);
    let _named = stranger(folder.path(), &[b"garbage"], Some(b"worker-1"));
    let (mut worker, _) = WorkerLink::connect(&hub, Coordinator::local(endpoint)).unwrap();
    let deadline = now() + LIMIT;
    // Rounds enough for the stranger's frame to have come, were it let through.
    for _ in 0..50 {
        worker.send(&hello("good")).unwrap();
        greeted(&mut server, "good");
        assert!(now() < deadline);
    }
}

/// Answers requests with `Output` of the prefix asked for, until the waker is used.
fn serve(mut server: ServerLink) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut events = Vec::new();
        loop {
            server.poll(Some(LIMIT), &mut events).unwrap();
            for event in events.drain(..) {
                match event {
                    ServerEvent::Client { client, id, request: Request::Find { prefix } } => {
                        let text = Json::from_value(&prefix.into());
                        server.answer(client, id, &Answer::Output(text)).unwrap();
                    }
                    // Never answered.
                    ServerEvent::Client { .. } => {}
                    ServerEvent::Woken => return,
                    other => panic!("{other:?}"),
                }
            }
        }
    })
}

fn find(prefix: &str) -> Request {
    Request::Find { prefix: prefix.to_owned() }
}

fn output(text: &str) -> Answer {
    Answer::Output(Json::from_value(&text.into()))
}

const NEVER: Request = Request::List { before: None, limit: 1, status: Vec::new() };

#[test]
fn clients_are_answered_at_once_and_each_its_own() {
    let data = tempfile::tempdir().unwrap();
    let hub = Hub::new();
    let (server, waker) = ServerLink::bind(&options(&hub, Vec::new(), Some(data.path()))).unwrap();
    let server = serve(server);
    let clients: Vec<_> = (0..4)
        .map(|client| {
            let (hub, data) = (hub.clone(), data.path().to_owned());
            std::thread::spawn(move || {
                let mut link =
                    ClientLink::connect(&hub, Target::Folder(data.to_path_buf())).unwrap();
                for number in 0..200 {
                    let text = format!("{client}-{number}");
                    assert_eq!(link.request(&find(&text), LIMIT).unwrap(), output(&text));
                }
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    waker.wake();
    server.join().unwrap();
}

#[test]
fn a_folder_with_a_long_path_is_reached_too() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("d".repeat(150));
    std::fs::create_dir(&data).unwrap();
    let hub = Hub::new();
    let (server, waker) = ServerLink::bind(&options(&hub, Vec::new(), Some(&data))).unwrap();
    let server = serve(server);
    let mut link = ClientLink::connect(&hub, Target::Folder(data.clone())).unwrap();
    assert_eq!(link.request(&find("x"), LIMIT).unwrap(), output("x"));
    waker.wake();
    server.join().unwrap();
    let elsewhere = std::fs::read_to_string(data.join("ipc/path")).unwrap();
    std::fs::remove_dir_all(Path::new(&elsewhere).parent().unwrap()).unwrap();
}

#[test]
fn nobody_listens_is_said_at_once() {
    let data = tempfile::tempdir().unwrap();
    let hub = Hub::new();
    let refused = ClientLink::connect(&hub, Target::Folder(data.path().to_owned()));
    assert!(matches!(refused, Err(Error::NobodyListens { .. })), "{refused:?}");
    // Also where a socket was left behind, as after a kill.
    let (server, _) = ServerLink::bind(&options(&hub, Vec::new(), Some(data.path()))).unwrap();
    drop(server);
    let deadline = now() + LIMIT;
    loop {
        match ClientLink::connect(&hub, Target::Folder(data.path().to_owned())) {
            Err(Error::NobodyListens { .. }) => break,
            other => assert!(now() < deadline, "{other:?}"),
        }
    }
}

#[test]
fn a_late_answer_is_not_taken_for_the_next() {
    let data = tempfile::tempdir().unwrap();
    let hub = Hub::new();
    let (mut server, _) = ServerLink::bind(&options(&hub, Vec::new(), Some(data.path()))).unwrap();
    let mut link = ClientLink::connect(&hub, Target::Folder(data.path().to_owned())).unwrap();
    let timed_out = link.request(&find("slow"), Duration::from_millis(1));
    assert!(matches!(timed_out, Err(Error::Timeout { waited_ms: 1 })), "{timed_out:?}");
    let answering = std::thread::spawn(move || {
        // Both answers go out only once both requests are there.
        for event in events(&mut server, 2) {
            match event {
                ServerEvent::Client { client, id, request: Request::Find { prefix } } => {
                    server.answer(client, id, &output(&prefix)).unwrap();
                }
                other => panic!("{other:?}"),
            }
        }
        server
    });
    assert_eq!(link.request(&find("next"), LIMIT).unwrap(), output("next"));
    answering.join().unwrap();
}

#[test]
fn a_restart_of_the_server_is_noticed_and_survived() {
    let data = tempfile::tempdir().unwrap();
    let hub = Hub::new();
    let (server, waker) = ServerLink::bind(&options(&hub, Vec::new(), Some(data.path()))).unwrap();
    let server = serve(server);
    let mut link = ClientLink::connect(&hub, Target::Folder(data.path().to_owned())).unwrap();
    assert_eq!(link.request(&find("a"), LIMIT).unwrap(), output("a"));
    let waiting = std::thread::spawn(move || {
        let lost = link.request(&NEVER, LIMIT);
        (link, lost)
    });
    waker.wake();
    server.join().unwrap();
    let (mut link, lost) = waiting.join().unwrap();
    // The request came before or after the end.
    assert!(matches!(lost, Err(Error::Disconnected | Error::NobodyListens { .. })), "{lost:?}");
    let (server, waker) = ServerLink::bind(&options(&hub, Vec::new(), Some(data.path()))).unwrap();
    let server = serve(server);
    assert_eq!(link.request(&find("b"), LIMIT).unwrap(), output("b"));
    waker.wake();
    server.join().unwrap();
}

#[test]
fn a_client_that_does_not_read_holds_nobody_up() {
    let data = tempfile::tempdir().unwrap();
    let hub = Hub::new();
    let (server, _) = ServerLink::bind(&options(&hub, Vec::new(), Some(data.path()))).unwrap();
    let server = std::thread::spawn(move || {
        let mut server = server;
        let mut events = Vec::new();
        let large = Answer::Output(Json::from_value(&"x".repeat(1 << 20).into()));
        let (mut handled, mut dropped) = (0, 0);
        while handled < 320 {
            server.poll(Some(LIMIT), &mut events).unwrap();
            for event in events.drain(..) {
                let ServerEvent::Client { client, id, .. } = event else { panic!("{event:?}") };
                handled += 1;
                match server.answer(client, id, &large) {
                    Ok(()) => {}
                    Err(SendError::Full) => dropped += 1,
                    Err(other) => panic!("{other}"),
                }
            }
        }
        // The link lives until the test has its answers.
        (server, dropped)
    });
    let lazy = zmq::Context::new().socket(zmq::DEALER).unwrap();
    lazy.set_rcvhwm(1).unwrap();
    lazy.set_linger(0).unwrap();
    lazy.connect(&format!("ipc://{}", data.path().join("ipc/control.sock").display())).unwrap();
    let mut frame = Vec::new();
    for id in 0..300 {
        wfhost_transport::codec::encode_request(id, &find("x"), &mut frame).unwrap();
        lazy.send(&frame, 0).unwrap();
    }
    let mut link = ClientLink::connect(&hub, Target::Folder(data.path().to_owned())).unwrap();
    for _ in 0..20 {
        let answer = link.request(&find("y"), LIMIT).unwrap();
        assert!(matches!(answer, Answer::Output(_)));
    }
    assert!(server.join().unwrap().1 > 0, "what the lazy client does not take is not kept");
}

#[test]
fn an_unreadable_request_and_too_large_an_answer_are_refused() {
    let data = tempfile::tempdir().unwrap();
    let hub = Hub::new();
    let (mut server, _) = ServerLink::bind(&options(&hub, Vec::new(), Some(data.path()))).unwrap();
    let other = zmq::Context::new().socket(zmq::DEALER).unwrap();
    other.set_rcvtimeo(20_000).unwrap();
    other.connect(&format!("ipc://{}", data.path().join("ipc/control.sock").display())).unwrap();
    let mut frame = Vec::new();
    wfhost_transport::codec::encode_request(5, &find("x"), &mut frame).unwrap();
    frame[2] = 99;
    other.send(&frame, 0).unwrap();
    let wait_for_it = std::thread::spawn(move || {
        let frame = other.recv_bytes(0).unwrap();
        wfhost_transport::codec::decode_answer(&frame)
    });
    let data_path = data.path().to_owned();
    let client = std::thread::spawn(move || {
        ClientLink::connect(&hub, Target::Folder(data_path.to_path_buf()))
            .unwrap()
            .request(&find("large"), LIMIT)
    });
    match events(&mut server, 1).pop() {
        Some(ServerEvent::Client { client, id, .. }) => {
            let large = Answer::Output(Json::from_value(&"x".repeat(65 << 20).into()));
            let sent = server.answer(client, id, &large);
            assert!(matches!(sent, Err(SendError::Message(_))), "{sent:?}");
        }
        other => panic!("{other:?}"),
    }
    let refused = client.join().unwrap().unwrap();
    assert!(matches!(refused, Answer::Refused(Refusal::Invalid(_))), "{refused:?}");
    server.poll(Some(Duration::ZERO), &mut Vec::new()).unwrap();
    let (id, refused) = wait_for_it.join().unwrap();
    assert_eq!(id, Some(5));
    assert!(matches!(refused, Ok(Answer::Refused(Refusal::Unavailable(_)))), "{refused:?}");
}
