//! Any component's functions as steps: JSON in, JSON out, by their WIT types.
//!
//! The mapping is a public contract (`wit/README.md`). Nothing that comes from
//! outside, text, type or value, makes a conversion panic, recurse without a bound or
//! take memory without one.

pub(crate) mod call;
pub(crate) mod functions;

mod base64;
mod decode;
mod encode;
mod expected;
pub mod fuzzing;
mod path;
mod reader;
mod scalar;
mod value_type;

#[cfg(test)]
mod tests;
