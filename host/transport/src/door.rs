//! Keeps descriptors in reserve: strangers who connect must not leave the store without any.
//!
//! libzmq takes every connection that the system gives it, until the process may open nothing
//! more, not even a file. So the limit that it meets is lower than the process's own. When it is
//! nearly reached, the system is told to drop whoever knocks at our addresses, and the rest up to
//! the process's own limit is for the store. Who is in stays in; when enough have left, the door
//! opens again. Strangers who say nothing are left after two seconds, so that is soon.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{
    PidfdFlags, PidfdGetfdFlags, Resource, Rlimit, getpid, getrlimit, pidfd_getfd, pidfd_open,
    setrlimit,
};
use socket2::{SockFilter, Socket};

use crate::Seldom;

/// More are never asked for: the system's tables grow with what is open.
const DESCRIPTORS_MAX: u64 = 1 << 20;

/// Of all descriptors, the share that connections cannot have, and its bound.
const RESERVE_SHARE: u64 = 4;
const RESERVE_MAX: u64 = 1024;

/// When so few are left, the door closes; when twice as many are, it opens.
const MARGIN_SHARE: u64 = 2;
const MARGIN_MAX: u64 = 64;

/// How often is looked, if nobody knocks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// While the door is closed; and after a knock, for libzmq to take it.
const LOOK_EVERY_CLOSED: Duration = Duration::from_millis(50);
const AFTER_KNOCK: Duration = Duration::from_micros(200);

/// Of those who wait in the system's queue, at most in one look.
const LEFT_MAX: usize = 4096;

/// A program of one instruction: of each packet, nothing is taken.
const RETURN: u16 = 0x06;

static LINES: Seldom = Seldom::new(4);

/// The thread that looks; ends when this is dropped.
pub(crate) struct Door {
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Door {
    /// Watches over these addresses, which are bound. `None`, said once, where the system does not
    /// let us: then there is no reserve.
    pub(crate) fn watch(addresses: &[String]) -> Option<Self> {
        let started = || -> io::Result<Self> {
            let keeper = Keeper::new(addresses)?;
            let stopped = Arc::new(AtomicBool::new(false));
            let seen = Arc::clone(&stopped);
            let thread = thread::Builder::new()
                .name("wfhost-door".to_owned())
                .spawn(move || keeper.keep(&seen))?;
            Ok(Self { stopped, thread: Some(thread) })
        };
        match started() {
            Ok(door) => Some(door),
            Err(error) => {
                tracing::warn!(%error, "no descriptors can be kept in reserve: too many connections would leave the store without any");
                None
            }
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // It holds what listens, which has to go with the sockets.
            let _panicked = thread.join();
        }
    }
}

struct Keeper {
    listeners: Vec<Socket>,
    /// What this process may have.
    most: u64,
    /// What it may have as long as the door is open.
    open_most: u64,
    margin: usize,
    is_open: bool,
}

impl Keeper {
    fn new(addresses: &[String]) -> io::Result<Self> {
        let allowed = getrlimit(Resource::Nofile).maximum;
        let most = allowed.unwrap_or(DESCRIPTORS_MAX).min(DESCRIPTORS_MAX);
        limit(most)?;
        let listeners = listeners(addresses)?;
        let reserve = (most / RESERVE_SHARE).min(RESERVE_MAX);
        let margin = (reserve / MARGIN_SHARE).min(MARGIN_MAX) as usize;
        let keeper = Self { listeners, most, open_most: most - reserve, margin, is_open: true };
        // Looks whether this is allowed at all.
        keeper.shut()?;
        keeper.unshut()?;
        limit(keeper.open_most)?;
        Ok(keeper)
    }

    fn keep(mut self, stopped: &AtomicBool) {
        while !stopped.load(Ordering::SeqCst) {
            let result = if self.is_open { self.look() } else { self.look_closed() };
            if let Err(error) = result
                && let Some(left_out) = LINES.may()
            {
                tracing::warn!(%error, left_out, "the limit of descriptors cannot be kept");
            }
        }
        if !self.is_open {
            // Another process may listen here next, with this very socket's address.
            let _ending = self.unshut();
        }
    }

