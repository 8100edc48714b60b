//! Hostile guests: how each ends, how soon, and what the steps beside it notice.
//!
//! Eight short steps are handed to the plugin host every two milliseconds by a thread of
//! their own, as a worker hands them over; what counts is the time from there to a step's
//! end, its wait for a thread included. Rounds with two hostile guests beside them, called
//! again and again, take turns with rounds without.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use wfhost_plugin::{HostOptions, Invocation, Plugin, PluginHost, Shape};
use wfhost_workflow::{Digest, DurationMs, Failure, FailureKind, Limits};

use crate::report::Row;
use crate::stats::{Times, ratio, us};
use crate::{call, clock, machine};

mod guests;

use guests::{Guest, Set};

const STEPS: usize = 8;
const EVERY: Duration = Duration::from_millis(2);
/// One round; each guest has this many with it and as many without.
const BURSTS: usize = 150;
const ROUNDS: usize = 7;

/// Between the end of an attack and the next: less than any retry waits.
const PAUSE: Duration = Duration::from_millis(5);

/// More than are ever at work, so that nobody waits for a slot.
const SLOTS: u32 = 24;

pub(crate) fn measure() -> Vec<Row> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("threads can be started");
    let options =
        HostOptions { slots: SLOTS, describe_timeout: DurationMs(200), ..HostOptions::default() };
    let bench = runtime.block_on(async {
        let host = PluginHost::new(options).expect("the plugin host starts");
        let component = wfhost_testkit::guest::content("bench-steps");
        let digest = Digest::of(&component);
        let steps =
            host.load(component.into(), digest, shape(&host)).await.expect("the guest loads");
        Bench { host, steps, runtime: Handle::current() }
    });
    let wanted = std::env::var("WFHOST_BENCH_GUEST").unwrap_or_default();
    let folder = granted().expect("a folder can be made");
    let guests = guests::all(&folder.path().join("in"));
    let chosen = guests.iter().filter(|guest| guest.what.contains(&wanted));
    chosen.map(|guest| bench.row(guest)).collect()
}

/// A folder with `in`, which is granted, and a secret beside it.
fn granted() -> std::io::Result<tempfile::TempDir> {
    std::fs::create_dir_all(machine::host_folder())?;
    let root = tempfile::tempdir_in(machine::host_folder().canonicalize()?)?;
    let path = |below: &str| root.path().join(below);
    std::fs::create_dir_all(path("in/d"))?;
    std::fs::create_dir(path("in/folder"))?;
    std::fs::write(path("in/file"), "\"content\"")?;
    std::fs::write(path("in/d/secret"), "harmless")?;
    std::fs::write(path("secret"), "\"secret\"")?;
    std::os::unix::fs::symlink("../secret", path("in/link"))?;
    let (fifo, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR);
    rustix::fs::mknodat(rustix::fs::CWD, path("in/fifo"), fifo, mode, 0)?;
    Ok(root)
}

fn shape(host: &PluginHost) -> Shape {
    host.shape(&Limits::default(), false)
}

struct Bench {
    host: PluginHost,
    steps: Arc<Plugin>,
    runtime: Handle,
}

/// What one call of a hostile guest came to.
struct Contained {
    end: String,
    /// From the call to its end, over its timeout where that is what ended it.
    over: Duration,
}

impl Bench {
    fn row(&self, guest: &Guest) -> Row {
        let attack = Attack::new(self, guest);
        // The median of the rounds' p99: other programs of this machine disturb single ones.
        let (mut alone, mut beside) = (Times::default(), Times::default());
        // Once before it counts: caches, the pool, the lanes.
        self.round(&mut Times::default());
        let mut contained = attack.run(|| self.round(&mut Times::default()));
        for _ in 0..ROUNDS {
            self.round(&mut alone);
            contained.extend(attack.run(|| self.round(&mut beside)));
        }
        let (alone, beside) = (alone.p50(), beside.p50());
        let mut over = Times::default();
        let end = contained.first().map_or_else(String::new, |first| first.end.clone());
        contained.iter().for_each(|one| over.add(one.over));
        let times = ratio(beside, alone);
        let figure = format!(
            "{end}; contained +{} (worst {}, {} calls); p99 {} → {} ({times:.2}×)",
            us(over.p50()),
            us(over.percentile(1.0)),
            contained.len(),
            us(alone),
            us(beside)
        );
        Row::new(guest.what, figure, "p99 ≤ 2× beside it", times <= 2.0)
    }

