use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use wfhost_workflow::Digest;

use super::*;
use crate::SigningKey;

const IN_2026: TimestampMs = TimestampMs(1_780_000_000_000);

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32], "").unwrap()
}

fn id(seed: u8) -> KeyId {
    key(seed).id()
}

fn trusting(rest: &str) -> Trust {
    Trust::parse(&format!("[[keys]]\nid = \"{}\"\n{rest}", id(1))).unwrap()
}

#[track_caller]
fn refused(text: &str, words: &str) {
    let said = Trust::parse(text).unwrap_err().to_string();
    assert!(said.contains(words), "{text}\n{said}");
}

#[test]
fn a_key_counts_for_its_names_and_its_time() {
    let check = |rest: &str, name: &str, standing: &str| {
        assert_eq!(trusting(rest).standing(id(1), name, IN_2026).to_string(), standing, "{rest}");
    };
    let all = "deploys = [\"*\"]\n";
    check(all, "anything", "is trusted");
    check("deploys = [\"a\", \"team-*\"]", "team-x", "is trusted");
    check("deploys = [\"a\", \"team-*\"]", "b", "may deploy a, team-* only");
    let from = |time| format!("{all}not_before = {time}");
    check(&from("2026-01-01T00:00:00Z"), "a", "is trusted");
    check(&from("2027-01-01T01:00:00+01:00"), "a", "is trusted from 2027-01-01T00:00:00Z on");
    let until = |time| format!("{all}expires = {time}");
    check(&until("2027-01-01T00:00:00Z"), "a", "is trusted");
    check(&until("2026-01-01T00:00:00Z"), "a", "was trusted until 2026-01-01T00:00:00Z");
    let edge = trusting(&format!(
        "{all}not_before = 1970-01-01T00:00:01Z\nexpires = 1970-01-01T00:00:02Z"
    ));
    let at = |ms| edge.standing(id(1), "a", TimestampMs(ms));
    assert_eq!(at(999), Standing::NotYet(TimestampMs(1000)));
    assert_eq!(at(1000), Standing::Trusted);
    assert_eq!(at(1999), Standing::Trusted);
    assert_eq!(at(2000), Standing::Expired(TimestampMs(2000)));
    assert_eq!(edge.standing(id(2), "a", TimestampMs(1000)), Standing::Unknown);
}

#[test]
fn a_revoked_key_counts_for_nothing_wherever_it_is_trusted() {
    let revoked = format!("[[revoked]]\nid = \"{}\"\nreason = \"stolen\"\n", id(1));
    let standing = Standing::Revoked { reason: "stolen".to_owned() };
    let mut trust = trusting("deploys = [\"*\"]\n");
    assert_eq!(trust.standing(id(1), "a", IN_2026), Standing::Trusted);
    trust.merge(Trust::parse(&revoked).unwrap()).unwrap();
    assert_eq!(trust.standing(id(1), "a", IN_2026), standing);
    trust.merge(trusting("deploys = [\"*\"]\n")).unwrap();
    assert_eq!(trust.standing(id(1), "a", IN_2026), standing);
    assert!(trust.merge(trusting("deploys = [\"b\"]\n")).is_err());
}

#[test]
fn one_signature_that_counts_is_enough_and_none_is_not() {
    let digest = Digest::of(b"bundle");
    let signed = |by: &[u8]| {
        let mut signatures = Signatures::none();
        by.iter().for_each(|&seed| signatures.sign(digest, &key(seed)).unwrap());
        signatures
    };
    let trust = trusting("comment = \"team\"\ndeploys = [\"a\"]\n");
    let admit = |name, by: &[u8]| trust.admit(name, &signed(by), IN_2026);
    assert_eq!(admit("a", &[1]).unwrap()[0].comment, "team");
    assert_eq!(admit("a", &[1, 2]).unwrap().len(), 2);
    assert_eq!(admit("a", &[]), Err(Refused::Unsigned { name: "a".to_owned() }));
    let said = admit("b", &[1, 2]).unwrap_err().to_string();
    assert!(said.contains("team may deploy a only") && said.contains("is not trusted"), "{said}");
    assert!(matches!(admit("a", &[2]), Err(Refused::NotTrusted { .. })));
    assert!(Trust::default().admit("a", &signed(&[1]), IN_2026).is_err());
}

#[test]
fn a_list_that_is_wrong_is_refused_with_what_is_wrong() {
    let with = |rest: &str| format!("[[keys]]\nid = \"{}\"\n{rest}", id(1));
    refused(&with("deploy = [\"a\"]"), "did you mean `deploys`?");
    refused("[[key]]\n", "did you mean `keys`?");
    refused(&with(""), "deploys");
    refused(&with("deploys = []"), "1 to");
    refused(&with("deploys = [\"a b\"]"), "no name");
    refused(&with("deploys = [\"a\"]\nexpires = 2026-01-01"), "offset");
    refused(&with("deploys = [\"a\"]\nexpires = 2026-01-01T00:00:00"), "offset");
    refused(&with("deploys = [\"a\"]\nexpires = \"soon\""), "line");
    let backwards = "not_before = 2027-01-01T00:00:00Z\nexpires = 2026-01-01T00:00:00Z";
    refused(&with(&format!("deploys = [\"a\"]\n{backwards}")), "before it counts");
    refused(&format!("{0}deploys=[\"a\"]\n{0}deploys=[\"a\"]", with("")), "twice");
    refused("[[keys]]\nid = \"x\"\ndeploys = [\"a\"]", "ed25519:");
    refused("[[revoked]]\nid = \"x\"", "ed25519:");
}

#[test]
fn a_list_that_others_can_write_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trust.toml");
    fs::write(&path, format!("[[keys]]\nid = \"{}\"\ndeploys = [\"*\"]", id(1))).unwrap();
    let with_mode = |mode| {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        Trust::read(&path)
    };
    assert_eq!(with_mode(0o644).unwrap().keys().count(), 1);
    for mode in [0o664, 0o646] {
        assert!(matches!(with_mode(mode), Err(KeyError::Open { what: "written", .. })));
    }
    assert!(matches!(Trust::read(folder.path()), Err(KeyError::Io { .. })));
}

#[test]
fn patterns_stand_for_names() {
    let check = |pattern, name, fits| assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
    check("a", "a", true);
    check("a", "ab", false);
    check("ab", "a", false);
    check("*", "", true);
    check("a*", "a", true);
    check("a*b*c", "a-b-b-c", true);
    check("a*b*c", "a-b-b-", false);
    check("*x", "xyx", true);
    check("?b", "ab", true);
    check("?", "", false);
    check("team-*", "team", false);
    check("A", "a", false);
    check(&"*a".repeat(30), &"a".repeat(20_000), true);
}