    fn look(&mut self) -> io::Result<()> {
        let mut knocks: Vec<_> =
            self.listeners.iter().map(|it| PollFd::new(it, PollFlags::IN)).collect();
        let knocked = poll(&mut knocks, Some(&timespec(LOOK_EVERY)));
        drop(knocks);
        if !self.has(self.margin, self.open_most) {
            return self.close();
        }
        if knocked.is_ok_and(|count| count > 0) {
            thread::sleep(AFTER_KNOCK);
        }
        Ok(())
    }

    fn look_closed(&mut self) -> io::Result<()> {
        thread::sleep(LOOK_EVERY_CLOSED);
        self.leave_waiting();
        if self.has(self.margin * 2, self.open_most) {
            limit(self.open_most)?;
            self.unshut()?;
            self.is_open = true;
        }
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        if let Some(left_out) = LINES.may() {
            let most = self.most;
            tracing::warn!(
                most,
                left_out,
                "hardly any descriptors are left: nobody else can connect until some have left"
            );
        }
        self.shut()?;
        limit(self.most)?;
        self.is_open = false;
        self.leave_waiting();
        Ok(())
    }

    /// Whether so many descriptors below `bound` are free.
    fn has(&self, count: usize, bound: u64) -> bool {
        let Some(any) = self.listeners.first() else { return true };
        let mut taken: Vec<OwnedFd> = Vec::with_capacity(count);
        for _ in 0..count {
            // The lowest that is free.
            match fcntl_dupfd_cloexec(any, 0) {
                Ok(free) if (free.as_raw_fd() as u64) < bound => taken.push(free),
                Ok(_) | Err(_) => return false,
            }
        }
        true
    }

    /// Who knocks is not heard.
    fn shut(&self) -> io::Result<()> {
        let nothing = [SockFilter::new(RETURN, 0, 0, 0)];
        self.listeners.iter().try_for_each(|it| it.attach_filter(&nothing))
    }

    fn unshut(&self) -> io::Result<()> {
        self.listeners.iter().try_for_each(Socket::detach_filter)
    }

    /// Those who knocked before the door was closed: libzmq would take them.
    fn leave_waiting(&self) {
        for listener in &self.listeners {
            for _ in 0..LEFT_MAX {
                if listener.accept().is_err() {
                    break;
                }
            }
        }
    }
}

fn limit(current: u64) -> io::Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum })?)
}

fn timespec(time: Duration) -> Timespec {
    Timespec { tv_sec: 0, tv_nsec: time.subsec_nanos().into() }
}

/// What libzmq listens with, which it gives to nobody: found among all that this process has open.
fn listeners(addresses: &[String]) -> io::Result<Vec<Socket>> {
    let of = |text: &String| text.strip_prefix("tcp://")?.parse().ok();
    let wanted: Vec<SocketAddr> = addresses.iter().filter_map(of).collect();
    let this = pidfd_open(getpid(), PidfdFlags::empty())?;
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        let Some(number) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        // The folder itself is closed meanwhile.
        let Ok(copy) = pidfd_getfd(&this, number, PidfdGetfdFlags::empty()) else { continue };
        if !rustix::net::sockopt::socket_acceptconn(&copy).unwrap_or(false) {
            continue;
        }
        let socket = Socket::from(copy);
        let address = socket.local_addr().ok().and_then(|address| address.as_socket());
        if address.is_some_and(|address| wanted.contains(&address)) {
            // Two of us take from its queue, and libzmq must not wait for what it did not get.
            socket.set_nonblocking(true)?;
            found.push(socket);
        }
    }
    if found.len() == addresses.len() {
        Ok(found)
    } else {
        Err(io::Error::new(io::ErrorKind::NotFound, "what listens was not found"))
    }
}
