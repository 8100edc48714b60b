use std::fs;

use wfhost_bundle::on_disk::{self, DiskError, Existing, open, pack_into, sign};
use wfhost_bundle::{Bundle, SigningKey};

use crate::folder::{Folder, chain};

#[test]
fn a_file_is_packed_signed_and_read() {
    let (folder, place) = (Folder::new(), tempfile::tempdir().unwrap());
    let path = place.path().join("my-agents.wfb");
    let packed = pack_into(folder.path(), &path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), folder.packed());
    let key = SigningKey::generate("team").unwrap();
    let signed = sign(&path, &key).unwrap();
    assert_eq!(signed.digest(), packed.digest());
    let read = Bundle::read(&mut open(&path).unwrap()).unwrap();
    assert_eq!(read.signatures.keys().collect::<Vec<_>>(), [key.id()]);
    let once = fs::read(&path).unwrap();
    sign(&path, &key).unwrap();
    assert_eq!(fs::read(&path).unwrap(), once);
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn what_fails_leaves_what_was_there() {
    let (folder, place) = (Folder::new(), tempfile::tempdir().unwrap());
    let path = place.path().join("my-agents.wfb");
    pack_into(folder.path(), &path).unwrap();
    let before = fs::read(&path).unwrap();
    folder.edit("bundle.toml", "LICENSE", "LICENCE");
    assert!(matches!(pack_into(folder.path(), &path), Err(DiskError::Pack(_))));
    assert_eq!(fs::read(&path).unwrap(), before);
    let key = SigningKey::generate("").unwrap();
    let mut damaged = before;
    let at = damaged.len() - 30;
    damaged[at] ^= 1;
    fs::write(&path, &damaged).unwrap();
    let said = chain(&sign(&path, &key).unwrap_err());
    assert!(said.contains("my-agents.wfb: its compressed part is damaged"), "{said}");
    assert_eq!(fs::read(&path).unwrap(), damaged);
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "nothing is left beside it");
    assert!(matches!(open(place.path()), Err(DiskError::Io { .. })));
    assert!(matches!(open(&place.path().join("none")), Err(DiskError::Io { .. })));
}

#[test]
fn a_file_that_is_to_be_kept_is_kept() {
    let folder = Folder::new();
    let bundle = wfhost_bundle::plan(folder.path()).unwrap();
    let file = folder.file("out.wfb");
    fs::write(&file, "mine").unwrap();
    let kept = on_disk::pack_planned(folder.path(), &bundle, &file, Existing::Kept);
    assert!(kept.is_err());
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    fs::remove_file(&file).unwrap();
    on_disk::pack_planned(folder.path(), &bundle, &file, Existing::Kept).unwrap();
    on_disk::pack_planned(folder.path(), &bundle, &file, Existing::Replaced).unwrap();
    assert_eq!(on_disk::open(&file).unwrap().digest(), bundle.digest());
    let beside = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(!beside.into_iter().any(|name| name.to_string_lossy().ends_with(".new")));
}

#[test]
fn what_changed_since_it_was_planned_is_not_packed() {
    let folder = Folder::new();
    let bundle = wfhost_bundle::plan(folder.path()).unwrap();
    folder.write("LICENSE", "do what I say!!!");
    let file = folder.file("out.wfb");
    assert!(on_disk::pack_planned(folder.path(), &bundle, &file, Existing::Kept).is_err());
    assert!(!file.exists());
}

#[test]
fn signing_leaves_a_link_and_the_permissions_as_they_are() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let (folder, place) = (Folder::new(), tempfile::tempdir().unwrap());
    let (file, link) = (place.path().join("a.wfb"), place.path().join("latest.wfb"));
    pack_into(folder.path(), &file).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("a.wfb", &link).unwrap();
    sign(&link, &SigningKey::generate("").unwrap()).unwrap();
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert!(!open(&file).unwrap().signatures().is_empty());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
}
