//! Runs from their start to their end.

use wfhost_transport::client::{Answer, Request};
use wfhost_transport::message::{FromWorker, Outcome, Payload, ToWorker};
use wfhost_workflow::run::{KvWrite, RunStatus};
use wfhost_workflow::{Digest, Failure, FailureKind, Limit};

use crate::setting::Setting;

const THREE: &str = "\
steps:
  - { id: a, call: p/one }
  - { id: b, call: p/two }
  - { id: c, call: p/three }
";

pub(crate) const TWO: &str = "\
steps:
  - { id: a, call: p/one, with: { x: '${input.x}' } }
  - { id: b, call: p/two, with: { y: '${steps.a.y}' }, retry: { attempts: 2, backoff: { first: 1ms, max: 1ms } } }
output: '${steps.b}'
";

#[test]
fn results_flow_from_step_to_step_to_the_output() {
    let setting = Setting::new();
    let mut worker = setting.worker(2);
    let run = setting.start(1, TWO, "{\"x\":5}");
    let first = worker.dispatch();
    assert_eq!((&*first.step, &*first.function, &*first.workflow), ("a", "one", "w"));
    assert_eq!(first.component, setting.component());
    assert_eq!(first.idempotency_key, format!("{run}/a"));
    assert!(matches!(&first.input, Payload::Inline(input) if input.as_str() == "{\"x\":5}"));
    worker.succeed(first.attempt, "{\"y\":[1]}");
    let second = worker.dispatch();
    assert!(matches!(&second.input, Payload::Inline(input) if input.as_str() == "{\"y\":[1]}"));
    worker.succeed(second.attempt, "\"done\"");
    assert_eq!(setting.ended(run), (RunStatus::Succeeded, Some("\"done\"".to_owned()), None));
    let expected = ["started", "attempt-scheduled", "attempt-succeeded", "attempt-scheduled"];
    assert_eq!(setting.events(run)[..4], expected);
}

#[test]
fn a_failure_is_tried_again_and_then_ends_the_run() {
    let setting = Setting::new();
    let mut worker = setting.worker(2);
    let run = setting.start(1, TWO, "{\"x\":5}");
    let first = worker.dispatch();
    worker.succeed(first.attempt, "{\"y\":1}");
    for attempt in 1..=2 {
        let second = worker.dispatch();
        assert_eq!(second.attempt.attempt.0, attempt);
        let failure = Failure::new(FailureKind::Trap, "trap", "unreachable");
        let outcome = Outcome::Failed(failure);
        worker.end(second.attempt, outcome);
    }
    let (status, output, error) = setting.ended(run);
    assert_eq!((status, output), (RunStatus::Failed, None));
    assert_eq!(error.unwrap(), "step `b` failed: trap: unreachable");
}

#[test]
fn a_result_of_another_attempt_or_a_second_one_does_not_count() {
    let setting = Setting::new();
    let mut worker = setting.worker(2);
    let run = setting.start(1, TWO, "{\"x\":5}");
    let first = worker.dispatch();
    let mut other = first.attempt;
    other.attempt = other.attempt.next();
    worker.succeed(other, "{\"y\":\"of another attempt\"}");
    worker.succeed(first.attempt, "{\"y\":\"first\"}");
    worker.succeed(first.attempt, "{\"y\":\"again\"}");
    let second = worker.dispatch();
    assert!(
        matches!(&second.input, Payload::Inline(input) if input.as_str() == "{\"y\":\"first\"}")
    );
    worker.succeed(second.attempt, "1");
    assert_eq!(setting.ended(run).0, RunStatus::Succeeded);
    assert!(worker.unread().is_empty());
}

