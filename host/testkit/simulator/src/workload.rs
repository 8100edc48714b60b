//! Made-up workflows of every step kind, and the answers of their steps.

use std::fmt::Write as _;
use std::sync::Arc;

use wfhost_workflow::{Attempt, Definition, Failure, FailureKind, Json, TaskId};

/// How long a step may take in these workflows, in milliseconds.
pub(crate) const TIMEOUT_MS: u64 = 4000;

/// A workflow as it was made up: it can be changed, and so become another version of itself.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    poison_after: u8,
    steps: Vec<Planned>,
}

/// A step, with those inside of it.
#[derive(Debug, Clone)]
struct Planned {
    id: String,
    /// What it does, with `@` for what it goes on from.
    body: String,
    /// It needs nothing, and nothing needs it.
    aside: bool,
}

impl Plan {
    /// Its shape depends on the random numbers alone; some 40 tasks, fewer where a run ends early.
    pub(crate) fn new(random: &mut fastrand::Rng) -> Self {
        let poison_after = random.u8(1..4);
        let mut steps = Vec::new();
        for number in 0..random.usize(10..18) {
            let id = format!("s{number}");
            let body = step(&id, number == 0, random);
            steps.push(Planned { id, body, aside: false });
        }
        Self { poison_after, steps }
    }

    /// Another version: the same, with other steps, or with the same ones elsewhere.
    pub(crate) fn changed(&self, random: &mut fastrand::Rng) -> Self {
        let mut plan = self.clone();
        plan.poison_after = random.u8(1..4);
        for _ in 0..random.usize(..4) {
            plan.change(random);
        }
        plan
    }

    fn change(&mut self, random: &mut fastrand::Rng) {
        let at = random.usize(..self.steps.len());
        let number = 100 + random.u32(..100_000);
        let early = random.usize(..=self.steps.len() / 4);
        match random.u8(..8) {
            // Everything behind it moves.
            0..=2 => self.steps.insert(early, aside(number, random)),
            3 if self.steps[early].aside => drop(self.steps.remove(early)),
            // These are refused where the step has begun.
            4 if !self.steps[at].aside => {
                let id = format!("s{number}");
                let body = step(&id, at == 0, random);
                self.steps[at] = Planned { id, body, aside: false };
            }
            5 if self.steps.len() > 3 && self.steps.iter().any(|step| step.aside) => {
                self.steps.remove(at);
            }
            6 => {
                let body = step(&self.steps[at].id, true, random);
                self.steps[at].body = body;
            }
            _ => {
                let other = random.usize(..self.steps.len());
                if self.steps[at].aside && self.steps[other].aside {
                    self.steps.swap(at, other);
                }
            }
        }
    }

    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "workflow: made_up\nversion: 1\npoison_after: {}\nplugins: {{ p: ./p.wasm }}\nsteps:\n",
            self.poison_after
        );
        let mut before: Option<&str> = None;
        for Planned { id, body, aside } in &self.steps {
            let (needs, prior) = match before.filter(|_| !aside) {
                Some(before) => (before, format!("steps.{before}")),
                None => ("", "input.seed".to_owned()),
            };
            let body = body.replace('@', &prior);
            // Writing to a String cannot fail.
            let _fits = write!(text, "  - id: {id}\n    needs: [{needs}]\n{body}");
            if !aside {
                before = Some(id);
            }
        }
        let _fits = writeln!(text, "output: {{ last: \"${{steps.{}}}\" }}", before.unwrap_or("s0"));
        text
    }

    pub(crate) fn definition(&self) -> Arc<Definition> {
        let text = self.text();
        match Definition::parse(&text) {
            Ok(definition) => Arc::new(definition),
            Err(problems) => panic!("{}\n{text}", problems.render("made up", &text)),
        }
    }
}

fn aside(number: u32, random: &mut fastrand::Rng) -> Planned {
    let id = format!("x{number}x");
    let body = step(&id, true, random);
    Planned { id, body, aside: true }
}

fn step(id: &str, first: bool, random: &mut fastrand::Rng) -> String {
    let retry = retry(random);
    let when = if !first && random.u8(..) < 30 {
        format!("    when: \"${{input.seed % 3 != {}}}\"\n", random.u8(..3))
    } else {
        String::new()
    };
    let call = format!("call: p/work, timeout: {TIMEOUT_MS}ms, {retry}");
    let body = match random.u8(..10) {
        0..=3 => format!(
            "    call: p/work\n    timeout: {TIMEOUT_MS}ms\n    {retry}\n    with: {{ prior: \"${{@}}\" }}\n"
        ),
        4..=6 => {
            let items: Vec<String> = (0..random.u8(..9)).map(|item| item.to_string()).collect();
            format!(
                "    map: [{}]\n    as: it\n    at_once: {}\n    call: p/work\n    timeout: {TIMEOUT_MS}ms\n    {retry}\n    with: {{ prior: \"${{@}}\", it: \"${{it}}\" }}\n",
                items.join(", "),
                random.u8(1..5),
            )
        }
        7 => "    set: { copied: \"${@}\" }\n".to_owned(),
        _ => format!(
            "    parallel:\n      - {{ id: {id}a, {call}, with: {{ prior: \"${{@}}\" }} }}\n      - [ {{ id: {id}b, {call}, with: {{ prior: \"${{@}}\" }} }}, {{ id: {id}c, {call}, with: {{ prior: \"${{steps.{id}b}}\" }} }} ]\n"
        ),
    };
    when + &body
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
