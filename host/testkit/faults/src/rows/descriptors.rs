//! More connections than the coordinator has descriptors for.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use wfhost_transport::client::{Answer, Request};
use wfhost_transport::keys::KeyPair;
use wfhost_transport::message::{FromWorker, Hello, PROTOCOL};
use wfhost_transport::{Curve, Hub, RawPeer, codec};
use wfhost_workflow::Digest;

use super::Row;
use crate::client::{Client, counted};
use crate::clock;
use crate::cluster::{Cluster, Load, ServeOptions, Watcher, WorkerOptions};
use crate::failure::{Doing as _, Result};
use crate::report::{Outcome, Times};
use crate::tools::Tools;
use crate::work::{Job, Shape};

pub(super) const ROW: Row = Row {
    name: "descriptors",
    fault: "connections up to the descriptor limit and past it",
    must_hold: "below served, at it refused; commits go on",
    root: false,
    carry_out,
};

/// Of the coordinator: what it needs itself, and room for some connections.
const LIMIT_DESCRIPTORS: u64 = 256;

/// Connections that are well below the limit.
const BELOW: usize = 60;

/// Threads that connect, and what each holds at once: together far past the limit.
const THREADS: usize = 4;
const HELD: usize = 200;

/// For the coordinator to be as before.
const RECOVERY: Duration = Duration::from_secs(15);

const LIMIT: Duration = Duration::from_secs(60);

/// On the list of workers; takes no steps.
const IDLE: &str = "idle";

fn carry_out(tools: &Tools) -> Result<Outcome> {
    let times = tools.times(5, 1);
    let mut cluster = Cluster::new(tools)?;
    for key in ["one", "two", IDLE] {
        cluster.new_worker_key(key)?;
    }
    let descriptors = Some(LIMIT_DESCRIPTORS);
    cluster.serve(&ServeOptions { descriptors, ..ServeOptions::default() })?;
    for key in ["one", "two"] {
        cluster.worker(key, &WorkerOptions::slots(4))?;
    }
    let handle = cluster.handle()?;
    let job = |number| Job::new(Shape::Diamond { wide: 4 }, 20, number);
    let load = Load::begin(&handle, 2, Duration::from_millis(100), job)?;
    let watcher = Watcher::begin(&handle);
    let mut outcome = Outcome::new(times);
    let mut row =
        Flooded { client: cluster.client()?, cluster: &cluster, starts: Times::default() };
    for number in 0..times {
        if let Err(failure) = row.round(&mut outcome, number) {
            outcome.claim("a flood leaves the coordinator as it was", false, failure.to_string());
            break;
        }
    }
    outcome.measured("a content stored during the flood", row.starts);
    let started = load.end();
    let detail = format!("{started:?} runs started");
    outcome.claim("every start is answered", started.is_ok(), detail);
    let watched = watcher.end();
    outcome.claim("every question is answered", watched.is_ok(), format!("{watched:?}"));
    let log = cluster.server_log();
    let lines = log.lines().count();
    let told = log.lines().filter(|line| line.contains("descriptors")).count();
    outcome.counted("lines of log", lines);
    outcome.counted("lines of log about descriptors", told);
    cluster.finish(LIMIT)?.add_to(&mut outcome);
    Ok(outcome)
}

struct Flooded<'c, 't> {
    cluster: &'c Cluster<'t>,
    /// Connected before the flood.
    client: Client,
    starts: Times,
}

impl Flooded<'_, '_> {
    fn round(&mut self, outcome: &mut Outcome, number: u32) -> Result<()> {
        self.below(outcome)?;
        self.past(outcome, number)?;
        self.after(outcome)
    }

    /// How many descriptors the coordinator has open.
    fn open(&self) -> usize {
        let pid = self.cluster.server.as_ref().map_or(0, crate::process::Process::pid);
        std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
    }

