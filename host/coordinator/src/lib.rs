//! Holds the state of every open run and decides what happens next: computes a change, stores
//! it, and only then acts on it.
//!
//! One thread owns the runs, the placement table and the link; everything that blocks (reading
//! the store, parsing definitions, expensive expressions, log files) happens on other threads,
//! which answer with a message. A store that fails stops the coordinator.

mod clock;
mod commands;
mod definitions;
mod deliveries;
mod deployed;
mod dispatch;
mod evaluator;
mod event_loop;
mod handle;
mod logs;
mod orders;
mod pool;
mod queries;
mod requests;
mod runs;
mod shown;
mod token;
mod uploads;
mod workers;

pub use deployed::DeployOptions;
pub use handle::{Coordinator, CoordinatorHandle, CoordinatorOptions, Recovery, StartError};
pub use pool::{Pool, PoolView, PoolWorker};
pub use requests::{VERBS, Verb, verb_result};
