//! The coordinator with a real link and a store in memory, and workers that do as they are told.

#![expect(clippy::unwrap_used, reason = "a setting that cannot be made is a failed test")]
#![expect(clippy::disallowed_methods, reason = "patience is measured in real time")]

mod deploys;
mod failing;
mod mending;
mod outputs;
mod prefetching;
mod requests;
mod returning;
mod runs;
mod setting;
mod upgrading;
mod workers;