#[test]
fn a_restarted_coordinator_goes_on_where_it_was() {
    let setting = Setting::new();
    let mut worker = setting.worker(2);
    let run = setting.start(1, TWO, "{\"x\":5}");
    let first = worker.dispatch();
    worker.succeed(first.attempt, "{\"y\":7}");
    let lost = worker.dispatch();
    drop(worker);

    let setting = setting.restart();
    assert_eq!(setting.ask(Request::Resume { run }), Answer::Done);
    let mut worker = setting.worker(1);
    let second = worker.dispatch();
    assert_eq!((&*second.step, second.attempt.attempt.0), ("b", 2));
    assert_eq!(second.idempotency_key, lost.idempotency_key);
    worker.succeed(second.attempt, "\"after\"");
    assert_eq!(setting.ended(run).1.unwrap(), "\"after\"");
}

#[test]
fn large_inputs_are_fetched_in_chunks_and_forgotten_afterwards() {
    let setting = Setting::new();
    let mut worker = setting.worker(1);
    let text = "x".repeat(700_000);
    let run = setting.start(1, TWO, &format!("{{\"x\":\"{text}\"}}"));
    let first = worker.dispatch();
    let Payload::Reference { digest, len } = first.input else { panic!("{:?}", first.input) };
    let fetched = fetch(&mut worker, digest);
    assert_eq!(fetched.len() as u64, len);
    assert_eq!(Digest::of(&fetched), digest);
    worker.succeed(first.attempt, "{\"y\":1}");
    let second = worker.dispatch();
    assert!(fetch(&mut worker, digest).is_empty());
    worker.succeed(second.attempt, "1");
    assert_eq!(setting.ended(run).0, RunStatus::Succeeded);
}

fn fetch(worker: &mut crate::setting::ScriptedWorker, digest: Digest) -> Vec<u8> {
    let mut content = Vec::new();
    loop {
        let offset = content.len() as u64;
        worker.say(&FromWorker::Fetch { digest, offset, len: u32::MAX });
        let chunk = worker.next("a chunk", |message| matches!(message, ToWorker::Chunk { .. }));
        let ToWorker::Chunk { total, bytes, .. } = chunk else { panic!() };
        content.extend(bytes);
        if content.len() as u64 >= total {
            return content;
        }
    }
}

#[test]
fn what_a_step_writes_is_seen_by_the_next_and_a_failed_attempt_writes_nothing() {
    let setting = Setting::new();
    let mut worker = setting.worker(1);
    let run = setting.start(1, TWO, "{\"x\":5}");
    let first = worker.dispatch();
    assert!(first.kv.is_empty());
    let write = KvWrite { key: "k".to_owned(), value: Some(b"v".to_vec()) };
    let outcome = Outcome::Succeeded {
        output: Payload::Inline(wfhost_workflow::Json::parse("{\"y\":1}").unwrap()),
        kv: vec![write.clone()],
    };
    worker.end(first.attempt, outcome);
    let second = worker.dispatch();
    assert_eq!(second.kv, [write]);
    worker.succeed(second.attempt, "1");
    assert_eq!(setting.ended(run).0, RunStatus::Succeeded);
}

#[test]
fn an_expensive_expression_gives_its_value() {
    let setting = Setting::new();
    let mut worker = setting.worker(2);
    let heavy = "\
steps:
  - { id: s, set: '${input.l.map(x, input.l.exists(y, y == x + 10000))}' }
  - { id: c, call: p/one, with: '${steps.s.size()}' }
output: '${steps.c}'
";
    let list: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    let run = setting.start(1, heavy, &format!("{{\"l\":[{}]}}", list.join(",")));
    let dispatch = worker.dispatch();
    assert!(matches!(&dispatch.input, Payload::Inline(input) if input.as_str() == "200"));
    worker.succeed(dispatch.attempt, "1");
    assert_eq!(setting.ended(run).0, RunStatus::Succeeded);
}

#[test]
fn a_run_with_expensive_expressions_loses_no_dispatch_while_it_is_away() {
    let setting = Setting::new();
    let mut worker = setting.worker(4);
    let map = "\
steps:
  - { id: m, map: '${input.l}', as: it, at_once: 8, call: p/one, with: '${it + 1}' }
output: '${steps.m.size()}'
";
    let list: Vec<String> = (0..300).map(|number| number.to_string()).collect();
    let run = setting.start(1, map, &format!("{{\"l\":[{}]}}", list.join(",")));
    // Results come in bunches, so that some arrive while the run is at the evaluator.
    for _ in 0..75 {
        let held = [(); 4].map(|()| worker.dispatch().attempt);
        for attempt in held {
            worker.succeed(attempt, "0");
        }
    }
    assert_eq!(setting.ended(run).1.unwrap(), "300");
}

