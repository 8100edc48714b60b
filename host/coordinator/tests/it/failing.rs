//! A store that fails stops everything, and what is durable goes on in another life.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wfhost_checkpoint::{Commit, Content, Error, Note, NoteWrite, Store, Stored, memory};
use wfhost_transport::client::{Answer, Refusal, Request};
use wfhost_workflow::run::{Record, RunStatus, RunSummary};
use wfhost_workflow::{Digest, Revision, RunId};

use crate::runs::TWO;
use crate::setting::Setting;

/// Fails when told to: having stored the batch, or not.
struct Failing {
    inner: Arc<dyn Store>,
    fails: AtomicBool,
    stores_first: bool,
}

impl Store for Failing {
    fn commit(&self, commits: &[Commit]) -> Result<(), Error> {
        let fails = self.fails.load(Ordering::SeqCst);
        if !fails || self.stores_first {
            self.inner.commit(commits)?;
        }
        if fails { Err(Error::Stopped) } else { Ok(()) }
    }

    fn knows(&self, run: RunId) -> Result<bool, Error> {
        self.inner.knows(run)
    }

    fn summary(&self, run: RunId) -> Result<Option<RunSummary>, Error> {
        self.inner.summary(run)
    }

    fn summaries(&self, before: Option<RunId>, limit: usize) -> Result<Vec<RunSummary>, Error> {
        self.inner.summaries(before, limit)
    }

    fn find(&self, prefix: &str, limit: usize) -> Result<Vec<RunId>, Error> {
        self.inner.find(prefix, limit)
    }

    fn journal(&self, run: RunId, after: Revision, limit: usize) -> Result<Vec<Record>, Error> {
        self.inner.journal(run, after, limit)
    }

    fn load(&self, run: RunId) -> Result<Option<Stored>, Error> {
        self.inner.load(run)
    }

    fn remove(&self, run: RunId) -> Result<(), Error> {
        self.inner.remove(run)
    }

    fn write_notes(&self, writes: &[NoteWrite]) -> Result<(), Error> {
        self.inner.write_notes(writes)
    }

    fn notes(&self) -> Result<Vec<Note>, Error> {
        self.inner.notes()
    }

    fn references(&self) -> Result<HashSet<Digest>, Error> {
        self.inner.references()
    }
}

/// The store fails at the first step's result: gives which attempt of which step comes next in
/// the next life.
fn after_a_failure(stores_first: bool) -> (String, u32) {
    let content = Content::memory();
    let inner = memory(content.clone());
    let failing =
        Arc::new(Failing { inner: inner.clone(), fails: AtomicBool::new(false), stores_first });
    let setting = Setting::around(failing.clone(), content.clone());
    let mut worker = setting.worker(1);
    let run = setting.start(1, TWO, "{\"x\":5}");
    let first = worker.dispatch();
    failing.fails.store(true, Ordering::SeqCst);
    worker.succeed(first.attempt, "{\"y\":1}");
    let waiting = setting.ask(Request::Await { run, wait_ms: 30_000 });
    assert!(matches!(waiting, Answer::Refused(Refusal::Store(_))), "{waiting:?}");
    let later = setting.ask(Request::Show { run });
    assert!(matches!(later, Answer::Refused(Refusal::Store(_))), "{later:?}");
    assert!(setting.coordinator.failure().is_some());
    // Nothing of what was not stored was acted on.
    assert!(worker.unread().is_empty());

    let setting = Setting::around(inner, content);
    assert_eq!(setting.ask(Request::Resume { run }), Answer::Done);
    let mut worker = setting.worker(1);
    let next = worker.dispatch();
    let came = (next.step.to_string(), next.attempt.attempt.0);
    if came.0 == "a" {
        worker.succeed(next.attempt, "{\"y\":2}");
        let second = worker.dispatch();
        worker.succeed(second.attempt, "1");
    } else {
        worker.succeed(next.attempt, "1");
    }
    assert_eq!(setting.ended(run).0, RunStatus::Succeeded);
    came
}

#[test]
fn what_was_not_stored_is_done_again() {
    assert_eq!(after_a_failure(false), ("a".to_owned(), 2));
}

#[test]
fn what_was_stored_although_a_failure_was_reported_is_not_done_again() {
    assert_eq!(after_a_failure(true), ("b".to_owned(), 2));
}
