//! Workers that die, fall silent, speak another protocol or talk nonsense.

use wfhost_transport::message::{CANCELLED, FromWorker, NO_SLOT, Outcome, PROTOCOL, ToWorker};
use wfhost_workflow::run::RunStatus;
use wfhost_workflow::{Failure, FailureKind};

use crate::runs::TWO;
use crate::setting::Setting;

#[test]
fn a_worker_that_leaves_loses_its_attempt_to_another() {
    let setting = Setting::new();
    let mut first = setting.worker(1);
    let run = setting.start(1, TWO, "{\"x\":5}");
    let lost = first.dispatch();
    first.say(&FromWorker::Goodbye);
    let mut second = setting.worker(1);
    let again = second.dispatch();
    assert_eq!(again.attempt.task, lost.attempt.task);
    assert_eq!(again.attempt.attempt, lost.attempt.attempt.next());
    // Late, and refused.
    first.succeed(lost.attempt, "{\"y\":\"late\"}");
    second.succeed(again.attempt, "{\"y\":\"in time\"}");
    let next = second.dispatch();
    assert!(format!("{:?}", next.input).contains("in time"), "{:?}", next.input);
    second.succeed(next.attempt, "1");
    assert_eq!(setting.ended(run).0, RunStatus::Succeeded);
    assert!(setting.events(run).iter().any(|event| event == "attempt-lost"));
}

#[test]
fn a_silent_worker_loses_its_attempt_after_its_lease() {
    let setting = Setting::new();
    let mut silent = setting.worker(1);
    let run = setting.start(1, TWO, "{\"x\":5}");
    let lost = silent.dispatch();
    // From here on it says nothing.
    let mut other = setting.worker(1);
    let again = other.dispatch();
    assert_eq!(again.attempt.attempt, lost.attempt.attempt.next());
    other.succeed(again.attempt, "{\"y\":1}");
    let last = other.dispatch();
    other.succeed(last.attempt, "1");
    assert_eq!(setting.ended(run).0, RunStatus::Succeeded);
    // When it speaks again, it is asked who it is.
    silent.say(&FromWorker::Heartbeat);
    silent.next("a question", |message| matches!(message, ToWorker::Identify));
}

#[test]
fn a_worker_of_another_protocol_is_told_both_versions() {
    let setting = Setting::new();
    let mut worker = setting.stranger();
    worker.hello(PROTOCOL + 1, 1);
    let refused = worker.next("a refusal", |message| matches!(message, ToWorker::Refused { .. }));
    let ToWorker::Refused { reason } = refused else { panic!() };
    let (own, other) = (PROTOCOL.to_string(), (PROTOCOL + 1).to_string());
    assert!(reason.contains(&own) && reason.contains(&other), "{reason}");
}

#[test]
fn a_draining_worker_gets_nothing_more() {
    let setting = Setting::new();
    let mut draining = setting.worker(2);
    let run = setting.start(1, TWO, "{\"x\":5}");
    let first = draining.dispatch();
    draining.say(&FromWorker::Draining);
    draining.succeed(first.attempt, "{\"y\":1}");
    let mut other = setting.worker(1);
    let second = other.dispatch();
    other.succeed(second.attempt, "1");
    assert_eq!(setting.ended(run).0, RunStatus::Succeeded);
    assert!(draining.unread().is_empty());
}

#[test]
fn no_worker_gets_more_than_it_has_slots() {
    const MAP: &str = "\
steps:
  - { id: m, map: [1, 2, 3, 4, 5, 6], as: it, call: p/one, with: '${it}' }
output: '${steps.m}'
";
    let setting = Setting::new();
    let mut worker = setting.worker(2);
    let run = setting.start(1, MAP, "{}");
    let mut held = vec![worker.dispatch(), worker.dispatch()];
    for _ in 0..4 {
        assert!(worker.unread().is_empty());
        let done = held.remove(0);
        worker.succeed(done.attempt, "0");
        held.push(worker.dispatch());
    }
    for done in held {
        worker.succeed(done.attempt, "0");
    }
    assert_eq!(setting.ended(run).1.unwrap(), "[0,0,0,0,0,0]");
}

#[test]
fn what_a_worker_stops_by_itself_is_not_the_steps_failure() {
    let setting = Setting::new();
    let mut worker = setting.worker(1);
    let run = setting.start(1, TWO, "{\"x\":5}");
    for (number, code) in [CANCELLED, NO_SLOT, CANCELLED].into_iter().enumerate() {
        let dispatch = worker.dispatch();
        assert_eq!(dispatch.attempt.attempt.0 as usize, number + 1);
        let failure = Failure::new(FailureKind::Host, code, "the worker's doing");
        let outcome = Outcome::Failed(failure);
        worker.end(dispatch.attempt, outcome);
    }
    let first = worker.dispatch();
    worker.succeed(first.attempt, "{\"y\":1}");
    let second = worker.dispatch();
    worker.succeed(second.attempt, "1");
    assert_eq!(setting.ended(run).0, RunStatus::Succeeded);
}
