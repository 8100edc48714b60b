//! The run state machine.

mod event;

pub use event::{
    Event, KvWrite, Record, RunStarted, RunStatus, RunSummary, StepOutput,
};
