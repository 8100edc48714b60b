//! This program as the compiler that Cargo calls for our own packages: rustc, with counters.
//!
//! libFuzzer steers by counters that LLVM puts into the code. rustc passes LLVM's options on, in
//! the stable version as well. Only our packages get them, by Cargo's `RUSTC_WORKSPACE_WRAPPER`,
//! whose results Cargo keeps apart from ordinary builds.

use std::ffi::{OsStr, OsString};
use std::process::{Command, ExitCode};

/// Set where Cargo is to call this program instead of rustc.
pub(crate) const ASKED: &str = "XTASK_FUZZ_COMPILER";

/// As `cargo fuzz` has them, without a sanitizer: those need an unstable compiler.
const COUNTERS: [&str; 5] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// Calls the compiler, if that is what was asked for.
pub(crate) fn stand_in() -> Option<ExitCode> {
    std::env::var_os(ASKED)?;
    let mut words = std::env::args_os().skip(1);
    let compiler = words.next()?;
    let words: Vec<OsString> = words.collect();
    let mut command = Command::new(compiler);
    command.args(&words);
    if is_fuzzed(&words) {
        command.args(COUNTERS);
    }
    let code = command.status().ok().and_then(|status| status.code());
    Some(ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(101)))
}

/// What runs while compiling is not linked to libFuzzer; and Cargo asks the compiler what it is.
fn is_fuzzed(words: &[OsString]) -> bool {
    let after = |name: &str| {
        let position = words.iter().position(|word| word == name)?;
        words.get(position + 1).map(OsString::as_os_str)
    };
    let compiles = words.iter().any(|word| word.to_str().is_some_and(|it| it.ends_with(".rs")));
    compiles
        && after("--crate-type") != Some(OsStr::new("proc-macro"))
        && after("--crate-name") != Some(OsStr::new("build_script_build"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_while_compiling_has_no_counters() {
        let fuzzed = |line: &str| {
            is_fuzzed(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
        };
        assert!(fuzzed("--crate-name wfhost_workflow --edition=2024 src/lib.rs --crate-type lib"));
        assert!(fuzzed("--crate-name wfhost_fuzzer src/bin/fuzzer.rs --crate-type bin"));
        assert!(!fuzzed("--crate-name build_script_build build.rs --crate-type bin"));
        assert!(!fuzzed("--crate-name wfhost_guest_macros src/lib.rs --crate-type proc-macro"));
        assert!(!fuzzed("-vV"));
        assert!(!fuzzed("- --crate-name ___ --print=file-names --crate-type bin"));
    }
}
