//! The cache as its users see it: what is altered, foreign or stale is never given out.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wasmtime::{Config, Engine};
use wfhost_workflow::Digest;

use super::folder::{LOCKS, NATIVE, TMP};
use super::record::Why;
use super::{Cache, CacheError, CacheOptions, EngineId, Found, Kind, NativeId};

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn options(&self) -> CacheOptions {
        CacheOptions::new(self.folder.path().join("cache"))
    }

    fn cache(&self) -> Cache {
        Cache::open(&self.options()).unwrap()
    }

    fn sized(&self, size_bytes: u64) -> Cache {
        Cache::open(&CacheOptions { size_bytes, ..self.options() }).unwrap()
    }
}

fn id(content: &[u8]) -> NativeId {
    let engine = EngineId::of(&Engine::default());
    NativeId { digest: Digest::of(content), shape: "m1".to_owned(), engine }
}

fn entry(cache: &Cache, id: &NativeId) -> PathBuf {
    cache.part(NATIVE).join(id.name())
}

#[track_caller]
fn refused(cache: &Cache, id: &NativeId) -> Why {
    match cache.native(id) {
        Found::Refused(why) => why,
        other => panic!("{other:?}"),
    }
}

fn is_hit(cache: &Cache, id: &NativeId) -> bool {
    matches!(cache.native(id), Found::Hit(_))
}

/// Changes a file in place, as somebody would who may.
fn alter(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn what_was_kept_is_found_and_nothing_else() {
    let place = Place::new();
    let cache = place.cache();
    assert!(matches!(cache.native(&id(b"a")), Found::Miss));
    cache.keep_native(&id(b"a"), b"native code of a").unwrap();
    let Found::Hit(native) = place.cache().native(&id(b"a")) else { panic!("it is there") };
    assert_eq!(fs::read(native.path()).unwrap(), b"native code of a");
    assert!(matches!(cache.native(&id(b"b")), Found::Miss));
    let other_shape = NativeId { shape: "m1s".to_owned(), ..id(b"a") };
    assert!(matches!(cache.native(&other_shape), Found::Miss));
    assert_eq!(fs::read_dir(cache.part(TMP)).unwrap().count(), 0, "no draft is left");
}

#[test]
fn no_byte_of_an_entry_can_be_altered() {
    let place = Place::new();
    let cache = place.cache();
    let id = id(b"a");
    for file in ["artifact", "header"] {
        cache.keep_native(&id, b"native code").unwrap();
        let path = entry(&cache, &id).join(file);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            alter(&path, |bytes| bytes[at] ^= 0x20);
            assert!(!is_hit(&cache, &id), "{file}: byte {at}");
            alter(&path, |bytes| bytes.truncate(at));
            assert!(!is_hit(&cache, &id), "{file}: cut at {at}");
            fs::write(&path, &whole).unwrap();
        }
        alter(&path, |bytes| bytes.push(0));
        assert!(!is_hit(&cache, &id), "{file}: a byte more");
    }
    cache.keep_native(&id, b"native code").unwrap();
    assert!(is_hit(&cache, &id), "made anew, it is used again");
    fs::remove_file(entry(&cache, &id).join("artifact")).unwrap();
    assert!(matches!(cache.native(&id), Found::Miss), "half of an entry is none");
}

#[test]
fn an_entry_is_of_one_component_only() {
    let place = Place::new();
    let cache = place.cache();
    cache.keep_native(&id(b"a"), b"of a").unwrap();
    cache.keep_native(&id(b"b"), b"of b").unwrap();
    fs::remove_dir_all(entry(&cache, &id(b"b"))).unwrap();
    fs::rename(entry(&cache, &id(b"a")), entry(&cache, &id(b"b"))).unwrap();
    assert_eq!(refused(&cache, &id(b"b")), Why::Altered);
    // Each part with the other's: a right artifact under a right header.
    cache.keep_native(&id(b"a"), b"of a").unwrap();
    cache.keep_native(&id(b"b"), b"of b").unwrap();
    let (a, b) = (entry(&cache, &id(b"a")), entry(&cache, &id(b"b")));
    fs::rename(a.join("artifact"), b.join("artifact")).unwrap();
    assert_eq!(refused(&cache, &id(b"b")), Why::Altered);
}

