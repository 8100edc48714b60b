//! Wrong command lines, and surroundings that cannot be used.

use std::process::Stdio;

use crate::place::Place;

#[test]
fn a_wrong_command_line_is_code_2() {
    let place = Place::new();
    place.wfhost(&[]).exits(2).says("Usage: wfhost");
    place.wfhost(&["rnu"]).exits(2).says("similar");
    place.wfhost(&["run"]).exits(2).says("<FILE>");
    place.wfhost(&["run", "x.yaml", "-p", "novalue"]).exits(2).says("name=value");
    place.wfhost(&["run", "x.yaml", "--slots", "0"]).exits(2);
    place
        .wfhost(&["run", "x.yaml", "--allow-dir", "/does/not/exist"])
        .exits(2)
        .says("/does/not/exist");
    place.wfhost(&["runs", "list", "--limit", "3", "--all"]).exits(2);
    place.wfhost(&["runs", "rm"]).exits(2);
    place.wfhost(&["runs", "rm", "--all-ended", "--older-than", "soon"]).exits(2).says("90s");
    place.wfhost(&["-q", "-v", "runs", "list"]).exits(2);
    place
        .command(&["runs", "list"])
        .env("WFHOST_LOG", "a=b=c")
        .output()
        .map(|output| {
            assert_eq!(output.status.code(), Some(2));
        })
        .unwrap();
    assert!(!place.path("data").exists(), "nothing was made");
}

#[test]
fn runs_that_are_not_there_are_code_2() {
    let place = Place::new();
    for command in ["show", "events", "logs", "output", "cancel", "rm", "resume"] {
        place.wfhost(&["runs", command, "latest"]).exits(2).says("there is no run yet");
    }
    place.wfhost(&["resume"]).exits(2).says("there is no run yet");
    place.wfhost(&["runs", "show", "01J9"]).exits(2).says("no run begins with `01J9`");
    assert!(!place.path("data").exists(), "looking makes no folder");
}

#[test]
fn an_empty_list_is_no_error() {
    let place = Place::new();
    let text = place.wfhost(&["runs", "list"]).ok().says("no runs");
    assert_eq!(text.stdout, "");
    assert_eq!(place.wfhost(&["runs", "list", "--output", "json"]).ok().stdout, "[]\n");
}

#[test]
fn errors_are_json_where_that_is_wanted() {
    let outcome = Place::new().wfhost(&["--log-format", "json", "runs", "show", "01J9"]).exits(2);
    let error: serde_json::Value = serde_json::from_str(&outcome.stderr).unwrap();
    assert_eq!(error["level"], "error");
    assert_eq!(error["message"], "no run begins with `01J9`");
    assert!(error["hints"][0].is_string());
}

#[test]
fn a_data_folder_that_cannot_be_used_is_code_5() {
    let place = Place::new();
    let workflow = place.write("w.yaml", "workflow: w\nsteps:\n  - id: a\n    set: 1\n");
    let file = place.write("file", "");
    let outcome = place
        .command(&[
            "--data",
            &format!("{}/data", file.display()),
            "run",
            &workflow.display().to_string(),
        ])
        .output()
        .unwrap();
    assert_eq!(outcome.status.code(), Some(5), "{}", String::from_utf8_lossy(&outcome.stderr));
    assert!(String::from_utf8_lossy(&outcome.stderr).contains("file/data"));
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let place = Place::new();
    let mut child = place
        .command(&["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()),
        (Some(0), "")
    );
}
