//! Made-up workflows of every step kind, and the answers of their steps.

use std::fmt::Write as _;
use std::sync::Arc;

use wfhost_workflow::{Attempt, Definition, Failure, FailureKind, Json, TaskId};

/// How long a step may take in these workflows, in milliseconds.
pub(crate) const TIMEOUT_MS: u64 = 4000;

/// A workflow whose shape depends on the random numbers alone; some 40 tasks, fewer where a run ends early.
pub(crate) fn workflow(random: &mut fastrand::Rng) -> Arc<Definition> {
    let mut text = format!(
        "workflow: made_up\nversion: 1\npoison_after: {}\nplugins: {{ p: ./p.wasm }}\nsteps:\n",
        random.u8(1..4)
    );
    let mut before: Vec<String> = Vec::new();
    for number in 0..random.usize(10..18) {
        let id = format!("s{number}");
        step(&mut text, &id, &before, random);
        before.push(id);
    }
    let last = before.last().map_or("s0", String::as_str);
    let _fits = writeln!(text, "output: {{ last: \"${{steps.{last}}}\" }}");
    match Definition::parse(&text) {
        Ok(definition) => Arc::new(definition),
        Err(problems) => panic!("{}\n{text}", problems.render("made up", &text)),
    }
}

fn step(text: &mut String, id: &str, before: &[String], random: &mut fastrand::Rng) {
    let retry = retry(random);
    let prior =
        before.last().map_or_else(|| "input.seed".to_owned(), |prior| format!("steps.{prior}"));
    let when = if !before.is_empty() && random.u8(..) < 30 {
        format!("    when: \"${{input.seed % 3 != {}}}\"\n", random.u8(..3))
    } else {
        String::new()
    };
    let call = format!("call: p/work, timeout: {TIMEOUT_MS}ms, {retry}");
    let body = match random.u8(..10) {
        0..=3 => format!(
            "    call: p/work\n    timeout: {TIMEOUT_MS}ms\n    {retry}\n    with: {{ prior: \"${{{prior}}}\" }}\n"
        ),
        4..=6 => {
            let items: Vec<String> = (0..random.u8(..9)).map(|item| item.to_string()).collect();
            format!(
                "    map: [{}]\n    as: it\n    at_once: {}\n    call: p/work\n    timeout: {TIMEOUT_MS}ms\n    {retry}\n    with: {{ prior: \"${{{prior}}}\", it: \"${{it}}\" }}\n",
                items.join(", "),
                random.u8(1..5),
            )
        }
        7 => format!("    set: {{ copied: \"${{{prior}}}\" }}\n"),
        _ => format!(
            "    parallel:\n      - {{ id: {id}a, {call}, with: {{ prior: \"${{{prior}}}\" }} }}\n      - [ {{ id: {id}b, {call}, with: {{ prior: \"${{{prior}}}\" }} }}, {{ id: {id}c, {call}, with: {{ prior: \"${{steps.{id}b}}\" }} }} ]\n"
        ),
    };
    // Writing to a String cannot fail.
    let _fits = write!(text, "  - id: {id}\n{when}{body}");
}

fn retry(random: &mut fastrand::Rng) -> String {
    format!(
        "retry: {{ attempts: {}, backoff: {{ first: {}ms, factor: 2, max: 2s, jitter: 0.3 }} }}",
        random.u8(2..8),
        random.u16(1..400),
    )
}

/// What a step answers: another value at each attempt, so that a stale answer shows.
pub(crate) fn answer(task: TaskId, attempt: Attempt, nonce: u64) -> Json {
    let index = task.index.map_or(-1, i64::from);
    Json::from_trusted(format!(
        "{{\"step\":{},\"index\":{index},\"attempt\":{attempt},\"nonce\":{nonce}}}",
        task.step.0
    ))
}

/// How a step fails: mostly in ways that a retry cures.
pub(crate) fn failure(random: &mut fastrand::Rng) -> Failure {
    let kind = match random.u8(..20) {
        0 => FailureKind::Permanent,
        1..=3 => FailureKind::Trap,
        4..=6 => FailureKind::Host,
        7..=8 => FailureKind::Limit,
        _ => FailureKind::Retryable,
    };
    Failure::new(kind, "made-up", "made up")
}
