//! Hostile guests as tests load them: texts in `guests/`, and those that are too large to
//! be files, made by a function each time.

use std::path::PathBuf;

use wit_component::StringEncoding;
use wit_parser::Resolve;

use crate::guest;

mod made;

pub use made::{beside, functions, nested, slow_to_compile};

/// What the guests import beside the step world, as far as they use it.
const FOREIGN: [(&str, &str); 4] = [
    (
        "io.wit",
        "package wasi:io@0.2.0; interface poll {
            resource pollable;
            poll: func(in: list<borrow<pollable>>) -> list<u32>;
        }",
    ),
    (
        "clocks.wit",
        "package wasi:clocks@0.2.0; interface monotonic-clock {
            use wasi:io/poll@0.2.0.{pollable};
            type duration = u64;
            subscribe-duration: func(when: duration) -> pollable;
        }",
    ),
    (
        "sockets.wit",
        "package wasi:sockets@0.2.0;
        interface network {
            resource network;
            enum error-code {
                unknown, access-denied, not-supported, invalid-argument, out-of-memory, timeout,
                concurrency-conflict, not-in-progress, would-block, invalid-state,
                new-socket-limit, address-not-bindable, address-in-use, remote-unreachable,
                connection-refused, connection-reset, connection-aborted, datagram-too-large,
                name-unresolvable, temporary-resolver-failure, permanent-resolver-failure,
            }
            enum ip-address-family { ipv4, ipv6 }
            type ipv4-address = tuple<u8, u8, u8, u8>;
            type ipv6-address = tuple<u16, u16, u16, u16, u16, u16, u16, u16>;
            record ipv4-socket-address { port: u16, address: ipv4-address }
            record ipv6-socket-address {
                port: u16, flow-info: u32, address: ipv6-address, scope-id: u32,
            }
            variant ip-socket-address {
                ipv4(ipv4-socket-address), ipv6(ipv6-socket-address),
            }
        }
        interface instance-network {
            use network.{network};
            instance-network: func() -> network;
        }
        interface tcp {
            use network.{network, error-code, ip-socket-address};
            resource tcp-socket {
                start-connect: func(network: borrow<network>, remote-address: ip-socket-address)
                    -> result<_, error-code>;
            }
        }
        interface tcp-create-socket {
            use network.{error-code, ip-address-family};
            use tcp.{tcp-socket};
            create-tcp-socket: func(address-family: ip-address-family)
                -> result<tcp-socket, error-code>;
        }",
    ),
    ("acme.wit", "package acme:cloud@1.0.0; interface servers { rent: func(); }"),
];

const WORLD: &str = "package hostile:guests;
world guest {
    include wfhost:step/step@0.1.0;
    import wasi:io/poll@0.2.0;
    import wasi:clocks/monotonic-clock@0.2.0;
    import wasi:sockets/tcp-create-socket@0.2.0;
    import wasi:sockets/instance-network@0.2.0;
    import wasi:sockets/tcp@0.2.0;
    import acme:cloud/servers@1.0.0;
}";

/// Where the texts are.
#[must_use]
pub fn folder() -> PathBuf {
    guest::workspace().join("host/testkit/guests")
}

/// A hostile guest: a core module that carries its WIT, or a component where its text is
/// one.
///
/// # Panics
///
/// If there is no such guest, or its text is wrong.
#[must_use]
pub fn guest(name: &str) -> Vec<u8> {
    let file = folder().join(format!("{name}.wat"));
    let mut bytes =
        wat::parse_file(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    if !bytes.starts_with(b"\0asm\x01\0\0\0") {
        return bytes;
    }
    embed(&mut bytes).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    bytes
}

/// A hostile guest, with `fields` before the end of its module's text.
///
/// # Panics
///
/// If there is no such guest, or the text is wrong.
#[must_use]
pub fn guest_with(name: &str, fields: &str) -> Vec<u8> {
    let file = folder().join(format!("{name}.wat"));
    let text = std::fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let end = text.rfind(')').unwrap_or(text.len());
    let text = format!("{}{fields}{}", &text[..end], &text[end..]);
    let mut bytes = wat::parse_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    embed(&mut bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    bytes
}

/// Gives a core module the WIT of all guests.
fn embed(module: &mut Vec<u8>) -> Result<(), Box<dyn std::error::Error>> {
    let mut resolve = Resolve::default();
    resolve.push_dir(guest::workspace().join("wit"))?;
    for (path, wit) in FOREIGN {
        resolve.push_str(path, wit)?;
    }
    let package = resolve.push_str("world.wit", WORLD)?;
    let world = resolve.select_world(&[package], Some("guest"))?;
    wit_component::embed_component_metadata(module, &resolve, world, StringEncoding::UTF8)?;
    Ok(())
}
