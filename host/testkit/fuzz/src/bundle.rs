//! Bundles of strangers: files, lists, signatures, manifests, lists of keys. Refused or read, the
//! same each time; what is read can be written again.

use std::io::{self, Cursor, Read};

use wfhost_bundle::manifest::{BundleManifest, PluginManifest};
use wfhost_bundle::trust::Trust;
use wfhost_bundle::{
    Bundle, BundleFile, BundlePath, PayloadError, Signatures, Take, Tree, TreeEntry,
};
use wfhost_workflow::Digest;

use crate::given::Given;

/// What `seeds` begin with: which of the readers an input is for.
pub const FILE: u8 = 0;
/// A list of files, a zero byte, a payload: the header with the right digest is added.
pub const TREE_AND_PAYLOAD: u8 = 1;
/// Signatures.
pub const SIGNATURES: u8 = 2;
/// `bundle.toml`.
pub const BUNDLE_TOML: u8 = 3;
/// `plugin.toml`.
pub const PLUGIN_TOML: u8 = 4;
/// A list of trusted keys.
pub const TRUST: u8 = 5;
/// Files to be written and read again.
pub const FILES: u8 = 6;

/// The first byte says what the others are.
pub(crate) fn run(bytes: &[u8]) {
    let mut given = Given::new(bytes);
    let kind = given.below(7) as u8;
    match kind {
        FILE => file(given.rest()),
        TREE_AND_PAYLOAD => file(&with_header(given.rest())),
        SIGNATURES => signatures(&String::from_utf8_lossy(given.rest())),
        BUNDLE_TOML => bundle_toml(&String::from_utf8_lossy(given.rest())),
        PLUGIN_TOML => plugin_toml(&String::from_utf8_lossy(given.rest())),
        TRUST => trust(&String::from_utf8_lossy(given.rest())),
        _ => files(&mut given),
    }
}

/// No fuzzer finds a digest.
fn with_header(bytes: &[u8]) -> Vec<u8> {
    let at = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (tree, payload) = bytes.split_at(at);
    let payload = payload.get(1..).unwrap_or_default();
    let mut file = b"WFBUNDLE\x01\0\0\0\0\0\0\0".to_vec();
    file.extend((tree.len() as u64).to_le_bytes());
    file.extend((payload.len() as u64).to_le_bytes());
    file.extend(Digest::of(tree).as_bytes());
    file.extend(tree);
    file.extend(payload);
    file.extend(b"wfhost-signatures 1\nend\n");
    file
}

fn file(bytes: &[u8]) {
    let Ok(mut file) = BundleFile::open(Cursor::new(bytes)) else { return };
    let tree = file.tree().clone();
    assert_eq!(Tree::parse(tree.text()).as_ref(), Ok(&tree), "a list is read as it is written");
    for entry in tree.entries() {
        let path = entry.path.as_str();
        let leaves = path.split('/').any(|part| matches!(part, "" | "." | ".."));
        assert!(!leaves && path.is_ascii() && path.len() <= 100, "{path:?} is taken");
    }
    let mut kept = Kept::default();
    let whole = file.read_files(&mut kept).is_ok();
    if whole {
        let all: Vec<Digest> = kept.files.iter().map(|content| Digest::of(content)).collect();
        let listed: Vec<Digest> = tree.entries().iter().map(|entry| entry.digest).collect();
        assert_eq!(all, listed, "what is handed on is what is listed");
    }
    let first = Bundle::read(&mut file).map(|bundle| bundle.manifest);
    let again = Bundle::read(&mut file).map(|bundle| bundle.manifest);
    match (first, again) {
        (Ok(first), Ok(again)) => assert!(whole && first == again, "read twice"),
        (Err(first), Err(again)) => assert_eq!(first.to_string(), again.to_string()),
        (first, again) => panic!("read twice: {first:?} {again:?}"),
    }
}

#[derive(Default)]
struct Kept {
    files: Vec<Vec<u8>>,
}

impl Take for Kept {
    type Error = PayloadError;

    fn begin(&mut self, _: &TreeEntry) -> Result<(), PayloadError> {
        self.files.push(Vec::new());
        Ok(())
    }

    fn part(&mut self, bytes: &[u8]) -> Result<(), PayloadError> {
        self.files.last_mut().expect("one has begun").extend(bytes);
        Ok(())
    }

    fn end(&mut self) -> Result<(), PayloadError> {
        Ok(())
    }
}

fn signatures(text: &str) {
    if let Ok(read) = Signatures::parse(text) {
        assert_eq!(read.to_string(), text, "there is one text for some signatures");
        let of_another = read.check(Digest::of(text.as_bytes()));
        assert!(read.is_empty() || of_another.is_err(), "nobody can have signed that");
    }
}

fn bundle_toml(text: &str) {
    same(text, |text| {
        BundleManifest::parse(text).map_err(|error| {
            let problem = error.problem(text);
            assert!(problem.at.line >= 1 && problem.at.column >= 1);
            error.to_string()
        })
    });
}

fn plugin_toml(text: &str) {
    same(text, |text| {
        PluginManifest::parse(text).map_err(|error| {
            let problem = error.problem(text);
            assert!(problem.at.line >= 1 && problem.at.column >= 1);
            error.to_string()
        })
    });
}

fn trust(text: &str) {
    same(text, |text| Trust::parse(text).map_err(|error| error.to_string()));
}

fn same<T: PartialEq + std::fmt::Debug>(text: &str, read: impl Fn(&str) -> Result<T, String>) {
    let (first, again) = (read(text), read(text));
    assert_eq!(first, again, "read twice");
    if let Err(said) = first {
        assert!(said.len() < 64 << 10, "a long message: {said}");
    }
}

/// What can be written is read as the same.
fn files(given: &mut Given<'_>) {
    let mut files: Vec<(BundlePath, Vec<u8>)> = Vec::new();
    for _ in 0..given.count(12) {
        let path = given.text(24);
        let size = given.below(200);
        let content = given.bytes(size).to_vec();
        if let Ok(path) = BundlePath::new(&path) {
            files.push((path, content));
        }
    }
    let entries = files.iter().map(|(path, content)| TreeEntry::of(path.clone(), content));
    let Ok(tree) = Tree::new(entries) else { return };
    let open = |entry: &TreeEntry| {
        let found = files.iter().find(|(path, _)| *path == entry.path);
        let content = found.map(|(_, content)| content.as_slice()).unwrap_or_default();
        Ok::<_, io::Error>(Box::new(content) as Box<dyn Read>)
    };
    let out = Cursor::new(Vec::new());
    let written = wfhost_bundle::write(&tree, &Signatures::none(), open, out);
    let bytes = written.expect("contents are as listed").into_inner();
    let mut file = BundleFile::open(Cursor::new(&bytes)).expect("what is written is read");
    assert_eq!(file.tree(), &tree);
    let mut kept = Kept::default();
    file.read_files(&mut kept).expect("what is written is read");
    for (entry, content) in tree.entries().iter().zip(&kept.files) {
        assert_eq!(Digest::of(content), entry.digest);
    }
}