    /// Hands bursts of short steps over and waits until all have ended; adds their p99.
    fn round(&self, p99: &mut Times) {
        let mut times = Times::default();
        let (ended, mut all) = mpsc::unbounded_channel();
        let mut next = clock::now();
        for _ in 0..BURSTS {
            std::thread::sleep(next.saturating_duration_since(clock::now()));
            next += EVERY;
            for _ in 0..STEPS {
                let ended = ended.clone();
                let began = clock::now();
                // Called here, as a worker does: long attempts make room from now on.
                let step = self.host.run(&self.steps, call::invocation());
                self.runtime.spawn(async move {
                    step.await.expect("the short step succeeds");
                    let _gone = ended.send(began.elapsed());
                });
            }
        }
        drop(ended);
        while let Some(time) = all.blocking_recv() {
            times.add(time);
        }
        p99.add(times.percentile(0.99));
    }
}

/// A guest that is called again and again, by as many as there are processors.
struct Attack<'a> {
    bench: &'a Bench,
    guest: &'a Guest,
    way: Way,
}

enum Way {
    Call(Arc<Plugin>),
    /// Its digest is known, as a worker's is: it comes with the step.
    Load(Arc<[u8]>, Digest),
    Describe(Arc<[u8]>, Digest),
}

impl<'a> Attack<'a> {
    fn new(bench: &'a Bench, guest: &'a Guest) -> Self {
        let bytes: Arc<[u8]> = (guest.bytes)().into();
        let digest = Digest::of(&bytes);
        let way = match guest.attack {
            guests::Attack::Load => Way::Load(bytes, digest),
            guests::Attack::Describe => Way::Describe(bytes, digest),
            guests::Attack::Call => {
                let loaded =
                    bench.runtime.block_on(bench.host.load(bytes, digest, shape(&bench.host)));
                Way::Call(loaded.unwrap_or_else(|error| panic!("{}: {error}", guest.what)))
            }
        };
        Self { bench, guest, way }
    }

    /// Goes on while `beside` runs; every call that ended.
    fn run(&self, beside: impl FnOnce()) -> Vec<Contained> {
        let stop = Arc::new(AtomicBool::new(false));
        let (ended, mut all) = mpsc::unbounded_channel();
        let attackers: Vec<_> = (0..machine::cores())
            .map(|_| {
                let (stop, ended, once) = (Arc::clone(&stop), ended.clone(), self.once());
                self.bench.runtime.spawn(async move {
                    while !stop.load(Ordering::Relaxed) {
                        let _gone = ended.send(once().await);
                        tokio::time::sleep(PAUSE).await;
                    }
                })
            })
            .collect();
        beside();
        stop.store(true, Ordering::Relaxed);
        for attacker in attackers {
            self.bench.runtime.block_on(attacker).expect("an attack ends");
        }
        drop(ended);
        let mut contained = Vec::new();
        while let Some(one) = all.blocking_recv() {
            contained.push(one);
        }
        contained
    }

    fn once(
        &self,
    ) -> impl Fn() -> std::pin::Pin<Box<dyn Future<Output = Contained> + Send>> + Send + use<> {
        let host = self.bench.host.clone();
        let timeout = self.guest.timeout;
        let way = match &self.way {
            Way::Call(plugin) => Way::Call(Arc::clone(plugin)),
            Way::Load(bytes, digest) => Way::Load(Arc::clone(bytes), *digest),
            Way::Describe(bytes, digest) => Way::Describe(Arc::clone(bytes), *digest),
        };
        let set = Arc::clone(&self.guest.set);
        let way = Arc::new(way);
        move || {
            let (host, way, set) = (host.clone(), Arc::clone(&way), Arc::clone(&set));
            Box::pin(async move {
                let began = clock::now();
                let end = attack(&host, &way, timeout, &set).await;
                let took = began.elapsed();
                match end {
                    Ok(()) => Contained { end: "ends well".to_owned(), over: took },
                    Err((end, timed_out)) => {
                        let over = if timed_out { took.saturating_sub(timeout) } else { took };
                        Contained { end, over }
                    }
                }
            })
        }
    }
}

async fn attack(
    host: &PluginHost,
    way: &Way,
    timeout: Duration,
    set: &Set,
) -> Result<(), (String, bool)> {
    let told = |failure: Failure| {
        let timed_out = failure.kind == FailureKind::Timeout;
        (format!("{:?} {}", failure.kind, failure.code).to_lowercase(), timed_out)
    };
    match way {
        Way::Call(plugin) => {
            let mut invocation = Invocation { timeout, ..call::invocation() };
            invocation.function = "run".to_owned();
            set(&mut invocation);
            host.run(plugin, invocation).await.map(drop).map_err(told)
        }
        Way::Load(bytes, digest) => {
            let loaded = host.load(Arc::clone(bytes), *digest, shape(host)).await;
            loaded.map(drop).map_err(|_refused| ("refused at load".to_owned(), false))
        }
        Way::Describe(bytes, digest) => {
            let plugin = host.load(Arc::clone(bytes), *digest, shape(host)).await;
            let plugin = plugin.map_err(|error| (error.to_string(), false))?;
            host.contracts(&plugin).await.map(drop).map_err(told)
        }
    }
}
