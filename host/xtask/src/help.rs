//! What `--help` says.

#[cfg(test)]
pub(crate) const COMMANDS: [&str; 5] = ["demo", "test", "check", "guests", "bench"];

pub(crate) const ALL: &str = "\
Builds, shows and checks wfhost. What is missing is found or installed first.

Usage: cargo xtask <COMMAND> [ARGUMENTS]

Commands:
  demo [FOLDER]     runs examples/brief on a folder of texts and shows its report
  test [ARGUMENTS]  builds everything and runs every test
  check [PART]      formatting, lints and docs, as a change must pass them
  guests            builds the WebAssembly components of plugins/ and of the tests
  bench [ARGUMENTS] measures

`cargo xtask <COMMAND> --help` says more, with examples.
";

const DEMO: &str = "\
Runs examples/brief on a folder of text or Markdown files and shows its report.

Sets up what is missing and builds first; with nothing changed that takes a second. Without FOLDER
it reads the licence texts of the machine, or those of this repository where there are none. The
runs of the demo are kept in target/demo and touch no other data.

Usage: cargo xtask demo [FOLDER]

Examples:
  cargo xtask demo
  cargo xtask demo ~/notes
";

const TEST: &str = "\
Builds everything and runs every test: set-up, guests, tests, doc tests.

Uses cargo-nextest where it is installed, `cargo test` otherwise. ARGUMENTS go to it; with any,
doc tests are left out. All packages are always built, so that each dependency is compiled once.

Usage: cargo xtask test [ARGUMENTS]

Examples:
  cargo xtask test
  cargo xtask test resume                          tests with `resume` in their name
  cargo xtask test -E 'package(wfhost-workflow)'   tests of one package (nextest)
  cargo xtask test --no-fail-fast
";

const CHECK: &str = "\
Formatting, lints and docs, of the host and of the guests; any warning fails.

Usage: cargo xtask check [fmt | clippy | doc]

Examples:
  cargo xtask check
  cargo xtask check fmt
";

const GUESTS: &str = "\
Builds the WebAssembly components of plugins/ and host/testkit/guests/ into target/guests/.

Needs a compiler for WebAssembly: an installed target wasm32-wasip2, else
`rustup target add wasm32-wasip2`, else Debian's rustc-web, which builds the standard library from
source. Does nothing where no input has changed. `--with` insists on one of the ways.

`js` builds the guests in JavaScript instead, with Node and packages from npm: only a measurement
needs them.

Usage: cargo xtask guests [js | --with rustup | debian]

Examples:
  cargo xtask guests
  cargo xtask guests js
  cargo xtask guests --with debian
";

const BENCH: &str = "\
Builds and runs the measurements. ARGUMENTS go to them.

Usage: cargo xtask bench [ARGUMENTS]

Examples:
  cargo xtask bench
  cargo xtask bench -- --help
";

/// The help of one command.
pub(crate) fn of(command: &str) -> Option<&'static str> {
    match command {
        "demo" => Some(DEMO),
        "test" => Some(TEST),
        "check" => Some(CHECK),
        "guests" => Some(GUESTS),
        "bench" => Some(BENCH),
        _ => None,
    }
}
