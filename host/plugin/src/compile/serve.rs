//! The compiler's side: one component, then the end.
//!
//! It holds itself to its limits before it reads what it is to compile, and needs no file: what
//! a hostile component could make of it has the processor, its memory and two pipes.

use std::io::{self, BufReader, Write as _};
use std::thread;

use wasmtime::Engine;

use super::wire::{Answer, Request, read_line, read_rest, write_line};
use super::{STACK_BYTES, confine, make};
use crate::{Error, engine};

/// Compiles what comes by standard input, and writes the native code to standard output. For a
/// process that does nothing else; see [`super::CompilerProgram`].
///
/// # Errors
/// If the host is gone, or the limits cannot be set.
pub fn serve() -> io::Result<()> {
    confine::at_start()?;
    let mut input = BufReader::new(io::stdin());
    let request: Request = read_line(&mut input)?;
    confine::to(&request)?;
    let component = read_rest(&mut input, request.bytes.min(make::COMPONENT_BYTES_MAX + 1))?;
    let compiling = thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(move || native(&request, &component))?;
    let made = compiling.join().map_err(|_panic| io::Error::other("the compiler panicked"))?;
    let mut output = io::stdout().lock();
    match made {
        Ok(native) => {
            write_line(&mut output, &Answer::Made { bytes: native.len() })?;
            output.write_all(&native)?;
        }
        Err(refused) => write_line(&mut output, &Answer::Refused(refused.into()))?,
    }
    output.flush()
}

fn native(request: &Request, component: &[u8]) -> Result<Vec<u8>, Error> {
    let engine = Engine::new(&engine::codegen_config(&request.codegen))
        .map_err(|error| Error::Compile(format!("{error:#}")))?;
    make::native(&engine, component)
}
