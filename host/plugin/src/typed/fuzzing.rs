//! For the fuzzer: conversions without a guest.

use wasmtime::component::Component;
use wasmtime::{Config, Engine};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

use super::functions::{Functions, Signature};
use super::{decode, encode};

/// Bytes that a value may take; also what its text may.
const BYTES_MAX: usize = 64 << 20;

/// The types of every function that a component exports.
#[derive(Debug)]
pub struct Types(Vec<Signature>);

impl Types {
    /// Takes them from a component; functions that JSON cannot carry are left out. Slow:
    /// for the set-up, not for each input.
    ///
    /// # Errors
    /// If the component does not compile.
    pub fn of(component: &[u8]) -> Result<Self, String> {
        let mut config = Config::new();
        // What the host itself refuses is converted all the same.
        config.wasm_component_model_map(true).wasm_component_model_fixed_length_lists(true);
        let engine = Engine::new(&config).map_err(|error| format!("{error:#}"))?;
        let component =
            Component::from_binary(&engine, component).map_err(|error| format!("{error:#}"))?;
        let functions = Functions::of(&engine, &component).map_err(|error| error.to_string())?;
        let signatures = functions.iter().filter_map(|function| function.take().ok());
        Ok(Self(signatures.collect()))
    }

    /// The same for a WIT document with a world, by a component that does nothing.
    ///
    /// # Errors
    /// If there is no such world.
    pub fn of_wit(wit: &str) -> Result<Self, String> {
        Self::of(&component(wit)?)
    }

    /// How many functions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads `json` (which need not be JSON) as the arguments of one of the functions,
    /// writes them, and reads that again. The text that was written.
    ///
    /// # Errors
    /// The message that a caller of the function would see.
    ///
    /// # Panics
    /// If what was written is not read as the same, or not written the same again: that
    /// is what the fuzzer looks for.
    pub fn round_trip(&self, function: usize, json: &str) -> Result<String, String> {
        let Some(signature) = self.0.get(function) else { return Err("no function".to_owned()) };
        let fields = &signature.parameters;
        let values =
            decode::arguments(json, fields, BYTES_MAX).map_err(|wrong| wrong.to_string())?;
        let write = |values: &_| {
            encode::arguments(values, fields, usize::MAX).expect("what was read can be written")
        };
        let written = write(&values);
        let again = decode::arguments(&written, fields, usize::MAX);
        let again = again.expect("what was written can be read");
        assert_eq!(values, again, "read again, it is another value");
        assert_eq!(written, write(&again), "written again, it is another text");
        Ok(written)
    }
}

/// A component of the document's only world, all of whose functions trap.
///
/// # Errors
/// If there is no such world.
pub fn component(wit: &str) -> Result<Vec<u8>, String> {
    let text = |error| format!("{error:#}");
    let mut resolve = Resolve { all_features: true, ..Resolve::default() };
    let package = resolve.push_str("types.wit", wit).map_err(text)?;
    let world = resolve.select_world(&[package], None).map_err(text)?;
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).map_err(text)?;
    ComponentEncoder::default().module(&module).map_err(text)?.encode().map_err(text)
}
