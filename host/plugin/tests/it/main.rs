//! The plugin host against real guests, most of them hostile: each ends in its own named
//! failure, and the calls of others go on.

#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod contained;
mod describing;
mod each_limit;
mod facts;
mod files;
mod guest_sdk;
mod guests;
mod limits;
mod loading;
mod ordinary;
mod snoop;
mod strict;
mod traps;
mod typed;
