//! What tests of several crates share. Nothing that ships depends on it.
//!
//! It also depends on every crate that any test uses, so that building the workspace for tests
//! and for use resolves to one set of features.

pub mod guest;
pub mod hostile;
pub mod made;
pub mod registry;
