//! Threads that start runs, and one that looks at them, while things are broken.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use wfhost_transport::Target;
use wfhost_transport::client::{Answer, Refusal, Request};
use wfhost_workflow::{Digest, RunId};

use crate::client::{Client, counted, unexpected};
use crate::failure::{Failure, Result};
use crate::history::History;
use crate::work::{Job, new_run};

/// Journals that are kept to be compared with those at the end.
const SEEN_MAX: usize = 4000;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What a thread needs.
#[derive(Clone)]
pub(crate) struct Handle {
    pub(super) target: Target,
    pub(super) history: Arc<Mutex<History>>,
    pub(super) component: Arc<[u8]>,
    pub(super) digest: Digest,
    pub(super) seed: u64,
}

impl Handle {
    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.target.clone())
    }

    /// Sends what runs of this kind are made of.
    pub(crate) fn prepare(&self, client: &mut Client, job: &Job) -> Result<()> {
        client.upload(&[&self.component, job.definition().as_bytes()])
    }

    /// Starts a run; a start whose answer was lost is repeated.
    pub(crate) fn start(&self, client: &mut Client, run: RunId, job: &Job) -> Result<RunId> {
        self.want(run, job);
        match client.ask(&job.start(run, self.digest))? {
            Answer::Done => {
                self.acknowledge(run);
                Ok(run)
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Before the first try to start it.
    pub(crate) fn want(&self, run: RunId, job: &Job) {
        self.history().wanted.insert(run, job.wanted());
    }

    /// The coordinator said that it is stored.
    pub(crate) fn acknowledge(&self, run: RunId) {
        if let Some(wanted) = self.history().wanted.get_mut(&run) {
            wanted.acknowledged = true;
        }
    }

    /// Starts many, on several connections; they are prepared.
    pub(crate) fn start_all(&self, jobs: &[Job], connections: usize) -> Result<Vec<RunId>> {
        if let Some(job) = jobs.first() {
            self.prepare(&mut self.client(), job)?;
        }
        let share = jobs.len().div_ceil(connections.max(1)).max(1);
        std::thread::scope(|scope| {
            let threads: Vec<_> = jobs
                .chunks(share)
                .enumerate()
                .map(|(number, jobs)| {
                    scope.spawn(move || {
                        let mut client = self.client();
                        let seed = self.seed.wrapping_add(number as u64 + 1);
                        let mut random = fastrand::Rng::with_seed(seed ^ crate::clock::wall_ns());
                        let start = |job| self.start(&mut client, new_run(&mut random), job);
                        jobs.iter().map(start).collect::<Result<Vec<_>>>()
                    })
                })
                .collect();
            let mut runs = Vec::new();
            for thread in threads {
                runs.extend(joined(thread.join())?);
            }
            Ok(runs)
        })
    }

    /// Removes a run that is over; it is as if it had never been.
    pub(crate) fn remove(&self, client: &mut Client, run: RunId) -> Result<()> {
        match client.ask(&Request::Remove { run })? {
            // Not found: a removal whose answer was lost.
            Answer::Done | Answer::Refused(Refusal::NotFound(_)) => {}
            other => return Err(unexpected(&other)),
        }
        let mut history = self.history();
        history.wanted.remove(&run);
        history.seen.retain(|(seen, _)| *seen != run);
        history.counted.clear();
        history.removed.insert(run);
        Ok(())
    }

    /// Looks once at a run: what is read now must be there later.
    pub(crate) fn see(&self, client: &mut Client, run: RunId) -> Result<()> {
        if let Some(journal) = client.journal(run)? {
            let mut history = self.history();
            if history.seen.len() < SEEN_MAX {
                history.seen.push((run, journal));
            }
        }
        Ok(())
    }

    /// Looks once at the list of runs.
    pub(crate) fn count(&self, client: &mut Client) -> Result<()> {
        let before = self.history().wanted.values().filter(|it| it.acknowledged).count();
        let mut look = counted(&client.list()?);
        let mut history = self.history();
        look.acknowledged_before = before;
        look.asked_after = history.wanted.len();
        history.counted.push(look);
        Ok(())
    }
}

fn joined<T>(thread: std::thread::Result<Result<T>>) -> Result<T> {
    thread.unwrap_or_else(|_| Err(Failure::new("a thread of the load panicked")))
}

/// Runs that are started one after the other until it is stopped.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<usize>>>,
}

impl Load {
    /// On `connections` at once, each with `pause` after a start.
    pub(crate) fn begin(
        handle: &Handle,
        connections: u64,
        pause: Duration,
        job: impl Fn(u64) -> Job + Send + Sync + 'static,
    ) -> Result<Self> {
        handle.prepare(&mut handle.client(), &job(0))?;
        let (stop, job) = (Arc::new(AtomicBool::new(false)), Arc::new(job));
        let thread = |number: u64| {
            let (handle, stop, job) = (handle.clone(), Arc::clone(&stop), Arc::clone(&job));
            std::thread::spawn(move || {
                let mut client = handle.client();
                let mut random = fastrand::Rng::with_seed(handle.seed.wrapping_add(number));
                let mut started = 0;
                while !stop.load(Ordering::Relaxed) {
                    let job = job(number + connections * started as u64);
                    handle.start(&mut client, new_run(&mut random), &job)?;
                    started += 1;
                    std::thread::sleep(pause);
                }
                Ok(started)
            })
        };
        let threads = (0..connections).map(thread).collect();
        Ok(Self { stop, threads })
    }

    /// Ends it; gives how many runs it has started.
    pub(crate) fn end(self) -> Result<usize> {
        self.stop.store(true, Ordering::Relaxed);
        let mut started = 0;
        for thread in self.threads {
            started += joined(thread.join())?;
        }
        Ok(started)
    }
}

/// Looks at runs and at the list until it is stopped.
pub(crate) struct Watcher {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<()>>,
}

impl Watcher {
    pub(crate) fn begin(handle: &Handle) -> Self {
        let (handle, stop) = (handle.clone(), Arc::new(AtomicBool::new(false)));
        let seen = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut client = handle.client();
            let mut random = fastrand::Rng::with_seed(handle.seed ^ 7);
            let mut looks = 0_u32;
            while !seen.load(Ordering::Relaxed) {
                // The newest are those that change.
                let run = {
                    let history = handle.history();
                    let nth = random.usize(..history.wanted.len().clamp(1, 200));
                    history.wanted.keys().rev().nth(nth).copied()
                };
                if let Some(run) = run {
                    handle.see(&mut client, run)?;
                }
                if looks.is_multiple_of(50) {
                    handle.count(&mut client)?;
                }
                looks += 1;
                std::thread::sleep(LOOK_EVERY);
            }
            Ok(())
        });
        Self { stop, thread }
    }

    pub(crate) fn end(self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        joined(self.thread.join())
    }
}
