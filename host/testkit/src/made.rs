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

/// A component of about `bytes` bytes that is code and nothing else: functions of straight-line
/// arithmetic with constants of their own, so that no two are alike and compiling them takes its
/// time. It exports `work: func(x: u32) -> u32`. Another `variant` is another component.
///
/// # Panics
///
/// Never: what it is made of is fixed.
#[must_use]
pub fn code(bytes: usize, variant: u32) -> Vec<u8> {
    const FUNCTION_BYTES: usize = 4 << 10;
    let mut random = fastrand::Rng::with_seed(u64::from(variant));
    let bodies: Vec<Vec<u8>> =
        (0..bytes / FUNCTION_BYTES).map(|_| arithmetic(FUNCTION_BYTES, &mut random)).collect();
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    // One type, (i32) -> i32; as many functions of it; the first is exported.
    section(&mut module, 1, &[1, 0x60, 1, 0x7f, 1, 0x7f]);
    section(&mut module, 3, &[leb(bodies.len()), vec![0; bodies.len()]].concat());
    section(&mut module, 7, b"\x01\x04work\0\0");
    section(&mut module, 10, &[leb(bodies.len()), bodies.concat()].concat());
    let mut resolve = Resolve { all_features: true, ..Resolve::default() };
    let wit = "package test:code; world it { export work: func(x: u32) -> u32; }";
    let package = resolve.push_str("test.wit", wit).expect("the WIT is valid");
    let world = resolve.select_world(&[package], Some("it")).expect("it has a world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("embeds");
    ComponentEncoder::default().module(&module).expect("a module").encode().expect("encodes")
}

fn section(module: &mut Vec<u8>, id: u8, body: &[u8]) {
    module.push(id);
    module.extend(leb(body.len()));
    module.extend(body);
}

/// A function's body with its length before it.
fn arithmetic(bytes: usize, random: &mut fastrand::Rng) -> Vec<u8> {
    const LOCAL_GET: [u8; 2] = [0x20, 0];
    const I32_CONST: u8 = 0x41;
    /// add, mul, xor, rotl
    const OPERATIONS: [u8; 4] = [0x6a, 0x6c, 0x73, 0x77];
    let mut body = vec![0];
    body.extend(LOCAL_GET);
    while body.len() < bytes {
        body.push(I32_CONST);
        // A positive constant of two bytes.
        body.extend([random.u8(..) | 0x80, random.u8(1..0x3f)]);
        body.push(OPERATIONS[random.usize(..OPERATIONS.len())]);
        body.extend(LOCAL_GET);
        body.push(OPERATIONS[random.usize(..OPERATIONS.len())]);
    }
    body.push(0x0b);
    [leb(body.len()), body].concat()
}
