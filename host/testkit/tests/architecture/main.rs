//! Holds the architecture: who depends on whom, what stays pure, what is built once.
//!
//! Reads manifests and sources and asks Cargo for its plan; compiles nothing. Whoever changes a
//! rule changes it here and says why in `host/decisions/`.

mod builds;
mod dependencies;
mod guests;
mod manifests;
mod readme;
mod sources;
