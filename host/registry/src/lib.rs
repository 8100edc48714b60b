//! Bundles and plain components, to and from OCI registries.
//!
//! Speaks the distribution API itself, one request at a time, and blocks: who calls it from async
//! code lends it a thread. Never decides whether a bundle is trusted, never runs what it fetched.
//! Invariant: a file gets its name only when its bytes have the digest and the size that the
//! manifest says, and the manifest has the digest that the reference says.

mod answer;
pub mod bounds;
mod challenge;
mod client;
mod clock;
mod docker_login;
mod download;
mod error;
mod halt;
mod manifest;
mod options;
mod pull;
mod push;
mod reference;
mod upload;
mod url;
mod wasm_config;

pub use docker_login::LoginError;
pub use error::{Error, Kind};
pub use options::{Login, Options, Watch};
pub use pull::{PulledBundle, PulledComponent, pull_bundle, pull_component};
pub use push::{ComponentToPush, Pushed, push_bundle, push_component};
pub use reference::{Reference, ReferenceError};
