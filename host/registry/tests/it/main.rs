//! A real registry, and some that lie.

#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod liar;
mod login;
mod lying;
mod place;
mod real;
mod stalling;
