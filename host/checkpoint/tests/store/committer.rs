//! The committer: order, batches, acknowledgements, and the end after an error.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};

use wfhost_checkpoint::conformance::{commit, commit_with, run};
use wfhost_checkpoint::{
    Commit, CommitResult, Committer, CommitterOptions, Content, Durability, Error, Note, NoteWrite,
    Refused, Store, Stored, memory,
};
use wfhost_workflow::run::{Event, Record, RunSummary};
use wfhost_workflow::{Attempt, Digest, Revision, RunId, StepId, TaskId};

use crate::support::{contents, open};

fn start(store: Arc<dyn Store>, options: CommitterOptions) -> (Committer, Receiver<CommitResult>) {
    let (sender, receiver) = mpsc::channel();
    let notify = Box::new(move |result| {
        // The receiver is gone at the end of a test.
        let _ignored = sender.send(result);
    });
    (Committer::start(store, options, notify).unwrap(), receiver)
}

/// Each of `runs` threads commits `each` revisions of its own run; commits a second.
fn submit_from_many(store: Arc<dyn Store>, runs: u64, each: u64) -> f64 {
    let (committer, results) = start(store, CommitterOptions::default());
    #[expect(clippy::disallowed_methods, reason = "a rate is measured")]
    let begun = std::time::Instant::now();
    let threads: Vec<_> = (0..runs)
        .map(|n| {
            let handle = committer.handle();
            std::thread::spawn(move || {
                for revision in 1..=each {
                    handle.submit(commit(run(n), revision)).unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    committer.close();
    let seconds = begun.elapsed().as_secs_f64();
    let mut last = HashMap::new();
    let mut batches = 0;
    for (id, revision) in results.iter().flat_map(|result| {
        batches += 1;
        result.unwrap()
    }) {
        let before = last.insert(id, revision).unwrap_or_default();
        assert_eq!(revision, before.next(), "in order, each once");
    }
    assert_eq!(last.len() as u64, runs);
    assert!(last.values().all(|revision| revision.0 == each));
    println!("{} commits in {batches} batches", runs * each);
    (runs * each) as f64 / seconds
}

#[test]
fn many_threads_share_batches_and_all_is_acknowledged_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let data = open(folder.path(), Durability::Sync);
    let rate = submit_from_many(Arc::clone(&data.store), 64, 100);
    println!("{rate:.0} commits/s from 64 threads with `sync`");
    drop(data);
    let data = open(folder.path(), Durability::Sync);
    let stored = contents(&*data.store);
    assert_eq!(stored.len(), 64);
    assert!(
        stored.values().all(|(summary, journal)| {
            summary.revision == Revision(100) && journal.len() == 100
        })
    );
}

#[test]
fn what_waits_at_closing_is_committed() {
    let store = memory(Content::memory());
    let (committer, results) = start(Arc::clone(&store), CommitterOptions::default());
    let handle = committer.handle();
    for revision in 1..=100 {
        handle.submit(commit(run(1), revision)).unwrap();
    }
    drop(committer);
    assert_eq!(results.iter().map(|result| result.unwrap().len()).sum::<usize>(), 100);
    assert_eq!(handle.submit(commit(run(1), 101)), Err(Refused));
    assert_eq!(store.summary(run(1)).unwrap().unwrap().revision, Revision(100));
}

#[test]
fn a_batch_that_is_larger_than_it_looked_is_committed_in_parts() {
    let store = memory(Content::memory());
    let options = CommitterOptions { batch_bytes_max: usize::MAX, ..CommitterOptions::default() };
    let (committer, results) = start(Arc::clone(&store), options);
    let handle = committer.handle();
    let events: Vec<_> = (0..1000)
        .map(|index| Event::AttemptScheduled {
            task: TaskId::item(StepId(1), index),
            attempt: Attempt::FIRST,
        })
        .collect();
    for n in 0..60 {
        handle.submit(commit_with(run(n), 1, events.clone())).unwrap();
    }
    committer.close();
    let done: HashSet<_> = results.iter().flat_map(Result::unwrap).collect();
    assert_eq!(done.len(), 60);
    assert_eq!(store.find("", 99).unwrap().len(), 60);
}

/// Fails at its fifth batch, as a disk would.
struct Failing {
    inner: Arc<dyn Store>,
    batches: AtomicU64,
}

impl Store for Failing {
    fn commit(&self, commits: &[Commit]) -> Result<(), Error> {
        if self.batches.fetch_add(1, Ordering::Relaxed) >= 4 {
            return Err(Error::Stopped);
        }
        self.inner.commit(commits)
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

#[test]
fn after_an_error_nothing_more_is_taken_and_nobody_waits() {
    let inner = memory(Content::memory());
    let store = Arc::new(Failing { inner: Arc::clone(&inner), batches: AtomicU64::new(0) });
    // So small that every submitter soon waits for room.
    let options = CommitterOptions { queue_bytes_max: 1, batch_bytes_max: 1 };
    let (committer, results) = start(store, options);
    let threads: Vec<_> = (0..8)
        .map(|n| {
            let handle = committer.handle();
            std::thread::spawn(move || {
                (1..).find(|revision| handle.submit(commit(run(n), *revision)).is_err())
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let (acknowledged, failed): (Vec<_>, Vec<_>) = results.iter().take(5).partition(Result::is_ok);
    assert_eq!((acknowledged.len(), failed.len()), (4, 1));
    assert_eq!(committer.handle().submit(commit(run(1), 1)), Err(Refused));
    drop(committer);
    assert_eq!(results.try_iter().count(), 0, "one error, and nothing after it");
    let stored: u64 =
        inner.summaries(None, 99).unwrap().iter().map(|summary| summary.revision.0).sum();
    assert_eq!(stored, 4, "what was acknowledged, no more");
}
