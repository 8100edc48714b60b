//! Messages between coordinator, workers and clients, and the links that carry them.
//!
//! One file, `socket.rs`, names zmq. A link belongs to one thread; a [`Waker`] is how other
//! threads reach that thread. Nothing here decides anything: links encode, decode, bound and carry.

pub mod assembly;
pub mod client;
mod client_link;
mod clock;
pub mod codec;
mod control;
#[cfg_attr(not(target_os = "linux"), path = "door_elsewhere.rs")]
mod door;
mod endpoint;
mod error;
pub mod keys;
pub mod message;
mod raw_peer;
mod seldom;
mod server_link;
mod socket;
mod waker;
mod worker_link;
mod zap;

pub use client_link::{ClientLink, Target};
pub use codec::{DecodeError, EncodeError};
pub use endpoint::{Endpoint, NotAnAddress};
pub use error::{Error, SendError};
pub use raw_peer::RawPeer;
pub use seldom::Seldom;
pub use server_link::{Bind, ClientId, PeerKey, ServerEvent, ServerLink, ServerOptions};
pub use socket::{Curve, Hub, has_curve};
pub use waker::Waker;
pub use worker_link::{Coordinator, WorkerEvent, WorkerLink};
pub use zap::{Guard, KeyFiles, Role};
