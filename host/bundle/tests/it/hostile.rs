//! Files that nobody of good will makes: each is refused, none is believed.

use std::io::Cursor;

use wfhost_bundle::bounds::{FILES_MAX, TREE_BYTES_MAX};
use wfhost_bundle::{Bundle, BundleFile, ContentError, FormatError, SigningKey, TreeError};
use wfhost_workflow::Digest;

use crate::folder::{Folder, open};

const HEADER_BYTES: usize = 64;

/// A file of the format with any list of files and any payload, and the right digest.
fn made(tree: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(b"WFBUNDLE\x01\0\0\0\0\0\0\0");
    bytes.extend_from_slice(&(tree.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    bytes.extend_from_slice(Digest::of(tree.as_bytes()).as_bytes());
    bytes.extend_from_slice(tree.as_bytes());
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(b"wfhost-signatures 1\nend\n");
    bytes
}

fn listing(paths: &[&str]) -> String {
    let line = |path: &&str| format!("{} 0 {path}\n", Digest::of(b"").hex());
    format!("wfhost-tree 1\n{}", paths.iter().map(line).collect::<String>())
}

#[track_caller]
fn refused(bytes: &[u8]) -> String {
    let file = BundleFile::open(Cursor::new(bytes));
    let error = match file {
        Ok(mut file) => Bundle::read(&mut file).map(|_| ()).unwrap_err(),
        Err(error) => ContentError::Format(error),
    };
    crate::folder::chain(&error)
}

#[test]
fn what_is_made_by_hand_is_read_like_any_other() {
    let bytes = Folder::new().packed();
    let file = open(&bytes);
    let tree = file.tree().text().to_owned();
    let end = bytes.len() - "wfhost-signatures 1\nend\n".len();
    assert_eq!(made(&tree, &bytes[HEADER_BYTES + tree.len()..end]), bytes);
}

#[test]
fn paths_that_lead_elsewhere_are_refused() {
    let check = |paths: &[&str], words: &str| {
        let said = refused(&made(&listing(paths), b""));
        assert!(said.contains(words), "{paths:?}: {said}");
    };
    check(&["../x"], "`.` or `..`");
    check(&["a/../../x"], "`.` or `..`");
    check(&["/etc/passwd"], "absolute");
    check(&["C:\\x"], "absolute");
    check(&["a\\..\\x"], "'\\\\'");
    check(&["a\u{0}b"], "'\\0'");
    check(&["README", "readme"], "differ only in case");
    check(&["A/x", "a/y"], "differ only in case");
    // The same to the eye and to some systems: composed, decomposed, full-width.
    check(&["caf\u{e9}"], "only ASCII");
    check(&["cafe\u{301}"], "only ASCII");
    check(&["\u{ff41}"], "only ASCII");
    check(&["a", "a"], "twice");
    check(&["a", "a/b"], "a folder of others");
    check(&["b", "a"], "not as this version writes it");
}

#[test]
fn a_million_files_are_refused_before_they_are_read() {
    let line = format!("{} 0 f", "0".repeat(64));
    let mut tree = String::from("wfhost-tree 1\n");
    (0..1_000_000).for_each(|at| tree.push_str(&format!("{line}{at:07}\n")));
    assert!(tree.len() as u64 > TREE_BYTES_MAX);
    assert!(refused(&made(&tree, b"")).contains("more than 10000 files"));
    // As many as fit into the bytes of a list are too many as well.
    let some = tree.lines().take(FILES_MAX + 2).collect::<Vec<_>>().join("\n") + "\n";
    assert!((some.len() as u64) < TREE_BYTES_MAX);
    assert!(refused(&made(&some, b"")).contains("more than 10000 files"));
}

#[test]
fn what_is_cut_off_is_refused_at_every_length() {
    let key = SigningKey::generate("").unwrap();
    let mut file = Folder::new().packed();
    let mut signed = Vec::new();
    let mut signatures = open(&file).signatures().clone();
    signatures.sign(open(&file).digest(), &key).unwrap();
    open(&file).write_with(&signatures, &mut signed).unwrap();
    for bytes in [&mut file, &mut signed] {
        for tenth in 0..10 {
            refused(&bytes[..bytes.len() * tenth / 10]);
        }
        for length in 0..bytes.len() {
            refused(&bytes[..length]);
        }
        bytes.push(b'\n');
        refused(bytes);
    }
}

/// A frame can say the same in more than one way, and then the digest is the same.
#[test]
fn a_file_with_any_byte_changed_is_refused_or_holds_the_same() {
    let bytes = Folder::new().packed();
    let digest = open(&bytes).digest();
    let mut same = 0;
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x20;
        let Ok(mut file) = BundleFile::open(Cursor::new(&changed)) else { continue };
        if let Ok(bundle) = Bundle::read(&mut file) {
            assert_eq!(bundle.digest(), digest);
            same += 1;
        }
    }
    assert!(same * 100 < bytes.len(), "{same} of {} bytes do not count", bytes.len());
}

#[test]
fn a_digest_that_is_not_the_files_is_refused() {
    let folder = Folder::new();
    let bytes = folder.packed();
    let mut other = bytes.clone();
    other[HEADER_BYTES - 1] ^= 1;
    assert!(matches!(BundleFile::open(Cursor::new(&other)), Err(FormatError::Digest { .. })));
    // The list says one content, the payload holds another of the same length.
    let tree = open(&bytes).tree().text().to_owned();
    let lied = tree.replace(&Digest::of(b"\0asm text").hex(), &Digest::of(b"\0asm TEXT").hex());
    let end = bytes.len() - "wfhost-signatures 1\nend\n".len();
    let said = refused(&made(&lied, &bytes[HEADER_BYTES + tree.len()..end]));
    assert!(said.contains("content of `plugins/text/text.wasm` is not"), "{said}");
}

#[test]
fn sizes_are_bounded_before_anything_is_unpacked() {
    let entry = |size: &str, path: &str| format!("{} {size} {path}\n", "0".repeat(64));
    let check = |entries: &[String], words: &str| {
        let said = refused(&made(&format!("wfhost-tree 1\n{}", entries.concat()), b""));
        assert!(said.contains(words), "{said}");
    };
    check(&[entry("536870913", "a")], "`a` has more than");
    check(&[entry("18446744073709551615", "a")], "`a` has more than");
    check(&[entry("18446744073709551616", "a")], "not as this version");
    check(&[entry("-1", "a")], "not as this version");
    let many: Vec<_> = (0..9).map(|at| entry("536870912", &format!("f{at}"))).collect();
    check(&many, "together");
    // A header that promises more than there is.
    let mut bytes = Folder::new().packed();
    bytes[24..32].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(matches!(BundleFile::open(Cursor::new(&bytes)), Err(FormatError::Header)));
    bytes[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
    let refused = BundleFile::open(Cursor::new(&bytes));
    assert!(matches!(refused, Err(FormatError::Tree(TreeError::Files))));
}

/// A gigabyte that compresses to nothing, declared as a few bytes, and as what it is.
#[test]
fn a_bomb_is_refused() {
    let zeros = zstd_of_zeros(1 << 30);
    assert!(zeros.len() < 1 << 20);
    refused(&made(&listing(&["bundle.toml"]), &zeros));
    let tree = format!("wfhost-tree 1\n{} {} bundle.toml\n", "0".repeat(64), 1 << 29);
    refused(&made(&tree, &zeros));
}

/// A frame of blocks that repeat one byte, by RFC 8878: no compressor is needed to make it.
fn zstd_of_zeros(bytes: u64) -> Vec<u8> {
    const BLOCK: u64 = 128 << 10;
    // Magic; no checksum, no size; a window of 128 KiB (exponent 7).
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 7 << 3];
    let blocks = bytes / BLOCK;
    for at in 0..blocks {
        let header = u32::from(at + 1 == blocks) | 1 << 1 | (BLOCK as u32) << 3;
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}

#[test]
fn other_versions_and_other_files_are_told_apart() {
    let mut bytes = Folder::new().packed();
    assert!(matches!(BundleFile::open(Cursor::new(b"PK\x03\x04")), Err(FormatError::CutOff(_))));
    assert!(matches!(BundleFile::open(Cursor::new([b' '; 100])), Err(FormatError::NotABundle)));
    bytes[12] = 1;
    assert!(matches!(BundleFile::open(Cursor::new(&bytes)), Err(FormatError::Header)));
    bytes[8] = 2;
    let refused = BundleFile::open(Cursor::new(&bytes));
    assert!(matches!(refused, Err(FormatError::Version { found: 2 })));
}

/// What is in the folder as a whole bundle, whether or not its parts go together.
fn forced(folder: &Folder, paths: &[&str]) -> Vec<u8> {
    let entry = |path: &&str| {
        let content = std::fs::read(folder.file(path)).unwrap();
        wfhost_bundle::TreeEntry::of(wfhost_bundle::BundlePath::new(path).unwrap(), &content)
    };
    let tree = wfhost_bundle::Tree::new(paths.iter().map(entry)).unwrap();
    let open = |entry: &wfhost_bundle::TreeEntry| {
        let file = std::fs::File::open(folder.file(entry.path.as_str()))?;
        Ok(Box::new(file) as Box<dyn std::io::Read>)
    };
    let none = wfhost_bundle::Signatures::none();
    let out = wfhost_bundle::write(&tree, &none, open, Cursor::new(Vec::new())).unwrap();
    out.into_inner()
}

const LISTED: [&str; 7] = [
    "LICENSE",
    "bundle.toml",
    "plugins/count.plugin.toml",
    "plugins/count.wasm",
    "plugins/text/plugin.toml",
    "plugins/text/text.wasm",
    "workflows/brief.yaml",
];

#[test]
fn a_bundle_with_stowaways_is_refused() {
    let folder = Folder::new();
    assert_eq!(forced(&folder, &LISTED), folder.packed());
    let said = refused(&forced(&folder, &[&LISTED[..], &["notes.txt"]].concat()));
    assert!(said.contains("`notes.txt` is in it, and nothing names it"), "{said}");
}

#[test]
fn a_bundle_in_which_something_is_missing_or_there_twice_is_refused() {
    let check = |from: &str, to: &str, words: &str| {
        let folder = Folder::new();
        folder.edit("bundle.toml", from, to);
        let said = refused(&forced(&folder, &LISTED));
        assert!(said.contains(words), "{said}");
    };
    check("[\"LICENSE\"]", "[\"LICENSE\", \"LICENSE\"]", "`LICENSE` is named twice");
    check("[\"LICENSE\"]", "[\"LICENSE\", \"bundle.toml\"]", "`bundle.toml` is named twice");
    let twice = "[\"plugins/text\", \"plugins/text\", ";
    check("[\"plugins/text\", ", twice, "`plugins/text/plugin.toml` is named twice");
    let folder = Folder::new();
    for (at, path) in LISTED.into_iter().enumerate() {
        let others = [&LISTED[..at], &LISTED[at + 1..]].concat();
        let said = refused(&forced(&folder, &others));
        assert!(said.contains(&format!("`{path}` is missing")), "{said}");
    }
}
