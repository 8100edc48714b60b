//! The seeds of the target `bundle` are made here, so that they follow the format: bundles that are
//! whole, with signatures and without, and the texts that belong to them.
//!
//! To bring them up to date: `WFHOST_WRITE_SEEDS=1 cargo test -p wfhost-fuzz`.

use std::fs;
use std::io::{Cursor, Read};
use std::os::unix::fs::PermissionsExt as _;

use wfhost_bundle::{BundlePath, Signatures, SigningKey, Tree, TreeEntry};
use wfhost_fuzz::bundle::{
    BUNDLE_TOML, FILE, FILES, PLUGIN_TOML, SIGNATURES, TREE_AND_PAYLOAD, TRUST,
};
use wfhost_fuzz::folder;

/// The first of RFC 8032's tests.
const KEY: &str = "wfhost-signing-key 1\n\
public ed25519:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a\n\
secret 9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60\n";

const BUNDLE: &str = "name = \"agents\"\nversion = \"1.2.0\"\nplugins = [\"p\"]\n\
workflows = [\"w.yaml\"]\nfiles = [\"LICENSE\"]\nsbom = \"a.cdx.json\"\nlabels = { team = \"x\" }\n\
[build]\ncommand = [\"make\"]\n";

const PLUGIN: &str = "name = \"p\"\nversion = \"0.1.0\"\nexports = [\"f\"]\n[grants]\n\
dirs = [{ as = \"/in\", mode = \"ro\" }]\n[limits]\nmemory = \"64MiB\"\ntimeout = \"30s\"\n";

const TRUSTED: &str = "[[keys]]\n\
id = \"ed25519:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a\"\n\
comment = \"team\"\ndeploys = [\"agents\", \"team-*\"]\nexpires = 2027-01-01T00:00:00Z\n\
[[revoked]]\nid = \"ed25519:3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c\"\n\
reason = \"lost\"\n";

fn contents() -> Vec<(&'static str, &'static str)> {
    vec![
        ("LICENSE", "do what you like"),
        ("a.cdx.json", "{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.6\"}"),
        ("bundle.toml", BUNDLE),
        ("p/p.wasm", "\0asm"),
        ("p/plugin.toml", PLUGIN),
        ("w.yaml", "workflow: w\nplugins: { p: p/p.wasm }\nsteps:\n  - { id: a, call: p/f }\n"),
    ]
}

fn bundle(contents: &[(&str, &str)], key: Option<&SigningKey>) -> (Tree, Signatures, Vec<u8>) {
    let path = |path: &str| BundlePath::new(path).expect("a path");
    let entries = contents.iter().map(|(at, text)| TreeEntry::of(path(at), text.as_bytes()));
    let tree = Tree::new(entries).expect("a list");
    let mut signatures = Signatures::none();
    if let Some(key) = key {
        signatures.sign(tree.digest(), key).expect("room for one");
    }
    let open = |entry: &TreeEntry| {
        let found = contents.iter().find(|(path, _)| *path == entry.path.as_str());
        let content = found.map(|(_, text)| text.as_bytes()).unwrap_or_default();
        Ok(Box::new(content) as Box<dyn Read>)
    };
    let out = Cursor::new(Vec::new());
    let bytes = wfhost_bundle::write(&tree, &signatures, open, out).expect("memory takes it");
    (tree, signatures, bytes.into_inner())
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("key");
    fs::write(&file, KEY).expect("a file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("its owner's");
    let key = SigningKey::read(&file).expect("a key");
    let (tree, signatures, signed) = bundle(&contents(), Some(&key));
    let (_, none, plain) = bundle(&contents(), None);
    let (_, _, small) = bundle(&contents()[..1], None);
    let payload = &plain[64 + tree.text().len()..plain.len() - none.to_string().len()];
    let tree_and_payload = [tree.text().as_bytes(), &[0], payload].concat();
    let with = |kind: u8, rest: &[u8]| [&[kind], rest].concat();
    vec![
        ("signed", with(FILE, &signed)),
        ("unsigned", with(FILE, &plain)),
        ("without-a-manifest", with(FILE, &small)),
        ("tree-and-payload", with(TREE_AND_PAYLOAD, &tree_and_payload)),
        ("signatures", with(SIGNATURES, signatures.to_string().as_bytes())),
        ("no-signatures", with(SIGNATURES, none.to_string().as_bytes())),
        ("bundle-toml", with(BUNDLE_TOML, BUNDLE.as_bytes())),
        ("plugin-toml", with(PLUGIN_TOML, PLUGIN.as_bytes())),
        ("trusted-keys", with(TRUST, TRUSTED.as_bytes())),
        ("files", with(FILES, b"\x03\x05a/b.c\x04abcd\x01d\x02xy\x03e+f\0")),
    ]
}

#[test]
fn the_seeds_are_as_the_format_is() {
    let place = folder().join("corpus/bundle");
    for (name, bytes) in seeds() {
        let path = place.join(name);
        if std::env::var_os("WFHOST_WRITE_SEEDS").is_some() {
            fs::create_dir_all(&place).expect("a folder");
            fs::write(&path, &bytes).expect("a file");
        }
        let found = fs::read(&path).unwrap_or_default();
        assert!(found == bytes, "{} is out of date: see above", path.display());
    }
}

#[test]
fn the_seed_of_a_bundle_is_one() {
    let (_, _, bytes) = bundle(&contents(), None);
    let mut file = wfhost_bundle::BundleFile::open(Cursor::new(bytes)).expect("it opens");
    let bundle = wfhost_bundle::Bundle::read(&mut file).expect("it makes sense");
    assert_eq!((bundle.plugins.len(), bundle.workflows.len()), (1, 1));
    assert!(bundle.sbom.is_some());
}

/// The nearest neighbours of what is right, where a reader that trusts too much would show.
#[test]
fn every_seed_with_a_byte_changed_or_cut_off_is_taken_or_refused() {
    let run = wfhost_fuzz::target("bundle").expect("it is a target").run;
    for (_, bytes) in seeds() {
        for at in 1..bytes.len() {
            run(&bytes[..at]);
            for change in [1, 0x20, 0x80] {
                let mut changed = bytes.clone();
                changed[at] ^= change;
                run(&changed);
            }
        }
    }
}
