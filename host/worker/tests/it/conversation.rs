//! What a worker says to its coordinator, in every situation.

use std::sync::Arc;
use std::time::Duration;

use wfhost_transport::codec::CHUNK_BYTES;
use wfhost_transport::message::{
    CANCELLED, FromWorker, Held, LogLevel, NO_SLOT, Outcome, Payload, ToWorker,
};
use wfhost_worker::{
    BoxFuture, Completion, ComponentFolder, ContentSource as _, Ending, Executor, Job,
};
use wfhost_workflow::{Digest, Failure, FailureKind, Limit, Limits};

use crate::harness::{LIMIT, Local, Setting, TOKEN, World, hello, now, succeeded};

fn both() -> [Setting; 2] {
    [Setting::default(), Setting { over_ipc: true, ..Setting::default() }]
}

/// A JSON string of this many bytes.
fn text(bytes: usize) -> Vec<u8> {
    let mut text = vec![b'x'; bytes];
    text[0] = b'"';
    text[bytes - 1] = b'"';
    text
}

#[test]
fn a_dispatch_is_run_and_its_end_reported() {
    for setting in both() {
        let mut world = World::new(setting);
        let done = world.dispatch(1, "echo", r#"{"a":1}"#);
        assert_eq!(world.end_of(done), succeeded(r#"{"a":1}"#));
        let failed = world.dispatch(2, "own-code", "null");
        let failure = world.failure_of(failed);
        assert_eq!((failure.kind, failure.code.as_str()), (FailureKind::Permanent, "own-code"));
    }
}

#[test]
fn many_attempts_at_once_end_once_each() {
    for setting in both() {
        let slots = 64;
        let mut world = World::new(Setting { slots, ..setting });
        let mut ended = vec![0; 2000];
        for number in 0..slots {
            world.dispatch(number, "echo", &number.to_string());
        }
        for next in slots..2000 + slots {
            match world.next() {
                FromWorker::Ended { attempt, outcome, .. } => {
                    let number = attempt.task.index.unwrap();
                    assert_eq!(outcome, succeeded(&number.to_string()));
                    ended[number as usize] += 1;
                }
                other => panic!("{other:?}"),
            }
            if next < 2000 {
                world.dispatch(next, "echo", &next.to_string());
            }
        }
        assert!(ended.iter().all(|times| *times == 1));
    }
}

#[test]
fn a_cancelled_attempt_stops_and_gives_its_slot_back() {
    for setting in both() {
        let mut world = World::new(Setting { slots: 1, ..setting });
        let waiting = world.waiting(1);
        world.tell(&ToWorker::Cancel { attempt: waiting, token: TOKEN });
        let failure = world.failure_of(waiting);
        assert_eq!((failure.kind, failure.code.as_str()), (FailureKind::Host, CANCELLED));
        // The slot is free, and cancelling what is over is answered: the end may have got lost.
        world.tell(&ToWorker::Cancel { attempt: waiting, token: TOKEN });
        assert_eq!(world.failure_of(waiting).code, CANCELLED);
        let next = world.dispatch(2, "echo", "2");
        assert_eq!(world.end_of(next), succeeded("2"));
    }
}

#[test]
fn a_panic_is_a_failure_of_the_host_and_no_slot_is_lost() {
    let mut world = World::new(Setting { slots: 1, ..Setting::default() });
    for number in 0..3 {
        let panicked = world.dispatch(number, "panic", "null");
        let failure = world.failure_of(panicked);
        assert_eq!((failure.kind, failure.code.as_str()), (FailureKind::Host, "panic"));
        assert!(failure.message.contains("on purpose"), "{failure}");
    }
    let next = world.dispatch(9, "echo", "9");
    assert_eq!(world.end_of(next), succeeded("9"));
}

#[test]
fn more_than_the_slots_is_refused() {
    let mut world = World::new(Setting { slots: 1, ..Setting::default() });
    let waiting = world.waiting(1);
    let over = world.dispatch(2, "echo", "2");
    assert_eq!(world.failure_of(over).code, "no-slot");
    world.tell(&ToWorker::Cancel { attempt: waiting, token: TOKEN });
    assert_eq!(world.failure_of(waiting).code, CANCELLED);
}

#[test]
fn an_attempt_that_is_dispatched_twice_ends_once() {
    let mut world = World::new(Setting::default());
    let waiting = world.waiting(1);
    world.dispatch(1, "echo", "1");
    world.tell(&ToWorker::Cancel { attempt: waiting, token: TOKEN });
    assert_eq!(world.failure_of(waiting).code, CANCELLED);
    let next = world.dispatch(2, "echo", "2");
    assert_eq!(world.end_of(next), succeeded("2"));
}

#[test]
fn a_large_input_is_fetched_in_parts() {
    for setting in both() {
        let mut world = World::new(setting);
        let input = text(CHUNK_BYTES as usize * 11 + 77);
        let (digest, len) = (Digest::of(&input), input.len() as u64);
        world.contents.insert(digest, input);
        let done = world.dispatch_with(1, "length", |dispatch| {
            dispatch.input = Payload::Reference { digest, len };
        });
        assert_eq!(world.end_of(done), succeeded(&len.to_string()));
        assert_eq!(world.fetched.len(), 12);
        assert!(world.fetched.iter().all(|(of, _, len)| *of == digest && *len <= CHUNK_BYTES));
    }
}

#[test]
fn an_input_over_the_limit_is_not_fetched() {
    let mut world = World::new(Setting::default());
    let refused = world.dispatch_with(1, "echo", |dispatch| {
        dispatch.limits = Limits::default().with(Limit::Input, 99);
        dispatch.input = Payload::Reference { digest: Digest::of(b"x"), len: 100 };
    });
    let failure = world.failure_of(refused);
    assert_eq!((failure.kind, failure.code.as_str()), (FailureKind::Limit, "input"));
    assert!(world.fetched.is_empty());
}

#[test]
fn a_component_is_fetched_in_parts() {
    for setting in both() {
        let mut world = World::new(setting);
        let component = vec![7; CHUNK_BYTES as usize * 3 + 1];
        let digest = Digest::of(&component);
        let len = component.len().to_string();
        world.contents.insert(digest, component);
        for number in 0..2 {
            world.dispatch_with(number, "component", |dispatch| dispatch.component = digest);
        }
        for _ in 0..2 {
            match world.next() {
                FromWorker::Ended { outcome, .. } => assert_eq!(outcome, succeeded(&len)),
                other => panic!("{other:?}"),
            }
        }
    }
}

fn code_with(contents: Option<Vec<u8>>, asked: Digest) -> String {
    let mut world = World::new(Setting { slots: 1, ..Setting::default() });
    if let Some(contents) = contents {
        world.contents.insert(asked, contents);
    }
    let failed = world.dispatch_with(1, "component", |dispatch| dispatch.component = asked);
    let failure = world.failure_of(failed);
    assert_eq!(failure.kind, FailureKind::Host);
    let next = world.dispatch(2, "echo", "2");
    assert_eq!(world.end_of(next), succeeded("2"), "the slot is free again");
    failure.code
}

#[test]
fn bytes_that_are_not_the_digests_are_refused() {
    let asked = Digest::of(b"right");
    assert_eq!(code_with(Some(b"wrong".to_vec()), asked), "content-damaged");
    assert_eq!(code_with(Some(vec![1; CHUNK_BYTES as usize * 2]), asked), "content-damaged");
    assert_eq!(code_with(None, asked), "content-missing");
}

#[test]
fn an_input_that_is_no_json_is_refused() {
    let mut world = World::new(Setting::default());
    let digest = Digest::of(b"{nonsense");
    world.contents.insert(digest, b"{nonsense".to_vec());
    let failed = world.dispatch_with(1, "echo", |dispatch| {
        dispatch.input = Payload::Reference { digest, len: 9 };
    });
    assert_eq!(world.failure_of(failed).code, "input-not-json");
}

#[test]
fn contents_of_this_machine_are_not_fetched_unless_damaged() {
    let local = Arc::new(Local::default());
    let (good, damaged) = (Digest::of(b"good"), Digest::of(b"damaged"));
    local.0.lock().unwrap().insert(good, b"good".to_vec());
    local.0.lock().unwrap().insert(damaged, b"damag d".to_vec());
    let mut world = World::new(Setting { content: Some(local), ..Setting::default() });
    let done = world.dispatch_with(1, "component", |dispatch| dispatch.component = good);
    assert_eq!(world.end_of(done), succeeded("4"));
    assert!(world.fetched.is_empty());
    world.contents.insert(damaged, b"damaged".to_vec());
    let done = world.dispatch_with(2, "component", |dispatch| dispatch.component = damaged);
    assert_eq!(world.end_of(done), succeeded("7"));
    assert_eq!(world.fetched.len(), 1);
}

#[test]
fn a_component_that_was_fetched_once_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let open = || ComponentFolder::open(folder.path().to_owned()).unwrap();
    let component = vec![7; CHUNK_BYTES as usize + 1];
    let (digest, len) = (Digest::of(&component), component.len().to_string());
    let mut world = World::new(Setting { content: Some(Arc::new(open())), ..Setting::default() });
    world.contents.insert(digest, component);
    let done = world.dispatch_with(1, "component", |dispatch| dispatch.component = digest);
    assert_eq!(world.end_of(done), succeeded(&len));
    assert!(!world.fetched.is_empty() && world.components.is_empty());
    // It is kept while the attempt goes on.
    let started = now();
    while open().components().is_empty() {
        assert!(started.elapsed() < LIMIT);
        std::thread::yield_now();
    }
    let mut world = World::new(Setting { content: Some(Arc::new(open())), ..Setting::default() });
    assert_eq!(world.components, [digest]);
    let done = world.dispatch_with(1, "component", |dispatch| dispatch.component = digest);
    assert_eq!(world.end_of(done), succeeded(&len));
    assert!(world.fetched.is_empty());
}

#[test]
fn log_lines_come_in_order_and_before_the_end() {
    let mut world = World::new(Setting::default());
    let logging = world.dispatch(1, "log", "50");
    let mut seen = Vec::new();
    loop {
        match world.next() {
            FromWorker::Log { attempt, lines } => {
                assert_eq!(attempt, logging);
                seen.extend(lines);
            }
            FromWorker::Ended { outcome, .. } => {
                assert_eq!(outcome, succeeded("50"));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(seen.len(), 50);
    for (number, line) in seen.iter().enumerate() {
        assert_eq!(line.message, format!("line {number}"));
        assert_eq!(line.level, LogLevel::Warn);
        assert_eq!(line.fields, [("line".to_owned(), number.to_string())]);
        assert!(line.at_ms > 1_700_000_000_000);
    }
}

#[test]
fn a_flood_of_log_lines_is_bounded_and_counted() {
    let mut world = World::new(Setting::default());
    world.dispatch(1, "log", "200000");
    let (mut kept, mut dropped) = (0, 0);
    loop {
        match world.next() {
            FromWorker::Log { lines, .. } => {
                assert!(lines.len() <= 2001, "{}", lines.len());
                for line in lines {
                    match line
                        .message
                        .strip_suffix(" log lines were dropped here: too many at once")
                    {
                        Some(count) => dropped += count.parse::<u64>().unwrap(),
                        None => kept += 1,
                    }
                }
            }
            FromWorker::Ended { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(kept + dropped, 200_000);
    assert!(dropped > 0);
}

#[test]
fn only_the_newest_progress_is_sent() {
    let mut world = World::new(Setting::default());
    let reporting = world.dispatch(1, "progress", "null");
    let mut messages = 0;
    loop {
        match world.next() {
            FromWorker::Progress { attempt, progress } => {
                assert_eq!(attempt, reporting);
                messages += 1;
                if progress.done == 1000 {
                    assert_eq!(progress.message, "step 1000");
                    break;
                }
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(messages < 20, "{messages}");
}

#[test]
fn an_attempt_that_has_to_wait_says_so() {
    let mut world = World::new(Setting::default());
    let waits = world.dispatch(1, "waits", "null");
    match world.next() {
        FromWorker::Waiting { attempt, at_most_ms } => {
            assert_eq!((attempt, at_most_ms), (waits, 1500));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_large_output_is_kept_and_given_in_parts_until_it_is_taken() {
    for setting in both() {
        let mut world = World::new(setting);
        let large = world.dispatch(1, "large", &(30 << 20).to_string());
        let outcome = world.end_of(large);
        let Outcome::Succeeded { output: Payload::Reference { digest, len }, .. } = outcome else {
            panic!("{outcome:?}")
        };
        let mut output = Vec::new();
        while (output.len() as u64) < len {
            let (total, bytes) = world.part(large, output.len() as u64, u32::MAX);
            assert_eq!(total, len);
            assert!(!bytes.is_empty() && bytes.len() <= CHUNK_BYTES as usize);
            output.extend(bytes);
        }
        assert_eq!(Digest::of(&output), digest);
        world.tell(&ToWorker::Taken { attempt: large });
        assert_eq!(world.part(large, 0, 10), (0, Vec::new()));
    }
}

#[test]
fn what_cannot_be_sent_is_a_failure() {
    let mut world = World::new(Setting::default());
    let fits = world.dispatch(1, "writes", &(7 << 20).to_string());
    assert!(matches!(world.end_of(fits), Outcome::Succeeded { .. }));
    let large = world.dispatch(2, "writes", &(9 << 20).to_string());
    let failure = world.failure_of(large);
    assert_eq!((failure.kind, failure.code.as_str()), (FailureKind::Limit, "output"));
}

#[test]
fn the_heart_beats() {
    for setting in both() {
        let mut world = World::new(setting);
        let waiting = world.waiting(1);
        let deadline = now() + LIMIT;
        let mut events = Vec::new();
        while world.heartbeats < 5 {
            assert!(now() < deadline);
            world.server.poll(Some(LIMIT), &mut events).unwrap();
            world.heartbeats += events.drain(..).count() as u32;
        }
        world.tell(&ToWorker::Cancel { attempt: waiting, token: TOKEN });
        assert_eq!(world.failure_of(waiting).code, CANCELLED);
    }
}

#[test]
fn asked_again_it_names_what_it_is_running() {
    let mut world = World::new(Setting::default());
    let waiting = world.waiting(1);
    world.tell(&ToWorker::Identify);
    world.tell(&ToWorker::Identify);
    let held = Held { attempt: waiting, token: TOKEN };
    let said = hello(4, vec![held]);
    assert_eq!(world.next(), said);
    // It was asked twice before it was welcomed, and says it once.
    world.welcome();
    world.tell(&ToWorker::Identify);
    assert_eq!(world.next(), said);
    world.tell(&ToWorker::Cancel { attempt: waiting, token: TOKEN });
    assert_eq!(world.failure_of(waiting).code, CANCELLED);
}

#[test]
fn drained_by_its_process_it_says_so_and_finishes() {
    for setting in both() {
        let mut world = World::new(setting);
        let waiting = world.waiting(1);
        world.worker.as_ref().unwrap().drain();
        assert_eq!(world.next(), FromWorker::Draining);
        world.tell(&ToWorker::Cancel { attempt: waiting, token: TOKEN });
        assert_eq!(world.failure_of(waiting).code, CANCELLED);
        assert_eq!(world.next(), FromWorker::Goodbye);
        assert!(matches!(world.join(), Ending::Drained));
    }
}

#[test]
fn drained_by_its_coordinator_it_finishes() {
    let mut world = World::new(Setting::default());
    let begun = world.waiting(1);
    world.tell(&ToWorker::Drain);
    world.tell(&ToWorker::Cancel { attempt: begun, token: TOKEN });
    assert_eq!(world.failure_of(begun).code, CANCELLED);
    assert_eq!(world.next(), FromWorker::Goodbye);
    assert!(matches!(world.join(), Ending::Drained));
}

/// Of attempts called `wait` only: the others never get so far.
struct SomeBegin;

impl Executor for SomeBegin {
    fn run(&self, job: Job) -> BoxFuture<Result<Completion, Failure>> {
        if job.dispatch.function == "wait" {
            assert!(job.sink.begins());
            job.sink.log(LogLevel::Info, "begun".to_owned(), Vec::new());
        } else {
            job.sink.waits(Duration::from_secs(1));
        }
        Box::pin(std::future::pending())
    }
}

#[test]
fn drained_it_hands_back_what_has_not_begun_and_what_comes_later() {
    for over_ipc in [false, true] {
        let executor = Arc::new(SomeBegin);
        let mut world = World::new(Setting { executor, over_ipc, ..Setting::default() });
        let begun = world.waiting(1);
        let queued = world.dispatch(2, "queued", "1");
        assert!(matches!(world.next(), FromWorker::Waiting { attempt, .. } if attempt == queued));
        world.worker.as_ref().unwrap().drain();
        assert_eq!(world.next(), FromWorker::Draining);
        let back = world.failure_of(queued);
        assert_eq!((back.kind, back.code.as_str()), (FailureKind::Host, NO_SLOT), "{back:?}");
        let late = world.dispatch(3, "wait", "1");
        assert_eq!(world.failure_of(late).code, NO_SLOT);
        world.tell(&ToWorker::Cancel { attempt: begun, token: TOKEN });
        assert_eq!(world.failure_of(begun).code, CANCELLED);
        assert_eq!(world.next(), FromWorker::Goodbye);
        assert!(matches!(world.join(), Ending::Drained));
    }
}

#[test]
fn stopped_it_says_goodbye() {
    for setting in both() {
        let mut world = World::new(setting);
        world.waiting(1);
        world.worker.as_ref().unwrap().stop();
        assert_eq!(world.next(), FromWorker::Goodbye);
        assert!(matches!(world.join(), Ending::Stopped));
    }
}

#[test]
fn refused_it_ends() {
    let mut world = World::unwelcomed(Setting::default());
    world.tell(&ToWorker::Refused { reason: "not you".to_owned() });
    let ending = world.join();
    assert!(matches!(&ending, Ending::Refused(reason) if reason == "not you"), "{ending:?}");
    let mut world = World::unwelcomed(Setting::default());
    world.tell(&ToWorker::Welcome { protocol: 999, heartbeat_ms: 1 });
    let ending = world.join();
    assert!(matches!(&ending, Ending::Refused(reason) if reason.contains("999")), "{ending:?}");
}

#[test]
fn a_worker_outlives_no_coordinator_of_its_own_process() {
    let mut world = World::new(Setting::default());
    world.waiting(1);
    let World { server, worker, .. } = &mut world;
    let elsewhere = wfhost_transport::ServerOptions {
        hub: wfhost_transport::Hub::new(),
        ..wfhost_transport::ServerOptions::default()
    };
    let (nobody, _) = wfhost_transport::ServerLink::bind(&elsewhere).unwrap();
    drop(std::mem::replace(server, nobody));
    let ending = worker.take().unwrap().join(LIMIT).unwrap();
    assert!(matches!(ending, Ending::CoordinatorGone), "{ending:?}");
}
