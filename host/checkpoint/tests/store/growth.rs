//! How large a store gets for what is in it.

use std::path::Path;

use wfhost_checkpoint::conformance::{commit, run};
use wfhost_checkpoint::{DataFolder, Durability, OpenOptions};

use crate::support::{contents, open, quick};

fn db_bytes(folder: &Path) -> u64 {
    folder.join("store/db").metadata().unwrap().len()
}

/// Of 100 runs of 200 commits, each about 350 bytes with its share of keys and summary.
fn fill(data: &DataFolder) {
    for revision in 1..=200 {
        let commits: Vec<_> = (0..100).map(|n| commit(run(n), revision)).collect();
        data.store.commit(&commits).unwrap();
    }
}

#[test]
fn a_store_that_is_mostly_superseded_is_written_anew_when_it_is_opened() {
    let folder = crate::support::scratch();
    let data = open(folder.path(), Durability::None);
    fill(&data);
    for n in 10..100 {
        data.store.remove(run(n)).unwrap();
    }
    let expected = contents(&*data.store);
    drop(data);
    let before = db_bytes(folder.path());
    let options = OpenOptions { compact_bytes_min: 0, ..quick(Durability::Sync) };
    let data = DataFolder::open(folder.path(), &options).unwrap();
    assert_eq!(contents(&*data.store), expected);
    data.store.commit(&[commit(run(1), 201)]).unwrap();
    drop(data);
    let after = db_bytes(folder.path());
    println!("{before} bytes before, {after} after");
    assert!(after < before / 4);
    assert!(!folder.path().join("store.compact").exists());
    let data = open(folder.path(), Durability::None);
    assert_eq!(data.store.find("", 999).unwrap().len(), 10);
}

#[test]
fn a_store_grows_with_what_is_in_it() {
    let folder = crate::support::scratch();
    let data = open(folder.path(), Durability::None);
    fill(&data);
    drop(data);
    let live: u64 = 100 * 200 * 260;
    let bytes = db_bytes(folder.path());
    println!("{bytes} bytes for about {live}: {:.1} times", bytes as f64 / live as f64);
    assert!(bytes < 20 * live);
}
