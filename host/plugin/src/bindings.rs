//! The Rust side of `wit/`: the only file with `bindgen!`.

mod generated {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "wfhost:step/step",
        imports: { default: trappable },
        exports: { default: async },
    });
}

pub(crate) use generated::exports::wfhost::step::steps;
pub(crate) use generated::wfhost::host::{kv, log};
pub(crate) use generated::{Step, StepPre};