#[test]
fn what_another_installation_made_is_not_used() {
    let (ours, theirs) = (Place::new(), Place::new());
    let cache = ours.cache();
    theirs.cache().keep_native(&id(b"a"), b"theirs").unwrap();
    theirs.cache().keep_record(Kind::Facts, "a", "1", b"theirs").unwrap();
    fs::rename(entry(&theirs.cache(), &id(b"a")), entry(&cache, &id(b"a"))).unwrap();
    let record = |cache: &Cache| cache.part("facts").join("a");
    fs::rename(record(&theirs.cache()), record(&cache)).unwrap();
    assert_eq!(refused(&cache, &id(b"a")), Why::Foreign);
    assert!(matches!(cache.record(Kind::Facts, "a", "1"), Found::Refused(Why::Foreign)));
}

#[test]
fn what_another_version_made_is_named() {
    let place = Place::new();
    let cache = place.cache();
    let other = Engine::new(Config::new().epoch_interruption(true)).unwrap();
    let stale = NativeId { engine: EngineId::of(&other), ..id(b"a") };
    cache.keep_native(&stale, b"of another engine").unwrap();
    let why = refused(&cache, &id(b"a"));
    assert!(matches!(&why, Why::Stale(by) if by.starts_with("engine ")), "{why}");
    cache.keep_native(&id(b"a"), b"of this one").unwrap();
    assert!(is_hit(&cache, &id(b"a")) && is_hit(&cache, &stale), "each has its own");

    alter(&entry(&cache, &id(b"a")).join("header"), |bytes| {
        let text = String::from_utf8(std::mem::take(bytes)).unwrap();
        *bytes = text.replacen("\"format\":1", "\"format\":0", 1).into_bytes();
    });
    assert_eq!(refused(&cache, &id(b"a")), Why::Stale("format 0".to_owned()));
    cache.keep_record(Kind::Contracts, "a", "0.0.9", b"old").unwrap();
    let found = cache.record(Kind::Contracts, "a", "0.1.0");
    assert!(matches!(found, Found::Refused(Why::Stale(by)) if by == "0.0.9"));
}

/// When an entry counts as used.
fn set_used(cache: &Cache, id: &NativeId, seconds: u64) {
    let time = UNIX_EPOCH + Duration::from_secs(seconds);
    for file in ["artifact", "header"] {
        let file = File::open(entry(cache, id).join(file)).unwrap();
        file.set_modified(time).unwrap();
    }
}

#[test]
fn what_was_used_longest_ago_goes_first() {
    let place = Place::new();
    let cache = place.sized(3 * 1000 + 3 * 400);
    let [a, b, c, d] = [b"a", b"b", b"c", b"d"].map(|name| id(name));
    for (id, seconds) in [(&a, 1), (&b, 2), (&c, 3)] {
        cache.keep_native(id, &[7; 1000]).unwrap();
        set_used(&cache, id, seconds);
    }
    assert!(is_hit(&cache, &a), "this counts as a use");
    let held = match cache.native(&b) {
        Found::Hit(native) => native,
        other => panic!("{other:?}"),
    };
    set_used(&cache, &b, 2);
    cache.keep_native(&d, &[7; 1000]).unwrap();
    let there: Vec<bool> = [&a, &b, &c, &d].map(|id| is_hit(&cache, id)).to_vec();
    assert_eq!(there, [true, false, true, true]);
    assert_eq!(fs::read(held.path()).unwrap().len(), 1000, "whoever uses it keeps it");
    let total: u64 = cache.list().unwrap().iter().map(|entry| entry.bytes).sum();
    assert!(total <= 3 * 1000 + 3 * 400, "{total}");
}

