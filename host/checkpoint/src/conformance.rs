//! What every store must do: one table of cases, run against each implementation.
//!
//! A case panics with what it found. Another implementation of [`Store`] proves itself by
//! implementing [`Subject`] and calling [`check`] for each of [`CASES`].

mod sample;

use std::collections::HashSet;
use std::sync::Arc;

use wfhost_workflow::{Digest, Revision, RunId};

pub use sample::{
    bundle_commit, bundle_events, commit, commit_with, every_event, first_events, json_of,
    later_events, run, started,
};

use crate::{Commit, Content, Error, NOTE_NAME_BYTES_MAX, NoteWrite, Snapshot, Store};

/// A store under test, fresh and empty.
pub trait Subject {
    /// The store.
    fn store(&self) -> Arc<dyn Store>;

    /// The contents that it uses.
    fn content(&self) -> Content;

    /// Closes the store and opens it again, if it outlives that.
    fn reopen(&mut self);

    /// Damages or removes every stored snapshot, if that can be done.
    ///
    /// Whether it was done.
    fn damage_snapshots(&mut self) -> bool;
}

/// A case of the suite.
#[derive(Clone, Copy)]
pub struct Case {
    /// What must hold, as a name.
    pub name: &'static str,
    run: fn(&mut dyn Subject),
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Every case.
pub const CASES: &[Case] = &[
    Case { name: "an empty store knows nothing", run: empty },
    Case { name: "every event is read back as it was", run: every_event_comes_back },
    Case { name: "large values are read back as they were", run: large_values },
    Case { name: "records of any size are read back", run: large_records },
    Case { name: "a wrong revision is fenced and writes nothing", run: fenced },
    Case { name: "a batch is whole or not at all", run: whole_batch },
    Case { name: "several commits of one run fit one batch", run: several_of_one_run },
    Case { name: "commits that contradict themselves are refused", run: contradictions },
    Case { name: "a batch that is too large is refused, and fits in parts", run: too_large },
    Case { name: "summaries come newest first, in pages", run: summaries },
    Case { name: "runs are found by a prefix of their id", run: find },
    Case { name: "a journal is read from any revision, in pages", run: journal_pages },
    Case { name: "a snapshot shortens loading", run: snapshot },
    Case { name: "a damaged snapshot is passed over", run: damaged_snapshot },
    Case { name: "a removed run is gone and its id is free", run: removed },
    Case { name: "references name every content", run: references },
    Case { name: "notes are kept whole, and what they refer to with them", run: notes },
    Case { name: "nothing is committed for no commits", run: no_commits },
];

/// Runs `case` against `subject`, which must be fresh.
///
/// # Panics
/// If the store does not do what the case demands.
pub fn check(case: &Case, subject: &mut dyn Subject) {
    (case.run)(subject);
}

fn put(subject: &dyn Subject, commits: &[Commit]) {
    subject.store().commit(commits).expect("the store takes the commits");
}

/// Asserts that `run` is stored as `commits` made it, before and after opening again.
fn assert_stored(subject: &mut dyn Subject, run: RunId, commits: &[Commit]) {
    for round in ["at once", "opened again"] {
        let store = subject.store();
        let last = commits.last().expect("there are commits");
        let records: Vec<_> = commits.iter().map(|commit| commit.record.clone()).collect();
        let summary = store.summary(run).expect("readable").expect("there is a summary");
        assert!(store.knows(run).expect("readable"), "{round}");
        assert_eq!(summary, last.summary, "{round}");
        let journal = store.journal(run, Revision(0), usize::MAX).expect("readable");
        assert_eq!(journal, records, "{round}");
        drop(store);
        subject.reopen();
    }
}

fn empty(subject: &mut dyn Subject) {
    for _ in 0..2 {
        let store = subject.store();
        assert!(!store.knows(run(1)).expect("readable"));
        assert_eq!(store.summary(run(1)).expect("readable"), None);
        assert_eq!(store.load(run(1)).expect("readable"), None);
        assert!(store.summaries(None, 10).expect("readable").is_empty());
        assert!(store.find("", 10).expect("readable").is_empty());
        assert!(store.journal(run(1), Revision(0), 10).expect("readable").is_empty());
        assert!(store.references().expect("readable").is_empty());
        store.remove(run(1)).expect("nothing to remove");
        drop(store);
        subject.reopen();
    }
}

fn every_event_comes_back(subject: &mut dyn Subject) {
    let commits: Vec<_> = every_event()
        .into_iter()
        .zip(1..)
        .map(|(event, revision)| commit_with(run(1), revision, vec![event]))
        .collect();
    put(subject, &commits);
    assert_stored(subject, run(1), &commits);
    let together = commit_with(run(2), 1, every_event());
    put(subject, std::slice::from_ref(&together));
    assert_stored(subject, run(2), &[together]);
}

fn large_values(subject: &mut dyn Subject) {
    let mut commits = Vec::new();
    for (bytes, revision) in [4095, 4096, 4097, 70_000, 3_000_000].into_iter().zip(1..) {
        commits.push(commit_with(run(1), revision, sample::values_of(bytes)));
    }
    put(subject, &commits);
    assert_stored(subject, run(1), &commits);
}

fn large_records(subject: &mut dyn Subject) {
    let mut commits = Vec::new();
    for (events, revision) in [0, 1, 60, 1000, 20_000].into_iter().zip(1..) {
        commits.push(commit_with(run(1), revision, sample::scheduled(events)));
    }
    for commit in &commits {
        put(subject, std::slice::from_ref(commit));
    }
    assert_stored(subject, run(1), &commits);
}

fn fenced(subject: &mut dyn Subject) {
    let commits = [commit(run(1), 1), commit(run(1), 2)];
    put(subject, &commits);
    for (offered, stored) in [(1, 2), (2, 2), (4, 2), (0, 2)] {
        let other = commit(run(2), 1);
        let error = subject
            .store()
            .commit(&[other, commit(run(1), offered)])
            .expect_err("the revision does not follow");
        let Error::Fenced { run: fenced, stored: found, offered: named } = error else {
            panic!("{error}");
        };
        assert_eq!((fenced, found, named), (run(1), Revision(stored), Revision(offered)));
    }
    assert_eq!(subject.store().summary(run(2)).expect("readable"), None);
    assert_stored(subject, run(1), &commits);
    put(subject, &[commit(run(1), 3)]);
    let error = subject.store().commit(&[commit(run(3), 2)]).expect_err("a run begins at 1");
    assert!(matches!(error, Error::Fenced { stored: Revision(0), .. }), "{error}");
}

fn whole_batch(subject: &mut dyn Subject) {
    let commits: Vec<_> = (1..=50).map(|n| commit(run(n), 1)).collect();
    put(subject, &commits);
    for round in 0..2 {
        assert_eq!(subject.store().find("", 100).expect("readable").len(), 50, "{round}");
        for one in &commits {
            assert_stored(subject, one.run, std::slice::from_ref(one));
        }
    }
}

fn several_of_one_run(subject: &mut dyn Subject) {
    let commits: Vec<_> = (1..=20).map(|revision| commit(run(1), revision)).collect();
    put(subject, &commits[..7]);
    put(subject, &commits[7..]);
    assert_stored(subject, run(1), &commits);
}

fn contradictions(subject: &mut dyn Subject) {
    let mut of_other_run = commit(run(1), 1);
    of_other_run.summary.run = run(2);
    let mut of_other_revision = commit(run(1), 1);
    of_other_revision.summary.revision = Revision(2);
    let mut snapshot_of_other_revision = commit(run(1), 1);
    snapshot_of_other_revision.snapshot = Some(Snapshot { revision: Revision(2), bytes: vec![1] });
    for wrong in [of_other_run, of_other_revision, snapshot_of_other_revision] {
        let error = subject.store().commit(&[wrong]).expect_err("a contradiction");
        assert!(matches!(error, Error::Contradiction { .. }), "{error}");
    }
    put(subject, &[commit(run(1), 1)]);
}

fn too_large(subject: &mut dyn Subject) {
    let commits: Vec<_> =
        (1..=20).map(|n| commit_with(run(n), 1, sample::scheduled(1000))).collect();
    let error = subject.store().commit(&commits).expect_err("20 records of 1,000 events");
    assert!(matches!(error, Error::BatchTooLarge { .. }), "{error}");
    assert!(subject.store().find("", 100).expect("readable").is_empty());
    for commit in &commits {
        put(subject, std::slice::from_ref(commit));
    }
    assert_stored(subject, run(20), &commits[19..]);
}

fn summaries(subject: &mut dyn Subject) {
    let commits: Vec<_> = [3, 1, 5, 2, 4].map(|n| commit(run(n), 1)).into();
    put(subject, &commits);
    subject.reopen();
    let page = |before: Option<u64>, limit| -> Vec<RunId> {
        let found = subject.store().summaries(before.map(run), limit).expect("readable");
        found.iter().map(|summary| summary.run).collect()
    };
    assert_eq!(page(None, 10), [5, 4, 3, 2, 1].map(run));
    assert_eq!(page(None, 2), [5, 4].map(run));
    assert_eq!(page(Some(4), 2), [3, 2].map(run));
    assert_eq!(page(Some(1), 2), []);
    assert_eq!(page(None, 0), []);
    let least = subject.store().summaries(Some(RunId::from_bytes([0; 16])), 1);
    assert!(least.expect("readable").is_empty());
}

fn find(subject: &mut dyn Subject) {
    let ids: Vec<RunId> = [
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "01ARZ3NDEKTSV4RRFFQ69G5FAW",
        "01ARZ4NDEKTSV4RRFFQ69G5FAV",
        "7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
    ]
    .map(|id| id.parse().expect("an id"))
    .into();
    put(subject, &ids.iter().map(|id| commit(*id, 1)).collect::<Vec<_>>());
    let found = |prefix, limit| subject.store().find(prefix, limit).expect("readable");
    assert_eq!(found("", 9), [ids[3], ids[2], ids[1], ids[0]]);
    assert_eq!(found("01arz", 9), [ids[2], ids[1], ids[0]]);
    assert_eq!(found("01ARZ3", 9), [ids[1], ids[0]]);
    assert_eq!(found("01ARZ3", 1), [ids[1]]);
    assert_eq!(found("01ARZ3NDEKTSV4RRFFQ69G5FAV", 9), [ids[0]]);
    assert_eq!(found("7", 9), [ids[3]]);
    for none in ["02", "8", "01ARZ3NDEKTSV4RRFFQ69G5FAVV", "!", "é"] {
        assert_eq!(found(none, 9), [], "{none}");
    }
}

fn journal_pages(subject: &mut dyn Subject) {
    let commits: Vec<_> = (1..=9).map(|revision| commit(run(2), revision)).collect();
    put(subject, &[commit(run(1), 1), commit(run(3), 1)]);
    put(subject, &commits);
    let page = |after, limit| -> Vec<u64> {
        let found = subject.store().journal(run(2), Revision(after), limit).expect("readable");
        found.iter().map(|record| record.revision.0).collect()
    };
    assert_eq!(page(0, 3), [1, 2, 3]);
    assert_eq!(page(3, 3), [4, 5, 6]);
    assert_eq!(page(7, 9), [8, 9]);
    assert!(page(9, 9).is_empty());
    assert!(page(u64::MAX, 9).is_empty());
    assert!(page(0, 0).is_empty());
}

fn with_snapshot(mut commit: Commit, size: usize) -> Commit {
    let revision = commit.record.revision;
    let byte = revision.0.to_le_bytes()[0];
    commit.snapshot = Some(Snapshot { revision, bytes: vec![byte; size] });
    commit
}

fn snapshot(subject: &mut dyn Subject) {
    let mut commits: Vec<_> = (1..=8).map(|revision| commit(run(1), revision)).collect();
    commits[2] = with_snapshot(commits[2].clone(), 10);
    commits[5] = with_snapshot(commits[5].clone(), 100_000);
    for (chunk, (snapshot, first)) in
        [(0..4, (2, 3)), (4..5, (2, 3)), (5..6, (5, 6)), (6..8, (5, 6))]
    {
        let end = chunk.end;
        put(subject, &commits[chunk]);
        subject.reopen();
        let stored = subject.store().load(run(1)).expect("readable").expect("a run");
        assert_eq!(stored.snapshot, commits[snapshot].snapshot);
        let records: Vec<_> =
            commits[first..end].iter().map(|commit| commit.record.clone()).collect();
        assert_eq!(stored.records, records);
        assert_eq!(stored.summary, commits[end - 1].summary);
    }
    assert_stored(subject, run(1), &commits);
}

fn damaged_snapshot(subject: &mut dyn Subject) {
    let commits = [commit(run(1), 1), with_snapshot(commit(run(1), 2), 5000), commit(run(1), 3)];
    put(subject, &commits);
    if !subject.damage_snapshots() {
        return;
    }
    let stored = subject.store().load(run(1)).expect("readable").expect("a run");
    assert_eq!(stored.snapshot, None);
    assert_eq!(stored.records.len(), 3);
    put(subject, &[with_snapshot(commit(run(1), 4), 10)]);
    let stored = subject.store().load(run(1)).expect("readable").expect("a run");
    assert!(stored.snapshot.is_some() && stored.records.is_empty());
}

fn removed(subject: &mut dyn Subject) {
    let commits: Vec<_> = (1..=300).map(|revision| commit(run(2), revision)).collect();
    put(subject, &[commit(run(1), 1), with_snapshot(commit(run(3), 1), 10)]);
    put(subject, &commits);
    subject.store().remove(run(2)).expect("removable");
    subject.store().remove(run(3)).expect("removable");
    for _ in 0..2 {
        let store = subject.store();
        assert_eq!(store.find("", 9).expect("readable"), [run(1)]);
        assert_eq!(store.load(run(2)).expect("readable"), None);
        assert!(store.journal(run(2), Revision(0), 9).expect("readable").is_empty());
        store.remove(run(2)).expect("removing twice is fine");
        drop(store);
        subject.reopen();
    }
    put(subject, &commits[..2]);
    assert_stored(subject, run(2), &commits[..2]);
}

fn references(subject: &mut dyn Subject) {
    let large = json_of(5000, 1);
    let begun = commit_with(run(1), 1, vec![started(run(1), json_of(6000, 2))]);
    let values = commit_with(run(1), 2, sample::values_of(7000));
    let many = commit_with(run(1), 3, sample::scheduled(20_000));
    put(subject, &[begun, values.clone(), many]);
    put(subject, &[commit_with(run(2), 1, sample::succeeded(large.clone()))]);
    let found = subject.store().references().expect("readable");
    let mut expected: HashSet<Digest> = sample::references_of_started();
    expected.insert(sample::definition());
    expected.insert(Digest::of(json_of(6000, 2).as_str().as_bytes()));
    expected.insert(Digest::of(large.as_str().as_bytes()));
    expected.extend(sample::large_digests(&values));
    assert!(found.is_superset(&expected));
    // Besides these, only the file that holds the record of 20,000 events.
    assert_eq!(found.len(), expected.len() + 1);
    for digest in found.difference(&sample::references_of_started()) {
        let is_definition = *digest == sample::definition();
        assert!(is_definition || subject.content().contains(digest).expect("readable"));
    }
    subject.store().remove(run(1)).expect("removable");
    let left = subject.store().references().expect("readable");
    let expected: HashSet<_> = [sample::definition(), Digest::of(large.as_str().as_bytes())].into();
    assert_eq!(left, expected);
}

fn notes(subject: &mut dyn Subject) {
    let content = Digest::of(b"what a note needs");
    let write = |name: &str, value: Option<&[u8]>| NoteWrite {
        name: name.to_owned(),
        value: value.map(|bytes| (bytes.to_vec(), vec![content])),
    };
    let read = |subject: &dyn Subject| -> Vec<(String, Vec<u8>)> {
        let notes = subject.store().notes().expect("readable").into_iter();
        notes
            .map(|note| {
                assert_eq!(note.references, [content]);
                (note.name, note.bytes)
            })
            .collect()
    };
    let (small, large) = (b"small".to_vec(), vec![7; 100_000]);
    let first = [write("b", Some(&small)), write("a", Some(&large)), write("none", None)];
    subject.store().write_notes(&first).expect("writable");
    put(subject, &[commit(run(1), 1)]);
    subject.reopen();
    let both = [("a".to_owned(), large), ("b".to_owned(), small)];
    assert_eq!(read(subject), both);
    let referenced = subject.store().references().expect("readable");
    assert!(referenced.contains(&content));
    for digest in
        referenced.iter().filter(|digest| ![content, sample::definition()].contains(digest))
    {
        assert!(subject.content().contains(digest).expect("readable"));
    }
    let second = [write("a", None), write("b", Some(b"other"))];
    subject.store().write_notes(&second).expect("writable");
    subject.reopen();
    assert_eq!(read(subject), [("b".to_owned(), b"other".to_vec())]);
    let long = "n".repeat(NOTE_NAME_BYTES_MAX + 1);
    let refused = subject.store().write_notes(&[write("c", Some(b"c")), write(&long, Some(b"n"))]);
    assert!(matches!(refused, Err(Error::Contradiction { .. })), "{refused:?}");
    assert_eq!(read(subject).len(), 1);
}

fn no_commits(subject: &mut dyn Subject) {
    put(subject, &[]);
    subject.reopen();
    assert!(subject.store().find("", 1).expect("readable").is_empty());
}
