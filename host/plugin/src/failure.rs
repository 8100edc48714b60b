//! Turns what a call ended with into a [`Failure`]: the guest's fault, a limit, or ours.

use wasmtime::component::ResourceTableError;
use wasmtime::{Error, OutOfMemory, PoolConcurrencyLimitError, Store, Trap};
use wasmtime_wasi::I32Exit;
use wfhost_workflow::{DurationMs, Failure, FailureKind, Limit};

use crate::bindings::steps;
use crate::core_dump;
use crate::limits::{Held, OverLimit};
use crate::link::NotGranted;
use crate::state::AttemptState;

/// A trap's back-trace in a failure's message; a deep recursion has thousands of frames.
const TRACE_BYTES_MAX: usize = 3 << 10;

/// Bounds on what a guest may put into a failure.
const CODE_BYTES_MAX: usize = 128;
const MESSAGE_BYTES_MAX: usize = 16 << 10;

/// What an attempt that ended by `error` failed with.
pub(crate) fn from_call(error: &Error, held: &Held) -> Failure {
    if let Some((limit, what)) = limit_of(error) {
        return held.over(limit, &what);
    }
    if let Some(not_granted) = error.downcast_ref::<NotGranted>() {
        return not_granted.failure();
    }
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        let message = format!("the step ended itself with exit status {}", exit.0);
        return Failure::new(FailureKind::Trap, "exit", message);
    }
    if error.is::<PoolConcurrencyLimitError>() || error.is::<OutOfMemory>() {
        return Failure::new(FailureKind::Host, "pool", format!("no room for the step: {error}"));
    }
    let code = match error.downcast_ref::<Trap>() {
        Some(Trap::UnreachableCodeReached) => "unreachable",
        Some(_) | None => "trap",
    };
    Failure::new(FailureKind::Trap, code, bounded(&trace(error), TRACE_BYTES_MAX))
}

/// The same, with the guest's core dump written where the operator wants it.
pub(crate) async fn of_call(
    error: &Error,
    store: &mut Store<AttemptState>,
    held: &Held,
) -> Failure {
    let mut failure = from_call(error, held);
    if let Some(path) = &held.core_dump {
        core_dump::add(path, error, store, &mut failure).await;
    }
    failure
}

/// The limit that an error is about, and what went over it.
fn limit_of(error: &Error) -> Option<(Limit, String)> {
    if let Some(over) = error.downcast_ref::<OverLimit>() {
        return Some((over.limit, over.what.clone()));
    }
    if let Some(ResourceTableError::Full) = error.downcast_ref::<ResourceTableError>() {
        let what = "the step holds too many files, streams and timers at once";
        return Some((Limit::Handles, what.to_owned()));
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => {
            return Some((Limit::Stack, bounded(&trace(error), TRACE_BYTES_MAX)));
        }
        Some(Trap::OutOfFuel) => {
            return Some((Limit::Fuel, "the step has used up its instructions".to_owned()));
        }
        Some(_) | None => {}
    }
    let text_of = |part: &str| text_of(error, part);
    if is_hostcall_fuel(error) {
        let what = "the step handed the host more than that in one call";
        return Some((Limit::HostcallFuel, what.to_owned()));
    }
    if text_of("store handle limit exceeded").is_some() {
        let what = "the step holds too many handles and resources of its own at once";
        return Some((Limit::Handles, what.to_owned()));
    }
    let text = text_of("resource limit exceeded: ")?;
    let limits = [
        ("instance count", Limit::Instances),
        ("memory count", Limit::Memories),
        ("table count", Limit::Tables),
    ];
    let (_, limit) = limits.into_iter().find(|(part, _)| text.contains(part))?;
    Some((limit, format!("the component needs more {} than that", limit.spec().docs)))
}

/// Whether the guest handed over more than the host takes at once.
pub(crate) fn is_hostcall_fuel(error: &Error) -> bool {
    text_of(error, "fuel allocated for hostcalls").is_some()
}

/// wasmtime keeps some errors' types to itself; tests hold their texts.
fn text_of(error: &Error, part: &str) -> Option<String> {
    error.chain().map(ToString::to_string).find(|text| text.contains(part))
}

/// The cause first, then the frames: wasmtime puts them the other way round.
fn trace(error: &Error) -> String {
    let cause = error.root_cause().to_string();
    let frames = match error.downcast_ref::<wasmtime::WasmBacktrace>() {
        Some(frames) if !frames.frames().is_empty() => format!("\n{frames}"),
        Some(_) | None => String::new(),
    };
    format!("{cause}{frames}")
}

/// The error that a step returned.
pub(crate) fn from_step(error: steps::Error) -> Failure {
    let (kind, code, message, after) = match error {
        steps::Error::Retryable(failure) => {
            (FailureKind::Retryable, failure.code, failure.message, failure.after_ms)
        }
        steps::Error::Permanent(failure) => {
            (FailureKind::Permanent, failure.code, failure.message, None)
        }
        steps::Error::InvalidInput(failure) => {
            (FailureKind::InvalidInput, failure.code, failure.message, None)
        }
    };
    Failure {
        kind,
        code: bounded(&code, CODE_BYTES_MAX),
        message: bounded(&message, MESSAGE_BYTES_MAX),
        retry_after: after.map(DurationMs),
    }
}

/// The error that a function of any component returned: whether another attempt may help
/// is not in its type, so the workflow's policy decides.
pub(crate) fn returned(code: &str, message: &str) -> Failure {
    let (code, message) = (bounded(code, CODE_BYTES_MAX), bounded(message, MESSAGE_BYTES_MAX));
    Failure::new(FailureKind::Retryable, code, message)
}

/// At most `max` bytes of `text`, with a mark where it was cut.
pub(crate) fn bounded(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let mut end = max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(bounded("aäö", 2), "a…");
        assert_eq!(bounded("aäö", 3), "aä…");
        assert_eq!(bounded("aäö", 5), "aäö");
    }
}
