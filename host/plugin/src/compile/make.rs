//! The compiling itself.

use std::borrow::Cow;

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmtime::Engine;
use wit_component::ComponentEncoder;

use super::debug_info;
use super::wire::{Made, Want};
use crate::Error;
use crate::facts::{self, Unreadable};

/// A JavaScript or Python guest has 12 to 20 MB.
pub(super) const COMPONENT_BYTES_MAX: usize = 128 << 20;

pub(crate) const CORE_HEADER: [u8; 8] = *b"\0asm\x01\0\0\0";
pub(crate) const COMPONENT_HEADER: [u8; 8] = *b"\0asm\x0d\0\x01\0";

/// What is wanted of a component, or of a core module that carries its WIT.
pub(super) fn make(
    want: Want,
    engine: impl FnOnce() -> Result<Engine, Error>,
    bytes: &[u8],
) -> Result<Made, Error> {
    match want {
        Want::Native(_) => {
            let native = native(&engine()?, bytes)?;
            // What compiles can run; that its facts cannot be told is said when they are asked.
            let facts = facts(bytes).unwrap_or_default();
            Ok(Made { native, facts })
        }
        Want::Facts => Ok(Made { native: Vec::new(), facts: facts(bytes)? }),
    }
}

fn facts(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let facts = facts::of(bytes)?;
    serde_json::to_vec(&facts).map_err(|error| Unreadable::Invalid(error.to_string()).into())
}

fn native(engine: &Engine, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    check_size(bytes)?;
    let component = if bytes.starts_with(&COMPONENT_HEADER) {
        Cow::Borrowed(bytes)
    } else if bytes.starts_with(&CORE_HEADER) {
        Cow::Owned(componentise(bytes)?)
    } else {
        return Err(Error::NotWasm);
    };
    engine
        .precompile_component(&debug_info::bounded(&component))
        .map_err(|error| Error::Compile(format!("{error:#}")))
}

/// Refuses what is larger than any component that is accepted, or made of more.
pub(crate) fn check_size(bytes: &[u8]) -> Result<(), Error> {
    if bytes.len() > COMPONENT_BYTES_MAX {
        return Err(Error::TooLarge { bytes: bytes.len(), max: COMPONENT_BYTES_MAX });
    }
    super::structure::check(bytes)
}

/// How a program with a `main` exports it: the name's length, the name, and that it is a
/// function. Where these bytes are something else, its component lacks what it exports.
const START_EXPORT: &[u8] = b"\x06_start\x00";

/// What `wasm-tools component new` does, with WASI preview 1 provided on top of WASI 0.2.
pub(crate) fn componentise(module: &[u8]) -> Result<Vec<u8>, Error> {
    let is_program = module.windows(START_EXPORT.len()).any(|bytes| bytes == START_EXPORT);
    let adapter = if is_program {
        WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER
    } else {
        WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER
    };
    let encode = || {
        ComponentEncoder::default()
            .module(module)?
            .adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter)?
            .encode()
    };
    encode().map_err(|error| Error::Componentise(format!("{error:#}")))
}
