//! Write the steps of [wfhost](https://github.com/wfhost/wfhost) workflows as plain Rust functions.
//!
//! A step is a function with an input and an output. `#[step]` gives it a name, a JSON Schema of each
//! type and a way to be called by the host; `export!` makes a WebAssembly component of a crate's steps.
//! The component runs in a sandbox and may do only what it was granted.
//!
//! ```rust
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//! use wfhost_guest::{Context, Error, export, log, step};
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Input {
//!     /// Whom to greet.
//!     name: String,
//! }
//!
//! #[derive(Serialize, JsonSchema)]
//! struct Output {
//!     greeting: String,
//! }
//!
//! /// Greets somebody by name.
//! #[step]
//! fn greet(input: Input) -> Output {
//!     Output { greeting: format!("Hello, {}!", input.name) }
//! }
//!
//! /// The same, but louder.
//! #[step]
//! fn shout(input: Input, context: &Context) -> Result<Output, Error> {
//!     if input.name.is_empty() {
//!         return Err(Error::invalid_input("no-name", "there is nobody to shout at"));
//!     }
//!     log::info!(attempt = context.attempt; "shouting at {}", input.name);
//!     Ok(Output { greeting: format!("HELLO, {}!", input.name.to_uppercase()) })
//! }
//!
//! export!(greet, shout);
//! ```
//!
//! A workflow calls them as `alias/greet` and `alias/shout`.
//!
//! # Setting up a crate
//!
//! ```toml
//! [lib]
//! crate-type = ["cdylib"]
//!
//! [dependencies]
//! wfhost-guest = "0.1"
//! schemars = "1"
//! serde = { version = "1", features = ["derive"] }
//!
//! [profile.release]          # a component travels to every worker: keep it small
//! opt-level = "s"
//! lto = true
//! panic = "abort"
//! strip = true
//! ```
//!
//! `cargo build --release --target wasm32-wasip2` makes the component;
//! `wfhost plugin call target/wasm32-wasip2/release/NAME.wasm greet '{"name": "Ada"}'` tries it. A core
//! module from `wasm32-wasip1` or `wasm32-unknown-unknown` will do as well: it carries its WIT, and
//! the host makes the component.
//!
//! # Shapes of a step
//!
//! - **Input**: the first parameter, any owned type with serde's `Deserialize` and schemars'
//!   `JsonSchema`. The host checks the input against the schema before the step starts.
//! - **Context**: a second parameter, `&Context` or `Context`, if the step wants to know its attempt,
//!   its idempotency key, the time it has left or its trace. See [`Context`].
//! - **Answer**: any type with `Serialize` and `JsonSchema`, or a `Result` of one. A type alias of
//!   `Result` counts if it is called `Result`. `Result<()>` answers `null`.
//! - **Name**: the function's, with `-` for `_`: `fn split_words` is called `split-words`.
//!   `#[step(name = "words")]` gives it another.
//! - **Docs**: the doc comment of the function is the step's description, those of the types are in
//!   its schemas; `wfhost check` and start forms show both.
//!
//! The function stays an ordinary function. A step that is missing from `export!` is reported by the
//! compiler as never used.
//!
//! # When a step fails
//!
//! What it returns says whether another attempt may help; how many there are and how far apart is for
//! the workflow's `retry` to say.
//!
//! | the step | kind | code |
//! |---|---|---|
//! | returns [`Error::retryable`], if need be with [`retry_after`](Error::retry_after) | retryable | its own |
//! | returns [`Error::permanent`] | permanent | its own |
//! | returns [`Error::invalid_input`] | invalid input | its own |
//! | passes on any other error with `?` | retryable | `failed` |
//! | … after [`or_permanent`](OrFail::or_permanent) and the like | as said | as said |
//! | gets an input that does not fit its type | invalid input | `invalid-input` |
//! | gives an answer that is no JSON (such as a map with lists as keys) | permanent | `invalid-output` |
//! | panics | trap | the host's |
//!
//! A panic ends the attempt with a trap, which no destructor survives; its message goes to standard
//! error, which the host keeps with the run. Use errors for what may happen and leave panics to bugs.
//!
//! A step runs **at least once**: after a crash it may run again although it had finished. Its result
//! counts once, but what it did elsewhere was done twice, unless the other side drops duplicates by
//! [`Context::idempotency_key`].
//!
//! # What a step can use
//!
//! [`log`] writes lines that stay with the run, [`progress`] shows how far it is, [`kv`] shares values
//! between the steps of a run. Of the standard library, clocks and random numbers work; files only in
//! directories that were granted; environment and network not at all.
//!
//! # Testing
//!
//! `cargo test` needs no wasm and no host: see [`testing`].

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

/// Keeps the README's example compiling.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
