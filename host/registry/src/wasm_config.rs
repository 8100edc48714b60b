//! The config of a plain component, field by field as `wkg` writes it
//! (the layout of the CNCF's TAG Runtime for WebAssembly).

use serde::Serialize;
use wfhost_workflow::Digest;

use crate::manifest;

/// The same component gives the same config, so that sending it again changes nothing.
const CREATED: &str = "1970-01-01T00:00:00Z";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WasmConfig<'c> {
    created: &'static str,
    author: Option<&'c str>,
    architecture: &'static str,
    os: &'static str,
    layer_digests: [Digest; 1],
    component: Option<Component<'c>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Component<'c> {
    exports: &'c [String],
    imports: &'c [String],
    target: Option<&'c str>,
}

/// What a file of WebAssembly is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wasm {
    Component,
    Module,
}

impl Wasm {
    /// By its first eight bytes.
    pub(crate) fn of(head: &[u8]) -> Option<Self> {
        match head.get(..8)? {
            b"\0asm\x0d\0\x01\0" => Some(Self::Component),
            b"\0asm\x01\0\0\0" => Some(Self::Module),
            _ => None,
        }
    }
}

/// Of a file with this digest.
pub(crate) fn config(
    wasm: Wasm,
    digest: Digest,
    author: Option<&str>,
    exports: &[String],
    imports: &[String],
) -> Vec<u8> {
    let (os, component) = match wasm {
        Wasm::Component => ("wasip2", Some(Component { exports, imports, target: None })),
        Wasm::Module => ("wasip1", None),
    };
    manifest::json(&WasmConfig {
        created: CREATED,
        author,
        architecture: "wasm",
        os,
        layer_digests: [digest],
        component,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_those_of_wkg() {
        let digest = Digest::of(b"x");
        let names = ["wasi:cli/run@0.2.0".to_owned(), "f".to_owned()];
        let text = config(Wasm::Component, digest, Some("A"), &names, &[]);
        let expected = format!(
            r#"{{"created":"1970-01-01T00:00:00Z","author":"A","architecture":"wasm","os":"wasip2","layerDigests":["{digest}"],"component":{{"exports":["wasi:cli/run@0.2.0","f"],"imports":[],"target":null}}}}"#
        );
        assert_eq!(String::from_utf8(text).expect("text"), expected);
        let text = config(Wasm::Module, digest, None, &[], &[]);
        let expected = format!(
            r#"{{"created":"1970-01-01T00:00:00Z","author":null,"architecture":"wasm","os":"wasip1","layerDigests":["{digest}"],"component":null}}"#
        );
        assert_eq!(String::from_utf8(text).expect("text"), expected);
    }

    #[test]
    fn wasm_is_known_by_its_beginning() {
        assert_eq!(Wasm::of(b"\0asm\x0d\0\x01\0more"), Some(Wasm::Component));
        assert_eq!(Wasm::of(b"\0asm\x01\0\0\0"), Some(Wasm::Module));
        for other in [&b""[..], b"\0asm", b"\0asm\x02\0\0\0", b"(component)"] {
            assert_eq!(Wasm::of(other), None);
        }
    }
}
