//! Steps of bundles: what a worker runs, and what it refuses, by its own look at who signed.

use std::fs;
use std::path::PathBuf;

use wfhost_bundle::trust::{TrustFile, TrustPolicy, Unsigned};
use wfhost_bundle::{BundlePath, KeyId, Signatures, SigningKey, Tree, TreeEntry};
use wfhost_transport::message::{BundleOrigin, UNTRUSTED};
use wfhost_worker::Trusting;
use wfhost_workflow::{AttemptId, Digest, Failure, FailureKind};

use crate::harness::{Setting, World, succeeded};

const COMPONENT: &[u8] = b"a component";

/// A bundle as a coordinator has it.
struct Bundle {
    tree: String,
    manifest: String,
    signatures: Signatures,
}

impl Bundle {
    fn new(name: &str) -> Self {
        let manifest =
            format!("name = \"{name}\"\nversion = \"1.0.0\"\nworkflows = [\"w.yaml\"]\n");
        let file =
            |path: &str, content: &[u8]| TreeEntry::of(BundlePath::new(path).unwrap(), content);
        let entries = [
            file("bundle.toml", manifest.as_bytes()),
            file("w.yaml", b"workflow: w"),
            file("p.wasm", COMPONENT),
        ];
        let tree = Tree::new(entries).unwrap().text().to_owned();
        Self { tree, manifest, signatures: Signatures::none() }
    }

    fn digest(&self) -> Digest {
        Digest::of(self.tree.as_bytes())
    }

    fn signed(mut self, keys: &[&SigningKey]) -> Self {
        for key in keys {
            self.signatures.sign(self.digest(), key).unwrap();
        }
        self
    }

    fn origin(&self) -> BundleOrigin {
        let signatures = Digest::of(self.signatures.to_string().as_bytes());
        BundleOrigin { bundle: self.digest(), signatures }
    }
}

/// A worker with a list of trusted keys, if there is one.
struct Place {
    world: World,
    folder: tempfile::TempDir,
    number: u32,
}

impl Place {
    fn new(list: Option<&str>, unsigned: Unsigned, signed_only: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trust.toml");
        if let Some(list) = list {
            fs::write(&path, list).unwrap();
        }
        let file = Some(TrustFile::open_or_await(&path).unwrap());
        let trust = Trusting { policy: TrustPolicy { file, unsigned }, signed_only };
        let mut world = World::new(Setting { trust, slots: 8, ..Setting::default() });
        world.contents.insert(Digest::of(COMPONENT), COMPONENT.to_vec());
        Self { world, folder, number: 0 }
    }

    fn trusting(list: &str) -> Self {
        Self::new(Some(list), Unsigned::Refused, false)
    }

    /// Another list, as an editor writes it.
    fn relist(&self, list: &str) {
        let path = |name: &str| -> PathBuf { self.folder.path().join(name) };
        fs::write(path("new"), list).unwrap();
        fs::rename(path("new"), path("trust.toml")).unwrap();
    }

    /// The coordinator has it.
    fn has(&mut self, bundle: &Bundle) {
        for text in [&bundle.tree, &bundle.manifest, &bundle.signatures.to_string()] {
            self.world.contents.insert(Digest::of(text.as_bytes()), text.clone().into_bytes());
        }
    }

    fn dispatch(&mut self, origin: Option<BundleOrigin>, component: Digest) -> AttemptId {
        self.number += 1;
        self.world.dispatch_with(self.number, "component", |dispatch| {
            dispatch.origin = origin;
            dispatch.component = component;
        })
    }

    #[track_caller]
    fn runs(&mut self, bundle: &Bundle) {
        self.has(bundle);
        let attempt = self.dispatch(Some(bundle.origin()), Digest::of(COMPONENT));
        assert_eq!(self.world.end_of(attempt), succeeded(&COMPONENT.len().to_string()));
    }

    fn fails(&mut self, origin: Option<BundleOrigin>, component: Digest) -> Failure {
        let attempt = self.dispatch(origin, component);
        self.world.failure_of(attempt)
    }

    /// For good, with all of these words.
    #[track_caller]
    fn refuses(&mut self, bundle: &Bundle, words: &[&str]) {
        self.has(bundle);
        let failure = self.fails(Some(bundle.origin()), Digest::of(COMPONENT));
        is_untrusted(&failure, &[words, &[&bundle.digest().to_string()]].concat());
    }
}

#[track_caller]
fn is_untrusted(failure: &Failure, words: &[&str]) {
    assert_eq!((failure.kind, failure.code.as_str()), (FailureKind::Permanent, UNTRUSTED));
    for word in words {
        assert!(failure.message.contains(word), "`{word}` is missing in: {}", failure.message);
    }
}

fn key() -> SigningKey {
    SigningKey::generate("").unwrap()
}

fn list(key: KeyId, rest: &str) -> String {
    format!("[[keys]]\nid = \"{key}\"\n{rest}\n")
}

const ALL: &str = "deploys = [\"*\"]";

#[test]
fn a_step_of_a_bundle_that_a_trusted_key_signed_is_run_and_looked_at_once() {
    let key = key();
    let bundle = Bundle::new("agents").signed(&[&key]);
    let mut place = Place::trusting(&list(key.id(), ALL));
    for _ in 0..3 {
        place.runs(&bundle);
    }
    let fetches =
        |of: Digest| place.world.fetched.iter().filter(|(digest, ..)| *digest == of).count();
    assert_eq!(fetches(bundle.digest()), 1);
    assert_eq!(fetches(bundle.origin().signatures), 1);
    assert_eq!(fetches(Digest::of(bundle.manifest.as_bytes())), 1);
}

