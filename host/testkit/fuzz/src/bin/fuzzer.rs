//! The fuzzer: `wfhost-fuzzer TARGET [LIBFUZZER'S ARGUMENTS]`; made by `cargo xtask fuzz`.
//!
//! Has an ordinary `main`, and not libFuzzer's: so that the standard library gives its signal
//! handler a stack of its own, without which an input that overflows the stack would be lost.

#![expect(unsafe_code, reason = "libFuzzer is a C library that calls back")]
#![expect(clippy::print_stderr, reason = "what is found is said where libFuzzer says the rest")]

use std::ffi::{CString, c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::process::{Resource, Rlimit, setrlimit};
use wfhost_fuzz::{TARGETS, Target, folder, target};

/// What the host's threads have: what overflows there must overflow here.
const STACK_BYTES: u64 = 2 << 20;

static CHOSEN: OnceLock<&'static Target> = OnceLock::new();

/// What the newest panic said; those that the code under test catches are none of ours.
static PANIC: Mutex<String> = Mutex::new(String::new());

unsafe extern "C" {
    fn LLVMFuzzerRunDriver(
        count: *mut c_int,
        arguments: *mut *mut *mut c_char,
        run: extern "C" fn(*const u8, usize) -> c_int,
    ) -> c_int;
}

fn main() -> ExitCode {
    let mut words = std::env::args();
    let program = words.next().unwrap_or_default();
    let Some(chosen) = words.next().and_then(|name| target(&name)) else {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        eprintln!("usage: {program} TARGET [ARGUMENTS OF LIBFUZZER]; TARGET: {}", names.join(", "));
        return ExitCode::from(2);
    };
    CHOSEN.get_or_init(|| chosen);
    if let Err(error) = limit_stack() {
        eprintln!("the stack stays as large as it is: {error}");
    }
    let mut arguments = vec![program, format!("-max_len={}", chosen.bytes_max)];
    if let Some(dictionary) = chosen.dictionary {
        let file = folder().join("dictionaries").join(dictionary);
        arguments.push(format!("-dict={}", file.display()));
    }
    arguments.extend(words);
    ExitCode::from(drive(arguments) as u8)
}

/// On Linux this holds at once.
fn limit_stack() -> rustix::io::Result<()> {
    setrlimit(Resource::Stack, Rlimit { current: Some(STACK_BYTES), maximum: None })
}

fn drive(arguments: Vec<String>) -> c_int {
    let arguments: Vec<CString> =
        arguments.into_iter().filter_map(|word| CString::new(word).ok()).collect();
    let mut pointers: Vec<*mut c_char> =
        arguments.iter().map(|word| word.as_ptr().cast_mut()).collect();
    let mut count = pointers.len() as c_int;
    pointers.push(std::ptr::null_mut());
    let mut pointer = pointers.as_mut_ptr();
    // SAFETY: `count` words, each ended by a zero and alive until libFuzzer returns; it reorders
    // the pointers and does not write to the words.
    unsafe { LLVMFuzzerRunDriver(&raw mut count, &raw mut pointer, one_input) }
}

extern "C" fn one_input(bytes: *const u8, count: usize) -> c_int {
    // SAFETY: libFuzzer lends `count` bytes for the time of this call.
    let bytes = if count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(bytes, count) } };
    let Some(target) = CHOSEN.get() else { return -1 };
    if catch_unwind(AssertUnwindSafe(|| (target.run)(bytes))).is_err() {
        eprintln!("{}", PANIC.lock().unwrap_or_else(PoisonError::into_inner));
        // libFuzzer keeps the input of a process that aborts.
        std::process::abort();
    }
    0
}

/// Keeps what a panic says. The library's own hook, which this replaces, ends the process even if
/// the code under test catches the panic.
fn keep_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let backtrace = std::backtrace::Backtrace::force_capture();
        *PANIC.lock().unwrap_or_else(PoisonError::into_inner) = format!("{panic}\n{backtrace}");
    }));
}

/// The library's way in: of it, only what is done first.
mod first {
    libfuzzer_sys::fuzz_target!(init: super::keep_panics(), |_bytes: &[u8]| {});
}
