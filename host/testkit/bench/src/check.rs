//! `wfhost check`: the brief example as a command, and ten thousand steps as a call.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use wfhost_testkit::guest::workspace;
use wfhost_workflow::definition::{Draft, Offer};
use wfhost_workflow::{Contract, Json};

use crate::clock;
use crate::report::Row;
use crate::stats::Times;

const STEPS: usize = 10_000;

pub(crate) fn measure() -> Vec<Row> {
    vec![brief(), many_steps()]
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// The whole command, with what it compiled kept from a first time.
fn brief() -> Row {
    const ROUNDS: usize = 30;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let program = program();
    let file = workspace().join("examples/brief/brief.yaml");
    let run = || {
        let status = Command::new(&program)
            .arg("check")
            .arg(&file)
            .env("WFHOST_CACHE", folder.path().join("cache"))
            .env("WFHOST_DATA", folder.path().join("data"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(status.is_ok_and(|status| status.success()), "the example has no errors");
    };
    run();
    let mut times = Times::default();
    for _ in 0..ROUNDS {
        let started = clock::now();
        run();
        times.add(started.elapsed());
    }
    let p50 = times.p50();
    Row::new(
        "`wfhost check` of the brief example, warm, whole command, p50",
        ms(p50),
        "≤ 50 ms",
        p50 <= Duration::from_millis(50),
    )
}

/// Beside this program.
fn program() -> PathBuf {
    let own = std::env::current_exe().expect("this program has a path");
    own.with_file_name("wfhost")
}

/// Reading, typing and comparing, without starting a process or loading a plugin.
fn many_steps() -> Row {
    const ROUNDS: usize = 7;
    let source = many_steps_source();
    let offer = Offer { contracts: Some(Arc::new(vec![contract()])), ..Offer::default() };
    let offers = [("p".into(), offer)].into();
    let mut times = Times::default();
    for _ in 0..ROUNDS {
        let started = clock::now();
        let checked = Draft::read(&source).check(&offers, Vec::new());
        times.add(started.elapsed());
        assert_eq!(checked.errors + checked.warnings, 0, "{:?}", checked.problems);
    }
    let p50 = times.p50();
    Row::new(
        format!("check of {STEPS} steps with contracts, each fed by another, p50"),
        ms(p50),
        "< 1 s",
        p50 < Duration::from_secs(1),
    )
}

fn many_steps_source() -> String {
    let mut source = String::from(
        "workflow: many\ninput:\n  type: object\n  required: [name]\n  properties: { name: { type: string } }\nplugins: { p: ./p.wasm }\nsteps:\n  - id: s0\n    call: p/work\n    with: { name: \"${input.name}\", items: [] }\n",
    );
    for step in 1..STEPS {
        let before = step - 1;
        source.push_str(&format!(
            "  - id: s{step}\n    call: p/work\n    with:\n      name: \"${{steps.s{before}.name}}\"\n      level: {}\n      items: \"${{steps.s{before}.items.filter(i, i.score > 0.5 && i.title != '')}}\"\n      note: \"step ${{steps.s{before}.count + 1}} of ${{input.name}}\"\n",
            step % 9 + 1,
        ));
    }
    source.push_str(&format!("output: \"${{steps.s{}}}\"\n", STEPS - 1));
    source
}

fn contract() -> Contract {
    let items = json!({
        "type": "array",
        "maxItems": 100,
        "items": {
            "type": "object",
            "required": ["title", "score"],
            "properties": { "title": { "type": "string" }, "score": { "type": "number" } },
        },
    });
    let input = json!({
        "type": "object",
        "required": ["name", "items"],
        "additionalProperties": false,
        "properties": {
            "name": { "type": "string" },
            "items": items,
            "level": { "type": "integer", "minimum": 1, "maximum": 9 },
            "note": { "type": "string" },
        },
    });
    let output = json!({
        "type": "object",
        "required": ["name", "items", "count"],
        "properties": {
            "name": { "type": "string" },
            "items": items,
            "count": { "type": "integer", "minimum": 0 },
        },
    });
    Contract {
        name: "work".to_owned(),
        docs: String::new(),
        input_schema: Json::from_value(&input),
        output_schema: Json::from_value(&output),
    }
}
