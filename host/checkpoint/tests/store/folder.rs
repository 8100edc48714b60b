//! A data folder's outside: who may open it, and what is said to those who may not.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wfhost_checkpoint::conformance::{commit, run};
use wfhost_checkpoint::{DataFolder, Durability, Error};
use wfhost_workflow::Revision;

use crate::support::{again, child_of, files_of, open, quick, sample_folder};

#[test]
fn a_fresh_folder_is_private_and_has_what_it_needs() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("below/data");
    let data = open(&path, Durability::Sync);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    assert_eq!(mode(&path.join("content")), 0o700);
    assert_eq!(mode(&path.join("lock")), 0o600);
    assert_eq!(fs::read_to_string(path.join("format")).unwrap(), "1\n");
    let reserve = path.join("reserve").metadata().unwrap();
    assert_eq!(reserve.len(), 16 << 20);
    assert!(reserve.blocks() * 512 >= 16 << 20, "the reserve really takes its space");
    assert!(!path.join("store.opening").exists());
    assert!(data.store.find("", 1).unwrap().is_empty());
}

#[test]
fn a_second_holder_in_the_same_process_learns_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let data = open(folder.path(), Durability::Os);
    let error = DataFolder::open(folder.path(), &quick(Durability::Os)).unwrap_err();
    let hint = error.hint().unwrap();
    let Error::Held { path, pid, command } = error else { panic!("{error}") };
    assert_eq!((path.as_path(), pid), (folder.path(), std::process::id()));
    assert_eq!(command, "the test");
    assert!(hint.contains(&pid.to_string()), "{hint}");
    // The store alone keeps it held.
    let store = std::sync::Arc::clone(&data.store);
    drop(data);
    let error = DataFolder::open(folder.path(), &quick(Durability::Os)).unwrap_err();
    assert!(matches!(error, Error::Held { .. }), "{error}");
    drop(store);
    open(folder.path(), Durability::Os);
}

/// The child holds the folder until it is killed; the parent then finds all it acknowledged.
#[test]
fn a_killed_holder_frees_the_folder_and_loses_nothing() {
    if let Some(folder) = child_of() {
        let data = open(&folder, Durability::Os);
        for revision in 1..=50 {
            data.store.commit(&[commit(run(1), revision)]).unwrap();
        }
        println!("\nholding");
        std::io::stdout().flush().unwrap();
        // Until the parent kills this process.
        let _ignored = std::io::stdin().read(&mut [0]);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut child =
        again("folder::a_killed_holder_frees_the_folder_and_loses_nothing", folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map(Result::unwrap).any(|line| line == "holding"));
    let error = DataFolder::open(folder.path(), &quick(Durability::Os)).unwrap_err();
    let Error::Held { pid, .. } = error else { panic!("{error}") };
    assert_eq!(pid, child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    let data = open(folder.path(), Durability::Os);
    assert_eq!(data.store.journal(run(1), Revision(0), 99).unwrap().len(), 50);
}

#[test]
fn a_newer_format_is_refused_by_its_number() {
    let (folder, _) = sample_folder(Durability::None);
    let before = files_of(&folder.path().join("store"));
    fs::write(folder.path().join("format"), "2\n").unwrap();
    let error = DataFolder::open(folder.path(), &quick(Durability::None)).unwrap_err();
    assert!(error.hint().is_some());
    let Error::NewerFormat { found, supported, .. } = error else { panic!("{error}") };
    assert_eq!((found, supported), (2, 1));
    assert!(before == files_of(&folder.path().join("store")));
    fs::write(folder.path().join("format"), "what\n").unwrap();
    let error = DataFolder::open(folder.path(), &quick(Durability::None)).unwrap_err();
    let Error::Damaged { file, .. } = error else { panic!("{error}") };
    assert_eq!(file, folder.path().join("format"));
}

/// Root may write anywhere, so for root the folder is on a read-only mount.
#[test]
fn a_read_only_folder_is_named() {
    if let Some(folder) = child_of() {
        let mount = |args: &[&str]| {
            assert!(Command::new("mount").args(args).arg(&folder).status().unwrap().success());
        };
        mount(&["-t", "tmpfs", "none"]);
        drop(open(&folder, Durability::Sync));
        mount(&["-o", "remount,ro"]);
        assert_refused_as_read_only(&folder);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    if rustix::process::geteuid().is_root() {
        let itself = again("folder::a_read_only_folder_is_named", folder.path());
        assert!(in_own_mounts(&itself).status().unwrap().success());
    } else {
        drop(open(folder.path(), Durability::Sync));
        fs::set_permissions(folder.path().join("lock"), fs::Permissions::from_mode(0o400)).unwrap();
        assert_refused_as_read_only(folder.path());
    }
}

fn assert_refused_as_read_only(folder: &Path) {
    let error = DataFolder::open(folder, &quick(Durability::Sync)).unwrap_err();
    assert!(error.hint().is_some());
    let Error::ReadOnly { path, .. } = error else { panic!("{error:?}") };
    assert!(path.starts_with(folder));
}

/// The same command where its mounts are its own.
pub(crate) fn in_own_mounts(command: &Command) -> Command {
    let mut own = Command::new("unshare");
    own.arg("--mount").arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        own.env(key, value.unwrap());
    }
    own
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path: PathBuf = file.path().join("data");
    let error = DataFolder::open(&path, &quick(Durability::Sync)).unwrap_err();
    let Error::Io { path: named, .. } = error else { panic!("{error:?}") };
    assert_eq!(named, path);
}
