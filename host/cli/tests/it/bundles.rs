//! Bundles as files: packed, looked at, compared, signed, unpacked.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use serde_json::Value;

use crate::place::{Outcome, Place, guest_path};

pub(crate) const WORKFLOW: &str = "workflow: greeting
version: 1
input: { type: object, required: [name], properties: { name: { type: string } } }
plugins: { hello: ../plugins/hello/hello.wasm }
steps:
  - { id: greet, call: hello/greet, with: { name: \"${input.name}\" } }
output: ${steps.greet.greeting}
";

const PLUGIN: &str = "name = \"hello\"\nversion = \"0.1.0\"\nexports = [\"greet\"]\n";

const SBOM: &str =
    r#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"name":"serde"}]}"#;

/// A folder `agents` with one plugin and one workflow, of this version.
fn agents(version: &str) -> Place {
    let place = Place::new();
    for folder in ["agents", "agents/plugins", "agents/plugins/hello", "agents/workflows"] {
        fs::create_dir(place.path(folder)).unwrap();
    }
    let bundle = format!(
        "name = \"agents\"\nversion = \"{version}\"\nplugins = [\"plugins/hello\"]\n\
         workflows = [\"workflows/greeting.yaml\"]\nsbom = \"sbom.cdx.json\"\n"
    );
    place.write("agents/bundle.toml", &bundle);
    place.write("agents/sbom.cdx.json", SBOM);
    place.write("agents/plugins/hello/plugin.toml", PLUGIN);
    place.write("agents/workflows/greeting.yaml", WORKFLOW);
    fs::copy(guest_path("hello"), place.path("agents/plugins/hello/hello.wasm")).unwrap();
    place
}

impl Place {
    fn bundle(&self, arguments: &[&str]) -> Outcome {
        let mut all = vec!["bundle"];
        all.extend(arguments);
        self.wfhost(&all)
    }

    fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{name} holds {from}");
        self.write(name, &text.replace(from, to));
    }

    fn packed(&self, file: &str) {
        self.bundle(&["pack", "agents", "-o", file, "--no-check"]).ok();
    }

    /// A key, and its id.
    fn key(&self, file: &str, comment: &str) -> String {
        let made = self.bundle(&["keygen", "-o", file, "--comment", comment, "--output", "json"]);
        made.ok().json()["id"].as_str().unwrap().to_owned()
    }

    /// A list of trusted keys, which nobody else can write.
    fn trust(&self, text: &str) {
        let path = self.write("trusted.toml", text);
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn what_is_packed_is_what_is_found_in_it() {
    let place = agents("1.2.0");
    let packed = place.bundle(&["pack", "agents"]).ok();
    assert!(packed.stdout.contains("ok agents-1.2.0.wfb: bundle agents 1.2.0, 1 plugin"));
    let json = place.bundle(&["inspect", "agents-1.2.0.wfb", "--output", "json"]).ok().json();
    assert_eq!(json["plugins"][0]["exports"][0], "greet");
    assert_eq!(json["workflows"][0]["input_schema"]["required"][0], "name");
    assert_eq!(json["sbom"]["format"], "CycloneDX");
    assert_eq!(json["sbom"]["components"], 1);
    let digest = json["digest"].as_str().unwrap();
    assert!(packed.stdout.contains(digest));
    let text = place.bundle(&["inspect", "agents-1.2.0.wfb"]).ok().stdout;
    for part in [digest, "plugin hello 0.1.0", "workflow greeting (version 1)", "name: string"] {
        assert!(text.contains(part), "`{part}` is missing in\n{text}");
    }
    let sbom = place.bundle(&["inspect", "agents-1.2.0.wfb", "--sbom"]).ok();
    assert_eq!(sbom.json(), serde_json::from_str::<Value>(SBOM).unwrap());
    place.bundle(&["unpack", "agents-1.2.0.wfb", "-o", "again"]).ok();
    let again = place.bundle(&["pack", "again", "-o", "again.wfb", "--output", "json"]).ok().json();
    assert_eq!(again["digest"], digest);
    assert_eq!(
        fs::read(place.path("again.wfb")).unwrap(),
        fs::read(place.path("agents-1.2.0.wfb")).unwrap()
    );
}

#[test]
fn a_file_that_is_there_is_only_replaced_by_force() {
    let place = agents("1.2.0");
    place.write("agents-1.2.0.wfb", "mine");
    place.bundle(&["pack", "agents"]).exits(2).says("--force");
    assert_eq!(fs::read_to_string(place.path("agents-1.2.0.wfb")).unwrap(), "mine");
    place.bundle(&["pack", "agents", "--force"]).ok();
    place.bundle(&["verify", "agents-1.2.0.wfb"]).ok();
    place.bundle(&["unpack", "agents-1.2.0.wfb", "-o", "agents"]).exits(2).says("left alone");
    assert!(place.path("agents/bundle.toml").exists());
}

#[test]
fn all_problems_of_all_files_are_shown_with_their_places() {
    let place = agents("1.2.0");
    place.edit("agents/plugins/hello/plugin.toml", "greet", "great");
    place.edit("agents/workflows/greeting.yaml", "input.name", "input.nmae");
    let refused = place.bundle(&["pack", "agents"]).exits(3);
    for part in [
        "agents/plugins/hello/plugin.toml:3:12",
        "did you mean `greet`?",
        "agents/workflows/greeting.yaml:6:",
        "2 files",
    ] {
        assert!(refused.stderr.contains(part), "`{part}` is missing in\n{}", refused.stderr);
    }
    let json = place.bundle(&["pack", "agents", "--output", "json"]).exits(3).json();
    assert_eq!(json["problems"][0]["file"], "agents/plugins/hello/plugin.toml");
    // What is wrong with the text itself needs no check.
    place.edit("agents/workflows/greeting.yaml", "steps:", "stpes:");
    let refused = place.bundle(&["pack", "agents", "--no-check"]).exits(3);
    assert!(
        refused.stderr.contains("greeting.yaml:5:1") && refused.stderr.contains("did you mean")
    );
    place.edit("agents/bundle.toml", "version", "versoin");
    place.bundle(&["pack", "agents"]).exits(3).says("agents/bundle.toml:2:1").says("`version`?");
    assert_eq!(place.names(), ["agents", "cache"]);
}

#[test]
fn what_a_manifest_does_not_export_no_workflow_of_the_bundle_can_call() {
    let place = agents("1.2.0");
    place.edit("agents/plugins/hello/plugin.toml", "exports = [\"greet\"]", "exports = []");
    let refused = place.bundle(&["pack", "agents"]).exits(3);
    assert!(refused.stderr.contains("greeting.yaml:6:"), "{}", refused.stderr);
    assert!(refused.stderr.contains("`exports`"), "{}", refused.stderr);
}

#[test]
fn build_commands_run_where_that_is_asked_for_and_nowhere_else() {
    let place = agents("1.2.0");
    let component = place.path("agents/plugins/hello/hello.wasm");
    fs::rename(&component, place.path("built.wasm")).unwrap();
    place.bundle(&["pack", "agents"]).exits(3).says("hello.wasm is missing");
    let build =
        format!("{PLUGIN}[build]\ncommand = [\"cp\", \"../../../built.wasm\", \"hello.wasm\"]\n");
    place.write("agents/plugins/hello/plugin.toml", &build);
    place.bundle(&["pack", "agents"]).exits(3).says("`--build` runs `cp ");
    assert!(!component.exists());
    place.bundle(&["pack", "agents", "--build"]).ok().says("cp ../../../built.wasm");
    assert!(component.exists());
    place.edit("agents/plugins/hello/plugin.toml", "built.wasm", "none.wasm");
    place.bundle(&["pack", "agents", "--build", "--force"]).exits(3).says("failed");
    place.edit("agents/plugins/hello/plugin.toml", "\"cp\"", "\"./no-such-program\"");
    place.bundle(&["pack", "agents", "--build", "--force"]).exits(2).says("cannot run");
}

#[test]
fn a_folder_without_a_bundle_and_links_are_refused() {
    let place = agents("1.2.0");
    place.bundle(&["pack", "."]).exits(2).says("bundle.toml");
    fs::remove_file(place.path("agents/sbom.cdx.json")).unwrap();
    place.bundle(&["pack", "agents"]).exits(3).says("sbom.cdx.json");
    symlink("/etc/hostname", place.path("agents/sbom.cdx.json")).unwrap();
    place.bundle(&["pack", "agents"]).exits(3).says("symbolic link");
}

#[test]
fn who_signed_and_whether_that_counts_is_said() {
    let place = agents("1.2.0");
    let id = place.key("team.key", "release team");
    let other = place.key("other.key", "");
    let mode = fs::metadata(place.path("team.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    place.bundle(&["keygen", "-o", "team.key"]).exits(2);
    place.bundle(&["pack", "agents", "-o", "a.wfb", "--key", "team.key"]).ok();
    let unsigned = place.bundle(&["inspect", "a.wfb", "--output", "json"]).ok().json();
    let bytes = fs::read(place.path("a.wfb")).unwrap();
    place.bundle(&["sign", "a.wfb", "--key", "team.key"]).ok();
    assert_eq!(fs::read(place.path("a.wfb")).unwrap(), bytes, "signing again changes nothing");
    place.bundle(&["sign", "a.wfb", "--key", "other.key"]).ok();
    let verify = ["verify", "a.wfb", "--trust", "trusted.toml", "--output", "json"];
    let entry =
        place.bundle(&["keygen", "--public", "team.key", "--deploys", "agents"]).ok().stdout;
    place.trust(&entry);
    let json = place.bundle(&verify).ok().json();
    assert_eq!((&json["may_deploy"], &json["digest"]), (&true.into(), &unsigned["digest"]));
    let signer = |json: &Value, id: &str| -> Value {
        let signers = json["signatures"].as_array().unwrap();
        signers.iter().find(|signer| signer["key"] == id).unwrap().clone()
    };
    assert_eq!(signer(&json, &id)["comment"], "release team");
    assert_eq!(signer(&json, &other)["trusted"], false);
    let text = place.bundle(&["verify", "a.wfb", "--trust", "trusted.toml"]).ok().stdout;
    assert!(text.contains("it may be deployed"), "{text}");

    let check = |trust: &str, words: &str| {
        place.trust(trust);
        place.bundle(&verify).exits(4).says(words);
    };
    check(&entry.replace("\"agents\"", "\"others\""), "may deploy others only");
    check(&format!("{entry}expires = 2020-01-01T00:00:00Z\n"), "was trusted until 2020");
    check(&format!("{entry}not_before = 2900-01-01T00:00:00Z\n"), "is trusted from 2900");
    check(&format!("{entry}[[revoked]]\nid = \"{id}\"\nreason = \"stolen\"\n"), "revoked: stolen");
    check("", "is not trusted");
    place.bundle(&["sign", "a.wfb", "--remove", &other[..20], "--remove", &id]).ok();
    check(&entry, "is not signed");
    place.bundle(&["sign", "a.wfb", "--remove", &id]).ok();
    let bare = place.bundle(&["inspect", "a.wfb", "--output", "json"]).ok().json();
    assert_eq!(bare["digest"], unsigned["digest"]);
}

#[test]
fn keys_and_lists_that_others_could_use_are_refused() {
    let place = agents("1.2.0");
    place.packed("a.wfb");
    place.key("team.key", "");
    let open = |name: &str, mode| {
        fs::set_permissions(place.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    open("team.key", 0o640);
    place.bundle(&["sign", "a.wfb", "--key", "team.key"]).exits(4).says("chmod 600");
    place.trust("");
    open("trusted.toml", 0o662);
    place.bundle(&["verify", "a.wfb", "--trust", "trusted.toml"]).exits(4).says("chmod 640");
    place.trust("[[kyes]]\n");
    place.bundle(&["verify", "a.wfb", "--trust", "trusted.toml"]).exits(3).says("did you mean");
    place.write("team.key", "no key\n");
    open("team.key", 0o600);
    place.bundle(&["sign", "a.wfb", "--key", "team.key"]).exits(3).says("team.key:1");
    place.bundle(&["keygen", "-o", "b.key", "--deploys", "a b"]).exits(2);
    assert!(!place.path("b.key").exists());
}

#[test]
fn a_diff_names_what_changes_and_marks_what_widens() {
    let place = agents("1.2.0");
    place.bundle(&["pack", "agents", "-o", "old.wfb"]).ok();
    place.bundle(&["diff", "old.wfb", "old.wfb", "--exit-code"]).ok();
    place.edit("agents/bundle.toml", "1.2.0", "1.3.0");
    let wider = "name = \"hello\"\nversion = \"0.2.0\"\n[grants]\n\
        dirs = [{ as = \"/in\", mode = \"ro\" }]\n[limits]\nmemory = \"2MiB\"\n";
    place.write("agents/plugins/hello/plugin.toml", wider);
    fs::copy(guest_path("bench-steps"), place.path("agents/plugins/hello/hello.wasm")).unwrap();
    place.packed("new.wfb");
    let diff = ["diff", "old.wfb", "new.wfb"];
    let text = place.bundle(&diff).ok().stdout;
    for part in [
        "agents 1.2.0 → 1.3.0",
        "! WIDENS: plugin hello asks for dir /in: nothing → ro",
        "~ plugin hello 0.1.0 → 0.2.0",
        "! function greet is gone",
        "+ function echo",
        "limit memory: ",
        "~ workflow greeting 1",
    ] {
        assert!(text.contains(part), "`{part}` is missing in\n{text}");
    }
    let json = place.bundle(&["diff", "old.wfb", "new.wfb", "--output", "json"]).ok().json();
    assert_eq!(json["widened"][0]["plugin"], "hello");
    assert_eq!(json["broken"][0]["function"], "greet");
    assert_eq!(json["plugins"]["hello"]["functions"]["greet"]["breaks"], true);
    let quiet = place.bundle(&["diff", "old.wfb", "new.wfb", "--exit-code", "-q"]).exits(1);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    // Narrower again: nothing is marked.
    let json = place.bundle(&["diff", "new.wfb", "old.wfb", "--output", "json"]).ok().json();
    assert_eq!(json["widened"], serde_json::json!([]));
}

#[test]
fn a_component_that_is_none_does_not_hide_the_rest_of_a_diff() {
    let place = agents("1.2.0");
    place.packed("old.wfb");
    place.write("agents/plugins/hello/hello.wasm", "no component");
    place.bundle(&["pack", "agents", "-o", "new.wfb"]).exits(3).says("hello.wasm");
    place.packed("new.wfb");
    let diff = place.bundle(&["diff", "old.wfb", "new.wfb"]).ok().says("warning: ");
    assert!(diff.stdout.contains("its functions are not known"), "{}", diff.stdout);
}

/// What every command that reads a bundle says to one that is none.
#[track_caller]
fn refused(place: &Place, what: &str, bytes: &[u8], words: &str) {
    fs::write(place.path("bad.wfb"), bytes).unwrap();
    let before = place.names();
    let commands: [&[&str]; 5] = [
        &["inspect", "bad.wfb"],
        &["verify", "bad.wfb"],
        &["unpack", "bad.wfb", "-o", "unpacked"],
        &["sign", "bad.wfb", "--key", "team.key"],
        &["diff", "good.wfb", "bad.wfb"],
    ];
    for command in commands {
        let outcome = place.bundle(command);
        let said = &outcome.stderr;
        assert_eq!(outcome.code, Some(3), "{what}, {command:?}: {said}");
        let one_line = said.lines().count() == 1 && said.starts_with("error: bad.wfb: ");
        assert!(one_line && said.contains(words), "{what}, {command:?}: {said}");
        assert_eq!(outcome.stdout, "", "{what}, {command:?}");
        assert_eq!(fs::read(place.path("bad.wfb")).unwrap(), bytes, "{what}: it is left as it was");
        assert_eq!(place.names(), before, "{what}, {command:?}: nothing is left behind");
    }
}

#[test]
fn damaged_and_hostile_bundles_are_refused_by_every_command_and_leave_nothing() {
    let place = agents("1.2.0");
    place.key("team.key", "");
    place.bundle(&["pack", "agents", "-o", "good.wfb", "--key", "team.key", "--no-check"]).ok();
    place.edit("agents/bundle.toml", "1.2.0", "1.2.1");
    place.bundle(&["pack", "agents", "-o", "other.wfb", "--key", "team.key", "--no-check"]).ok();
    let good = fs::read(place.path("good.wfb")).unwrap();
    let other = fs::read(place.path("other.wfb")).unwrap();
    for tenth in 0..10 {
        let cut = &good[..good.len() * tenth / 10];
        refused(&place, &format!("{tenth} tenths"), cut, "is cut off");
    }
    let mut wrong = good.clone();
    wrong[40] ^= 1;
    refused(&place, "another digest in the header", &wrong, "its list of files has the digest");
    let mut newer = good.clone();
    newer[8] = 2;
    refused(&place, "a newer format", &newer, "its format has version 2");
    refused(&place, "no bundle", &[b'x'; 100], "it is no bundle");
    let signatures = |bytes: &[u8]| {
        let at = |part: &[u8]| u64::from_le_bytes(part.try_into().unwrap());
        let at = usize::try_from(64 + at(&bytes[16..24]) + at(&bytes[24..32])).unwrap();
        (bytes[..at].to_vec(), bytes[at..].to_vec())
    };
    let ((content, own), (_, foreign)) = (signatures(&good), signatures(&other));
    let stolen = [content.clone(), foreign].concat();
    refused(&place, "signature of another bundle", &stolen, "is not one of this bundle");
    let more = [content.clone(), own, b"more".to_vec()].concat();
    refused(&place, "something after the end", &more, "signatures");
    let mut flipped = good;
    let middle = (64 + content.len()) / 2;
    flipped[middle] ^= 0x10;
    fs::write(place.path("bad.wfb"), &flipped).unwrap();
    place.bundle(&["unpack", "bad.wfb", "-o", "unpacked"]).exits(3);
    assert!(!place.path("unpacked").exists());
}

/// A bundle's bytes with this list of files, whose digest is right.
fn with_tree(tree: &str) -> Vec<u8> {
    let digest = wfhost_workflow::Digest::of(tree.as_bytes());
    let mut bytes = b"WFBUNDLE".to_vec();
    bytes.extend([1, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend((tree.len() as u64).to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes.extend(digest.as_bytes());
    bytes.extend(tree.as_bytes());
    bytes.extend(b"wfhost-signatures 1\nend\n");
    bytes
}

#[test]
fn hostile_paths_in_a_list_of_files_are_refused() {
    let place = agents("1.2.0");
    place.key("team.key", "");
    place.packed("good.wfb");
    let digest = "0".repeat(64);
    let file = |size: &str, path: &str| format!("{digest} {size} {path}\n");
    let cases = [
        ("a path that climbs", file("1", "../outside")),
        ("an absolute path", file("1", "/etc/passwd")),
        ("a folder's own name", file("1", "a/./b")),
        ("a drive", file("1", "c:x")),
        ("a name in another Unicode form", file("1", "caf\u{e9}")),
        ("names that differ in case", file("1", "A") + &file("1", "a")),
        ("a file that is a folder too", file("1", "a") + &file("1", "a/b")),
        ("the same name twice", file("1", "a") + &file("1", "a")),
        ("not sorted", file("1", "b") + &file("1", "a")),
        ("a bomb", file("9999999999", "a")),
        ("another spelling", file("01", "a")),
        ("more files than there may be", "x".repeat(3 << 20)),
    ];
    for (what, lines) in cases {
        refused(&place, what, &with_tree(&format!("wfhost-tree 1\n{lines}")), "");
    }
    let many: String = (0..10_001).map(|n| file("0", &format!("{n:07}"))).collect();
    refused(&place, "too many files", &with_tree(&format!("wfhost-tree 1\n{many}")), "10000 files");
}

#[test]
fn a_bundle_that_is_not_there_is_wrong_usage() {
    let place = Place::new();
    for command in ["inspect", "verify", "unpack"] {
        place.bundle(&[command, "none.wfb"]).exits(2).says("cannot read none.wfb");
        place.bundle(&[command, "/dev/null"]).exits(2).says("not an ordinary file");
    }
    assert!(place.names().is_empty());
}
