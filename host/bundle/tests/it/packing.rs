use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::{Duration, SystemTime};

use wfhost_workflow::Digest;

use crate::folder::{Folder, chain, open, read};

#[test]
fn what_is_listed_is_packed_and_nothing_else() {
    let folder = Folder::new();
    let (planned, bytes) = folder.pack().unwrap();
    let bundle = read(&bytes);
    let paths: Vec<_> = bundle.tree.entries().iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "LICENSE",
            "bundle.toml",
            "plugins/count.plugin.toml",
            "plugins/count.wasm",
            "plugins/text/plugin.toml",
            "plugins/text/text.wasm",
            "workflows/brief.yaml"
        ]
    );
    assert_eq!(bundle.digest(), planned.digest());
    assert_eq!((bundle.manifest.name.as_str(), bundle.manifest.version.minor), ("my-agents", 2));
    let names: Vec<_> = bundle.plugins.iter().map(|plugin| plugin.manifest.name.as_str()).collect();
    assert_eq!(names, ["text", "count"]);
    assert_eq!(bundle.plugins[0].component.digest, Digest::of(b"\0asm text"));
    let workflow = &bundle.workflows[0];
    assert_eq!(&*workflow.definition.name, "brief");
    assert_eq!(workflow.components[0].path.as_str(), "plugins/text/text.wasm");
    assert!(bundle.signatures.is_empty());
}

#[test]
fn the_same_input_gives_the_same_bytes_whoever_packs_it_and_when() {
    let (one, other) = (Folder::new(), Folder::new());
    let old = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1));
    let component = other.file("plugins/text/text.wasm");
    File::options().write(true).open(&component).unwrap().set_times(old).unwrap();
    fs::set_permissions(component, Permissions::from_mode(0o700)).unwrap();
    other.write("target/junk", "junk");
    assert_eq!(one.packed(), other.packed());
    other.write("plugins/text/text.wasm", "\0asm Text");
    assert_ne!(open(&one.packed()).digest(), open(&other.packed()).digest());
}

/// The digest is for ever; the bytes may change only with the compressor.
#[test]
fn digest_and_bytes_are_those_of_every_other_machine() {
    let bytes = Folder::new().packed();
    let digest = open(&bytes).digest().to_string();
    assert_eq!(digest, "sha256:288a5ab8c85f11e1d155602a88b265fbc0a5016920d4dd2252566d7801377374");
    assert_eq!(
        Digest::of(&bytes).to_string(),
        "sha256:6a715341e9e633cb5cf601404c64d09ece3b87ee4295b6acf22e14457798e674"
    );
}

#[test]
fn unpacking_gives_back_what_was_packed() {
    let folder = Folder::new();
    let bytes = folder.packed();
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    wfhost_bundle::unpack(&mut open(&bytes), &out).unwrap();
    for entry in open(&bytes).tree().entries() {
        let path = entry.path.as_str();
        assert_eq!(
            fs::read(out.join(path)).unwrap(),
            fs::read(folder.file(path)).unwrap(),
            "{path}"
        );
    }
    assert!(!out.join("notes.txt").exists());
    let again = wfhost_bundle::plan(&out).unwrap();
    assert_eq!(again.digest(), open(&bytes).digest());
    // Never into what is there already.
    assert!(wfhost_bundle::unpack(&mut open(&bytes), &out).is_err());
    assert!(out.join("bundle.toml").exists());
}

#[test]
fn of_a_damaged_bundle_nothing_is_left() {
    let bytes = Folder::new().packed();
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    let mut damaged = bytes.clone();
    // The last bytes of the compressed part are its checksum.
    let at = bytes.len() - "wfhost-signatures 1\nend\n".len() - 1;
    damaged[at] ^= 1;
    assert!(wfhost_bundle::unpack(&mut open(&damaged), &out).is_err());
    assert!(!out.exists());
}

#[test]
fn links_and_whatever_is_no_file_are_not_packed() {
    let folder = Folder::new();
    let component = folder.file("plugins/text/text.wasm");
    fs::rename(&component, folder.file("elsewhere")).unwrap();
    symlink(folder.file("elsewhere"), &component).unwrap();
    folder.refused("text.wasm is a symbolic link");
    fs::remove_file(&component).unwrap();
    fs::create_dir(&component).unwrap();
    folder.refused("text.wasm is a folder");
    fs::remove_dir(&component).unwrap();
    folder.refused("cannot read");
    let made = std::process::Command::new("mkfifo").arg(&component).status().unwrap();
    assert!(made.success());
    folder.refused("text.wasm is no ordinary file");

    let folder = Folder::new();
    fs::rename(folder.file("plugins"), folder.file("real")).unwrap();
    symlink(folder.file("real"), folder.file("plugins")).unwrap();
    folder.refused("plugins is a symbolic link");
}

