//! What people do about runs that cannot go on by themselves: release and retry.

use wfhost_transport::client::{Answer, Refusal, Request, StepShown};
use wfhost_transport::message::{FromWorker, Outcome};
use wfhost_workflow::run::RunStatus;
use wfhost_workflow::{Failure, FailureKind, RunId};

use crate::runs::TWO;
use crate::setting::{ScriptedWorker, Setting};

/// As a workflow has it that says nothing of it.
const POISON_AFTER: usize = 3;

fn taken_along(setting: &Setting, number: u128) -> RunId {
    let run = setting.start(number, TWO, "{\"x\":5}");
    for attempt in 1..=POISON_AFTER {
        let mut worker = setting.worker(1);
        assert_eq!(worker.dispatch().attempt.attempt.0 as usize, attempt);
    }
    let view = setting.view_when(run, |view| view.steps[0].state == StepShown::Quarantined);
    let error = view.steps[0].error.clone().unwrap_or_default();
    assert!(error.starts_with("quarantined: 3 workers were lost with it (scripted#"), "{error}");
    run
}

fn fail(worker: &mut ScriptedWorker) {
    let attempt = worker.dispatch().attempt;
    let token = worker.tokens[&attempt];
    let outcome = Outcome::Failed(Failure::new(FailureKind::Trap, "trap", "unreachable"));
    worker.say(&FromWorker::Ended { attempt, token, outcome });
}

#[test]
fn a_step_that_kills_its_workers_waits_until_it_is_released() {
    let setting = Setting::new();
    let run = taken_along(&setting, 1);
    // No other worker gets it, also not after a restart.
    let setting = setting.restart_serving();
    let mut worker = setting.worker(1);
    let other = setting.start(2, TWO, "{\"x\":6}");
    assert_eq!(worker.dispatch().attempt.run, other);
    assert_eq!(setting.view(run).steps[0].state, StepShown::Quarantined);
    let of = |step: &str| Request::Release { run, step: Some(step.to_owned()) };
    assert!(matches!(setting.ask(of("none")), Answer::Refused(Refusal::NotFound(_))));
    assert!(matches!(setting.ask(of("b")), Answer::Refused(Refusal::WrongState(_))));
    assert_eq!(setting.ask(of("a")), Answer::Done);
    let mut second = setting.worker(1);
    let released = second.dispatch();
    assert_eq!((released.attempt.run, released.attempt.attempt.0), (run, 4));
    second.succeed(released.attempt, "{\"y\":1}");
    let next = second.dispatch();
    second.succeed(next.attempt, "2");
    assert_eq!(setting.ended(run).0, RunStatus::Succeeded);
    let events = setting.events(run);
    for event in ["step-quarantined", "step-released"] {
        assert_eq!(events.iter().filter(|name| *name == event).count(), 1, "{events:?}");
    }
}

#[test]
fn a_run_that_nobody_serves_is_released_too() {
    let setting = Setting::new();
    let run = taken_along(&setting, 1);
    let other = setting.start(2, TWO, "{\"x\":6}");
    let setting = setting.restart();
    let release = |run| Request::Release { run, step: None };
    assert!(matches!(setting.ask(release(other)), Answer::Refused(Refusal::WrongState(_))));
    assert_eq!(setting.ask(release(run)), Answer::Done);
    let mut worker = setting.worker(1);
    assert_eq!(worker.dispatch().attempt.run, run);
}

#[test]
fn workers_that_take_their_leave_are_not_held_against_a_step() {
    let setting = Setting::new();
    setting.start(1, TWO, "{\"x\":5}");
    for attempt in 1..=POISON_AFTER + 2 {
        let mut worker = setting.worker(1);
        assert_eq!(worker.dispatch().attempt.attempt.0 as usize, attempt);
        worker.say(&FromWorker::Goodbye);
    }
}

#[test]
fn a_failed_run_goes_on_from_the_step_that_failed() {
    let setting = Setting::new();
    let mut worker = setting.worker(1);
    let run = setting.start(1, TWO, "{\"x\":5}");
    let first = worker.dispatch();
    worker.succeed(first.attempt, "{\"y\":1}");
    fail(&mut worker);
    fail(&mut worker);
    assert_eq!(setting.ended(run).0, RunStatus::Failed);
    assert_eq!(setting.ask(Request::Retry { run }), Answer::Done);
    let again = worker.dispatch();
    assert_eq!((&*again.step, again.attempt.attempt.0), ("b", 3));
    // To ask twice is to ask once.
    assert_eq!(setting.ask(Request::Retry { run }), Answer::Done);
    worker.succeed(again.attempt, "2");
    assert_eq!(setting.ended(run), (RunStatus::Succeeded, Some("2".to_owned()), None));
    assert_eq!(setting.events(run).iter().filter(|event| *event == "run-retried").count(), 1);
}

#[test]
fn a_step_that_no_worker_takes_in_time_fails_and_says_why() {
    let setting = Setting::new();
    let _worker = setting.worker(1);
    let steps = "\
steps:
  - { id: a, call: p/one, requires: { gpu: 'true' }, queue_timeout: 200ms }
";
    let run = setting.start(1, steps, "{\"x\":5}");
    let (status, _, error) = setting.ended(run);
    let error = error.unwrap_or_default();
    assert_eq!(status, RunStatus::Failed);
    let why = "timeout (queue-timeout): no worker took it in ";
    assert!(error.contains(why), "{error}");
    assert!(error.ends_with("no worker has the label gpu=true, of 1"), "{error}");
}
