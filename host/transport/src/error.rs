//! What can go wrong with a link, by what the caller does next.

use std::io;
use std::path::PathBuf;

use crate::codec::{DecodeError, EncodeError};
use crate::keys::KeyError;

/// A link that cannot be made, or that has failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {endpoint}")]
    Bind {
        /// Where.
        endpoint: String,
        /// Why not.
        source: io::Error,
    },
    /// The address cannot be connected to.
    #[error("cannot connect to {endpoint}")]
    Connect {
        /// Where.
        endpoint: String,
        /// Why not.
        source: io::Error,
    },
    /// A list of keys cannot be used.
    #[error("cannot use the lists of keys")]
    Keys(#[source] KeyError),
    /// An address on the network without keys, where others can reach it.
    #[error("cannot use {endpoint} without keys: others can reach it")]
    Insecure {
        /// Which address.
        endpoint: String,
    },
    /// The libzmq in use cannot encrypt.
    #[error("cannot use {endpoint}: the libzmq in use has no CURVE, so nothing would be encrypted")]
    NoCurve {
        /// Which address.
        endpoint: String,
    },
    /// The folder for the control socket cannot be made or is not safe to use.
    #[error("cannot use {} for the control socket", path.display())]
    Folder {
        /// Which folder or file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// No process listens: nobody holds the data folder.
    #[error("no process serves the data folder {}", data.display())]
    NobodyListens {
        /// The data folder.
        data: PathBuf,
    },
    /// Somebody listens there, and no encrypted connection was made.
    #[error(
        "{endpoint} does not let this key in, or has another key than the one that was asked for"
    )]
    NotLetIn {
        /// Where.
        endpoint: String,
    },
    /// The process that served the folder has gone; whether the request was carried out is not known.
    #[error("the process that serves has gone before it answered")]
    Disconnected,
    /// No answer in time; whether the request was carried out is not known.
    #[error("no answer within {waited_ms} ms")]
    Timeout {
        /// How long the answer was waited for.
        waited_ms: u64,
    },
    /// The request is too large to be sent.
    #[error("the request cannot be sent")]
    Request(#[from] EncodeError),
    /// The answer cannot be read: most likely the other process is of another version.
    #[error("the answer cannot be read")]
    Answer(#[source] DecodeError),
    /// The operating system or libzmq refused something that should work.
    #[error("cannot {doing}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn system(doing: &'static str, source: impl Into<io::Error>) -> Self {
        Self::System { doing, source: source.into() }
    }
}

/// A message that was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The peer's connection is gone; its id will never be valid again.
    #[error("the peer is gone")]
    Gone,
    /// The peer does not read what it is sent: its queue is full. Nothing was sent.
    #[error("the peer's queue is full")]
    Full,
    /// The message is longer than its kind may be, or cannot be encoded.
    #[error("the message cannot be sent")]
    Message(#[from] EncodeError),
    /// The operating system or libzmq refused.
    #[error("the message cannot be sent")]
    System(#[source] io::Error),
}
