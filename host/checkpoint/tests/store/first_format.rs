//! A data folder that the first version of the format has written: it stays readable.
//!
//! The fixture is never written again. For a new version: a fixture of its own beside it.

use std::fs;
use std::path::{Path, PathBuf};

use wfhost_checkpoint::conformance::{
    bundle_commit, bundle_events, commit, commit_with, first_events, json_of, later_events, run,
};
use wfhost_checkpoint::{Commit, DataFolder, Durability, Snapshot};
use wfhost_workflow::Revision;
use wfhost_workflow::run::Event;

use crate::support::{copy_folder, open};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixture/data-1")
}

/// Every event of then, a value in a file, a record in parts, a snapshot.
fn commits() -> Vec<Commit> {
    let mut commits: Vec<_> = first_events()
        .into_iter()
        .zip(1..)
        .map(|(event, revision)| commit_with(run(1), revision, vec![event]))
        .collect();
    commits.push(commit_with(run(2), 1, first_events()));
    commits.push(commit_with(run(2), 2, vec![Event::Succeeded { output: json_of(5000, 1) }]));
    let mut with_snapshot = commit(run(3), 1);
    with_snapshot.snapshot = Some(Snapshot { revision: Revision(1), bytes: b"state".to_vec() });
    commits.push(with_snapshot);
    commits.push(commit(run(3), 2));
    commits
}

/// How the fixture was made.
fn write_fixture() {
    let folder = crate::support::scratch();
    let data = DataFolder::open(folder.path(), &crate::support::quick(Durability::Sync)).unwrap();
    data.store.commit(&commits()).unwrap();
    drop(data);
    copy_folder(folder.path(), &fixture());
    fs::remove_file(fixture().join("lock")).unwrap();
}

#[test]
fn a_folder_in_the_first_format_is_read() {
    if std::env::var_os("WFHOST_WRITE_FIXTURE").is_some() && !fixture().exists() {
        write_fixture();
    }
    let folder = crate::support::scratch();
    copy_folder(&fixture(), folder.path());
    let data = open(folder.path(), Durability::None);
    let expected = commits();
    for id in [1, 2, 3].map(run) {
        let of_run: Vec<_> = expected.iter().filter(|commit| commit.run == id).collect();
        let records: Vec<_> = of_run.iter().map(|commit| commit.record.clone()).collect();
        assert_eq!(data.store.journal(id, Revision(0), usize::MAX).unwrap(), records);
        let summary = data.store.summary(id).unwrap().unwrap();
        assert_eq!(summary, of_run.last().unwrap().summary);
    }
    let stored = data.store.load(run(3)).unwrap().unwrap();
    assert_eq!(stored.snapshot.unwrap().bytes, b"state");
    assert_eq!(stored.records.len(), 1);
    // And it can be gone on with.
    data.store.commit(&[commit(run(3), 3)]).unwrap();
}

/// Holds a fixture to what it was written from; writes it where it is missing and that is asked for.
#[track_caller]
fn check_fixture(name: &str, commits: &[Commit]) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixture").join(name);
    if std::env::var_os("WFHOST_WRITE_FIXTURE").is_some() && !fixture.exists() {
        let folder = crate::support::scratch();
        let data =
            DataFolder::open(folder.path(), &crate::support::quick(Durability::Sync)).unwrap();
        data.store.commit(commits).unwrap();
        drop(data);
        copy_folder(folder.path(), &fixture);
        fs::remove_file(fixture.join("lock")).unwrap();
    }
    let folder = crate::support::scratch();
    copy_folder(&fixture, folder.path());
    let data = open(folder.path(), Durability::None);
    let records: Vec<_> = commits.iter().map(|commit| commit.record.clone()).collect();
    assert_eq!(data.store.journal(commits[0].run, Revision(0), usize::MAX).unwrap(), records);
    let summary = data.store.summary(commits[0].run).unwrap();
    assert_eq!(summary.as_ref(), commits.last().map(|commit| &commit.summary));
}

fn numbered(events: Vec<Event>, commit: impl Fn(u64, Event) -> Commit) -> Vec<Commit> {
    events.into_iter().zip(1..).map(|(event, revision)| commit(revision, event)).collect()
}

#[test]
fn a_folder_with_the_later_events_is_read() {
    let commit = |revision, event| commit_with(run(4), revision, vec![event]);
    check_fixture("data-2", &numbered(later_events(), commit));
}

#[test]
fn a_folder_with_bundles_and_upgrades_is_read() {
    let commit = |revision, event| bundle_commit(run(5), revision, event);
    check_fixture("data-3", &numbered(bundle_events(), commit));
}