    /// How many of so many new workers are welcomed.
    fn welcomed(&self, peers: usize, limit: Duration) -> Result<usize> {
        let hub = Hub::new();
        let own = KeyPair::read(&self.cluster.path(&format!("{IDLE}.key"))).doing("read a key")?;
        let curve = Curve { own, server: self.cluster.server_key() };
        let endpoint = self.cluster.address()?.parse().doing("read the address")?;
        // Another protocol's: each is answered, and none takes the other's place.
        let hello = Hello { protocol: PROTOCOL - 1, name: IDLE.to_owned(), ..Hello::default() };
        let mut frame = Vec::new();
        codec::encode(&FromWorker::Hello(Box::new(hello)), &mut frame).doing("encode")?;
        let mut all = Vec::new();
        for _ in 0..peers {
            let peer = RawPeer::connect(&hub, &endpoint, Some(&curve), None).doing("connect")?;
            peer.send(&[&frame]).doing("send")?;
            all.push(peer);
        }
        let began = clock::now();
        let mut answered = vec![false; peers];
        while began.elapsed() < limit && answered.contains(&false) {
            for (peer, answered) in all.iter().zip(&mut answered) {
                *answered |= peer.receive(Duration::ZERO).doing("receive")?.is_some();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(answered.into_iter().filter(|answered| *answered).count())
    }

    fn below(&self, outcome: &mut Outcome) -> Result<()> {
        let served = self.welcomed(BELOW, RECOVERY)?;
        let detail = format!("{served} of {BELOW} are answered");
        outcome.claim("below the limit connections are served", served == BELOW, detail);
        Ok(())
    }

    /// What needs a file, over a connection that is there.
    fn store(&mut self, number: u64) -> Result<Duration> {
        let bytes = [&number.to_le_bytes()[..], &[7; 20_000]].concat();
        let (digest, total) = (Digest::of(&bytes), bytes.len() as u64);
        let put = Request::Put { digest, offset: 0, total, bytes };
        let began = clock::now();
        match self.client.ask_once(&put) {
            Ok(Answer::Received { next }) if next == total => Ok(began.elapsed()),
            other => None.doing(format_args!("store a content ({other:?})")),
        }
    }

    fn past(&mut self, outcome: &mut Outcome, number: u32) -> Result<()> {
        let before = counted(&self.client.list()?).succeeded;
        let flood = Flood::begin(&self.cluster.address()?);
        let lasts = Duration::from_secs(6);
        let began = clock::now();
        let (mut most, mut stored, mut tried, mut failures) = (0, 0, 0, Vec::new());
        while began.elapsed() < lasts {
            most = most.max(self.open());
            tried += 1;
            match self.store(u64::from(number) << 32 | tried) {
                Ok(took) => {
                    stored += 1;
                    self.starts.add(took);
                }
                Err(failure) => failures.push(failure.to_string()),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let list = self.client.list();
        let after = list.as_ref().map_or(0, |runs| counted(runs).succeeded);
        let (made, refused) = flood.end();
        let detail = format!(
            "{made} connections made and {refused} refused; the coordinator had at most {most} of {LIMIT_DESCRIPTORS} descriptors open"
        );
        let bounded = most < LIMIT_DESCRIPTORS as usize;
        outcome.claim("at the limit it is refused: descriptors stay in reserve", bounded, detail);
        failures.dedup();
        let failed: Vec<_> = failures.iter().take(3).map(String::as_str).collect();
        let detail = format!("{stored} of {tried} contents stored {}", failed.join("; "));
        outcome.claim("what needs files goes on", stored == tried, detail);
        let ended = after.saturating_sub(before);
        let detail = format!("{ended} runs ended in {:.1} s", began.elapsed().as_secs_f64());
        outcome.claim("commits go on", list.is_ok() && ended > 0, detail);
        Ok(())
    }

    fn after(&self, outcome: &mut Outcome) -> Result<()> {
        let began = clock::now();
        let served = self.welcomed(BELOW, RECOVERY)?;
        let took = crate::tools::seconds(began.elapsed());
        let detail = format!("{served} of {BELOW} are answered, {took} after the flood");
        outcome.claim("when they are closed, everybody is served", served == BELOW, detail);
        Ok(())
    }
}

/// Connections that are made, held, and made again.
struct Flood {
    stop: Arc<AtomicBool>,
    made: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
}

impl Flood {
    fn begin(address: &str) -> Self {
        let (stop, made, refused) =
            <(Arc<AtomicBool>, Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let at = address.trim_start_matches("tcp://").to_owned();
        let threads = (0..THREADS).map(|_| {
            let (at, stop) = (at.clone(), Arc::clone(&stop));
            let (made, refused) = (Arc::clone(&made), Arc::clone(&refused));
            std::thread::spawn(move || {
                let mut held = std::collections::VecDeque::new();
                while !stop.load(Ordering::Relaxed) {
                    match connect(&at) {
                        Some(stream) => {
                            made.fetch_add(1, Ordering::Relaxed);
                            held.push_back(stream);
                        }
                        None => {
                            refused.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    if held.len() > HELD {
                        held.pop_front();
                        std::thread::sleep(Duration::from_millis(2));
                    }
                }
            })
        });
        let threads = threads.collect();
        Self { stop, made, refused, threads }
    }

    fn end(self) -> (usize, usize) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            // It only connects: there is nothing to panic.
            let _ended = thread.join();
        }
        (self.made.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed))
    }
}

fn connect(at: &str) -> Option<TcpStream> {
    let address = at.parse().ok()?;
    TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok()
}
