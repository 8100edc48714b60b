//! What a workflow is and how a run of it proceeds, as pure functions and values.
//!
//! Never does IO, never asks for the time, never draws a random number: all three are
//! arguments. Whatever a run does next follows from its events alone.

mod contract;
pub mod definition;
pub mod expression;
mod failure;
mod grants;
mod ids;
mod json;
mod limits;
mod origin;
pub mod parameters;
pub mod placement;
pub mod run;
mod sabotage;
pub mod schema;
mod time;
mod typing;

pub use contract::{Compatibility, Contract};
pub use definition::Definition;
pub use failure::{Failure, FailureKind, UnknownFailureKind};
pub use grants::{AllowedDir, Determinism, DirAsk, DirGrant, DirMode, PinnedPlugin};
pub use ids::{
    Attempt, AttemptId, Digest, Digesting, InvalidId, Name, Revision, RunId, StepId, TaskId,
    WorkerId,
};
pub use json::Json;
pub use limits::{
    Limit, LimitError, LimitSettings, LimitSource, LimitSpec, LimitUnit, Limits, OperatorLimits,
    UnknownLimit,
};
pub use origin::{Origin, PluginOrigin};
pub use schema::{Schema, SchemaError};
pub use time::{DurationMs, MonotonicMs, TimestampMs};

#[cfg(wfhost_sabotage)]
pub use sabotage::{Sabotage, choose};
