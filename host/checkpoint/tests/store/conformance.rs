//! Both stores, through the same table of cases.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use wfhost_checkpoint::conformance::{CASES, Subject, check};
use wfhost_checkpoint::{Content, DataFolder, Durability, OpenOptions, Store, memory};

struct Memory {
    store: Arc<dyn Store>,
    content: Content,
}

impl Subject for Memory {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    fn content(&self) -> Content {
        self.content.clone()
    }

    fn reopen(&mut self) {}

    fn damage_snapshots(&mut self) -> bool {
        false
    }
}

struct OnDisk {
    folder: TempDir,
    durability: Durability,
    open: Option<DataFolder>,
}

impl OnDisk {
    fn new(durability: Durability) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut subject = Self { folder, durability, open: None };
        subject.reopen();
        subject
    }
}

fn open(path: &Path, durability: Durability) -> DataFolder {
    DataFolder::open(path, &OpenOptions { durability, ..OpenOptions::default() }).unwrap()
}

impl Subject for OnDisk {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.open.as_ref().unwrap().store)
    }

    fn content(&self) -> Content {
        self.open.as_ref().unwrap().content.clone()
    }

    fn reopen(&mut self) {
        self.open = None;
        self.open = Some(open(self.folder.path(), self.durability));
    }

    fn damage_snapshots(&mut self) -> bool {
        let folder = self.folder.path().join("snapshots");
        for file in fs::read_dir(folder).unwrap() {
            fs::write(file.unwrap().path(), "something else").unwrap();
        }
        true
    }
}

#[test]
fn the_store_in_memory_conforms() {
    for case in CASES {
        println!("{}", case.name);
        let content = Content::memory();
        check(case, &mut Memory { store: memory(content.clone()), content });
    }
}

#[test]
fn the_store_on_sled_conforms() {
    for case in CASES {
        println!("{}", case.name);
        check(case, &mut OnDisk::new(Durability::None));
    }
}

#[test]
fn the_store_on_sled_conforms_when_synced() {
    for case in CASES {
        println!("{}", case.name);
        check(case, &mut OnDisk::new(Durability::Sync));
    }
}

#[test]
fn a_run_leaves_one_snapshot_file() {
    use wfhost_checkpoint::Snapshot;
    use wfhost_checkpoint::conformance::{commit, run};
    let mut subject = OnDisk::new(Durability::Os);
    for revision in 1..=5 {
        let mut commit = commit(run(1), revision);
        let revision = commit.record.revision;
        commit.snapshot = Some(Snapshot { revision, bytes: vec![1; 9] });
        subject.store().commit(&[commit]).unwrap();
        // Also for a store that has to look the old one up.
        if revision.0 == 3 {
            subject.reopen();
        }
        let files = fs::read_dir(subject.folder.path().join("snapshots")).unwrap().count();
        assert_eq!(files, 1);
    }
    fs::write(subject.folder.path().join("snapshots/left-behind"), "x").unwrap();
    subject.reopen();
    let files = fs::read_dir(subject.folder.path().join("snapshots")).unwrap().count();
    assert_eq!(files, 1, "what a crash left behind is swept");
}
