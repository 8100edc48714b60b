//! What passes between a host and its compiler: a line of JSON, then bytes, each way.

use std::io::{self, BufRead, Read};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::make::COMPONENT_BYTES_MAX;
use crate::engine::Codegen;
use crate::facts::Unreadable;
use crate::{Error, failure};

/// Compile errors of wasmtime have a few hundred bytes; a hostile name in one is cut.
pub(super) const LINE_BYTES_MAX: u64 = 64 << 10;

/// What is to be made of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Want {
    /// Native code, and the facts with it, as far as they can be told.
    Native(Codegen),
    /// Facts alone: fast, since nothing is compiled.
    Facts,
}

/// What was made.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// Empty where only facts were wanted.
    pub(super) native: Vec<u8>,
    /// JSON; empty where they cannot be told.
    pub(super) facts: Vec<u8>,
}

/// To the compiler; the component follows.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) want: Want,
    pub(super) memory_bytes: u64,
    pub(super) cpu_s: u64,
    pub(super) nice: u8,
    /// Whether it runs only when nothing else does.
    pub(super) gives_way: bool,
    /// Of the component.
    pub(super) bytes: usize,
}

/// From the compiler; facts and native code follow, if it made any.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    Made { facts: usize, native: usize },
    Refused(Refused),
}

/// Why a component is not compiled: its own fault, so the same each time.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Refused {
    NotWasm,
    TooLarge { bytes: usize },
    Structure(String),
    Componentise(String),
    Facts(String),
    Compile(String),
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NotWasm => Self::NotWasm,
            Refused::TooLarge { bytes } => Self::TooLarge { bytes, max: COMPONENT_BYTES_MAX },
            Refused::Structure(why) => Self::Structure(why),
            Refused::Componentise(why) => Self::Componentise(why),
            Refused::Facts(why) => Self::Facts(Unreadable::Invalid(why)),
            Refused::Compile(why) => Self::Compile(why),
        }
    }
}

impl From<Error> for Refused {
    /// An error may name things of the component, which may be as long as it likes.
    fn from(error: Error) -> Self {
        // Each byte may become six in JSON.
        let bounded = |why: &str| failure::bounded(why, (LINE_BYTES_MAX / 8) as usize);
        match error {
            Error::NotWasm => Self::NotWasm,
            Error::TooLarge { bytes, .. } => Self::TooLarge { bytes },
            Error::Structure(why) => Self::Structure(bounded(&why)),
            Error::Componentise(why) => Self::Componentise(bounded(&why)),
            Error::Facts(why) => Self::Facts(bounded(&why.to_string())),
            Error::Compile(why) => Self::Compile(bounded(&why)),
            // The rest does not come of compiling; its text says what it is.
            other => Self::Compile(bounded(&other.to_string())),
        }
    }
}

pub(super) fn write_line(to: &mut dyn io::Write, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    to.write_all(&line)
}

pub(super) fn read_line<T: DeserializeOwned>(from: &mut impl BufRead) -> io::Result<T> {
    let mut line = Vec::new();
    from.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
    Ok(serde_json::from_slice(&line)?)
}

/// Exactly `bytes` bytes.
pub(super) fn read_bytes(from: &mut impl Read, bytes: usize) -> io::Result<Vec<u8>> {
    let mut read = Vec::new();
    from.take(bytes as u64).read_to_end(&mut read)?;
    if read.len() == bytes { Ok(read) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
