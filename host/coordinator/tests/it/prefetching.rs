//! Components that workers have ready before a step wants them.

use std::time::Instant;

use wfhost_transport::client::{Answer, PrefetchedAt, Refusal, Request};
use wfhost_transport::message::{FromWorker, PREFETCH_MAX, PROTOCOL, ToWorker};
use wfhost_workflow::Digest;

use crate::runs::TWO;
use crate::setting::{PATIENCE, ScriptedWorker, Setting};

fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

/// What each worker that is there has, in their order.
#[track_caller]
fn ask(setting: &Setting, names: &[&str]) -> Vec<PrefetchedAt> {
    let components = names.iter().map(|name| digest(name)).collect();
    match setting.ask(Request::Prefetch { components }) {
        Answer::Prefetched(workers) => workers,
        other => panic!("{other:?}"),
    }
}

fn told(worker: &mut ScriptedWorker) -> Vec<Digest> {
    let told = worker.next("a prefetch", |message| matches!(message, ToWorker::Prefetch { .. }));
    let ToWorker::Prefetch { components } = told else { panic!() };
    components
}

fn say(worker: &mut ScriptedWorker, name: &str, error: Option<&str>) {
    let (component, error) = (digest(name), error.map(str::to_owned));
    worker.say(&FromWorker::Prefetched { component, error });
}

/// Asked until it is as wanted, as a client does.
#[track_caller]
fn when(setting: &Setting, names: &[&str], mut wanted: impl FnMut(&[PrefetchedAt]) -> bool) {
    let started = Instant::now();
    loop {
        let workers = ask(setting, names);
        if wanted(&workers) {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "it never becomes as wanted: {workers:?}");
    }
}

fn counts(workers: &[PrefetchedAt]) -> Vec<(u32, u32, u32)> {
    workers.iter().map(|at| (at.ready, at.failed, at.of)).collect()
}

#[test]
fn each_worker_is_told_once_and_the_answer_is_how_far_it_is() {
    let setting = Setting::new();
    let (mut one, mut two) = (setting.worker(1), setting.worker(1));
    let names = ["a", "b", "a"];
    assert_eq!(counts(&ask(&setting, &names)), [(0, 0, 2), (0, 0, 2)]);
    let mut both = ["a", "b"].map(digest);
    both.sort();
    assert_eq!(told(&mut one), both);
    assert_eq!(told(&mut two), both);
    say(&mut one, "a", None);
    say(&mut one, "b", None);
    // What it was not asked for says nothing.
    say(&mut one, "c", None);
    say(&mut two, "a", Some("no room"));
    when(&setting, &names, |at| counts(at) == [(2, 0, 2), (0, 1, 2)]);
    let workers = ask(&setting, &names);
    assert!(workers[0].is_done() && !workers[1].is_done());
    assert_eq!(workers[1].errors, ["no room"]);
    assert_eq!(counts(&ask(&setting, &["c"])), [(0, 0, 1), (0, 0, 1)]);
    for worker in [&mut one, &mut two] {
        assert_eq!(told(worker), [digest("c")], "and nothing was said twice before");
        assert!(worker.unread().is_empty());
    }
}

#[test]
fn who_dies_drains_or_joins_meanwhile_blocks_nobody() {
    let setting = Setting::new();
    let (mut stays, mut dies, mut drains) =
        (setting.worker(1), setting.worker(1), setting.worker(1));
    assert_eq!(ask(&setting, &["a"]).len(), 3);
    for worker in [&mut stays, &mut dies, &mut drains] {
        told(worker);
    }
    // The link is gone, without a word.
    drop(dies);
    drains.say(&FromWorker::Draining);
    say(&mut stays, "a", None);
    when(&setting, &["a"], |at| {
        // A silent one is there until its lease is over.
        drains.say(&FromWorker::Heartbeat);
        stays.say(&FromWorker::Heartbeat);
        counts(at) == [(1, 0, 1)]
    });
    let mut joins = setting.worker(1);
    assert_eq!(counts(&ask(&setting, &["a"])), [(1, 0, 1), (0, 0, 1)]);
    assert_eq!(told(&mut joins), [digest("a")]);
    assert!(stays.unread().is_empty(), "{:?}", stays.unread());
}

#[test]
fn what_a_worker_says_it_holds_counts_until_it_says_otherwise() {
    let setting = Setting::new();
    let mut worker = setting.stranger();
    worker.components = vec![digest("a")];
    worker.hello(PROTOCOL, 1);
    worker.next("a welcome", |message| matches!(message, ToWorker::Welcome { .. }));
    assert_eq!(counts(&ask(&setting, &["a"])), [(1, 0, 1)]);
    // It is told all the same: it may hold the bytes and nothing that was made of them.
    assert_eq!(told(&mut worker), [digest("a")]);
    say(&mut worker, "a", Some("damaged"));
    when(&setting, &["a"], |at| counts(at) == [(0, 1, 1)]);
}

#[test]
fn on_another_connection_it_is_told_again_what_it_has_not_answered() {
    let setting = Setting::new();
    let mut before = setting.worker(1);
    ask(&setting, &["a", "b"]);
    told(&mut before);
    say(&mut before, "a", None);
    when(&setting, &["a", "b"], |at| counts(at) == [(1, 0, 2)]);
    let mut after = setting.returned(&before, &[], 1);
    assert_eq!(counts(&ask(&setting, &["a", "b"])), [(1, 0, 2)]);
    assert_eq!(told(&mut after), [digest("b")]);
}

#[test]
fn steps_go_where_their_component_is_ready() {
    let setting = Setting::new();
    let mut ready = setting.worker(1);
    setting.content.put(b"a component").unwrap();
    assert_eq!(ask(&setting, &["a component"]).len(), 1);
    told(&mut ready);
    say(&mut ready, "a component", None);
    when(&setting, &["a component"], |at| counts(at) == [(1, 0, 1)]);
    // With a free slot more it would be the one, but for the component.
    let mut other = setting.worker(4);
    setting.start(1, TWO, "{\"x\":5}");
    let given = ready.dispatch();
    assert!(other.dispatched().is_none());
    assert_eq!(given.component, setting.component());
}

#[test]
fn more_than_a_worker_keeps_is_refused() {
    let setting = Setting::new();
    let components = (0..=PREFETCH_MAX).map(|at| Digest::of(&at.to_le_bytes())).collect();
    match setting.ask(Request::Prefetch { components }) {
        Answer::Refused(Refusal::Invalid(why)) => assert!(why.contains("1024"), "{why}"),
        other => panic!("{other:?}"),
    }
}
