//! One thread that commits for everybody: whatever waits becomes one batch and one sync.
//!
//! Commits are taken in the order in which they were submitted. After an error nothing more is
//! taken: what was not acknowledged may or may not be stored, and the owner starts again from
//! the store.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use wfhost_workflow::{Revision, RunId};

use crate::{Commit, Error, Store, crash_points};

/// What became of a batch: the commits that are now durable, in order, or why none will be.
pub type CommitResult = Result<Vec<(RunId, Revision)>, Error>;

/// How large the former batch was, at least, for the next one to gather.
const GATHER_AFTER: usize = 4;

/// For how long: well below what a sync takes on most disks.
const GATHER: Duration = Duration::from_micros(200);

/// What is called after each batch, on the committer's thread: it must be quick.
pub type Notify = Box<dyn Fn(CommitResult) + Send>;

/// Bounds of a committer.
#[derive(Debug, Clone, Copy)]
pub struct CommitterOptions {
    /// What may wait before [`CommitterHandle::submit`] does; at least one commit may.
    pub queue_bytes_max: usize,
    /// What one batch takes at most, about: it must fit sled's segment of 512 KiB.
    pub batch_bytes_max: usize,
}

impl Default for CommitterOptions {
    /// 16 MiB waiting: more than a disk takes in a second. 256 KiB a batch: some 400 commits.
    fn default() -> Self {
        Self { queue_bytes_max: 16 << 20, batch_bytes_max: 256 << 10 }
    }
}

/// The commit was not taken: the committer has failed or is closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the committer takes no more commits")]
pub struct Refused;

/// The owner of the thread; dropping it commits what waits and ends the thread.
#[derive(Debug)]
pub struct Committer {
    handle: CommitterHandle,
    thread: Option<JoinHandle<()>>,
}

/// A cheap handle for submitting.
#[derive(Debug, Clone)]
pub struct CommitterHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// Something waits, or the committer is closed.
    filled: Condvar,
    /// There is room again, or nothing more is taken.
    drained: Condvar,
    options: CommitterOptions,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<(Commit, usize)>,
    bytes: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Open,
    /// What waits is still committed.
    Closed,
    Failed,
}

impl Committer {
    /// Starts the thread; `notify` learns of every batch, and of the first error.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(
        store: Arc<dyn Store>,
        options: CommitterOptions,
        notify: Notify,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            filled: Condvar::new(),
            drained: Condvar::new(),
            options,
        });
        let handle = CommitterHandle(Arc::clone(&shared));
        let thread = std::thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || shared.serve(&*store, &notify))?;
        Ok(Self { handle, thread: Some(thread) })
    }

    /// A handle to submit by.
    #[must_use]
    pub fn handle(&self) -> CommitterHandle {
        self.handle.clone()
    }

    /// Takes no more, commits what waits, and returns when that is done or has failed.
    pub fn close(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.handle.0.close();
        if let Some(thread) = self.thread.take() {
            // A panic of the callback is the callback's owner's to report.
            let _ignored = thread.join();
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.end();
    }
}

impl CommitterHandle {
    /// Hands `commit` over; waits while the queue is full.
    ///
    /// # Errors
    /// [`Refused`] if nothing is taken any more.
    pub fn submit(&self, commit: Commit) -> Result<(), Refused> {
        let shared = &*self.0;
        let bytes = commit.weight_bytes();
        let mut queue = shared.lock();
        while queue.state == State::Open
            && !queue.waiting.is_empty()
            && queue.bytes + bytes > shared.options.queue_bytes_max
        {
            queue = shared.drained.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        if queue.state != State::Open {
            return Err(Refused);
        }
        queue.bytes += bytes;
        queue.waiting.push_back((commit, bytes));
        drop(queue);
        shared.filled.notify_one();
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        let mut queue = self.lock();
        if queue.state == State::Open {
            queue.state = State::Closed;
        }
        drop(queue);
        self.filled.notify_all();
        self.drained.notify_all();
    }

    fn fail(&self) {
        let mut queue = self.lock();
        queue.state = State::Failed;
        queue.waiting.clear();
        queue.bytes = 0;
        drop(queue);
        self.drained.notify_all();
    }

    fn serve(&self, store: &dyn Store, notify: &Notify) {
        // However this ends, nobody must wait for it.
        let _fail_at_end = FailAtEnd(self);
        let mut former = 0;
        while let Some(batch) = self.next_batch(former) {
            former = batch.len();
            if let Err(error) = commit_split(store, &batch, notify) {
                self.fail();
                notify(Err(error));
                return;
            }
        }
    }

    /// What waits, up to a batch; `None` when closed and empty.
    ///
    /// After a batch of several, those who wait are about to be joined by others: a moment's
    /// patience makes fewer and larger batches. Whoever commits alone is never kept waiting.
    fn next_batch(&self, former: usize) -> Option<Vec<Commit>> {
        let mut queue = self.lock();
        while queue.waiting.is_empty() {
            if queue.state != State::Open {
                return None;
            }
            queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        if former >= GATHER_AFTER && queue.waiting.len() < former && queue.state == State::Open {
            drop(queue);
            std::thread::sleep(GATHER);
            queue = self.lock();
        }
        let mut batch = Vec::new();
        let mut batch_bytes = 0;
        while let Some((commit, bytes)) = queue.waiting.pop_front() {
            if !batch.is_empty() && batch_bytes + bytes > self.options.batch_bytes_max {
                queue.waiting.push_front((commit, bytes));
                break;
            }
            batch_bytes += bytes;
            batch.push(commit);
        }
        queue.bytes -= batch_bytes;
        drop(queue);
        self.drained.notify_all();
        Some(batch)
    }
}

struct FailAtEnd<'a>(&'a Shared);

impl Drop for FailAtEnd<'_> {
    fn drop(&mut self) {
        self.0.fail();
    }
}

/// Commits `batch`, in halves where the estimate of its size was too low.
fn commit_split(store: &dyn Store, batch: &[Commit], notify: &Notify) -> Result<(), Error> {
    match store.commit(batch) {
        Err(Error::BatchTooLarge { .. }) if batch.len() > 1 => {
            let (first, second) = batch.split_at(batch.len() / 2);
            commit_split(store, first, notify)?;
            commit_split(store, second, notify)
        }
        Ok(()) => {
            crash_points::die_at("before-acknowledging");
            let done = batch.iter().map(|commit| (commit.run, commit.record.revision)).collect();
            notify(Ok(done));
            Ok(())
        }
        Err(error) => Err(error),
    }
}
