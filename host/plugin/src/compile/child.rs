//! The host's side of a compiler in a process of its own: bounds on its time and on everything
//! that it says, and what its end means.

use std::io::{self, BufReader, Read, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
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

/// A compiler gives way to everything else; one that by then has had less than this part of the
/// time is on a machine that is never idle.
const STARVED_AFTER: Duration = Duration::from_secs(2);
const STARVED_SHARE: u32 = 8;

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
    gives_way: bool,
) -> Result<Made, Error> {
    let mut request = Request {
        want,
        memory_bytes: options.memory_bytes,
        cpu_s: options.cpu.0.div_ceil(1000),
        nice: options.nice,
        gives_way,
        bytes: component.len(),
    };
    if let Some(made) = run(program, options, &request, component)? {
        return made;
    }
    // A process that gives way cannot take that back: another one does not.
    request.gives_way = false;
    run(program, options, &request, component)?
        .unwrap_or(Err(Error::CompileTime { kind: "wall", max: options.wall }))
}

/// One child to its end; `None` for one that the machine gave no time.
fn run(
    program: &CompilerProgram,
    options: &CompileOptions,
    request: &Request,
    component: &[u8],
) -> Result<Option<Result<Made, Error>>, Error> {
    let mut child = start(program, options).map_err(Error::CompilerStart)?;
    let ended = attend(&mut child, request, component, options.wall.to_std());
    let status = child.wait().map_err(Error::CompilerStart)?;
    Ok(match ended.answer {
        Answered::Not(Wait::Starved) => None,
        Answered::Not(Wait::Over) => {
            Some(Err(Error::CompileTime { kind: "wall", max: options.wall }))
        }
        Answered::With(answer) => Some(result(answer, &ended.said, status, options)),
    })
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
    answer: Answered,
    said: String,
}

enum Answered {
    With(io::Result<Result<Made, Refused>>),
    Not(Wait),
}

/// Why a child was waited for no longer.
enum Wait {
    Over,
    Starved,
}

/// Gives the child its work and takes its answer. It is killed in any case: nothing of it goes
/// on, and its pipes end.
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
        let answer = wait(&answer, child.id(), request.gives_way, wall);
        let _ended_already = child.kill();
        Ended { answer, said: said.join().unwrap_or_default() }
    })
}

fn wait(
    answer: &Receiver<io::Result<Result<Made, Refused>>>,
    child: u32,
    gives_way: bool,
    wall: Duration,
) -> Answered {
    let first = STARVED_AFTER.min(wall);
    if let Ok(answer) = answer.recv_timeout(first) {
        return Answered::With(answer);
    }
    if gives_way && first < wall && ran(child).is_some_and(|ran| ran < first / STARVED_SHARE) {
        return Answered::Not(Wait::Starved);
    }
    match answer.recv_timeout(wall.saturating_sub(first)) {
        Ok(answer) => Answered::With(answer),
        Err(_timeout) => Answered::Not(Wait::Over),
    }
}

/// The processor time of all threads of a process, from the first figure of each `schedstat`.
fn ran(process: u32) -> Option<Duration> {
    let mut nanos = 0;
    for thread in std::fs::read_dir(format!("/proc/{process}/task")).ok()? {
        let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        nanos += text.split_whitespace().next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(nanos))
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

fn result(
    answer: io::Result<Result<Made, Refused>>,
    said: &str,
    status: ExitStatus,
    options: &CompileOptions,
) -> Result<Made, Error> {
    let over_memory = Error::CompileMemory { max: options.memory_bytes };
    let failed = match answer {
        Ok(Ok(made)) => return Ok(made),
        Ok(Err(Refused::Compile(why))) if why.contains(NO_MAPPING) => return Err(over_memory),
        Ok(Err(refused)) => return Err(refused.into()),
        Err(failed) => failed,
    };
    if failed.kind() != io::ErrorKind::UnexpectedEof {
        return Err(Error::CompilerPanic(format!("its answer makes no sense ({failed})")));
    }
    if status.signal() == Some(Signal::XCPU.as_raw()) {
        return Err(Error::CompileTime { kind: "processor", max: options.cpu });
    }
    if said.contains(NO_MEMORY) || said.contains(NO_MAPPING) {
        return Err(over_memory);
    }
    let said = failure::bounded(said.trim(), SAID_SHOWN_BYTES_MAX);
    match status.signal() {
        Some(signal) => Err(Error::CompilerDied { signal, said }),
        None => Err(Error::CompilerPanic(said)),
    }
}
