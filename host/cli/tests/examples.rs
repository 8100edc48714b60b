//! The examples do what their READMEs say, word for word.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The `wfhost run` of an example's README, and what follows it there.
fn run_in(readme: &str) -> (Vec<String>, String) {
    let text = read(readme);
    let at = text.find("$ target/release/wfhost run").expect("the README runs the example");
    let mut block = text[at..].split("\n```").next().unwrap_or_default().lines();
    let command = block.next().unwrap_or_default();
    let arguments = command.split_whitespace().skip(2).map(str::to_owned).collect();
    (arguments, block.collect::<Vec<_>>().join("\n"))
}

/// Runs it from the project's folder, as the README says, with a data folder of its own.
fn output_of(arguments: &[String], guest: &str) -> Value {
    let component = root().join("target/guests").join(format!("{guest}.wasm"));
    assert!(component.exists(), "guest `{guest}` is not built: run `cargo xtask guests`");
    let home = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new(env!("CARGO_BIN_EXE_wfhost"))
        .args(arguments)
        .current_dir(root())
        .env_clear()
        .env("HOME", home.path())
        .env("WFHOST_DATA", home.path().join("data"))
        .stdin(Stdio::null())
        .output()
        .expect("wfhost can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("the output is JSON")
}

#[test]
fn hello_says_what_its_readme_says() {
    let (arguments, shown) = run_in("examples/hello/README.md");
    let expected: Value = serde_json::from_str(&shown).expect("the README shows the output");
    assert_eq!(output_of(&arguments, "hello"), expected);
}

#[test]
fn brief_reports_what_its_folder_expects() {
    let (arguments, _) = run_in("examples/brief/README.md");
    let found = output_of(&arguments, "text");
    let expected: Value =
        serde_json::from_str(&read("examples/brief/expected.json")).expect("it is JSON");
    assert_eq!(found["markdown"].as_str(), Some(read("examples/brief/expected.md").as_str()));
    assert_eq!(found, expected);
}

/// A copy of the bundle's folder, with the component as its build command puts it there.
fn bundle_folder(home: &Path) -> PathBuf {
    let (from, to) = (root().join("examples/bundle"), home.join("bundle"));
    for file in
        ["bundle.toml", "sbom.cdx.json", "plugins/text/plugin.toml", "workflows/summaries.yaml"]
    {
        let path = to.join(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        std::fs::copy(from.join(file), path).expect("it can be copied");
    }
    let component = root().join("target/guests/text.wasm");
    assert!(component.exists(), "guest `text` is not built: run `cargo xtask guests`");
    std::fs::copy(component, to.join("plugins/text/text.wasm")).expect("it can be copied");
    to
}

#[test]
fn the_bundle_is_packed_and_its_workflow_runs() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let folder = bundle_folder(home.path());
    let wfhost = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_wfhost"))
            .args(arguments)
            .current_dir(home.path())
            .env_clear()
            .env("HOME", home.path())
            .env("WFHOST_DATA", home.path().join("data"))
            .stdin(Stdio::null())
            .output()
            .expect("wfhost can be started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let packed = wfhost(&["bundle", "pack", "bundle", "--output", "json"]);
    let packed: Value = serde_json::from_str(&packed).expect("it is JSON");
    assert_eq!((&packed["name"], &packed["sbom"]["components"]), (&"reading".into(), &2.into()));
    wfhost(&["bundle", "verify", "reading-0.1.0.wfb"]);
    wfhost(&["bundle", "unpack", "reading-0.1.0.wfb"]);
    let texts = root().join("examples/brief/texts").canonicalize().expect("it is there");
    let (texts, folder) = (texts.display().to_string(), folder.display().to_string());
    let parameter = format!("folder={texts}");
    for place in [folder.as_str(), "reading-0.1.0"] {
        let workflow = format!("{place}/workflows/summaries.yaml");
        let run =
            ["run", workflow.as_str(), "-p", parameter.as_str(), "--allow-dir", texts.as_str()];
        let summaries: Value = serde_json::from_str(&wfhost(&run)).expect("it is JSON");
        assert_eq!(summaries.as_array().map(Vec::len), Some(3));
    }
}

#[test]
fn brief_reads_a_folder_that_nobody_here_wrote() {
    let licences = Path::new("/usr/share/common-licenses");
    if !licences.is_dir() {
        return;
    }
    let (mut arguments, _) = run_in("examples/brief/README.md");
    for argument in &mut arguments {
        *argument = argument.replace("examples/brief/texts", "/usr/share/common-licenses");
    }
    let found = output_of(&arguments, "text");
    let documents = found["documents"].as_array().expect("there are documents");
    let links = found["skipped"].as_array().expect("there is what was skipped");
    let files = std::fs::read_dir(licences).expect("it can be read").count();
    assert_eq!(documents.len() + links.len(), files);
    let gpl = documents.iter().find(|document| document["name"] == "GPL-3").expect("Debian has it");
    assert_eq!(gpl["title"], "GNU General Public License, version 3");
    let has = |list: &str, text: &str| {
        let list = gpl[list].as_array().expect("a list");
        list.iter().any(|entry| entry["text"] == text)
    };
    assert!(has("entities", "Free Software Foundation"));
    assert!(has("entities", "Corresponding Source"));
    assert!(has("key_phrases", "covered work"));
    assert_eq!(gpl["summary"]["sentences"].as_array().map(Vec::len), Some(3));
}
