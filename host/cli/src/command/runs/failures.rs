//! How often a run's attempts have failed, and of what.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wfhost_transport::client::{Answer, Request, ShownEvent};
use wfhost_workflow::{FailureKind, Revision, RunId};

use crate::error::Result;
use crate::sanitise;
use crate::session::{Requests, unexpected};

/// Records in one request.
const PAGE: u32 = 1000;
/// A run of more records is summed up in part: this is shown while somebody waits.
const PAGES_MAX: u32 = 100;

/// Failed attempts by kind, and by limit where that was it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Failures(BTreeMap<(String, Option<String>), u64>);

impl Failures {
    /// Reads the run's events.
    pub(crate) fn of(session: &mut dyn Requests, run: RunId) -> Result<Self> {
        let mut failures = Self::default();
        let mut after = Revision(0);
        for _ in 0..PAGES_MAX {
            let request = Request::Events { run, after, limit: PAGE };
            let (events, next) = match session.request(request)? {
                Answer::Events { events, next } => (events, next),
                other => return Err(unexpected(other)),
            };
            events.iter().for_each(|event| failures.add(event));
            match next {
                Some(next) if next > after => after = next,
                _ => break,
            }
        }
        Ok(failures)
    }

    fn add(&mut self, event: &ShownEvent) {
        let text = |name| match event.details.get(name)?.to_value() {
            Value::String(text) => Some(text),
            _ => None,
        };
        let Some(kind) = text("kind").filter(|_| event.event == "attempt-failed") else { return };
        let limits = [FailureKind::Limit, FailureKind::Timeout];
        let of_limit = limits.into_iter().any(|limit| limit.name() == kind);
        let limit = if of_limit { text("code") } else { None };
        *self.0.entry((kind, limit)).or_default() += 1;
    }

    /// `limit memory 2, trap 1`; nothing where nothing failed.
    pub(crate) fn text(&self) -> Option<String> {
        let parts: Vec<_> = self
            .0
            .iter()
            .map(|((kind, limit), count)| match limit.as_deref().filter(|limit| limit != kind) {
                Some(limit) => {
                    format!("{} {} {count}", sanitise::line(kind), sanitise::line(limit))
                }
                None => format!("{} {count}", sanitise::line(kind)),
            })
            .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    pub(crate) fn json(&self) -> Value {
        self.0
            .iter()
            .map(|((kind, limit), count)| json!({ "kind": kind, "limit": limit, "count": count }))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::{Fake, NOON, run_named};
    use wfhost_workflow::Json;

    fn failed(kind: FailureKind, code: &str) -> ShownEvent {
        let text = |text: &str| Json::from_value(&text.into());
        let details = [("kind", text(kind.name())), ("code", text(code))];
        ShownEvent {
            revision: Revision(1),
            at: NOON,
            event: "attempt-failed".to_owned(),
            step: Some("a".to_owned()),
            index: None,
            attempt: Some(1),
            details: details.map(|(name, value)| (name.to_owned(), value)).into(),
        }
    }

    #[test]
    fn failures_are_summed_by_kind_and_limit_over_all_pages() {
        let first = vec![failed(FailureKind::Limit, "memory"), failed(FailureKind::Trap, "x")];
        let second = vec![
            failed(FailureKind::Limit, "memory"),
            failed(FailureKind::Limit, "log"),
            failed(FailureKind::Timeout, "timeout"),
            failed(FailureKind::Host, "queue_full"),
        ];
        let mut fake = Fake::answering([
            Answer::Events { events: first, next: Some(Revision(1)) },
            Answer::Events { events: second, next: None },
        ]);
        let failures = Failures::of(&mut fake, run_named("a", 1).summary.run).unwrap();
        let text = failures.text().unwrap();
        assert_eq!(text, "host 1, limit log 1, limit memory 2, timeout 1, trap 1");
        let json = failures.json();
        assert_eq!(json[2], json!({ "kind": "limit", "limit": "memory", "count": 2 }));
        assert_eq!(Failures::default().text(), None);
    }
}