#[test]
fn what_nobody_who_is_trusted_signed_is_refused_and_the_failure_says_why() {
    let (own, other) = (key(), key());
    let id = own.id();
    let all = list(id, ALL);
    let check = |list: &str, keys: &[&SigningKey], words: &[&str]| {
        Place::trusting(list).refuses(&Bundle::new("agents").signed(keys), words);
    };
    check(&all, &[], &["`agents`", "is not signed"]);
    check(&all, &[&other], &["`agents`", &other.id().short(), "is not trusted"]);
    check(&list(id, "deploys = [\"b-*\"]"), &[&own], &[&id.short(), "may deploy b-* only"]);
    let over = format!("{ALL}\nexpires = 2001-01-01T00:00:00Z");
    check(&list(id, &over), &[&own], &[&id.short(), "was trusted until 2001"]);
    let later = format!("{ALL}\nnot_before = 2901-01-01T00:00:00Z");
    check(&list(id, &later), &[&own], &["is trusted from 2901"]);
    let revoked = format!("{all}[[revoked]]\nid = \"{id}\"\nreason = \"stolen\"\n");
    check(&revoked, &[&own], &[&id.short(), "was revoked: stolen"]);
}

#[test]
fn without_a_list_every_bundle_is_refused_and_the_failure_names_the_flags() {
    let own = key();
    for unlisted in [Bundle::new("agents"), Bundle::new("agents").signed(&[&own])] {
        let mut place = Place::new(None, Unsigned::Refused, false);
        let by =
            if unlisted.signatures.is_empty() { "not signed".to_owned() } else { own.id().short() };
        place.refuses(&unlisted, &["`agents`", "--trust FILE", "--allow-unsigned", &by]);
        // The list may come later.
        place.relist(&list(own.id(), ALL));
        if !unlisted.signatures.is_empty() {
            place.runs(&unlisted);
        }
    }
}

#[test]
fn a_key_that_is_revoked_no_longer_counts_for_the_next_attempt() {
    let own = key();
    let bundle = Bundle::new("agents").signed(&[&own]);
    let trusted = list(own.id(), ALL);
    let mut place = Place::trusting(&trusted);
    place.runs(&bundle);
    place.relist(&format!("{trusted}[[revoked]]\nid = \"{}\"\n", own.id()));
    place.refuses(&bundle, &["was revoked"]);
    place.relist("no list at all");
    place.refuses(&bundle, &["was revoked"]);
    place.relist(&trusted);
    place.runs(&bundle);
}

#[test]
fn for_development_bundles_need_no_signature() {
    let own = key();
    let mut place = Place::new(None, Unsigned::Allowed, false);
    place.runs(&Bundle::new("agents"));
    place.runs(&Bundle::new("agents").signed(&[&own]));
    let revoked = format!("[[revoked]]\nid = \"{}\"\n", own.id());
    place.relist(&revoked);
    place.refuses(&Bundle::new("agents").signed(&[&own]), &["was revoked"]);
}

#[test]
fn steps_of_no_bundle_are_run_unless_only_bundles_are_wanted() {
    let component = Digest::of(COMPONENT);
    let mut place = Place::new(None, Unsigned::Refused, false);
    let attempt = place.dispatch(None, component);
    assert_eq!(place.world.end_of(attempt), succeeded(&COMPONENT.len().to_string()));
    let own = key();
    let mut place = Place::new(Some(&list(own.id(), ALL)), Unsigned::Refused, true);
    is_untrusted(&place.fails(None, component), &["--signed-only"]);
    place.runs(&Bundle::new("agents").signed(&[&own]));
}

#[test]
fn a_coordinator_that_says_what_is_not_so_is_not_believed() {
    let own = key();
    let all = list(own.id(), ALL);
    let bundle = Bundle::new("agents").signed(&[&own]);
    // A component that is not in the bundle.
    let mut place = Place::trusting(&all);
    place.has(&bundle);
    let failure = place.fails(Some(bundle.origin()), Digest::of(b"another"));
    is_untrusted(&failure, &["`agents`", "is not in it", &Digest::of(b"another").to_string()]);
    // Signatures of another bundle.
    let other = Bundle { signatures: bundle.signatures.clone(), ..Bundle::new("others") };
    place.refuses(&other, &[&own.id().short(), "is not one of this bundle"]);
    // What is no list of files, no signatures; a list without a manifest.
    let with_tree = |tree: String| {
        let bundle = Bundle { tree, ..Bundle::new("agents") };
        bundle.signed(&[&own])
    };
    place.refuses(&with_tree("wfhost-tree 2\n".to_owned()), &["list of files"]);
    place.refuses(&with_tree("wfhost-tree 1\n".to_owned()), &["bundle.toml"]);
    let text = b"wfhost-signatures 1\n".to_vec();
    let origin = BundleOrigin { bundle: bundle.digest(), signatures: Digest::of(&text) };
    place.world.contents.insert(origin.signatures, text);
    is_untrusted(&place.fails(Some(origin), Digest::of(COMPONENT)), &["signatures"]);
    // Contents that are not what their digests say.
    let mut place = Place::trusting(&all);
    place.has(&bundle);
    place.world.contents.insert(bundle.digest(), b"others".to_vec());
    let failure = place.fails(Some(bundle.origin()), Digest::of(COMPONENT));
    assert_eq!((failure.kind, failure.code.as_str()), (FailureKind::Host, "content-damaged"));
}

#[test]
fn what_could_not_be_had_is_asked_for_again() {
    let own = key();
    let bundle = Bundle::new("agents").signed(&[&own]);
    let mut place = Place::trusting(&list(own.id(), ALL));
    let failure = place.fails(Some(bundle.origin()), Digest::of(COMPONENT));
    assert_eq!((failure.kind, failure.code.as_str()), (FailureKind::Host, "content-missing"));
    place.runs(&bundle);
}
