//! A worker as its coordinator sees it.

#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod bundles;
mod conversation;
mod harness;
mod prefetching;
mod sandboxes;
