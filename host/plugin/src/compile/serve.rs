//! The compiler's side: one component, then the end.
//!
//! It holds itself to its limits before it reads what it is to compile, and needs no file: what
//! a hostile component could make of it has the processor, its memory and two pipes.

use std::io::{self, BufReader, Write as _};
use std::thread;

use wasmtime::Engine;

use super::wire::{Answer, Made, Request, Want, read_bytes, read_line, write_line};
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
    let component = read_bytes(&mut input, request.bytes.min(make::COMPONENT_BYTES_MAX + 1))?;
    let compiling = thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(move || made(request.want, &component))?;
    let made = compiling.join().map_err(|_panic| io::Error::other("the compiler panicked"))?;
    let mut output = io::stdout().lock();
    match made {
        Ok(Made { native, facts }) => {
            write_line(&mut output, &Answer::Made { facts: facts.len(), native: native.len() })?;
            output.write_all(&facts)?;
            output.write_all(&native)?;
        }
        Err(refused) => write_line(&mut output, &Answer::Refused(refused.into()))?,
    }
    output.flush()
}

fn made(want: Want, component: &[u8]) -> Result<Made, Error> {
    let engine = || match want {
        Want::Native(codegen) => Engine::new(&engine::codegen_config(&codegen))
            .map_err(|error| Error::Compile(format!("{error:#}"))),
        Want::Facts => Ok(Engine::default()),
    };
    make::make(want, engine, component)
}
