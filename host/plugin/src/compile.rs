//! From bytes to a component that only has to be instantiated. Slow and blocking.

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};
use wit_component::ComponentEncoder;

use crate::Error;
use crate::bindings::StepPre;
use crate::state::AttemptState;

/// What every step component exports.
pub(crate) const STEPS: &str = "wfhost:step/steps@0.1.0";

/// A JavaScript or Python guest has 12 to 20 MB.
const COMPONENT_BYTES_MAX: usize = 128 << 20;

pub(crate) const CORE_HEADER: [u8; 8] = *b"\0asm\x01\0\0\0";
pub(crate) const COMPONENT_HEADER: [u8; 8] = *b"\0asm\x0d\0\x01\0";

/// Compiles a component, or a core module that carries its WIT, and links it.
pub(crate) fn compile(
    engine: &Engine,
    linker: &Linker<AttemptState>,
    bytes: &[u8],
) -> Result<StepPre<AttemptState>, Error> {
    check_size(bytes)?;
    let component = if bytes.starts_with(&COMPONENT_HEADER) {
        Component::from_binary(engine, bytes)
    } else if bytes.starts_with(&CORE_HEADER) {
        Component::from_binary(engine, &componentise(bytes)?)
    } else {
        return Err(Error::NotWasm);
    }
    .map_err(|error| Error::Compile(format!("{error:#}")))?;
    if component.get_export_index(None, STEPS).is_none() {
        let exports = component.component_type();
        let exports = exports.exports(engine).map(|(name, _)| name.to_owned()).collect();
        return Err(Error::NoSteps { interface: STEPS, exports });
    }
    let pre =
        linker.instantiate_pre(&component).map_err(|error| Error::Import(format!("{error:#}")))?;
    StepPre::new(pre).map_err(|error| Error::Compile(format!("{error:#}")))
}

/// Refuses what is larger than any component that is accepted.
pub(crate) fn check_size(bytes: &[u8]) -> Result<(), Error> {
    if bytes.len() > COMPONENT_BYTES_MAX {
        return Err(Error::TooLarge { bytes: bytes.len(), max: COMPONENT_BYTES_MAX });
    }
    Ok(())
}

/// What `wasm-tools component new` does, with WASI preview 1 provided on top of WASI 0.2.
pub(crate) fn componentise(module: &[u8]) -> Result<Vec<u8>, Error> {
    let encode = || {
        ComponentEncoder::default()
            .module(module)?
            .adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)?
            .encode()
    };
    encode().map_err(|error| Error::Componentise(format!("{error:#}")))
}
