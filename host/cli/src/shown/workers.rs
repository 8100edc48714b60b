//! Workers as JSON for scripts and in words for people.

use serde_json::{Value, json};
use wfhost_transport::client::{MemberState, ShownAttempt, ShownPool, ShownWorker, WorkerState};
use wfhost_workflow::DurationMs;

use crate::output::Tone;
use crate::{clock, sanitise};

/// Enough of an id to tell workers apart.
const SHORT_CHARS: usize = 12;

pub(crate) fn short(id: &str) -> &str {
    id.get(..SHORT_CHARS).unwrap_or(id)
}

/// The word in tables and JSON.
pub(crate) const fn state_name(state: WorkerState) -> &'static str {
    match state {
        WorkerState::Ready => "ready",
        WorkerState::Draining => "draining",
        WorkerState::Silent => "silent",
    }
}

pub(crate) const fn state_tone(state: WorkerState) -> Tone {
    match state {
        WorkerState::Ready => Tone::Good,
        WorkerState::Draining => Tone::Warn,
        WorkerState::Silent => Tone::Bad,
    }
}

/// The colour of a state's word.
pub(crate) fn tone_of_state(word: &str) -> Option<Tone> {
    [WorkerState::Ready, WorkerState::Draining, WorkerState::Silent]
        .into_iter()
        .find(|state| state_name(*state) == word)
        .map(state_tone)
}

/// `gpu=true, zone=a`.
pub(crate) fn labels(worker: &ShownWorker) -> String {
    let labels = worker.labels.iter().map(|(name, value)| format!("{name}={value}"));
    labels.collect::<Vec<_>>().join(", ")
}

/// A line of `workers list --output json`.
pub(crate) fn json(worker: &ShownWorker) -> Value {
    let counts = worker.counts;
    json!({
        "worker": worker.id,
        "name": worker.name,
        "key": worker.key,
        "managed": worker.managed.is_some(),
        "pid": worker.managed,
        "version": worker.version,
        "state": state_name(worker.state),
        "slots": worker.slots,
        "busy": worker.busy,
        "labels": worker.labels,
        "joined_at": clock::rfc3339(worker.joined_at),
        "heard_ms_ago": worker.heard_ms_ago,
        "attempts": {
            "done": counts.done,
            "failed": counts.failed,
            "late_refused": counts.late_refused,
            "forged": counts.forged,
        },
        "running": worker.running.iter().map(attempt_json).collect::<Vec<_>>(),
    })
}

/// What `workers scale --output json` writes.
pub(crate) fn pool_json(pool: &ShownPool) -> Value {
    let members = pool.members.iter().map(|member| {
        json!({
            "name": member.name,
            "pid": member.pid,
            "state": member_state(member.state),
            "outdated": member.outdated,
        })
    });
    json!({
        "min": pool.min,
        "max": pool.max,
        "wanted": pool.wanted,
        "slots": pool.slots,
        "members": members.collect::<Vec<_>>(),
        "failures": pool.failures,
        "pause_ms": pool.pause_ms,
        "last_failure": pool.last_failure,
    })
}

const fn member_state(state: MemberState) -> &'static str {
    match state {
        MemberState::Starting => "starting",
        MemberState::Ready => "ready",
        MemberState::Leaving => "leaving",
    }
}

/// `2 of 1 to 4 workers are ready, 1 is starting`.
pub(crate) fn pool_line(pool: &ShownPool) -> String {
    let count = |state| pool.members.iter().filter(|member| member.state == state).count();
    let ready = count(MemberState::Ready);
    let bounds = match pool.min == pool.max {
        true => format!("{} wanted", pool.wanted),
        false => format!("{} wanted, from {} to {}", pool.wanted, pool.min, pool.max),
    };
    let mut line = format!("this machine's workers: {bounds}; {ready} ready");
    let outdated = pool.members.iter().filter(|member| member.outdated).count();
    let others = [
        (count(MemberState::Starting), "starting"),
        (count(MemberState::Leaving), "leaving"),
        (outdated, "of the former program"),
    ];
    for (number, what) in others.into_iter().filter(|(number, _)| *number > 0) {
        line.push_str(&format!(", {number} {what}"));
    }
    line
}

/// Why fewer are there than are wanted, if starts fail.
pub(crate) fn pool_trouble(pool: &ShownPool) -> Option<String> {
    let last = pool.last_failure.as_deref().filter(|_| pool.failures > 0)?;
    let next = match pool.pause_ms {
        0 => "another one may start".to_owned(),
        pause => format!("the next may start in {}", clock::span(DurationMs(pause))),
    };
    let last = sanitise::line(last);
    Some(format!("{} failures of workers in a row, the last: {last}; {next}", pool.failures))
}

fn attempt_json(attempt: &ShownAttempt) -> Value {
    json!({
        "run": attempt.run.to_string(),
        "workflow": attempt.workflow,
        "step": attempt.step,
        "index": attempt.index,
        "attempt": attempt.attempt,
    })
}

#[cfg(test)]
mod tests {
    use wfhost_transport::client::ShownMember;

    use super::*;

    fn member(name: &str, state: MemberState, outdated: bool) -> ShownMember {
        ShownMember { name: name.to_owned(), pid: 7, state, outdated }
    }

    #[test]
    fn a_pool_is_a_line_and_its_trouble_another() {
        let mut pool = ShownPool { min: 1, max: 4, wanted: 2, slots: 2, ..ShownPool::default() };
        pool.members = vec![
            member("pool-1", MemberState::Ready, true),
            member("pool-2", MemberState::Starting, false),
        ];
        let line = "this machine's workers: 2 wanted, from 1 to 4; 1 ready, 1 starting, 1 of the former program";
        assert_eq!(pool_line(&pool), line);
        assert_eq!(pool_trouble(&pool), None);
        pool.last_failure = Some("worker pool-2 ended\u{1b}".to_owned());
        assert_eq!(pool_trouble(&pool), None);
        (pool.failures, pool.pause_ms, pool.min, pool.max) = (3, 1_500, 2, 2);
        let trouble = "3 failures of workers in a row, the last: worker pool-2 ended\\u{1b}; the next may start in 1.5s";
        assert_eq!(pool_trouble(&pool).unwrap(), trouble);
        assert!(pool_line(&pool).starts_with("this machine's workers: 2 wanted; 1 ready"));
        let json = pool_json(&pool);
        assert_eq!(
            (&json["members"][1]["state"], &json["failures"]),
            (&"starting".into(), &3.into())
        );
    }
}
