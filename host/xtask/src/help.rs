//! What `--help` says.

#[cfg(test)]
pub(crate) const COMMANDS: [&str; 7] =
    ["demo", "test", "check", "guests", "bench", "faults", "fuzz"];

pub(crate) const ALL: &str = "\
Builds, shows and checks wfhost. What is missing is found or installed first.

Usage: cargo xtask <COMMAND> [ARGUMENTS]

Commands:
  demo [FOLDER]     runs examples/brief on a folder of texts and shows its report
  test [ARGUMENTS]  builds everything and runs every test
  check [PART]      formatting, lints and docs, as a change must pass them
  guests            builds the WebAssembly components of plugins/ and of the tests
  bench [ARGUMENTS] measures
  faults [ROW…]     breaks processes, networks and disks, and looks whether what was promised holds
  fuzz [TARGET…]    feeds the readers of foreign data with millions of inputs

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

const FAULTS: &str = "\
Kills, stops, cuts off and floods real processes while they work, and looks whether what was
promised holds.

A ROW is a fault with what must hold under it; without one, all are carried out. Each prints how
often, what was measured, and whether it held; one checker reads everything back, from the
coordinator and from the store, and looks for results that changed, count twice or are gone. The
whole takes about an hour; `--once` is a short pass, in which bounds on time are shown and not
counted. `crash-points` and `timeout` break a second build of wfhost, which ends itself or errs where
`FAILPOINTS` says; it is made only for them. Rows that cut a network make network namespaces, which
takes root and iproute2; for anybody else they are skipped. Exit code 1: something does not hold.

Usage: cargo xtask faults [ROW…] [--times N | --once] [--seed S] [--output text | json]
       cargo xtask faults --list

Examples:
  cargo xtask faults
  cargo xtask faults --once
  cargo xtask faults kill-worker --times 50
";

const FUZZ: &str = "\
Feeds what reads foreign data with inputs that libFuzzer makes up, and looks for panics, endless
loops, memory without bound, and values that do not come back as they went.

Works with the stable compiler; installs a C++ compiler where there is none. Each TARGET is fuzzed
for the time given by `--time` (10m unless given), `--jobs` of them at once (half the processors
unless given). Without TARGET all are: host/testkit/fuzz/corpus has a folder for each, with its
seeds. What is found is written to host/testkit/fuzz/regressions, which `cargo xtask test` replays,
and the exit code is 1.

Usage: cargo xtask fuzz [TARGET…] [--time TIME] [--jobs N]
       cargo xtask fuzz [TARGET] --replay FILE

Examples:
  cargo xtask fuzz
  cargo xtask fuzz messages --time 1h
  cargo xtask fuzz --time 30s --jobs 2
  cargo xtask fuzz --replay host/testkit/fuzz/regressions/messages/crash-1
";

/// The help of one command.
pub(crate) fn of(command: &str) -> Option<&'static str> {
    match command {
        "demo" => Some(DEMO),
        "test" => Some(TEST),
        "check" => Some(CHECK),
        "guests" => Some(GUESTS),
        "bench" => Some(BENCH),
        "faults" => Some(FAULTS),
        "fuzz" => Some(FUZZ),
        _ => None,
    }
}
