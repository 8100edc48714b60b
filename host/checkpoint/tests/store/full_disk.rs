//! A full disk: what was acknowledged stays, the error says how to go on, and that works.
//!
//! As root on a small tmpfs of its own, else with a limit on the size of files.

use std::fs;
use std::path::Path;
use std::process::Command;

use wfhost_checkpoint::conformance::{commit, commit_with, json_of, run};
use wfhost_checkpoint::{Commit, DataFolder, Durability, Error};
use wfhost_workflow::Revision;
use wfhost_workflow::run::Event;

use crate::folder::in_own_mounts;
use crate::support::{again, child_of, open, quick};

const TMPFS_BYTES: u64 = 96 << 20;

#[test]
fn small_commits_until_the_disk_is_full() {
    fill("full_disk::small_commits_until_the_disk_is_full", |revision| commit(run(1), revision));
}

#[test]
fn large_values_until_the_disk_is_full() {
    fill("full_disk::large_values_until_the_disk_is_full", |revision| {
        let output = json_of(300_000, revision);
        commit_with(run(1), revision, vec![Event::Succeeded { output }])
    });
}

/// Runs `test` again as a child on a disk that is soon full.
fn fill(test: &str, make: impl Fn(u64) -> Commit) {
    if let Some(folder) = child_of() {
        if rustix::process::geteuid().is_root() {
            fill_small_disk(&folder, make);
        } else {
            let acknowledged = commit_until_full(&folder, &make);
            println!("{acknowledged} commits before the limit");
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let itself = again(test, folder.path());
    if rustix::process::geteuid().is_root() {
        assert!(in_own_mounts(&itself).status().unwrap().success());
    } else {
        // The signal that comes with the limit is ignored, so that the write fails instead.
        let mut limited = Command::new("sh");
        limited.args(["-c", "trap '' XFSZ; ulimit -f 4096; exec \"$0\" \"$@\""]);
        limited.arg(itself.get_program()).args(itself.get_args());
        for (key, value) in itself.get_envs() {
            limited.env(key, value.unwrap());
        }
        assert!(limited.status().unwrap().success());
        let data = open(folder.path(), Durability::Sync);
        assert!(!data.store.journal(run(1), Revision(0), usize::MAX).unwrap().is_empty());
    }
}

fn fill_small_disk(folder: &Path, make: impl Fn(u64) -> Commit) {
    let size = format!("size={TMPFS_BYTES}");
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", &size, "none"]).arg(folder);
    assert!(mount.status().unwrap().success());
    drop(open(folder, Durability::Sync));
    let reserve = folder.join("reserve");
    assert_eq!(reserve.metadata().unwrap().len(), 16 << 20);
    // Most of the rest goes to a neighbour, so that it does not take long.
    fs::write(folder.join("neighbour"), vec![1; (TMPFS_BYTES - (16 << 20) - (6 << 20)) as usize])
        .unwrap();

    let acknowledged = commit_until_full(folder, &make);
    println!("{acknowledged} commits before the disk was full");
    assert!(acknowledged > 5);

    // Until there is room, a start says the same or works for reading; it never loses anything.
    match DataFolder::open(folder, &quick(Durability::Sync)) {
        Ok(data) => {
            assert_all(&data, acknowledged, &make);
        }
        Err(error) => assert_full(&error, &reserve),
    }
    fs::remove_file(&reserve).unwrap();
    let data = open(folder, Durability::Sync);
    assert!(!reserve.exists(), "it is not made again while there is little room");
    let next = assert_all(&data, acknowledged, &make);
    data.store.commit(&[make(next)]).unwrap();
}

/// Commits until the disk is full; how many were acknowledged.
fn commit_until_full(folder: &Path, make: &impl Fn(u64) -> Commit) -> u64 {
    let data = open(folder, Durability::Sync);
    let reserve = folder.join("reserve");
    for revision in 1.. {
        let Err(error) = data.store.commit(&[make(revision)]) else {
            continue;
        };
        assert_full(&error, &reserve);
        // Nothing goes on from here on that is not stored.
        let error = data.store.commit(&[make(revision)]).unwrap_err();
        assert!(matches!(error, Error::Stopped), "{error:?}");
        assert!(matches!(data.store.find("", 1), Err(Error::Stopped)));
        return revision - 1;
    }
    unreachable!("the disk is never full");
}

fn assert_full(error: &Error, reserve: &Path) {
    let Error::Full { hint, .. } = error else { panic!("{error:?}") };
    if reserve.exists() {
        assert!(hint.contains(&reserve.display().to_string()), "{hint}");
    }
}

/// All that was acknowledged is there, and at most the one commit more that was under way.
fn assert_all(data: &DataFolder, acknowledged: u64, make: &impl Fn(u64) -> Commit) -> u64 {
    let journal = data.store.journal(run(1), Revision(0), usize::MAX).unwrap();
    let stored = journal.len() as u64;
    assert!((acknowledged..=acknowledged + 1).contains(&stored), "{stored} of {acknowledged}");
    for (record, revision) in journal.into_iter().zip(1..) {
        assert_eq!(record, make(revision).record);
    }
    stored + 1
}
