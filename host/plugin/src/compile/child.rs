//! The host's side of a compiler in a process of its own: bounds on its time and on everything
//! that it says, and what its end means.

use std::io::{self, BufReader, Read, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::wire::{Answer, Made, Refused, Request, Want, read_bytes, read_line, write_line};
use super::{CompileOptions, CompilerProgram};
use crate::{Error, failure};

/// Native code has about three times its component's size.
const NATIVE_BYTES_MAX: usize = 1 << 30;
/// Facts of ten thousand functions have some megabytes.
const FACTS_BYTES_MAX: usize = 64 << 20;
/// The end of what a compiler says when it dies: the message of a panic.
const SAID_BYTES_MAX: usize = 8 << 10;
const SAID_SHOWN_BYTES_MAX: usize = 1 << 10;

/// How Rust's allocator ends a process.
const NO_MEMORY: &str = "memory allocation of";
/// How the system refuses memory, in wasmtime's and the standard library's errors.
const NO_MAPPING: &str = "Cannot allocate memory";

/// Compiles in a child process; the thread that calls must live until it is done, since the
/// child dies with it.
pub(super) fn compile(
    program: &CompilerProgram,
    options: &CompileOptions,
    want: Want,
    component: &[u8],
) -> Result<Made, Error> {
    let request = Request {
        want,
        memory_bytes: options.memory_bytes,
        cpu_s: options.cpu.0.div_ceil(1000),
        nice: options.nice,
        bytes: component.len(),
    };
    let mut child = start(program, options).map_err(Error::CompilerStart)?;
    let ended = attend(&mut child, &request, component, options.wall.to_std());
    // Whatever happened, nothing of it goes on.
    let _ended_already = child.kill();
    let status = child.wait().map_err(Error::CompilerStart)?;
    ended.result(status, options)
}

fn start(program: &CompilerProgram, options: &CompileOptions) -> io::Result<Child> {
    let mut command = Command::new(&program.program);
    command
        .args(&program.arguments)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(threads) = options.threads {
        command.env("RAYON_NUM_THREADS", threads.to_string());
    }
    command.spawn()
}

/// What came of a child.
struct Ended {
    /// `None`: not within the time.
    answer: Option<io::Result<Result<Made, Refused>>>,
    said: String,
}

/// Gives the child its work and takes its answer.
fn attend(child: &mut Child, request: &Request, component: &[u8], wall: Duration) -> Ended {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        let (done, answer) = mpsc::channel();
        scope.spawn(move || {
            // A child that does not read to the end has its reason, and says it.
            let _ignored = stdin.map(|mut stdin| {
                write_line(&mut stdin, request).and_then(|()| stdin.write_all(component))
            });
        });
        let said = scope.spawn(move || stderr.map(tail).unwrap_or_default());
        scope.spawn(move || {
            let answer = stdout.map_or_else(|| Err(io::ErrorKind::BrokenPipe.into()), read_answer);
            // Nobody waits any more, if this fails.
            drop(done.send(answer));
        });
        let answer = answer.recv_timeout(wall).ok();
        if answer.is_none() {
            // Ends the pipes, and so the threads.
            let _ended_already = child.kill();
        }
        Ended { answer, said: said.join().unwrap_or_default() }
    })
}

fn read_answer(stdout: impl Read) -> io::Result<Result<Made, Refused>> {
    let mut stdout = BufReader::with_capacity(256 << 10, stdout);
    match read_line(&mut stdout)? {
        Answer::Refused(refused) => Ok(Err(refused)),
        Answer::Made { facts, native }
            if facts <= FACTS_BYTES_MAX && native <= NATIVE_BYTES_MAX =>
        {
            let facts = read_bytes(&mut stdout, facts)?;
            Ok(Ok(Made { facts, native: read_bytes(&mut stdout, native)? }))
        }
        Answer::Made { .. } => Err(io::Error::other("more was made than is accepted")),
    }
}

/// The last bytes of all that comes.
fn tail(mut stderr: impl Read) -> String {
    let (mut kept, mut chunk) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = stderr.read(&mut chunk) {
        kept.extend_from_slice(&chunk[..read]);
        if kept.len() > 2 * SAID_BYTES_MAX {
            kept.drain(..kept.len() - SAID_BYTES_MAX);
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

impl Ended {
    fn result(self, status: ExitStatus, options: &CompileOptions) -> Result<Made, Error> {
        let over_memory = Error::CompileMemory { max: options.memory_bytes };
        let failed = match self.answer {
            None => return Err(Error::CompileTime { kind: "wall", max: options.wall }),
            Some(Ok(Ok(made))) => return Ok(made),
            Some(Ok(Err(Refused::Compile(why)))) if why.contains(NO_MAPPING) => {
                return Err(over_memory);
            }
            Some(Ok(Err(refused))) => return Err(refused.into()),
            Some(Err(failed)) => failed,
        };
        tracing::debug!(%failed, %status, "the compiler did not answer");
        if status.signal() == Some(Signal::XCPU.as_raw()) {
            return Err(Error::CompileTime { kind: "processor", max: options.cpu });
        }
        if self.said.contains(NO_MEMORY) || self.said.contains(NO_MAPPING) {
            return Err(over_memory);
        }
        let said = failure::bounded(self.said.trim(), SAID_SHOWN_BYTES_MAX);
        match status.signal() {
            Some(signal) => Err(Error::CompilerDied { signal, said }),
            None => Err(Error::CompilerPanic(said)),
        }
    }
}
