//! Open runs that go on with another version of their workflow.

use wfhost_transport::client::{Answer, Refusal, Request};
use wfhost_transport::message::{Payload, ToWorker};
use wfhost_workflow::run::RunStatus;
use wfhost_workflow::{Digest, RunId};

use crate::runs::TWO;
use crate::setting::Setting;

/// `TWO` with another step before the others, so that all of them are elsewhere, and another `b`.
const MOVED: &str = "\
steps:
  - { id: z, call: p/zero, needs: [] }
  - { id: a, call: p/one, needs: [], with: { x: '${input.x}' } }
  - { id: b, call: p/other, needs: [a], with: { y: '${steps.a.y}', more: true } }
output: '${steps.b}'
";

/// `TWO` with an expression that is heavy: the run leaves the event loop for each input.
const HEAVY: &str = "\
steps:
  - { id: a, call: p/one, with: { x: '${input.x}' } }
  - { id: b, call: p/two, with: { y: '${[1, 2, 3].map(i, [1, 2, 3].map(j, i * j)).size()}' } }
output: '${steps.b}'
";

/// The steps that events name, in order.
fn steps(setting: &Setting, run: RunId, event: &str) -> Vec<String> {
    match setting.ask(Request::Events { run, after: Default::default(), limit: 500 }) {
        Answer::Events { events, .. } => {
            let wanted = events.into_iter().filter(|shown| shown.event == event);
            wanted
                .map(|shown| format!("{}@{}", shown.step.unwrap(), shown.attempt.unwrap()))
                .collect()
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check_input(input: &Payload, expected: &str) {
    assert!(matches!(input, Payload::Inline(input) if input.as_str() == expected), "{input:?}");
}

#[test]
fn an_open_run_goes_on_with_another_version_and_no_result_of_before_counts() {
    let setting = Setting::new();
    let mut worker = setting.worker(4);
    let run = setting.start(1, TWO, "{\"x\":5}");
    let before = worker.dispatch();
    assert_eq!(setting.coordinator.upgrade(run, setting.version(MOVED)), Answer::Done);
    assert_eq!(worker.cancel(), before.attempt);
    let (one, two) = (worker.dispatch(), worker.dispatch());
    let (z, a) = if &*one.step == "z" { (one, two) } else { (two, one) };
    assert_eq!((&*z.function, z.attempt.attempt.0), ("zero", 2));
    assert_eq!((&*a.function, a.attempt.attempt.0), ("one", 2));
    // It is of position 0, where `z` is now.
    assert_eq!(before.attempt.task, z.attempt.task);
    worker.succeed(before.attempt, "{\"y\":\"of before\"}");
    worker.next("word that it may forget it", |message| matches!(message, ToWorker::Taken { .. }));
    worker.succeed(a.attempt, "{\"y\":1}");
    let b = worker.dispatch();
    assert_eq!(&*b.function, "other");
    check_input(&b.input, "{\"y\":1,\"more\":true}");
    worker.succeed(b.attempt, "2");
    worker.succeed(z.attempt, "3");
    assert_eq!(setting.ended(run), (RunStatus::Succeeded, Some("2".to_owned()), None));
    // Each event has the names of its version.
    assert_eq!(steps(&setting, run, "attempt-scheduled"), ["a@1", "a@2", "z@2", "b@2"]);
    assert_eq!(steps(&setting, run, "attempt-succeeded"), ["a@2", "b@2", "z@2"]);
    let view = setting.view(run);
    assert_eq!((view.run.summary.version.as_str(), view.run.summary.upgrades), ("2", 1));
    assert_eq!(view.versions.len(), 2);
    assert!(view.steps.iter().all(|step| step.made_by[0].era == 1), "{:?}", view.steps);
}

#[test]
fn what_waits_for_a_worker_when_its_run_is_upgraded_is_sent_as_it_is_now() {
    let setting = Setting::new();
    let run = setting.start(1, TWO, "{\"x\":5}");
    assert_eq!(setting.coordinator.upgrade(run, setting.version(MOVED)), Answer::Done);
    let mut worker = setting.worker(1);
    for _ in 0..3 {
        let sent = worker.dispatch();
        assert_eq!(sent.attempt.attempt.0, 2, "{sent:?}");
        let function = match &*sent.step {
            "z" => "zero",
            "a" => "one",
            _ => "other",
        };
        assert_eq!(&*sent.function, function);
        worker.succeed(sent.attempt, "{\"y\":1}");
    }
    assert_eq!(setting.ended(run).0, RunStatus::Succeeded);
    assert!(worker.unread().is_empty());
}

#[test]
fn a_restarted_coordinator_goes_on_with_the_last_version() {
    let setting = Setting::new();
    let mut worker = setting.worker(1);
    let run = setting.start(1, TWO, "{\"x\":5}");
    let first = worker.dispatch();
    worker.succeed(first.attempt, "{\"y\":1}");
    let before = worker.dispatch();
    for steps in [HEAVY, TWO, MOVED] {
        assert_eq!(setting.coordinator.upgrade(run, setting.version(steps)), Answer::Done);
    }
    let setting = setting.restart_serving();
    // What it was given before the upgrades is not its any more.
    let mut worker = setting.returned(&worker, &[before.attempt], 2);
    assert_eq!(worker.cancel(), before.attempt);
    worker.succeed(before.attempt, "\"of before\"");
    for _ in 0..2 {
        let sent = worker.dispatch();
        assert!(["zero", "other"].contains(&sent.function.as_str()), "{sent:?}");
        worker.succeed(sent.attempt, "7");
    }
    assert_eq!(setting.ended(run), (RunStatus::Succeeded, Some("7".to_owned()), None));
    assert_eq!(setting.view(run).run.summary.upgrades, 3);
}

#[test]
fn a_run_that_nobody_serves_is_upgraded_too() {
    let setting = Setting::new();
    let run = setting.start(1, TWO, "{\"x\":5}");
    let setting = setting.restart();
    let refused = setting.coordinator.upgrade(run, setting.version("steps: [{ id: b, set: 1 }]"));
    assert!(matches!(refused, Answer::Refused(Refusal::WrongState(_))), "{refused:?}");
    assert_eq!(setting.coordinator.upgrade(run, setting.version(MOVED)), Answer::Done);
    let mut worker = setting.worker(1);
    for _ in 0..3 {
        let sent = worker.dispatch();
        assert_eq!(sent.attempt.attempt.0, 3, "{sent:?}");
        worker.succeed(sent.attempt, "{\"y\":1}");
    }
    assert_eq!(setting.ended(run).0, RunStatus::Succeeded);
}

#[test]
fn a_run_that_cannot_be_upgraded_says_why_and_goes_on() {
    let setting = Setting::new();
    let mut worker = setting.worker(1);
    let run = setting.start(1, TWO, "{\"x\":5}");
    let first = worker.dispatch();
    let answer = setting.coordinator.upgrade(run, setting.version("steps: [{ id: b, set: 1 }]"));
    let Answer::Refused(Refusal::WrongState(reason)) = answer else { panic!("{answer:?}") };
    assert!(reason.contains("step `a` has begun, and the new version has no step"), "{reason}");
    let mut unknown = setting.version(MOVED);
    unknown.plugins[0].digest = Digest::of(b"never stored");
    let answer = setting.coordinator.upgrade(run, unknown);
    assert!(matches!(answer, Answer::Refused(Refusal::Invalid(_))), "{answer:?}");
    let nobody = RunId::from_bytes([9; 16]);
    let answer = setting.coordinator.upgrade(nobody, setting.version(MOVED));
    assert!(matches!(answer, Answer::Refused(Refusal::NotFound(_))), "{answer:?}");
    worker.succeed(first.attempt, "{\"y\":1}");
    let second = worker.dispatch();
    worker.succeed(second.attempt, "2");
    assert_eq!(setting.ended(run).0, RunStatus::Succeeded);
    let answer = setting.coordinator.upgrade(run, setting.version(MOVED));
    let Answer::Refused(Refusal::WrongState(reason)) = answer else { panic!("{answer:?}") };
    assert!(reason.contains("the run is over"), "{reason}");
}