#[test]
fn an_output_that_is_nested_too_deep_is_the_steps_failure() {
    let setting = Setting::new();
    let mut worker = setting.worker(1);
    let run = setting.start(1, TWO, "{\"x\":5}");
    let first = worker.dispatch();
    worker.succeed(first.attempt, &format!("{}{}", "[".repeat(101), "]".repeat(101)));
    let (status, _, error) = setting.ended(run);
    let error = error.unwrap();
    assert_eq!(status, RunStatus::Failed);
    assert!(error.contains("output_depth") && error.contains("the limit is 100"), "{error}");
}

#[test]
fn what_no_message_can_carry_fails_the_attempt_and_no_worker_is_lost_for_it() {
    let setting = Setting::new();
    let mut worker = setting.worker(1);
    let mut start = setting.start_of(1, THREE, "{\"x\":5}");
    start.plugins[0].limits[Limit::KvTotal] = 64 << 20;
    let run = start.run;
    assert_eq!(setting.ask(Request::Start(Box::new(start))), Answer::Done);
    let first = worker.dispatch();
    let write = |number: u32| KvWrite { key: format!("k{number}"), value: Some(vec![7; 1 << 20]) };
    let output = Payload::Inline(wfhost_workflow::Json::parse("{\"y\":1}").unwrap());
    let outcome = Outcome::Succeeded { output, kv: (0..5).map(write).collect() };
    worker.end(first.attempt, outcome);
    let second = worker.dispatch();
    let output = Payload::Inline(wfhost_workflow::Json::null());
    let outcome = Outcome::Succeeded { output, kv: (5..10).map(write).collect() };
    worker.end(second.attempt, outcome);
    let (status, _, error) = setting.ended(run);
    assert_eq!(status, RunStatus::Failed);
    assert!(error.unwrap().contains("message-bytes"));
    // The same worker, with the same slot.
    let other = setting.start(2, TWO, "{\"x\":5}");
    let first = worker.dispatch();
    worker.succeed(first.attempt, "{\"y\":1}");
    let second = worker.dispatch();
    worker.succeed(second.attempt, "1");
    assert_eq!(setting.ended(other).0, RunStatus::Succeeded);
}

/// More waiting inputs than the coordinator keeps.
fn many_inputs(list: &str) {
    let setting = Setting::new();
    let text = "y".repeat(60 << 10);
    let steps = format!(
        "\
steps:
  - {{ id: m, map: '{list}', as: item, at_once: 40, call: p/one, with: {{ x: '${{input.x}}', n: '${{item}}' }} }}
output: '${{steps.m}}'
"
    );
    let items: Vec<u32> = (0..40).collect();
    let input = format!("{{\"x\":\"{text}\",\"l\":{items:?}}}");
    let runs: Vec<_> = (1..=40).map(|number| setting.start(number, &steps, &input)).collect();
    let mut worker = setting.worker(64);
    for _ in 0..40 * 40 {
        let next = worker.dispatch();
        let index = next.attempt.task.index.unwrap();
        let Payload::Inline(input) = next.input else { panic!("{:?}", next.input) };
        let input = input.to_value();
        assert_eq!((&input["x"], &input["n"]), (&text.as_str().into(), &index.into()));
        worker.succeed(next.attempt, &index.to_string());
    }
    for run in runs {
        assert_eq!(setting.ended(run).0, RunStatus::Succeeded);
    }
}

#[test]
fn inputs_of_attempts_that_wait_are_made_again_when_there_are_too_many() {
    many_inputs("${input.l}");
}

/// Those of a run whose expressions may take long are made away from the event loop.
#[test]
fn inputs_of_heavy_runs_are_made_again_too() {
    many_inputs("${input.l.filter(a, input.l.exists(b, b == a))}");
}
