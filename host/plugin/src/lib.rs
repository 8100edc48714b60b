//! Runs steps: loads components, holds their sandboxes to what was granted, calls them.
//!
//! Deny by default: a guest sees no file, environment variable, argument or network that
//! it was not granted, and every attempt has a fresh store. Only this crate names
//! wasmtime, and none of its types leave it.

mod ability;
mod admission;
mod answer;
#[doc(hidden)]
pub mod bare;
mod bindings;
pub mod cache;
mod clock;
pub mod compile;
mod core_dump;
mod describe;
mod engine;
mod epoch;
mod error;
pub mod facts;
mod failure;
mod host;
mod lanes;
mod limits;
mod link;
mod machine;
mod manifest;
mod one_answer;
mod pace;
mod replay;
mod run;
mod shape;
mod state;
#[doc(hidden)]
pub mod typed;

pub use ability::{LogLevel, StepSink};
pub use admission::AdmissionOptions;
pub use core_dump::CoreDumps;
pub use error::Error;
pub use host::{Fixed, HostOptions, Kept, Plugin, PluginHost};
pub use manifest::{Manifest, ManifestError};
pub use run::{Completion, Invocation, StepContext};
pub use shape::Shape;