#[test]
fn what_does_not_go_together_is_not_packed() {
    let with = |path: &str, from: &str, to: &str, words: &str| {
        let folder = Folder::new();
        folder.edit(path, from, to);
        folder.refused(words);
    };
    let bundle = "bundle.toml";
    with(bundle, "\"plugins/text\"", "\"plugins/txt\"", "cannot read");
    with(bundle, "\"LICENSE\"", "\"../LICENSE\"", "`.` or `..`");
    with(bundle, "\"LICENSE\"", "\"/etc/passwd\"", "absolute");
    with(bundle, "\"LICENSE\"", "\"LICENSE\", \"LICENSE\"", "twice");
    with(bundle, "\"LICENSE\"", "\"bundle.toml\"", "twice");
    with(bundle, "[\"plugins/text\", ", "[", "which is no component of a plugin in the bundle");
    let text = "plugins/text/plugin.toml";
    with(
        text,
        "\"0.1.0\"",
        "\"1\"",
        "plugins/text/plugin.toml: version: `1` is no semantic version",
    );
    with(text, "\"text\"", "\"te xt\"", "is no name");
    with(text, "\"text\"", "\"text\"\ncomponent = \"../count.wasm\"", "twice");
    with(text, "\"text\"", "\"text\"\ncomponent = \"../../../x.wasm\"", "`.` or `..`");
    with(
        text,
        "\"text\"",
        "\"Count\"\ncomponent = \"text.wasm\"",
        "two plugins are called `count`",
    );
    with(text, "grants", "grant", "did you mean `grants`?");
    with("workflows/brief.yaml", "text.wasm", "other.wasm", "brief.yaml: its plugin `text`");
    with("workflows/brief.yaml", "../plugins", "../../plugins", "brief.yaml: its plugin `text`");
    with("workflows/brief.yaml", "steps:", "stps:", "brief.yaml: it is no valid workflow");
    let folder = Folder::new();
    folder.write("plugins/text/plugin.toml", [0xff, 0xfe]);
    folder.refused("is no text");
}

#[test]
fn a_list_of_parts_is_checked_and_told() {
    let folder = Folder::new();
    folder.edit("bundle.toml", "files =", "sbom = \"sbom.cdx.json\"\nfiles =");
    folder.refused("sbom.cdx.json");
    folder.write("sbom.cdx.json", "{}");
    folder.refused("sbom.cdx.json: it is no CycloneDX document");
    folder.write("sbom.cdx.json", "\u{ff}");
    folder.refused("it is no CycloneDX document: expected value at line 1");
    folder.write(
        "sbom.cdx.json",
        r#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{}]}"#,
    );
    let bundle = read(&folder.packed());
    let sbom = bundle.sbom.unwrap();
    assert_eq!((sbom.format.name(), sbom.components), ("CycloneDX", 1));
    folder.edit("bundle.toml", "[\"LICENSE\"]", "[\"LICENSE\", \"sbom.cdx.json\"]");
    folder.refused("`sbom.cdx.json` is");
    folder.edit("bundle.toml", "sbom = \"sbom.cdx.json\"\n", "");
    assert!(read(&folder.packed()).sbom.is_none());
}

#[test]
fn all_manifests_that_are_wrong_are_told_at_once() {
    let folder = Folder::new();
    folder.write("plugins/text/plugin.toml", "name = \"text\"\nversoin = \"1.0.0\"\n");
    folder.write("plugins/count.plugin.toml", "name = \"count\"\nversion = \"1\"\n");
    let errors = wfhost_bundle::Layout::read(folder.path()).unwrap_err();
    let said: Vec<String> = errors.iter().map(|error| chain(error)).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("`version`?") && said[1].contains("semantic"), "{said:?}");
    let folder = Folder::new();
    fs::remove_file(folder.file("plugins/text/text.wasm")).unwrap();
    let layout = wfhost_bundle::Layout::read(folder.path()).unwrap();
    assert_eq!(layout.plugins[0].component.as_str(), "plugins/text/text.wasm");
}
