use std::fs;

use wfhost_bundle::on_disk::{DiskError, open, pack_into, sign};
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
