//! Messages between coordinator, workers and clients, and the links that carry them.
//!
//! One file names zmq. Wire types are turned into domain types at the border.

pub mod client;
pub mod message;
