//! A folder with something in it, and how to look at it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use wfhost_checkpoint::conformance::{commit, commit_with, every_event, json_of, run};
use wfhost_checkpoint::{DataFolder, Durability, OpenOptions, Store};
use wfhost_workflow::run::{Event, Record, RunSummary};
use wfhost_workflow::{Digest, Revision, RunId};

/// Everything that a store has.
pub(crate) type Contents = BTreeMap<RunId, (RunSummary, Vec<Record>)>;

/// The run of the sample that refers to a content.
pub(crate) const RUN_WITH_LARGE_VALUE: u64 = 77;

/// The content that it refers to.
pub(crate) fn large_value() -> Digest {
    Digest::of(json_of(10_000, 3).as_str().as_bytes())
}

/// A folder in memory where there is such a place: sled syncs whenever it opens, and a busy disk
/// makes that slow.
pub(crate) fn scratch() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Options that give up on a hanging sled soon.
pub(crate) fn quick(durability: Durability) -> OpenOptions {
    OpenOptions {
        durability,
        command: "the test".to_owned(),
        open_max: Duration::from_secs(20),
        ..OpenOptions::default()
    }
}

pub(crate) fn open(path: &Path, durability: Durability) -> DataFolder {
    DataFolder::open(path, &quick(durability)).unwrap()
}

pub(crate) fn contents(store: &dyn Store) -> Contents {
    store
        .summaries(None, usize::MAX)
        .unwrap()
        .into_iter()
        .map(|summary| {
            let stored = store.load(summary.run).unwrap().unwrap();
            assert_eq!(stored.summary, summary);
            let journal = store.journal(summary.run, Revision(0), usize::MAX).unwrap();
            (summary.run, (summary, journal))
        })
        .collect()
}

/// A closed data folder of some 60 runs over several segments, and what it holds.
pub(crate) fn sample_folder(durability: Durability) -> (TempDir, Contents) {
    let folder = scratch();
    let data = open(folder.path(), durability);
    for revision in 1..=30 {
        for runs in [1..=20, 21..=40, 41..=60] {
            let commits: Vec<_> = runs.map(|n| commit(run(n), revision)).collect();
            data.store.commit(&commits).unwrap();
        }
    }
    data.store.commit(&[commit_with(run(76), 1, every_event())]).unwrap();
    let large = vec![Event::Succeeded { output: json_of(10_000, 3) }];
    data.store.commit(&[commit_with(run(RUN_WITH_LARGE_VALUE), 1, large)]).unwrap();
    data.store.remove(run(13)).unwrap();
    drop(data);
    // Opened again, so that sled has a snapshot of its own.
    let data = open(folder.path(), durability);
    data.store.commit(&[commit(run(78), 1)]).unwrap();
    let held = contents(&*data.store);
    (folder, held)
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else if entry.file_name() != "reserve" {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The files below `folder`, with their bytes.
pub(crate) fn files_of(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return files;
    };
    for entry in entries {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            let name = entry.file_name().into_string().unwrap();
            files.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    files
}

const CHILD: &str = "WFHOST_CHECKPOINT_TEST_FOLDER";

/// The folder that the parent has passed, in a test that runs itself again as a child.
pub(crate) fn child_of() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

/// The command that runs `test` again as a child, with `folder`.
pub(crate) fn again(test: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(CHILD, folder);
    command
}
