//! How long a step's answer may be, held before it is copied out of the guest.
//!
//! wasmtime has one bound on what a guest hands over, whether in a call of the host or as its
//! answer. Only into files can it hand over more in a call than it may answer: where it has
//! some, the bound is changed whenever the guest comes back, which costs each call.

use wasmtime::{CallHook, Error, Store, WasmBacktrace};
use wfhost_workflow::{Failure, Limit};

use crate::failure;
use crate::limits::Held;
use crate::state::AttemptState;

/// A guest that keeps its texts in UTF-16 has two bytes for one of the output.
const BYTES_PER_BYTE: u64 = 2;
/// Beside the text: an error's texts, a key.
const REST_BYTES: u64 = 64 << 10;

/// What is bounded below the limit `hostcall_fuel`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    Nothing,
    Answer,
    AnswerAndCalls,
}

/// Bounds the answer of the step that is called next.
pub(crate) fn bound(store: &mut Store<AttemptState>, held: &Held, has_files: bool) -> Bound {
    let in_a_call = held.get(Limit::HostcallFuel);
    let largest = [Limit::Output, Limit::Log, Limit::KvValue].map(|limit| held.get(limit));
    let largest = largest.into_iter().fold(0, u64::max);
    let answer = largest.saturating_mul(BYTES_PER_BYTE).saturating_add(REST_BYTES);
    if answer >= in_a_call {
        return Bound::Nothing;
    }
    let of = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let (in_a_call, answer) = (of(in_a_call), of(answer));
    if !has_files {
        store.set_hostcall_fuel(answer);
        return Bound::AnswerAndCalls;
    }
    store.call_hook(move |mut store, hook| {
        match hook {
            CallHook::CallingHost => store.set_hostcall_fuel(in_a_call),
            CallHook::ReturningFromWasm => store.set_hostcall_fuel(answer),
            CallHook::CallingWasm | CallHook::ReturningFromHost => {}
        }
        Ok(())
    });
    Bound::Answer
}

impl Bound {
    /// The failure of a step that went over it.
    pub(crate) fn refused(self, error: &Error, held: &Held) -> Option<Failure> {
        if !failure::is_hostcall_fuel(error) {
            return None;
        }
        // What goes over it in a call of the host has the guest's frames.
        let is_answer = error.downcast_ref::<WasmBacktrace>().is_none();
        match (self, is_answer) {
            (Self::Answer | Self::AnswerAndCalls, true) => {
                Some(held.over(Limit::Output, "the step's output has more than that"))
            }
            (Self::AnswerAndCalls, false) => {
                let what = "the step handed the host more in one call than its limits of `output`, \
                            `log` and `kv_value` would let through";
                Some(held.over(Limit::HostcallFuel, what))
            }
            (Self::Answer, false) | (Self::Nothing, _) => None,
        }
    }
}
