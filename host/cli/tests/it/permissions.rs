//! Directories: asked for, given, allowed.

use crate::place::{Place, guest_path};

const EXTRACT: &str = "steps:\n  - id: extract\n    call: t/extract\n    with: { folder_inside: /in }\noutput: \"${steps.extract}\"\n";

fn workflow(place: &Place) -> String {
    std::fs::create_dir_all(place.path("texts")).unwrap();
    place.write("texts/one.txt", "One short text. It says little.\n");
    let text = format!(
        "workflow: read\ninput: {{ type: object }}\nplugins:\n  t:\n    path: {}\n    grants:\n      dirs: [ {{ path: \"${{input.folder}}\", as: /in, mode: ro }} ]\n{EXTRACT}",
        guest_path("text").display()
    );
    place.write("read.yaml", &text).display().to_string()
}

#[test]
fn a_directory_that_is_not_allowed_is_code_4_and_the_flag_is_named() {
    let place = Place::new();
    let file = workflow(&place);
    let outcome = place.wfhost(&["run", &file, "-p", "folder=texts"]).exits(4);
    let texts = place.path("texts").canonicalize().unwrap();
    let flag = format!("--allow-dir {}:ro", texts.display());
    let outcome = outcome.says(&flag);
    assert!(!outcome.stderr.contains("allow it?"), "nobody is there to answer");
    assert!(!place.path("data/store").exists(), "nothing was stored");
}

#[test]
fn an_allowed_directory_is_read() {
    let place = Place::new();
    let file = workflow(&place);
    for allow in ["texts", "texts:rw", "."] {
        let output =
            place.wfhost(&["run", &file, "-p", "folder=texts", "--allow-dir", allow]).ok().json();
        assert!(output.to_string().contains("One short text"), "{output}");
    }
    place.wfhost(&["run", &file, "-p", "folder=texts/..", "--allow-dir", "texts"]).exits(4);
    place.wfhost(&["run", &file, "-p", "folder=none", "--allow-dir", "."]).exits(3);
}

#[test]
fn what_is_remembered_holds() {
    let place = Place::new();
    let file = workflow(&place);
    std::fs::create_dir(place.path("data")).unwrap();
    let texts = place.path("texts").canonicalize().unwrap();
    place.write(
        "data/allowed-dirs.toml",
        &format!("[[allow]]\npath = \"{}\"\nmode = \"ro\"\n", texts.display()),
    );
    place.wfhost(&["run", &file, "-p", "folder=texts"]).ok();
    place.write("data/allowed-dirs.toml", "[[allow]]\npaht = 1\n");
    place.wfhost(&["run", &file, "-p", "folder=texts"]).exits(3).says("allowed-dirs.toml");
}
