//! `retry: { attempts, backoff: { first, factor, max, jitter }, unless }`.

use crate::FailureKind;
use crate::definition::RetryPolicy;
use crate::definition::code::Code;
use crate::definition::problem::did_you_mean;
use crate::definition::read::{Fields, Reader};
use crate::definition::yaml::{Node, NodeValue, shortened};

/// Attempts of one step: each is a record of the run.
const ATTEMPTS_MAX: u32 = 100;

/// By which a wait may grow at once.
const FACTOR_MAX: f64 = 100.0;

/// A policy that is written down repeats every failure that it does not name under `unless`.
pub(super) fn read(reader: &Reader<'_>, node: &Node) -> RetryPolicy {
    let mut policy = RetryPolicy { unless: [].into(), ..RetryPolicy::default() };
    let Some(fields) = reader.fields(node, "`retry`", &["attempts", "backoff", "unless"]) else {
        return policy;
    };
    if let Some((span, _)) = fields.entry("backoff")
        && fields.get("attempts").is_some_and(
            |node| matches!(&node.value, NodeValue::Number(n) if n.as_u64() == Some(1)),
        )
    {
        let message = "`backoff` means nothing where there is one attempt only";
        reader.advise(span, Code::UselessRetry, message, None);
    }
    if let Some(node) = fields.get("attempts")
        && let Some(attempts) = reader.number(node, "`attempts`", 1..=ATTEMPTS_MAX)
    {
        policy.attempts = attempts;
    }
    if let Some(node) = fields.get("backoff") {
        let known = &["first", "factor", "max", "jitter"];
        if let Some(backoff) = reader.fields(node, "`backoff`", known) {
            read_backoff(reader, &backoff, &mut policy);
        }
    }
    if let Some(node) = fields.get("unless") {
        for node in reader.list(node, "`unless`").unwrap_or_default() {
            read_kind(reader, node, &mut policy);
        }
    }
    policy
}

fn read_backoff(reader: &Reader<'_>, backoff: &Fields<'_>, policy: &mut RetryPolicy) {
    if let Some(node) = backoff.get("first")
        && let Some(first) = reader.duration(node, "`first`")
    {
        policy.first = first;
        policy.max = policy.max.max(first);
    }
    if let Some(node) = backoff.get("factor")
        && let Some(factor) = reader.float(node, "`factor`", 1.0..=FACTOR_MAX)
    {
        policy.factor = factor;
    }
    if let Some(node) = backoff.get("max")
        && let Some(max) = reader.duration(node, "`max`")
    {
        policy.max = max;
        if max < policy.first {
            let first = policy.first;
            reader.report(node.span, format!("`max` is shorter than the first wait, {first}"));
        }
    }
    if let Some(node) = backoff.get("jitter")
        && let Some(jitter) = reader.float(node, "`jitter`", 0.0..=1.0)
    {
        policy.jitter = jitter;
    }
}

fn read_kind(reader: &Reader<'_>, node: &Node, policy: &mut RetryPolicy) {
    let Some(text) = reader.text(node, "a kind of failure") else { return };
    match text.parse::<FailureKind>() {
        Ok(kind) => {
            if matches!(
                kind,
                FailureKind::Permanent | FailureKind::InvalidInput | FailureKind::Expression
            ) {
                let message = format!("a failure of kind `{text}` is never repeated anyway");
                reader.advise(node.span, Code::UselessRetry, message, None);
            }
            policy.unless.insert(kind);
        }
        Err(_) => {
            let names = FailureKind::ALL.map(FailureKind::name);
            let hint = did_you_mean(text, names)
                .unwrap_or_else(|| format!("there are {}", names.join(", ")));
            let message = format!("`{}` is no kind of failure", shortened(text));
            reader.report_hinted(node.span, message, Some(hint));
        }
    }
}
