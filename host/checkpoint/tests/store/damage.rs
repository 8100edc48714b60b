//! A damaged store: always noticed and named, never shown as something else, never written to.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Contents, contents, copy_folder, files_of, open, quick, sample_folder};
use wfhost_checkpoint::conformance::{commit, run};
use wfhost_checkpoint::{DataFolder, Durability, Error};

/// What opening a store that someone has changed has led to.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// All that was stored reads back.
    Whole,
    /// Named.
    Refused,
}

/// Opens `folder`, which must give what it had or say what is wrong with which file.
fn outcome(folder: &Path, expected: &Contents, what: &str) -> Outcome {
    let before = files_of(&folder.join("store"));
    match DataFolder::open(folder, &quick(Durability::Sync)) {
        Ok(open) => {
            assert_eq!(contents(&*open.store), *expected, "{what}: silently different");
            Outcome::Whole
        }
        Err(Error::Damaged { file, what: why, hint }) => {
            assert!(file.starts_with(folder), "{what}: {}", file.display());
            assert!(!why.is_empty() && !hint.is_empty(), "{what}");
            let after = files_of(&folder.join("store"));
            assert!(before == after, "{what}: the damaged store was changed");
            Outcome::Refused
        }
        Err(other) => panic!("{what}: {other:?}"),
    }
}

/// Counts outcomes over changes of a fresh copy of the sample.
struct Counts {
    whole: u32,
    refused: u32,
}

fn try_all<C>(
    changes: impl IntoIterator<Item = C>,
    change: impl Fn(&Path, &C) -> String,
) -> Counts {
    let (sample, expected) = sample_folder(Durability::Sync);
    let mut counts = Counts { whole: 0, refused: 0 };
    for one in changes {
        let copy = crate::support::scratch();
        copy_folder(sample.path(), copy.path());
        let what = change(copy.path(), &one);
        match outcome(copy.path(), &expected, &what) {
            Outcome::Whole => counts.whole += 1,
            Outcome::Refused => counts.refused += 1,
        }
    }
    counts
}

fn db(folder: &Path) -> PathBuf {
    folder.join("store/db")
}

#[test]
fn a_store_cut_short_anywhere_is_refused() {
    let counts = try_all(0..20_u64, |folder, n| {
        let file = fs::OpenOptions::new().write(true).open(db(folder)).unwrap();
        let len = file.metadata().unwrap().len();
        // Evenly over the file, the last byte and nothing at all included.
        let cut = if *n == 19 { len - 1 } else { len / 19 * n };
        file.set_len(cut).unwrap();
        format!("cut to {cut} of {len}")
    });
    println!("cut at 20 places: {} refused, {} whole", counts.refused, counts.whole);
    // Behind the last live record a file may hold nothing but what is superseded.
    assert!(counts.refused >= 12);
}

#[test]
fn a_flipped_bit_anywhere_is_refused_or_harmless() {
    let mut random = fastrand::Rng::with_seed(7);
    let places: Vec<(f64, u8)> = (0..200).map(|_| (random.f64(), random.u8(0..8))).collect();
    let counts = try_all(places, |folder, (place, bit)| {
        let mut bytes = fs::read(db(folder)).unwrap();
        let at = (place * bytes.len() as f64) as usize;
        bytes[at] ^= 1 << bit;
        fs::write(db(folder), &bytes).unwrap();
        format!("bit {bit} of byte {at} flipped")
    });
    println!("200 flipped bits: {} refused, {} harmless", counts.refused, counts.whole);
    assert!(counts.refused >= 20, "flips in live records are noticed");
}

#[test]
fn zeroed_and_garbled_blocks_are_refused_or_harmless() {
    let mut random = fastrand::Rng::with_seed(11);
    let places: Vec<(f64, bool)> = (0..40).map(|n| (random.f64(), n % 2 == 0)).collect();
    let counts = try_all(places, |folder, (place, zero)| {
        let mut bytes = fs::read(db(folder)).unwrap();
        let at = (place * bytes.len() as f64) as usize / 512 * 512;
        let end = (at + 4096).min(bytes.len());
        bytes[at..end].fill(if *zero { 0 } else { 0xa5 });
        fs::write(db(folder), &bytes).unwrap();
        format!("4096 bytes at {at} overwritten")
    });
    println!("40 lost blocks: {} refused, {} harmless", counts.refused, counts.whole);
    assert!(counts.refused >= 10);
}

