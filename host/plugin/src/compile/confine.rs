//! A compiler holds itself to its limits: set by itself at its start, they need no code between
//! `fork` and `exec`.

use std::fs;
use std::io;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit};

use super::wire::Request;
use crate::lanes;

/// Pipes, and what the standard library opens for a moment.
const OPEN_FILES_MAX: u64 = 32;
/// Programs and libraries are mapped as well.
const MAPPED_BYTES_MORE: u64 = 2 << 30;
/// From the signal that says so to the one that ends it.
const CPU_GRACE_S: u64 = 5;

/// Before anything is read.
pub(super) fn at_start() -> io::Result<()> {
    close_others();
    // Its host may be killed at any moment; nobody would read the answer.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    #[cfg(target_os = "linux")]
    rustix::thread::set_no_new_privs(true)?;
    lower(Resource::Core, 0)?;
    lower(Resource::Fsize, 0)?;
    lower(Resource::Nofile, OPEN_FILES_MAX)
}

/// Before the component is read.
pub(super) fn to(request: &Request) -> io::Result<()> {
    let Request { memory_bytes, cpu_s, .. } = request;
    lower(Resource::Data, *memory_bytes)?;
    lower(Resource::As, memory_bytes.saturating_add(MAPPED_BYTES_MORE))?;
    let limit = Rlimit { current: Some(*cpu_s), maximum: Some(cpu_s.saturating_add(CPU_GRACE_S)) };
    set(Resource::Cpu, limit)?;
    if let Err(error) = rustix::process::nice(i32::from(request.nice)) {
        tracing::debug!(%error, "the compiler keeps its priority");
    }
    if request.gives_way {
        // Threads that are started from now on do as well.
        lanes::give_way();
    }
    Ok(())
}

fn lower(resource: Resource, to: u64) -> io::Result<()> {
    set(resource, Rlimit { current: Some(to), maximum: Some(to) })
}

/// A system that has no such limit (macOS: memory) goes without.
fn set(resource: Resource, mut limit: Rlimit) -> io::Result<()> {
    // What is lower already cannot be raised, and need not be.
    let now = rustix::process::getrlimit(resource);
    let least = |one: Option<u64>, other: Option<u64>| match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    limit.maximum = least(limit.maximum, now.maximum);
    limit.current = least(limit.current, limit.maximum);
    match rustix::process::setrlimit(resource, limit) {
        Err(Errno::INVAL) => Ok(()),
        set => set.map_err(io::Error::from),
    }
}

/// Nothing that its host or its host's shell had open is for a compiler.
#[expect(unsafe_code, reason = "files that this program did not open have no owner in it")]
fn close_others() {
    let Ok(open) = fs::read_dir("/dev/fd") else { return };
    let open: Vec<i32> =
        open.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for fd in open.into_iter().filter(|fd| *fd > 2) {
        // SAFETY: this is the start of a process that has opened nothing itself: what is closed
        // here is nobody's. The listing's own descriptor is closed by now: that only fails.
        unsafe { rustix::io::close(fd) };
    }
}
