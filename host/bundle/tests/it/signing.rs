use std::io::Cursor;

use wfhost_bundle::trust::{Refused, Standing, Trust};
use wfhost_bundle::{BundleFile, FormatError, KeyId, SignatureError, Signatures, SigningKey};
use wfhost_workflow::TimestampMs;

use crate::folder::{Folder, open, read};

const NOW: TimestampMs = TimestampMs(1_780_000_000_000);

fn signed(bytes: &[u8], keys: &[&SigningKey]) -> Vec<u8> {
    let mut file = open(bytes);
    let mut signatures = file.signatures().clone();
    for key in keys {
        signatures.sign(file.digest(), key).unwrap();
    }
    let mut out = Vec::new();
    file.write_with(&signatures, &mut out).unwrap();
    out
}

fn trusting(key: KeyId, rest: &str) -> Trust {
    Trust::parse(&format!("[[keys]]\nid = \"{key}\"\n{rest}")).unwrap()
}

fn standing(trust: &Trust, bytes: &[u8]) -> Standing {
    let bundle = read(bytes);
    let signers = trust.signers(&bundle.manifest.name, &bundle.signatures, NOW);
    assert_eq!(signers.len(), 1);
    signers[0].standing.clone()
}

#[test]
fn signing_moves_neither_the_digest_nor_a_byte_before_the_signatures() {
    let bytes = Folder::new().packed();
    let (one, other) = (SigningKey::generate("one").unwrap(), SigningKey::generate("").unwrap());
    let once = signed(&bytes, &[&one]);
    let twice = signed(&once, &[&other]);
    assert_eq!(open(&twice).digest(), open(&bytes).digest());
    assert_eq!(open(&twice).signatures().keys().count(), 2);
    let unsigned = bytes.len() - Signatures::none().to_string().len();
    assert_eq!(once[..unsigned], bytes[..unsigned]);
    assert_eq!(twice[..unsigned], bytes[..unsigned]);
    assert_eq!(signed(&bytes, &[&other, &one]), twice);
    assert_eq!(signed(&twice, &[&one]), twice);
    let mut without = open(&twice).signatures().clone();
    assert!(without.remove(one.id()) && without.remove(other.id()));
    let mut out = Vec::new();
    open(&twice).write_with(&without, &mut out).unwrap();
    assert_eq!(out, bytes);
}

#[test]
fn a_signature_of_another_bundle_is_refused_wherever_it_is_put() {
    let (folder, key) = (Folder::new(), SigningKey::generate("").unwrap());
    let one = signed(&folder.packed(), &[&key]);
    folder.edit("bundle.toml", "1.2.0", "1.2.1");
    let other = folder.packed();
    let moved = open(&one).signatures().clone();
    let refused = open(&other).write_with(&moved, Vec::new());
    assert!(matches!(refused, Err(FormatError::Signature(SignatureError::Other { .. }))));
    let unsigned = other.len() - Signatures::none().to_string().len();
    let forged = [&other[..unsigned], moved.to_string().as_bytes()].concat();
    let refused = BundleFile::open(Cursor::new(forged));
    assert!(
        matches!(refused, Err(FormatError::Signature(SignatureError::Other { key: by })) if by == key.id())
    );
}

#[test]
fn a_signature_with_any_bit_changed_is_refused() {
    let key = SigningKey::generate("").unwrap();
    let bytes = signed(&Folder::new().packed(), &[&key]);
    let text = open(&bytes).signatures().to_string();
    let start = bytes.len() - text.len();
    for at in start..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(BundleFile::open(Cursor::new(changed)).is_err(), "byte {at}");
    }
}

#[test]
fn who_may_deploy_what_is_the_operators_say() {
    let key = SigningKey::generate("").unwrap();
    let bytes = Folder::new().packed();
    let signed = signed(&bytes, &[&key]);
    let id = key.id();
    assert_eq!(standing(&trusting(id, "deploys = [\"my-*\"]"), &signed), Standing::Trusted);
    let other = trusting(id, "deploys = [\"your-*\"]");
    assert_eq!(standing(&other, &signed), Standing::OtherNames(vec!["your-*".to_owned()]));
    assert_eq!(standing(&Trust::default(), &signed), Standing::Unknown);
    let expired = trusting(id, "deploys = [\"*\"]\nexpires = 2026-01-01T00:00:00Z");
    assert!(matches!(standing(&expired, &signed), Standing::Expired(_)));
    let early = trusting(id, "deploys = [\"*\"]\nnot_before = 2036-01-01T00:00:00Z");
    assert!(matches!(standing(&early, &signed), Standing::NotYet(_)));
    let revoked = trusting(id, &format!("deploys = [\"*\"]\n[[revoked]]\nid = \"{id}\""));
    assert_eq!(standing(&revoked, &signed), Standing::Revoked { reason: String::new() });
    for trust in [other, expired, early, revoked, Trust::default()] {
        let bundle = read(&signed);
        let refused = trust.admit(&bundle.manifest.name, &bundle.signatures, NOW);
        assert!(matches!(refused, Err(Refused::NotTrusted { .. })), "{refused:?}");
    }
    let unsigned = read(&bytes);
    let refused = trusting(id, "deploys = [\"*\"]").admit("my-agents", &unsigned.signatures, NOW);
    assert_eq!(refused, Err(Refused::Unsigned { name: "my-agents".to_owned() }));
}
