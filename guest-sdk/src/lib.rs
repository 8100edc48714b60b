#![doc = include_str!("../README.md")]

#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod bindings;
mod clock;
mod context;
mod error;
mod host;
mod step;

pub mod kv;
pub mod log;
pub mod progress;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use context::Context;
pub use error::{Error, ErrorKind, OrFail, Result};
pub use step::{Description, Step, StepFunction, Steps};
pub use wfhost_guest_macros::step;

#[doc(hidden)]
pub mod __private {
    pub use crate::step::private::{
        Fallible, answer, fallible_answer, parse, schema_of_input, schema_of_output,
    };
    pub use serde_json;

    #[cfg(target_family = "wasm")]
    pub use crate::bindings::{self, Component, export_component};
}
