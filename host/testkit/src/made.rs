//! Guests made of their WIT alone: for what is read of a component and not run.

use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, PackageMetadata, Resolve};

/// A core module of the world `it` of `wit` that traps whatever is called, with its WIT
/// and its docs in it.
///
/// # Panics
///
/// If the WIT is not valid.
#[must_use]
pub fn module(wit: &str) -> Vec<u8> {
    let mut resolve = Resolve { all_features: true, ..Resolve::default() };
    let package = resolve.push_str("test.wit", wit).expect("the WIT is valid");
    let world = resolve.select_world(&[package], Some("it")).expect("it has a world");
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("embeds");
    let docs = PackageMetadata::extract(&resolve, package).encode().expect("encodes");
    custom_section(&mut module, "package-docs", &docs);
    module
}

/// The component that [`module`] becomes.
///
/// # Panics
///
/// If the WIT is not valid.
#[must_use]
pub fn component(wit: &str) -> Vec<u8> {
    ComponentEncoder::default().module(&module(wit)).expect("a module").encode().expect("encodes")
}

/// Appends a custom section to a module or component.
pub fn custom_section(binary: &mut Vec<u8>, name: &str, data: &[u8]) {
    let mut body = leb(name.len());
    body.extend(name.as_bytes());
    body.extend(data);
    binary.push(0);
    binary.extend(leb(body.len()));
    binary.extend(body);
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(u8::try_from(number & 0x7f).expect("seven bits") | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).expect("seven bits"));
    bytes
}