#[test]
fn a_store_without_one_of_its_files_is_refused_or_whole() {
    for name in ["store/db", "store/conf", "mark", "store"] {
        let counts = try_all([()], |folder, ()| {
            let path = folder.join(name);
            if path.is_dir() {
                fs::remove_dir_all(path).unwrap();
            } else {
                fs::remove_file(path).unwrap();
            }
            format!("without {name}")
        });
        println!("without {name}: refused {}", counts.refused);
        if name != "store/conf" {
            assert_eq!(counts.refused, 1, "without {name}");
        }
    }
}

#[test]
fn flipped_bits_in_the_small_files_are_refused_or_harmless() {
    for prefix in ["mark", "store/conf", "store/snap."] {
        let counts = try_all(0..24_usize, |folder, n| {
            let (path, mut bytes) = files_of(folder)
                .into_iter()
                .chain(
                    files_of(&folder.join("store"))
                        .into_iter()
                        .map(|(name, bytes)| (format!("store/{name}"), bytes)),
                )
                .find(|(name, _)| name.starts_with(prefix))
                .unwrap();
            let at = bytes.len() * n / 24;
            bytes[at] ^= 1 << (n % 8);
            fs::write(folder.join(&path), &bytes).unwrap();
            format!("bit of byte {at} of {path} flipped")
        });
        println!("{prefix}: {} refused, {} harmless", counts.refused, counts.whole);
    }
}

/// sled writes one when it opens, and a crash then leaves it behind.
#[test]
fn half_a_snapshot_of_sled_is_no_damage() {
    let counts = try_all([0, 5, 100], |folder, len| {
        let path = folder.join("store/snap.00FFFFFFFFFFFFFF.generating");
        fs::write(path, vec![3; *len]).unwrap();
        format!("half a snapshot of {len} bytes")
    });
    assert_eq!((counts.whole, counts.refused), (3, 0));
}

/// An older state of the store is whole in itself: only the mark can tell.
#[test]
fn a_store_that_was_put_back_to_an_earlier_state_is_refused() {
    let (sample, _) = sample_folder(Durability::Sync);
    let earlier = crate::support::scratch();
    copy_folder(&sample.path().join("store"), earlier.path());
    open(sample.path(), Durability::Sync).store.commit(&[commit(run(900), 1)]).unwrap();
    fs::remove_dir_all(sample.path().join("store")).unwrap();
    copy_folder(earlier.path(), &sample.path().join("store"));
    let error = DataFolder::open(sample.path(), &quick(Durability::Sync)).unwrap_err();
    let Error::Damaged { file, what, .. } = error else { panic!("{error}") };
    assert_eq!(file, db(sample.path()));
    assert!(what.contains("was acknowledged"), "{what}");
}

#[test]
fn a_large_value_that_changed_or_is_missing_is_named() {
    let (sample, _) = sample_folder(Durability::Sync);
    let open = open(sample.path(), Durability::Sync);
    let digest = crate::support::large_value();
    let path = open.content.path(&digest).unwrap();
    let with_large = run(crate::support::RUN_WITH_LARGE_VALUE);
    assert!(open.store.load(with_large).unwrap().is_some());
    let mut bytes = fs::read(&path).unwrap();
    bytes[17] ^= 4;
    fs::write(&path, &bytes).unwrap();
    for _ in 0..2 {
        let error = open.store.load(with_large).unwrap_err();
        let Error::Damaged { file, .. } = error else { panic!("{error}") };
        assert_eq!(file, path);
        // Once changed, once missing.
        let _ignored = fs::remove_file(&path);
    }
    assert!(open.store.load(run(1)).unwrap().is_some(), "other runs are readable");
}
