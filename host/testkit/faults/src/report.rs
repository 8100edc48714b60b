//! What a row has to say.

use std::io::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::checker::Violation;
use crate::tools::seconds;

/// Violations that are shown of one row.
const SHOWN_MAX: usize = 12;

/// Times of single events.
#[derive(Debug, Clone, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The time that a share of the events did not exceed; zero without events.
    pub(crate) fn percentile(&self, share: f64) -> Duration {
        let mut times = self.0.clone();
        times.sort_unstable();
        let last = times.len().saturating_sub(1);
        times.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
    }
}

/// Something that must hold.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) text: String,
    pub(crate) held: bool,
    /// A bound on time: in a short pass, on a machine that does other things, it is only shown.
    pub(crate) timed: bool,
    pub(crate) detail: String,
}

/// What became of a row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    pub(crate) repetitions: u32,
    pub(crate) measured: Vec<(String, Times)>,
    pub(crate) counted: Vec<(String, u64)>,
    pub(crate) claims: Vec<Claim>,
}

impl Outcome {
    pub(crate) fn new(repetitions: u32) -> Self {
        Self { repetitions, ..Self::default() }
    }

    pub(crate) fn measured(&mut self, what: &str, times: Times) {
        self.measured.push((what.to_owned(), times));
    }

    pub(crate) fn counted(&mut self, what: &str, count: impl TryInto<u64>) {
        self.counted.push((what.to_owned(), count.try_into().unwrap_or(u64::MAX)));
    }

    pub(crate) fn claim(&mut self, text: &str, held: bool, detail: impl Into<String>) {
        let (text, detail) = (text.to_owned(), detail.into());
        self.claims.push(Claim { text, held, timed: false, detail });
    }

    pub(crate) fn timed(&mut self, text: &str, held: bool, detail: impl Into<String>) {
        let (text, detail) = (text.to_owned(), detail.into());
        self.claims.push(Claim { text, held, timed: true, detail });
    }

    /// Adds what the checker found.
    pub(crate) fn invariants(&mut self, runs: usize, executions: usize, found: &[Violation]) {
        self.counted("runs", runs);
        self.counted("attempts that guests have begun", executions);
        let shown: Vec<String> = found.iter().take(SHOWN_MAX).map(ToString::to_string).collect();
        let more = match found.len().saturating_sub(SHOWN_MAX) {
            0 => String::new(),
            more => format!("\n… and {more} more"),
        };
        self.claim("the invariants", found.is_empty(), shown.join("\n") + &more);
    }

    /// Whether all holds that counts.
    pub(crate) fn held(&self, once: bool) -> bool {
        self.claims.iter().all(|claim| claim.held || (claim.timed && once))
    }
}

/// For people.
pub(crate) fn text(outcome: &Outcome, once: bool) -> String {
    let mut text = String::new();
    for (what, times) in &outcome.measured {
        let of = |share| seconds(times.percentile(share));
        let (p50, p99, max) = (of(0.5), of(0.99), of(1.0));
        text += &format!("    {what}: p50 {p50}, p99 {p99}, max {max} ({})\n", times.count());
    }
    let counts = outcome.counted.iter().map(|(what, count)| format!("{what}: {count}"));
    text += &format!("    {}\n", counts.collect::<Vec<_>>().join(", "));
    for claim in &outcome.claims {
        let word = match (claim.held, claim.timed && once) {
            (true, _) => "holds",
            (false, true) => "does not hold (a time: not counted in a short pass)",
            (false, false) => "DOES NOT HOLD",
        };
        text += &format!("    {word}: {}", claim.text);
        if !claim.detail.is_empty() {
            text += &format!("\n        {}", claim.detail.replace('\n', "\n        "));
        }
        text.push('\n');
    }
    text
}

/// For scripts.
pub(crate) fn value(row: &str, outcome: &Outcome, once: bool) -> Value {
    let ms = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
    let measured = outcome.measured.iter().map(|(what, times)| {
        let of = |share| ms(times.percentile(share));
        json!({ "what": what, "count": times.count(), "p50_ms": of(0.5), "p99_ms": of(0.99), "max_ms": of(1.0) })
    });
    let counted = outcome.counted.iter().map(|(what, count)| (what.clone(), json!(count)));
    let claims = outcome.claims.iter().map(|claim| {
        json!({ "what": claim.text, "held": claim.held, "timed": claim.timed, "detail": claim.detail })
    });
    json!({
        "row": row,
        "repetitions": outcome.repetitions,
        "held": outcome.held(once),
        "measured": measured.collect::<Vec<_>>(),
        "counted": counted.collect::<serde_json::Map<_, _>>(),
        "claims": claims.collect::<Vec<_>>(),
    })
}

/// A closed pipe is no reason to stop.
pub(crate) fn out(text: &str) {
    let _ignored = std::io::stdout().write_all(text.as_bytes());
}

pub(crate) fn err(text: &str) {
    let _ignored = std::io::stderr().write_all(text.as_bytes());
}
