//! A network of two ends, one of them in a namespace of its own, whose every packet passes through
//! this process: it can be late, lost, or cut off in one direction alone.
//!
//! Two TUN devices, and a thread for each direction: what `tc netem` does to packets, on machines
//! whose kernel does not have it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::clock;
use crate::failure::{Doing as _, Failure, Result};
use crate::tools::system;

/// What happens to packets of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Shape {
    /// The share that is lost; 1 is a cut.
    pub(crate) loss: f64,
    pub(crate) delay: Duration,
}

impl Shape {
    pub(crate) const CUT: Self = Self { loss: 1.0, delay: Duration::ZERO };
}

/// Which way packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// To the worker.
    In,
    /// From the worker.
    Out,
}

/// A namespace, and the way to it.
pub(crate) struct Net {
    namespace: String,
    host: String,
    shapes: [Arc<Mutex<Shape>>; 2],
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// A packet of the largest size that a TUN device has by default, and some room.
const PACKET_BYTES_MAX: usize = 2048;

/// What waits to be delivered in one direction, as a queue of a real link: past it packets are
/// lost.
const QUEUE_MAX: usize = 10_000;

/// How long a thread waits without looking whether it shall end.
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Net {
    /// Makes it; addresses and names are this process's own.
    pub(crate) fn new(seed: u64) -> Result<Self> {
        let own = std::process::id() % 250;
        let namespace = format!("wfhost-{}", std::process::id());
        let (host, inside) = (format!("10.213.{own}.1"), format!("10.213.{own}.2"));
        system("ip", &["netns", "add", &namespace])?;
        let mut net = Self {
            namespace,
            host,
            shapes: [Arc::default(), Arc::default()],
            stop: Arc::default(),
            threads: Vec::new(),
        };
        let here = tun(&format!("wfh{own}h"))?;
        let there = net.tun_inside(&format!("wfh{own}w"))?;
        let namespace = net.namespace.clone();
        let (device, peer) = (format!("wfh{own}h"), format!("wfh{own}w"));
        system("ip", &["addr", "add", &net.host, "peer", &inside, "dev", &device])?;
        system("ip", &["link", "set", &device, "up"])?;
        let in_namespace = |words: &[&str]| {
            let words: Vec<&str> = ["-n", &namespace].iter().chain(words).copied().collect();
            system("ip", &words)
        };
        in_namespace(&["addr", "add", &inside, "peer", &net.host, "dev", &peer])?;
        in_namespace(&["link", "set", &peer, "up"])?;
        in_namespace(&["link", "set", "lo", "up"])?;
        let again = |file: &File| file.try_clone().doing("share a device");
        net.carry(Way::In, again(&here)?, again(&there)?, seed)?;
        net.carry(Way::Out, there, here, seed ^ 1)?;
        Ok(net)
    }

    /// Where the coordinator listens.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(crate) fn shape(&self, way: Way, shape: Shape) {
        *locked(&self.shapes[way as usize]) = shape;
    }

    /// A device of the namespace: it belongs to where the thread is that opens it.
    fn tun_inside(&self, name: &str) -> Result<File> {
        let (path, name) = (format!("/run/netns/{}", self.namespace), name.to_owned());
        let opened = std::thread::spawn(move || {
            let namespace = File::open(&path).doing("open the namespace")?;
            move_into_link_name_space(
                std::os::fd::AsFd::as_fd(&namespace),
                Some(LinkNameSpaceType::Network),
            )
            .doing("enter the namespace")?;
            tun(&name)
        });
        opened.join().unwrap_or_else(|_| Err(Failure::new("the thread panicked")))
    }

    fn carry(&mut self, way: Way, mut from: File, mut to: File, seed: u64) -> Result<()> {
        let (shape, stop) = (Arc::clone(&self.shapes[way as usize]), Arc::clone(&self.stop));
        let mut random = fastrand::Rng::with_seed(seed);
        let mut queue: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
        let carry = move || {
            let mut packet = vec![0; PACKET_BYTES_MAX];
            while !stop.load(Ordering::Relaxed) {
                let now = clock::now();
                while queue.front().is_some_and(|(due, _)| *due <= now) {
                    if let Some((_, packet)) = queue.pop_front() {
                        // A device that takes nothing loses packets too.
                        let _lost = to.write(&packet);
                    }
                }
                let due = queue.front().map_or(LOOK_EVERY, |(due, _)| *due - now);
                if !is_readable(&from, due.min(LOOK_EVERY)) {
                    continue;
                }
                let Ok(len) = from.read(&mut packet) else { continue };
                let shape = *locked(&shape);
                if random.f64() >= shape.loss && queue.len() < QUEUE_MAX {
                    let due = clock::now() + shape.delay;
                    queue.push_back((due, packet[..len].to_vec()));
                }
            }
        };
        let thread = std::thread::Builder::new().name("packets".to_owned()).spawn(carry);
        self.threads.push(thread.doing("start a thread")?);
        Ok(())
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // It only carries packets.
            let _panicked = thread.join();
        }
        // The devices go with their files; what is left of the namespace is only a name.
        let _left = system("ip", &["netns", "del", &self.namespace]);
    }
}

fn locked(shape: &Mutex<Shape>) -> MutexGuard<'_, Shape> {
    shape.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_readable(file: &File, limit: Duration) -> bool {
    let mut files = [PollFd::new(file, PollFlags::IN)];
    let limit = Timespec { tv_sec: 0, tv_nsec: i64::from(limit.subsec_nanos()) };
    poll(&mut files, Some(&limit)).is_ok_and(|ready| ready > 0)
}

/// A TUN device of this name in the network of the calling thread.
fn tun(name: &str) -> Result<File> {
    let device = File::options().read(true).write(true).open("/dev/net/tun");
    let device = device.doing("open /dev/net/tun")?;
    let mut request = libc::ifreq {
        ifr_name: [0; libc::IFNAMSIZ],
        ifr_ifru: libc::__c_anonymous_ifr_ifru {
            ifru_flags: (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short,
        },
    };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes().take(libc::IFNAMSIZ - 1)) {
        *to = from as libc::c_char;
    }
    // SAFETY: the request is a whole `ifreq` with a name that ends, and outlives the call.
    #[expect(unsafe_code, reason = "no crate offers just this call")]
    let made = unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF as _, &raw mut request) };
    if made == 0 {
        return Ok(device);
    }
    Err(std::io::Error::last_os_error()).doing(format_args!("make the device {name}"))
}
