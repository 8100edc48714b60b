//! Components that are wanted before a step wants them.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;
use wfhost_transport::message::{CANCELLED, FromWorker, PREFETCH_ERROR_BYTES_MAX, ToWorker};
use wfhost_worker::{
    BoxFuture, Completion, ComponentFolder, ContentSource, Contents, Ending, Executor, FnExecutor,
    Job,
};
use wfhost_workflow::{Digest, Failure, FailureKind};

use crate::harness::{Setting, TOKEN, World, execute, succeeded};

/// Makes a component ready when the test lets it, and remembers what it was told.
#[derive(Clone)]
struct Gated(Arc<Told>);

struct Told {
    may: Semaphore,
    begun: Mutex<Vec<Digest>>,
    ready: Mutex<HashSet<Digest>>,
}

impl Gated {
    fn new() -> Self {
        let told =
            Told { may: Semaphore::new(0), begun: Mutex::default(), ready: Mutex::default() };
        Self(Arc::new(told))
    }
}

impl Executor for Gated {
    fn run(&self, job: Job) -> BoxFuture<Result<Completion, Failure>> {
        FnExecutor(execute).run(job)
    }

    fn prefetch(&self, component: Digest, _contents: Contents) -> BoxFuture<Result<(), Failure>> {
        let told = Arc::clone(&self.0);
        Box::pin(async move {
            told.begun.lock().unwrap().push(component);
            told.may.acquire().await.unwrap().forget();
            if component == digest("panics") {
                panic!("on purpose");
            }
            if component == digest("fails") {
                let message = "é".repeat(PREFETCH_ERROR_BYTES_MAX);
                return Err(Failure::new(FailureKind::Host, "odd", message));
            }
            told.ready.lock().unwrap().insert(component);
            Ok(())
        })
    }

    fn is_ready(&self, component: &Digest) -> bool {
        self.0.ready.lock().unwrap().contains(component)
    }
}

fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

fn gated(slots: u32) -> (World, Arc<Told>) {
    let gated = Gated::new();
    let told = Arc::clone(&gated.0);
    (World::new(Setting { slots, executor: Arc::new(gated), ..Setting::default() }), told)
}

fn tell(world: &mut World, names: &[&str]) {
    let components = names.iter().map(|name| digest(name)).collect();
    world.tell(&ToWorker::Prefetch { components });
}

#[track_caller]
fn said(world: &mut World) -> (Digest, Option<String>) {
    match world.next() {
        FromWorker::Prefetched { component, error } => (component, error),
        other => panic!("{other:?}"),
    }
}

#[test]
fn components_are_made_ready_one_after_the_other_and_take_no_slot() {
    let (mut world, told) = gated(1);
    tell(&mut world, &["a", "b", "a"]);
    tell(&mut world, &["b", "c"]);
    // The only slot is free, and an attempt goes on beside it.
    let waiting = world.waiting(1);
    assert!(told.begun.lock().unwrap().len() <= 1);
    for name in ["a", "b", "c"] {
        told.may.add_permits(1);
        assert_eq!(said(&mut world), (digest(name), None));
    }
    assert_eq!(*told.begun.lock().unwrap(), ["a", "b", "c"].map(digest));
    world.tell(&ToWorker::Cancel { attempt: waiting, token: TOKEN });
    assert_eq!(world.failure_of(waiting).code, CANCELLED);
}

#[test]
fn what_is_ready_is_said_at_once_whatever_else_is_under_way() {
    let (mut world, told) = gated(1);
    told.may.add_permits(1);
    tell(&mut world, &["a"]);
    assert_eq!(said(&mut world), (digest("a"), None));
    tell(&mut world, &["b", "a"]);
    assert_eq!(said(&mut world), (digest("a"), None));
    told.may.add_permits(1);
    assert_eq!(said(&mut world), (digest("b"), None));
}

#[test]
fn one_that_fails_is_said_and_the_worker_goes_on() {
    let (mut world, told) = gated(1);
    told.may.add_permits(4);
    tell(&mut world, &["fails", "panics", "a"]);
    let (component, error) = said(&mut world);
    assert_eq!((component, error.unwrap().len()), (digest("fails"), PREFETCH_ERROR_BYTES_MAX));
    let (component, error) = said(&mut world);
    assert_eq!(component, digest("panics"));
    assert!(error.unwrap().contains("on purpose"));
    assert_eq!(said(&mut world), (digest("a"), None));
    // It is tried again when it is asked for again.
    tell(&mut world, &["fails"]);
    assert_eq!(said(&mut world).0, digest("fails"));
    let done = world.dispatch(1, "echo", "1");
    assert_eq!(world.end_of(done), succeeded("1"));
}

#[test]
fn a_worker_that_leaves_does_not_wait_for_it() {
    let (mut world, told) = gated(1);
    tell(&mut world, &["a", "b"]);
    let waiting = world.waiting(1);
    world.tell(&ToWorker::Drain);
    tell(&mut world, &["c"]);
    world.tell(&ToWorker::Cancel { attempt: waiting, token: TOKEN });
    assert_eq!(world.failure_of(waiting).code, CANCELLED);
    assert!(matches!(world.next(), FromWorker::Goodbye));
    assert!(matches!(world.join(), Ending::Drained));
    assert!(!told.begun.lock().unwrap().contains(&digest("c")));
}

/// A disk with no room.
struct Full;

impl ContentSource for Full {
    fn read(&self, _digest: &Digest) -> io::Result<Option<Vec<u8>>> {
        Ok(None)
    }

    fn keep(&self, _digest: &Digest, _bytes: &[u8]) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::StorageFull))
    }
}

#[test]
fn a_full_disk_is_said_and_steps_run_all_the_same() {
    let content: Option<Arc<dyn ContentSource>> = Some(Arc::new(Full));
    let mut world = World::new(Setting { content, ..Setting::default() });
    world.contents.insert(digest("code"), b"code".to_vec());
    tell(&mut world, &["code"]);
    let (component, error) = said(&mut world);
    assert_eq!(component, digest("code"));
    let error = error.unwrap();
    assert!(error.contains("is not kept") && error.contains("no storage space"), "{error}");
    let done = world.dispatch_with(1, "component", |dispatch| dispatch.component = digest("code"));
    assert_eq!(world.end_of(done), succeeded("4"));
}

#[test]
fn what_was_fetched_ahead_is_kept_and_not_fetched_again() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Arc::new(ComponentFolder::open(folder.path().to_owned()).unwrap());
    let content: Option<Arc<dyn ContentSource>> = Some(kept.clone());
    let mut world = World::new(Setting { content, ..Setting::default() });
    world.contents.insert(digest("code"), b"code".to_vec());
    tell(&mut world, &["code"]);
    assert_eq!(said(&mut world), (digest("code"), None));
    assert_eq!(kept.components(), [digest("code")]);
    let done = world.dispatch_with(1, "component", |dispatch| dispatch.component = digest("code"));
    assert_eq!(world.end_of(done), succeeded("4"));
    assert_eq!(world.fetched.len(), 1);
}

#[test]
fn what_the_coordinator_does_not_have_is_an_error() {
    let mut world = World::new(Setting::default());
    tell(&mut world, &["nowhere"]);
    let (component, error) = said(&mut world);
    assert_eq!(component, digest("nowhere"));
    assert!(error.unwrap().contains("cannot get the content"));
}
