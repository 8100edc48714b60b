//! The command as its users meet it: the built binary, its output and its exit codes.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and nothing here decides by the time"
)]

mod bundles;
mod cache;
mod checking;
mod checking_types;
mod compiling;
mod crash;
mod graffiti;
mod held;
mod help;
mod interrupting;
mod permissions;
mod place;
mod plugin_call;
mod plugin_inspect;
mod pool;
mod prefetching;
mod remote;
mod retrying;
mod running;
mod runs;
mod sandbox;
mod starting;
mod usage;
mod workers;
