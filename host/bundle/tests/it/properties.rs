use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use wfhost_bundle::{
    Bundle, BundleFile, BundlePath, FormatError, Signatures, Take, Tree, TreeEntry, write,
};

type Files = BTreeMap<String, Vec<u8>>;

/// No path is another one's folder, or differs from it in case only.
fn files() -> impl Strategy<Value = Files> {
    let content = prop_oneof![
        vec(any::<u8>(), 0..2_000),
        (any::<u8>(), 0..400_000_usize).prop_map(|(byte, length)| vec![byte; length]),
    ];
    btree_map("[a-z0-9]{1,8}(/[a-z0-9]{1,8}){0,2}\\.[a-z]{1,4}", content, 0..12)
}

fn packed(files: &[(&String, &Vec<u8>)]) -> Vec<u8> {
    packed_by(files, 7_919)
}

/// Contents are read a few bytes at a time, at most as many as `odd`.
fn packed_by(files: &[(&String, &Vec<u8>)], odd: usize) -> Vec<u8> {
    let entry = |(path, content): &(&String, &Vec<u8>)| {
        TreeEntry::of(BundlePath::new(path).unwrap(), content)
    };
    let tree = Tree::new(files.iter().map(entry)).unwrap();
    let open = |entry: &TreeEntry| {
        let (_, content) = files.iter().find(|(path, _)| *path == entry.path.as_str()).unwrap();
        Ok(Box::new(Trickle(content, odd)) as Box<dyn Read>)
    };
    write(&tree, &Signatures::none(), open, Cursor::new(Vec::new())).unwrap().into_inner()
}

/// Gives a few bytes at a time, as many as there are left at an odd number.
struct Trickle<'c>(&'c [u8], usize);

impl Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let most = into.len().min(1 + self.0.len() % self.1);
        self.0.read(&mut into[..most])
    }
}

#[derive(Default)]
struct Kept {
    files: Files,
    current: (String, Vec<u8>),
}

impl Take for Kept {
    type Error = FormatError;

    fn begin(&mut self, entry: &TreeEntry) -> Result<(), FormatError> {
        self.current = (entry.path.to_string(), Vec::new());
        Ok(())
    }

    fn part(&mut self, bytes: &[u8]) -> Result<(), FormatError> {
        self.current.1.extend_from_slice(bytes);
        Ok(())
    }

    fn end(&mut self) -> Result<(), FormatError> {
        let (path, content) = std::mem::take(&mut self.current);
        self.files.insert(path, content);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_packed_is_read(files in files()) {
        let all: Vec<_> = files.iter().collect();
        let bytes = packed(&all);
        let mut file = BundleFile::open(Cursor::new(&bytes)).unwrap();
        let mut kept = Kept::default();
        file.read_files(&mut kept).unwrap();
        prop_assert_eq!(kept.files, files);
        file.check_files().unwrap();
    }

    #[test]
    fn any_order_gives_the_same_bytes(
        (files, shuffled) in files().prop_flat_map(|files| {
            let paths: Vec<String> = files.keys().cloned().collect();
            (Just(files), Just(paths).prop_shuffle())
        })
    ) {
        let sorted: Vec<_> = files.iter().collect();
        let shuffled: Vec<_> = shuffled.iter().map(|path| (path, &files[path])).collect();
        prop_assert_eq!(packed(&sorted), packed(&shuffled));
    }

    #[test]
    fn any_way_of_reading_gives_the_same_bytes(files in files(), odd in 500..200_000_usize) {
        let all: Vec<_> = files.iter().collect();
        prop_assert_eq!(packed(&all), packed_by(&all, odd));
    }

    /// Bytes that begin as a bundle does, so that more than the first check is reached.
    #[test]
    fn random_bytes_are_refused(
        mut bytes in vec(any::<u8>(), 0..600),
        keep in 0..5_usize,
        tree_bytes in 0..200_u64,
        payload_bytes in 0..200_u64,
    ) {
        let start: [&[u8]; 5] = [b"", b"WFBUNDLE", b"WFBUNDLE\x01\0\0\0\0\0\0\0", b"", b""];
        if keep >= 3 && bytes.len() >= 64 {
            bytes[..16].copy_from_slice(b"WFBUNDLE\x01\0\0\0\0\0\0\0");
            bytes[16..24].copy_from_slice(&tree_bytes.to_le_bytes());
            bytes[24..32].copy_from_slice(&payload_bytes.to_le_bytes());
        } else {
            bytes.splice(0..0, start[keep].iter().copied());
        }
        prop_assert!(BundleFile::open(Cursor::new(&bytes)).is_err());
    }

    /// The payload is read only after the digest has held: so whatever is in it must be survived.
    #[test]
    fn random_payloads_are_refused(payload in vec(any::<u8>(), 0..2_000), frame in any::<bool>()) {
        let files: Files = [("a.b".to_owned(), b"content".to_vec())].into();
        let all: Vec<_> = files.iter().collect();
        let bytes = packed(&all);
        let tree = BundleFile::open(Cursor::new(&bytes)).unwrap().tree().text().len();
        let magic: &[u8] = if frame { &[0x28, 0xb5, 0x2f, 0xfd] } else { &[] };
        let payload = [magic, &payload].concat();
        let mut made = bytes[..64 + tree].to_vec();
        made[24..32].copy_from_slice(&(payload.len() as u64).to_le_bytes());
        made.extend_from_slice(&payload);
        made.extend_from_slice(b"wfhost-signatures 1\nend\n");
        let mut file = BundleFile::open(Cursor::new(&made)).unwrap();
        prop_assert!(matches!(file.check_files(), Err(FormatError::Payload(_))));
        prop_assert!(Bundle::read(&mut file).is_err());
    }

    #[test]
    fn random_manifests_and_lists_of_keys_do_no_harm(
        text in "(?s).{0,400}",
        bytes in vec(any::<u8>(), 0..300),
    ) {
        for text in [text, String::from_utf8_lossy(&bytes).into_owned()] {
            drop(wfhost_bundle::manifest::BundleManifest::parse(&text));
            drop(wfhost_bundle::manifest::PluginManifest::parse(&text));
            drop(wfhost_bundle::trust::Trust::parse(&text));
            drop(Tree::parse(&format!("wfhost-tree 1\n{text}")));
            drop(Signatures::parse(&format!("wfhost-signatures 1\n{text}")));
            drop(BundlePath::new(&text));
        }
    }
}
