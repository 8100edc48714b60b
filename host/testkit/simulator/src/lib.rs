//! A seeded world around the pure core: its clock, network, workers and store are made up, and
//! all of them fail.
//!
//! Never sleeps and never asks for the time; the same seed gives the same history. What must
//! hold is checked as it happens ([`Violation`]), and once more on what is durable at the end.

mod coverage;
mod crowd;
mod fault;
mod invariants;
mod node;
mod store;
mod worker;
mod workload;
mod world;

pub use coverage::Coverage;
pub use crowd::{CrowdHistory, shares, simulate_crowd};
pub use fault::{Fault, Faults};
pub use invariants::Violation;
pub use world::{History, simulate};
