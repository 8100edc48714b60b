//! `runs …` on a folder that nobody holds.

use crate::place::Place;

const TWO: &str = "steps:
  - id: say
    call: p/write-log
    with: Ada
  - id: told
    map: \"${[1, 2, 3]}\"
    as: item
    call: p/told
    with: ${null}
output: { items: \"${steps.told.map(t, t.index)}\" }
";

fn ran() -> Place {
    let place = Place::new();
    let file = place.workflow("two.yaml", "probe", TWO);
    place.wfhost(&["run", &file]).ok();
    place
}

#[test]
fn a_list_is_a_table_or_an_array() {
    let place = ran();
    let file = place.workflow(
        "fail.yaml",
        "probe",
        "steps:\n  - id: broken\n    call: p/fail\n    with: permanent\n",
    );
    place.wfhost(&["run", &file]).exits(1);
    let text = place.wfhost(&["runs", "list"]).ok().stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(
        lines[0].starts_with("RUN") && lines[1].contains("fail") && lines[2].contains("succeeded"),
        "{text}"
    );
    assert!(text.contains("+00:00"), "times have their offset: {text}");
    let json = place.wfhost(&["runs", "list", "--output", "json"]).ok().json();
    assert_eq!((&json[0]["status"], &json[1]["status"]), (&"failed".into(), &"succeeded".into()));
    let failed =
        place.wfhost(&["runs", "list", "--status", "failed", "--output", "json"]).ok().json();
    assert_eq!(failed.as_array().unwrap().len(), 1);
    let one = place.wfhost(&["runs", "list", "--limit", "1", "--output", "json"]).ok().json();
    assert_eq!(one.as_array().unwrap().len(), 1);
}

#[test]
fn a_run_is_shown_with_its_steps() {
    let place = ran();
    let text = place.wfhost(&["runs", "show", "latest"]).ok().stdout;
    for part in ["workflow  two", "succeeded", "told", "3/3", "output"] {
        assert!(text.contains(part), "`{part}` is missing in\n{text}");
    }
    let json = place.newest();
    assert_eq!(json["steps"][1]["items_total"], 3);
    assert_eq!(json["output"]["items"], serde_json::json!([0, 1, 2]));
    let run = json["run"].as_str().unwrap();
    let lower = run[..20].to_lowercase();
    assert_eq!(place.wfhost(&["runs", "show", &lower, "--output", "json"]).ok().json()["run"], run);
}

#[test]
fn events_and_logs_are_told() {
    let place = ran();
    let events = place.wfhost(&["runs", "events", "latest", "--output", "json"]).ok().json_lines();
    let named = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!(
        (named("started"), named("attempt-succeeded"), named("succeeded")),
        (1, 4, 1),
        "{events:?}"
    );
    let revisions: Vec<_> =
        events.iter().map(|event| event["revision"].as_u64().unwrap()).collect();
    assert!(revisions.is_sorted(), "{revisions:?}");
    let after = place
        .wfhost(&["runs", "events", "latest", "--after", &revisions[1].to_string()])
        .ok()
        .stdout;
    assert!(after.lines().count() < events.len());
    let logs = place.wfhost(&["runs", "logs", "latest", "--output", "json"]).ok().json_lines();
    let messages: Vec<_> = logs.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["t", "d", "hello Ada", "w", "e"]);
    assert_eq!(logs[2]["fields"]["who"], "Ada");
    let worse =
        place.wfhost(&["runs", "logs", "latest", "--level", "warn", "--follow"]).ok().stdout;
    assert_eq!(worse.lines().count(), 2, "{worse}");
}

#[test]
fn outputs_are_json() {
    let place = ran();
    assert_eq!(place.wfhost(&["runs", "output"]).ok().stdout, "{\"items\":[0,1,2]}\n");
    let step = place.wfhost(&["runs", "output", "latest", "told"]).ok().json();
    assert_eq!(step[2]["index"], 2);
    place.wfhost(&["runs", "output", "latest", "none"]).exits(2).says("none");
}

#[test]
fn ended_runs_are_removed() {
    let place = ran();
    place
        .wfhost(&["runs", "rm", "--all-ended", "--older-than", "1h"])
        .ok()
        .says("no run to remove");
    place.wfhost(&["runs", "rm", "latest"]).ok().says("removed");
    place.wfhost(&["runs", "show", "latest"]).exits(2);
    assert_eq!(place.wfhost(&["runs", "list", "--output", "json"]).ok().stdout, "[]\n");
}

#[test]
fn what_the_state_does_not_allow_is_code_3() {
    let place = ran();
    place.wfhost(&["runs", "cancel", "latest"]).exits(3);
    place.wfhost(&["resume", "latest"]).exits(3);
    place.wfhost(&["resume"]).exits(2).says("no run is interrupted");
}