#[test]
fn the_list_has_a_line_for_each_component_and_engine() {
    let place = Place::new();
    let cache = place.cache();
    assert_eq!(place.options().list().unwrap(), []);
    cache.keep_native(&id(b"a"), &[7; 1000]).unwrap();
    cache.keep_record(Kind::Facts, &Digest::of(b"a").hex(), "1", &[7; 100]).unwrap();
    cache.keep_record(Kind::Facts, &Digest::of(b"b").hex(), "1", &[7; 100]).unwrap();
    fs::write(cache.part("facts").join("no digest"), "").unwrap();
    set_used(&cache, &id(b"a"), 5);
    let listed = cache.list().unwrap();
    assert_eq!(listed.len(), 2);
    let of_a = listed.iter().find(|entry| entry.digest == Digest::of(b"a")).unwrap();
    assert!(of_a.bytes > 1100 && of_a.engine.as_ref().is_some_and(|name| name.starts_with("m1-")));
    let of_b = listed.iter().find(|entry| entry.digest == Digest::of(b"b")).unwrap();
    assert!((101..1000).contains(&of_b.bytes) && of_b.engine.is_none());
}

#[test]
fn clearing_removes_all_or_one() {
    let place = Place::new();
    assert_eq!(place.options().clear("").unwrap(), super::Cleared::default());
    assert!(!place.options().folder.exists(), "it makes no cache");
    let cache = place.cache();
    for name in [b"a", b"b", b"c"] {
        cache.keep_native(&id(name), &[7; 1000]).unwrap();
        cache.keep_record(Kind::Facts, &Digest::of(name).hex(), "1", b"facts").unwrap();
    }
    let cleared = place.options().clear(&Digest::of(b"b").hex()[..10]).unwrap();
    assert!(cleared.components == 1 && cleared.bytes > 1000, "{cleared:?}");
    assert!(is_hit(&cache, &id(b"a")) && !is_hit(&cache, &id(b"b")));
    assert_eq!(place.options().clear("").unwrap().components, 2);
    assert_eq!(place.options().list().unwrap(), []);
    assert_eq!(place.cache().key.id(), cache.key.id(), "the key stays");
}

#[test]
fn one_at_a_time_compiles_and_the_others_wait() {
    let place = Place::new();
    let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let turn = place.cache().turn(&id(b"a"), Duration::from_secs(60)).unwrap();
                most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::yield_now();
                inside.fetch_sub(1, Ordering::SeqCst);
                drop(turn);
            });
        }
    });
    assert_eq!(most.into_inner(), 1);
    let cache = place.cache();
    assert_eq!(fs::read_dir(cache.part(LOCKS)).unwrap().count(), 0, "no lock is left");
    let held = cache.turn(&id(b"a"), Duration::ZERO).unwrap();
    assert!(cache.turn(&id(b"b"), Duration::ZERO).is_some(), "another component's is free");
    assert!(cache.turn(&id(b"a"), Duration::from_millis(1)).is_none(), "waiting has an end");
    drop(held);
    assert!(cache.turn(&id(b"a"), Duration::ZERO).is_some());
}

#[test]
fn a_lock_that_a_crash_left_is_taken() {
    let place = Place::new();
    let cache = place.cache();
    fs::write(cache.part(LOCKS).join(id(b"a").name()), "").unwrap();
    assert!(cache.turn(&id(b"a"), Duration::ZERO).is_some());
}

#[test]
fn a_folder_that_cannot_be_written_is_said() {
    let place = Place::new();
    let cache = place.cache();
    cache.keep_native(&id(b"a"), b"native").unwrap();
    // Root may write where its mode forbids it; nobody can write below a file.
    fs::remove_dir_all(cache.part(TMP)).unwrap();
    fs::write(cache.part(TMP), "").unwrap();
    let error = cache.keep_native(&id(b"b"), b"native").unwrap_err();
    assert!(matches!(error, CacheError::Io { what: "write", .. }), "{error}");
    assert!(is_hit(&cache, &id(b"a")), "what is there is used");
}

#[test]
fn a_use_counts_from_now() {
    let place = Place::new();
    let cache = place.cache();
    cache.keep_native(&id(b"a"), b"native").unwrap();
    set_used(&cache, &id(b"a"), 1);
    assert!(is_hit(&cache, &id(b"a")));
    let header = fs::metadata(entry(&cache, &id(b"a")).join("header")).unwrap();
    let day = Duration::from_hours(24);
    assert!(header.modified().unwrap() > UNIX_EPOCH + day, "{header:?}");
    assert!(header.modified().unwrap() < SystemTime::UNIX_EPOCH + 365 * 1000 * day);
}
