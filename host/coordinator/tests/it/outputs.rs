//! Outputs that are too large for one message.

use std::collections::HashMap;

use wfhost_transport::client::{Answer, Request};
use wfhost_transport::codec::CHUNK_BYTES;
use wfhost_transport::message::{Dispatch, FromWorker, Outcome, Payload, ToWorker};
use wfhost_workflow::run::RunStatus;
use wfhost_workflow::{AttemptId, Digest, Limit};

use crate::runs::TWO;
use crate::setting::{ScriptedWorker, Setting};

/// A JSON string of this many bytes.
fn text(bytes: usize) -> String {
    format!("\"{}\"", "x".repeat(bytes - 2))
}

fn by_reference(output: &str) -> Outcome {
    let (digest, len) = (Digest::of(output.as_bytes()), output.len() as u64);
    Outcome::Succeeded { output: Payload::Reference { digest, len }, kv: Vec::new() }
}

/// Gives parts until the coordinator has taken the attempt, or fails it and dispatches another.
fn deliver(worker: &mut ScriptedWorker, outputs: &HashMap<AttemptId, &str>) -> Vec<u64> {
    let mut asked = Vec::new();
    loop {
        let next = worker.next("a question, or word that it is taken", |message| {
            matches!(message, ToWorker::Fetch { .. } | ToWorker::Taken { .. })
        });
        let ToWorker::Fetch { attempt, offset, len } = next else { return asked };
        assert!(len <= CHUNK_BYTES);
        asked.push(offset);
        let output = outputs[&attempt].as_bytes();
        let to = output.len().min((offset + u64::from(len)) as usize);
        let bytes = output[offset as usize..to].to_vec();
        worker.say(&FromWorker::Chunk { attempt, offset, total: output.len() as u64, bytes });
    }
}

fn first(setting: &Setting, worker: &mut ScriptedWorker) -> (wfhost_workflow::RunId, Dispatch) {
    let run = setting.start(1, TWO, "{\"x\":5}");
    (run, worker.dispatch())
}

#[test]
fn a_large_output_is_fetched_in_parts_and_counts() {
    let setting = Setting::new();
    let mut worker = setting.worker(1);
    let (run, first) = first(&setting, &mut worker);
    let large = format!("{{\"y\":{}}}", text(5 << 20));
    worker.end(first.attempt, by_reference(&large));
    let asked = deliver(&mut worker, &HashMap::from([(first.attempt, &*large)]));
    assert_eq!(asked.len(), large.len().div_ceil(CHUNK_BYTES as usize));
    let second = worker.dispatch();
    let Payload::Reference { len, .. } = second.input else { panic!("{:?}", second.input) };
    assert!(len > 5 << 20);
    let output = text(2 << 20);
    worker.end(second.attempt, by_reference(&output));
    deliver(&mut worker, &HashMap::from([(second.attempt, &*output)]));
    assert_eq!(setting.ended(run), (RunStatus::Succeeded, Some(output), None));
}

#[test]
fn no_more_parts_are_on_their_way_than_there_are_credits() {
    let setting = Setting::new();
    let mut worker = setting.worker(1);
    let (run, first) = first(&setting, &mut worker);
    let large = format!("{{\"y\":{}}}", text(5 << 20));
    worker.end(first.attempt, by_reference(&large));
    let is_fetch = |message: &ToWorker| matches!(message, ToWorker::Fetch { .. });
    for _ in 0..4 {
        worker.next("a question", is_fetch);
    }
    // Heartbeats that come later show that no more was asked.
    for _ in 0..3 {
        worker.heartbeat();
    }
    assert!(!worker.unread().into_iter().any(is_fetch));
    // What it asked for is lost with the connection; on the next one it begins anew.
    let mut again = setting.returned(&worker, &[first.attempt], 1);
    again.end(first.attempt, by_reference(&large));
    deliver(&mut again, &HashMap::from([(first.attempt, &*large)]));
    let second = again.dispatch();
    assert_eq!(second.attempt.attempt.0, 1);
    again.succeed(second.attempt, "1");
    assert_eq!(setting.ended(run).0, RunStatus::Succeeded);
}

#[test]
fn an_output_that_is_not_what_was_said_does_not_count() {
    let setting = Setting::new();
    let mut worker = setting.worker(1);
    let (run, first) = first(&setting, &mut worker);
    let (said, given) = (text(100_000), text(100_000).replace("xx", "yy"));
    worker.end(first.attempt, by_reference(&said));
    deliver(&mut worker, &HashMap::from([(first.attempt, &*given)]));
    let again = worker.dispatch();
    assert_eq!(again.attempt.attempt.0, 2);
    assert!(setting.view(run).steps[0].error.as_ref().unwrap().contains("output-damaged"));
}

#[test]
fn an_output_over_the_limit_is_not_fetched() {
    let setting = Setting::new();
    let mut worker = setting.worker(1);
    let mut start = setting.start_of(1, TWO, "{\"x\":5}");
    start.plugins[0].limits[Limit::Output] = 100_000;
    let run = start.run;
    assert_eq!(setting.ask(Request::Start(Box::new(start))), Answer::Done);
    let first = worker.dispatch();
    worker.end(first.attempt, by_reference(&text(100_001)));
    let (status, _, error) = setting.ended(run);
    assert_eq!(status, RunStatus::Failed);
    assert!(error.unwrap().contains("output"));
    assert!(worker.unread().is_empty());
}

#[test]
fn a_worker_that_dies_while_it_delivers_loses_the_attempt() {
    let setting = Setting::new();
    let mut worker = setting.worker(1);
    let (run, first) = first(&setting, &mut worker);
    worker.end(first.attempt, by_reference(&text(5 << 20)));
    worker.next("a question", |message| matches!(message, ToWorker::Fetch { .. }));
    worker.say(&FromWorker::Goodbye);
    let mut other = setting.worker(1);
    let again = other.dispatch();
    assert_eq!(again.attempt.attempt.0, 2);
    other.succeed(again.attempt, "{\"y\":1}");
    let second = other.dispatch();
    other.succeed(second.attempt, "1");
    assert_eq!(setting.ended(run).0, RunStatus::Succeeded);
}
