//! Workers that come back: on another connection, or to another life of the coordinator.

use std::time::Instant;

use wfhost_transport::client::{Answer, Request};
use wfhost_transport::message::{
    FromWorker, LogLevel, LogLine, Outcome, PROTOCOL, Payload, Progress, ToWorker, Token,
};
use wfhost_workflow::run::RunStatus;
use wfhost_workflow::{Failure, FailureKind, Json};

use crate::runs::TWO;
use crate::setting::{PATIENCE, Setting};

#[test]
fn a_restarted_coordinator_adopts_what_a_worker_still_runs() {
    let setting = Setting::new();
    let mut worker = setting.worker(1);
    let run = setting.start(1, TWO, "{\"x\":5}");
    let first = worker.dispatch();
    let setting = setting.restart_serving();
    let mut worker = setting.returned(&worker, &[first.attempt], 1);
    worker.succeed(first.attempt, "{\"y\":1}");
    worker.next(
        "word that it is durable",
        |message| matches!(message, ToWorker::Taken { attempt } if *attempt == first.attempt),
    );
    let second = worker.dispatch();
    worker.succeed(second.attempt, "2");
    assert_eq!(setting.ended(run), (RunStatus::Succeeded, Some("2".to_owned()), None));
    assert!(!setting.events(run).iter().any(|event| event == "attempt-lost"));
}

#[test]
fn what_nobody_has_after_a_restart_is_begun_anew_and_late_results_do_not_count() {
    let setting = Setting::new();
    let mut gone = setting.worker(1);
    let run = setting.start(1, TWO, "{\"x\":5}");
    let lost = gone.dispatch();
    let setting = setting.restart_serving();
    let mut other = setting.worker(1);
    let again = other.dispatch();
    assert_eq!(again.attempt.attempt, lost.attempt.attempt.next());
    assert_eq!(again.input, lost.input);
    let mut gone = setting.returned(&gone, &[lost.attempt], 1);
    gone.succeed(lost.attempt, "{\"y\":\"late\"}");
    gone.next("word that it may forget it", |message| matches!(message, ToWorker::Taken { .. }));
    other.succeed(again.attempt, "{\"y\":\"in time\"}");
    let next = other.dispatch();
    assert!(format!("{:?}", next.input).contains("in time"));
    other.succeed(next.attempt, "1");
    assert_eq!(setting.ended(run).0, RunStatus::Succeeded);
}

#[test]
fn on_another_connection_a_worker_keeps_what_it_has() {
    let setting = Setting::new();
    let mut worker = setting.worker(1);
    let run = setting.start(1, TWO, "{\"x\":5}");
    let first = worker.dispatch();
    let mut again = setting.returned(&worker, &[first.attempt], 1);
    // Its former connection stands for nobody.
    worker.say(&FromWorker::Heartbeat);
    worker.next("a question", |message| matches!(message, ToWorker::Identify));
    again.succeed(first.attempt, "{\"y\":1}");
    let second = again.dispatch();
    again.succeed(second.attempt, "2");
    assert_eq!(setting.ended(run).0, RunStatus::Succeeded);
    assert!(!setting.events(run).iter().any(|event| event == "attempt-lost"));
}

#[test]
fn what_got_lost_on_the_way_to_a_worker_is_begun_anew() {
    let setting = Setting::new();
    let mut worker = setting.worker(1);
    let run = setting.start(1, TWO, "{\"x\":5}");
    let lost = worker.dispatch();
    let mut again = setting.returned(&worker, &[], 1);
    let first = again.dispatch();
    assert_eq!(first.attempt.attempt, lost.attempt.attempt.next());
    again.succeed(first.attempt, "{\"y\":1}");
    let second = again.dispatch();
    again.succeed(second.attempt, "2");
    assert_eq!(setting.ended(run).0, RunStatus::Succeeded);
}

#[test]
fn a_result_of_an_attempt_that_a_worker_was_not_given_does_not_count() {
    let setting = Setting::new();
    let mut worker = setting.worker(1);
    let run = setting.start(1, TWO, "{\"x\":5}");
    let first = worker.dispatch();
    let mut forger = setting.worker(1);
    for token in [Token::default(), Token([9; 16])] {
        let output = Payload::Inline(Json::parse("{\"y\":\"forged\"}").unwrap());
        let outcome = Outcome::Succeeded { output, kv: Vec::new() };
        forger.say(&FromWorker::Ended { attempt: first.attempt, token, outcome });
        forger.next(
            "word that it may forget it",
            |message| matches!(message, ToWorker::Taken { attempt } if *attempt == first.attempt),
        );
    }
    worker.succeed(first.attempt, "{\"y\":\"given\"}");
    // To either of the two.
    let second = loop {
        if let Some(dispatch) = worker.dispatched().or_else(|| forger.dispatched()) {
            break dispatch;
        }
    };
    assert!(format!("{:?}", second.input).contains("given"), "{:?}", second.input);
    assert_eq!(setting.view(run).steps[0].attempt, 1);
}

#[test]
fn a_worker_writes_into_the_logs_of_its_own_attempts_only() {
    let setting = Setting::new();
    let mut worker = setting.worker(1);
    let run = setting.start(1, TWO, "{\"x\":5}");
    let attempt = worker.dispatch().attempt;
    let mut forger = setting.worker(1);
    let line = |message: &str| LogLine {
        at_ms: 1,
        level: LogLevel::Info,
        message: message.to_owned(),
        fields: Vec::new(),
    };
    let progress = Progress { done: 1, total: 1, message: "forged".to_owned() };
    forger.say(&FromWorker::Progress { attempt, progress });
    forger.say(&FromWorker::Log { attempt, lines: vec![line("forged")] });
    let token = Token::default();
    let outcome = Outcome::Failed(Failure::new(FailureKind::Host, "x", "x"));
    forger.say(&FromWorker::Ended { attempt, token, outcome });
    forger.next("an answer to what it said last", |it| matches!(it, ToWorker::Taken { .. }));
    worker.say(&FromWorker::Log { attempt, lines: vec![line("its own")] });
    let started = Instant::now();
    loop {
        let Answer::Logs { lines, .. } = setting.ask(Request::Logs { run, offset: 0 }) else {
            panic!()
        };
        if !lines.is_empty() {
            let said: Vec<_> = lines.iter().map(|line| &*line.line.message).collect();
            assert_eq!(said, ["its own"]);
            break;
        }
        assert!(started.elapsed() < PATIENCE);
    }
    assert_eq!(setting.view(run).steps[0].progress, None);
}

#[test]
fn a_hello_that_was_late_on_a_former_connection_takes_nothing_away() {
    let setting = Setting::new();
    let mut worker = setting.worker(1);
    let run = setting.start(1, TWO, "{\"x\":5}");
    let first = worker.dispatch();
    let mut again = setting.returned(&worker, &[first.attempt], 1);
    // Sent before the other one, and under way for long.
    worker.running = Vec::new();
    worker.hello(PROTOCOL, 1);
    worker.say(&FromWorker::Heartbeat);
    worker.next("a question", |message| matches!(message, ToWorker::Identify));
    again.succeed(first.attempt, "{\"y\":1}");
    let second = again.dispatch();
    assert_eq!(second.attempt.attempt.0, 1);
    again.succeed(second.attempt, "2");
    assert_eq!(setting.ended(run).0, RunStatus::Succeeded);
    assert!(!setting.events(run).iter().any(|event| event == "attempt-lost"));
}
