//! What the links alone can do here: a message and its answer between two processes' worth of
//! threads, over TCP with CURVE.

use std::time::Duration;

use wfhost_transport::keys::KeyPair;
use wfhost_transport::message::{FromWorker, ToWorker};
use wfhost_transport::{
    Bind, Coordinator, Curve, Endpoint, Hub, KeyFiles, ServerEvent, ServerLink, ServerOptions,
    WorkerEvent, WorkerLink,
};

use crate::clock;
use crate::stats::Times;

const SET_UP: &str = "the echo's links are set up";

const MESSAGES: usize = 30_000;

/// Under way at once, for the rate.
const WINDOW: usize = 64;

/// What was measured.
pub(super) struct Echo {
    /// Of one at a time.
    pub(super) p50: Duration,
    /// With [`WINDOW`] under way.
    pub(super) a_second: f64,
}

/// Measures for about a quarter of a second.
pub(super) fn measure() -> Echo {
    let place = super::place();
    let (server, worker) = (KeyPair::generate().expect(SET_UP), KeyPair::generate().expect(SET_UP));
    let list = place.path().join("workers.keys");
    std::fs::write(&list, format!("{}\n", worker.public())).expect(SET_UP);
    let hub = Hub::new();
    let (mut serving, _waker) = ServerLink::bind(&ServerOptions {
        hub,
        network: vec![Bind {
            endpoint: "tcp://127.0.0.1:0".parse().expect(SET_UP),
            key: Some(server.clone()),
        }],
        keys: KeyFiles { workers: Some(list), clients: None },
        ..ServerOptions::default()
    })
    .expect(SET_UP);
    let endpoint: Endpoint = serving.addresses()[0].parse().expect(SET_UP);
    let curve = Some(Curve { own: worker, server: server.public() });
    std::thread::scope(|scope| {
        let echoing = scope.spawn(move || {
            let mut events = Vec::new();
            loop {
                serving.poll(Some(Duration::from_secs(1)), &mut events).expect(SET_UP);
                for event in events.drain(..) {
                    match event {
                        ServerEvent::Worker(_, _, FromWorker::Goodbye) => return,
                        ServerEvent::Worker(worker, _, _) => {
                            serving.send_worker(worker, &ToWorker::Heartbeat).expect(SET_UP);
                        }
                        _ => {}
                    }
                }
            }
        });
        let hub = Hub::new();
        let (mut link, _waker) =
            WorkerLink::connect(&hub, Coordinator { endpoint, curve }).expect(SET_UP);
        let (mut times, mut events) = (Times::default(), Vec::new());
        for _ in 0..MESSAGES / 10 {
            let started = clock::now();
            link.send(&FromWorker::Heartbeat).expect(SET_UP);
            answers(&mut link, &mut events, 1);
            times.add(started.elapsed());
        }
        let started = clock::now();
        for _ in 0..WINDOW {
            link.send(&FromWorker::Heartbeat).expect(SET_UP);
        }
        let mut answered = 0;
        while answered < MESSAGES {
            let came = answers(&mut link, &mut events, 1);
            answered += came;
            for _ in 0..came {
                link.send(&FromWorker::Heartbeat).expect(SET_UP);
            }
        }
        let rate = answered as f64 / started.elapsed().as_secs_f64();
        answers(&mut link, &mut events, WINDOW);
        link.send(&FromWorker::Goodbye).expect(SET_UP);
        echoing.join().expect(SET_UP);
        Echo { p50: times.p50(), a_second: rate }
    })
}

/// Waits for at least so many answers; gives how many came.
fn answers(link: &mut WorkerLink, events: &mut Vec<WorkerEvent>, least: usize) -> usize {
    let mut came = 0;
    while came < least {
        link.poll(Some(Duration::from_secs(10)), events).expect(SET_UP);
        came += events.drain(..).filter(|event| matches!(event, WorkerEvent::Message(_))).count();
    }
    came
}
