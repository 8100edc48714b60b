//! `plugin.toml` of strangers: refused or read, the same each time.

use std::path::Path;

use wfhost_plugin::Manifest;

pub(crate) fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let read = || Manifest::parse(Path::new("plugin.toml"), &text);
    match (read(), read()) {
        (Ok(first), Ok(again)) => {
            assert_eq!(format!("{first:?}"), format!("{again:?}"), "read twice");
            for dir in &first.dirs {
                let path = &dir.guest_path;
                let leaves = path.split('/').any(|part| part == "..");
                assert!(path.starts_with('/') && !leaves, "{path:?} is taken");
            }
        }
        (Err(first), Err(again)) => {
            assert_eq!(first.to_string(), again.to_string());
            assert!(first.to_string().len() < 16 << 10, "a long message: {first}");
        }
        (first, again) => panic!("read twice: {first:?} {again:?}"),
    }
}
