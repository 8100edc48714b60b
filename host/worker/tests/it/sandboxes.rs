//! The worker with the real plugin host: components come over the link and run in sandboxes.

use std::sync::Arc;

use wfhost_plugin::{HostOptions, PluginHost};
use wfhost_testkit::guest;
use wfhost_transport::codec::CHUNK_BYTES;
use wfhost_transport::message::{FromWorker, LogLevel, Outcome, Payload, ToWorker};
use wfhost_worker::{Directories, PluginExecutor};
use wfhost_workflow::run::KvWrite;
use wfhost_workflow::{Digest, FailureKind, Json};

use crate::harness::{Setting, World, succeeded};

fn world() -> World {
    let host = PluginHost::new(HostOptions { slots: 4, ..HostOptions::default() }).unwrap();
    World::new(Setting {
        executor: Arc::new(PluginExecutor::new(host, Directories::OfThisMachine)),
        ..Setting::default()
    })
}

/// The coordinator has this guest.
fn with_guest(name: &str) -> (World, Digest) {
    let mut world = world();
    let component = guest::content(name);
    let digest = Digest::of(&component);
    world.contents.insert(digest, component);
    (world, digest)
}

#[test]
fn a_component_is_fetched_once_for_all_who_want_it() {
    let (mut world, digest) = with_guest("hello");
    for number in 0..4 {
        world.dispatch_with(number, "greet", |dispatch| {
            dispatch.component = digest;
            dispatch.input = Payload::Inline(Json::parse(r#"{"name":"World"}"#).unwrap());
        });
    }
    for _ in 0..4 {
        match world.next() {
            FromWorker::Ended { outcome, .. } => {
                assert_eq!(outcome, succeeded(r#"{"greeting":"Hello, World!"}"#));
            }
            other => panic!("{other:?}"),
        }
    }
    let bytes = world.contents[&digest].len();
    assert_eq!(world.fetched.len(), bytes.div_ceil(CHUNK_BYTES as usize));
}

#[test]
fn what_a_guest_is_told_says_and_stores_passes_through() {
    let (mut world, digest) = with_guest("probe");
    let stored = world.dispatch_with(1, "store", |dispatch| {
        dispatch.component = digest;
        dispatch.kv = vec![KvWrite { key: "count".to_owned(), value: Some(b"4".to_vec()) }];
    });
    match world.end_of(stored) {
        Outcome::Succeeded { output: Payload::Inline(output), kv } => {
            assert_eq!(output.to_value()["before"], 4);
            assert!(kv.contains(&KvWrite { key: "count".to_owned(), value: Some(b"5".to_vec()) }));
        }
        other => panic!("{other:?}"),
    }
    let told = world.dispatch_with(2, "told", |dispatch| dispatch.component = digest);
    match world.end_of(told) {
        Outcome::Succeeded { output: Payload::Inline(output), .. } => {
            let told = output.to_value();
            assert_eq!(told["run"], told_run());
            assert_eq!((&told["workflow"], &told["step"]), (&"w".into(), &"s".into()));
            assert_eq!((&told["index"], &told["attempt"]), (&2.into(), &1.into()));
            assert_eq!(told["idempotency_key"], "key");
        }
        other => panic!("{other:?}"),
    }
    let logged = world.dispatch_with(3, "write-log", |dispatch| {
        dispatch.component = digest;
        dispatch.input = Payload::Inline(Json::parse(r#""you""#).unwrap());
    });
    match world.next() {
        FromWorker::Log { attempt, lines } => {
            assert_eq!(attempt, logged);
            let levels: Vec<_> = lines.iter().map(|line| line.level).collect();
            let expected =
                [LogLevel::Trace, LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Error];
            assert_eq!(levels, expected);
            assert_eq!(lines[2].message, "hello you");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(world.end_of(logged), succeeded("null"));
}

fn told_run() -> String {
    crate::harness::attempt(0).run.to_string()
}

#[test]
fn what_is_no_component_fails_for_good() {
    let mut world = world();
    let digest = Digest::of(b"no wasm");
    world.contents.insert(digest, b"no wasm".to_vec());
    for number in 0..2 {
        let failed = world.dispatch_with(number, "greet", |dispatch| dispatch.component = digest);
        let failure = world.failure_of(failed);
        assert_eq!((failure.kind, failure.code.as_str()), (FailureKind::Permanent, "component"));
    }
}

#[test]
fn a_component_that_is_nowhere_is_no_fault_of_the_guest_and_asked_for_again() {
    let mut world = world();
    let component = guest::content("hello");
    let digest = Digest::of(&component);
    let dispatch = |world: &mut World, number| {
        world.dispatch_with(number, "greet", |dispatch| {
            dispatch.component = digest;
            dispatch.input = Payload::Inline(Json::parse(r#"{"name":"you"}"#).unwrap());
        })
    };
    let failed = dispatch(&mut world, 1);
    let failure = world.failure_of(failed);
    assert_eq!((failure.kind, failure.code.as_str()), (FailureKind::Host, "content-missing"));
    world.contents.insert(digest, component);
    let done = dispatch(&mut world, 2);
    assert_eq!(world.end_of(done), succeeded(r#"{"greeting":"Hello, you!"}"#));
}

#[test]
fn a_component_that_was_prefetched_is_loaded_when_a_step_wants_it() {
    let (mut world, digest) = with_guest("hello");
    for _ in 0..2 {
        world.tell(&ToWorker::Prefetch { components: vec![digest, Digest::of(b"no wasm")] });
        match world.next() {
            FromWorker::Prefetched { component, error: None } => assert_eq!(component, digest),
            other => panic!("{other:?}"),
        }
        match world.next() {
            FromWorker::Prefetched { component, error: Some(error) } => {
                assert_eq!(component, Digest::of(b"no wasm"));
                assert!(error.contains("cannot get the content"), "{error}");
            }
            other => panic!("{other:?}"),
        }
    }
    let parts = world.fetched.iter().filter(|(of, ..)| *of == digest).count();
    assert_eq!(parts, world.contents[&digest].len().div_ceil(CHUNK_BYTES as usize));
    world.fetched.clear();
    let done = world.dispatch_with(1, "greet", |dispatch| {
        dispatch.component = digest;
        dispatch.input = Payload::Inline(Json::parse(r#"{"name":"you"}"#).unwrap());
    });
    assert_eq!(world.end_of(done), succeeded(r#"{"greeting":"Hello, you!"}"#));
    assert!(world.fetched.is_empty());
    // One that is no component is said, and is no fault of the worker's.
    world.contents.insert(Digest::of(b"no wasm"), b"no wasm".to_vec());
    world.tell(&ToWorker::Prefetch { components: vec![Digest::of(b"no wasm")] });
    match world.next() {
        FromWorker::Prefetched { error: Some(error), .. } => {
            assert!(!error.contains("cannot get"), "{error}");
        }
        other => panic!("{other:?}"),
    }
}
