//! Contents: whole, verified, shared, and collected when nothing refers to them.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use wfhost_checkpoint::conformance::{commit_with, every_event, json_of, run};
use wfhost_checkpoint::{Collected, Content, Durability, Error};
use wfhost_workflow::Digest;
use wfhost_workflow::run::Event;

use crate::support::open;

const HOUR: Duration = Duration::from_secs(3600);

fn make_old(path: &Path) {
    let file = File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
}

fn files_below(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|entry| if entry.path().is_dir() { files_below(&entry.path()) } else { 1 }).sum()
}

#[test]
fn a_content_is_given_back_by_its_digest() {
    let folder = tempfile::tempdir().unwrap();
    for content in [
        Content::memory(),
        Content::open(folder.path().join("sync"), Durability::Sync).unwrap(),
        Content::open(folder.path().join("none"), Durability::None).unwrap(),
    ] {
        for bytes in [&b""[..], b"a", &[7; 100_000]] {
            let digest = content.put(bytes).unwrap();
            assert_eq!(digest, Digest::of(bytes));
            assert_eq!(content.get(&digest).unwrap(), bytes);
            assert_eq!(content.len(&digest).unwrap(), Some(bytes.len() as u64));
            assert!(content.contains(&digest).unwrap());
            if let Some(path) = content.path(&digest) {
                assert_eq!(fs::read(path).unwrap(), bytes);
            }
        }
        let unknown = Digest::of(b"unknown");
        assert!(!content.contains(&unknown).unwrap());
        let error = content.get(&unknown).unwrap_err();
        assert!(matches!(error, Error::NoContent(digest) if digest == unknown), "{error}");
    }
}

#[test]
fn equal_contents_are_one_file_and_a_broken_one_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let content = Content::open(folder.path(), Durability::Os).unwrap();
    let digest = content.put(b"the same").unwrap();
    content.put(b"the same").unwrap();
    assert_eq!(files_below(folder.path()), 1);
    let path = content.path(&digest).unwrap();
    fs::write(&path, b"the sam").unwrap();
    let error = content.get(&digest).unwrap_err();
    assert!(matches!(error, Error::Damaged { ref file, .. } if *file == path), "{error}");
    // A process that does not know it yet looks at what is there.
    let content = Content::open(folder.path(), Durability::Os).unwrap();
    content.put(b"the same").unwrap();
    assert_eq!(content.get(&digest).unwrap(), b"the same");
    assert_eq!(files_below(folder.path()), 1);
}

#[test]
fn collecting_keeps_what_is_referred_to_and_what_is_young() {
    let folder = tempfile::tempdir().unwrap();
    let content = Content::open(folder.path(), Durability::Os).unwrap();
    let [kept, young, old, renewed] =
        ["kept", "young", "old", "renewed"].map(|text| content.put(text.as_bytes()).unwrap());
    for digest in [kept, old, renewed] {
        make_old(&content.path(&digest).unwrap());
    }
    fs::write(folder.path().join("tmp/1-1"), b"of a crash").unwrap();
    make_old(&folder.path().join("tmp/1-1"));
    // Somebody is about to refer to it again.
    content.put(b"renewed").unwrap();
    let collected = content.collect(&HashSet::from([kept]), HOUR).unwrap();
    assert_eq!(collected, Collected { files: 2, bytes: 3 + 10 });
    for (digest, there) in [(kept, true), (young, true), (old, false), (renewed, true)] {
        assert_eq!(content.contains(&digest).unwrap(), there);
    }
    // What was collected can be put again, also by a process that had put it before.
    content.put(b"old").unwrap();
    assert_eq!(content.get(&old).unwrap(), b"old");
}

#[test]
fn what_a_stored_run_refers_to_is_kept_until_the_run_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let data = open(folder.path(), Durability::None);
    // What the sample's run names: its definition, its two plugins.
    let named = ["definition", "text", "report"].map(|text| data.content.put(text.as_bytes()));
    let stray = data.content.put(b"stray").unwrap();
    let asked = data.content.put(b"asked for").unwrap();
    let mut events = every_event();
    events.push(Event::Succeeded { output: json_of(5000, 1) });
    data.store.commit(&[commit_with(run(1), 1, events)]).unwrap();
    let large = Digest::of(json_of(5000, 1).as_str().as_bytes());
    let mut kept: Vec<_> = named.into_iter().map(Result::unwrap).collect();
    kept.extend([large, asked]);
    let age = |digest| make_old(&data.content.path(digest).unwrap());
    kept.iter().for_each(age);
    age(&stray);
    let collected = data.collect_contents([asked], HOUR).unwrap();
    assert_eq!(collected.files, 1);
    assert!(kept.iter().all(|digest| data.content.contains(digest).unwrap()));
    assert!(!data.content.contains(&stray).unwrap());
    data.store.remove(run(1)).unwrap();
    kept.iter().for_each(age);
    assert_eq!(data.collect_contents([], HOUR).unwrap().files, kept.len() as u64);
}
