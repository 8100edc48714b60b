//! Large outputs on their way from workers, in chunks that the coordinator asks for.
//!
//! A plain state machine. A worker delivers one output at a time, so that a slow one holds up only
//! its own; what all deliver at once is bounded by [`BYTES_MAX`], and what is on its way from one
//! by [`CREDITS`]. An attempt keeps its slot until its output is here: what waits at a worker is
//! bounded by its slots.

use std::collections::{BTreeMap, VecDeque};

use wfhost_transport::assembly::{Assembly, AssemblyError};
use wfhost_workflow::run::KvWrite;
use wfhost_workflow::{AttemptId, Digest, DurationMs, MonotonicMs, WorkerId};

/// Chunks that one worker was asked for and that have not come: 1 MiB.
const CREDITS: u64 = 4;

/// What the outputs under way have together; one that is larger comes alone.
const BYTES_MAX: u64 = 256 << 20;

/// Outputs that wait at one worker. It has as many only if it does not mind its slots.
const WAITING_MAX: usize = 4096;

/// Without a chunk for this long, an output is given up. Its worker lives: it is heard of.
const SILENCE_MAX: DurationMs = DurationMs::from_secs(30);

/// All outputs that are on their way.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    /// The first of each worker is under way, if there is room for it.
    workers: BTreeMap<WorkerId, VecDeque<Delivery>>,
    /// Of those under way.
    bytes: u64,
}

/// One output.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) attempt: AttemptId,
    pub(crate) digest: Digest,
    pub(crate) len: u64,
    /// What the attempt wrote to the key-value store.
    pub(crate) kv: Vec<KvWrite>,
    under_way: Option<UnderWay>,
}

#[derive(Debug)]
struct UnderWay {
    assembly: Assembly,
    heard_at: MonotonicMs,
}

/// A part to ask a worker for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) worker: WorkerId,
    pub(crate) attempt: AttemptId,
    pub(crate) offset: u64,
    pub(crate) len: u32,
}

/// Why an output does not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DeliveryError {
    #[error("{0}")]
    Assembly(#[from] AssemblyError),
    #[error("nothing of it came for {} s", SILENCE_MAX.0 / 1000)]
    Silence,
}

impl Delivery {
    pub(crate) const fn new(
        attempt: AttemptId,
        digest: Digest,
        len: u64,
        kv: Vec<KvWrite>,
    ) -> Self {
        Self { attempt, digest, len, kv, under_way: None }
    }
}

impl Deliveries {
    /// A worker has an output. One that is said again is on its way already.
    pub(crate) fn add(&mut self, worker: WorkerId, delivery: Delivery) {
        let queue = self.workers.entry(worker).or_default();
        let known = queue.iter().any(|other| other.attempt == delivery.attempt);
        if !known && queue.len() < WAITING_MAX {
            queue.push_back(delivery);
        }
    }

    /// What to ask for now.
    pub(crate) fn parts(&mut self, now: MonotonicMs) -> Vec<Part> {
        let mut parts = Vec::new();
        for (worker, queue) in &mut self.workers {
            let Some(first) = queue.front_mut() else { continue };
            if first.under_way.is_none() {
                if self.bytes > 0 && self.bytes.saturating_add(first.len) > BYTES_MAX {
                    continue;
                }
                self.bytes += first.len;
                let assembly = Assembly::of(first.len);
                first.under_way = Some(UnderWay { assembly, heard_at: now });
            }
            let (worker, attempt) = (*worker, first.attempt);
            let Some(under_way) = &mut first.under_way else { continue };
            let next = std::iter::from_fn(|| under_way.assembly.next(CREDITS));
            parts.extend(next.map(|(offset, len)| Part { worker, attempt, offset, len }));
        }
        parts
    }

    /// A part has come. Gives the output when it is whole, or why it never will be.
    pub(crate) fn chunk(
        &mut self,
        now: MonotonicMs,
        worker: WorkerId,
        attempt: AttemptId,
        (offset, total, bytes): (u64, u64, &[u8]),
    ) -> Option<(Delivery, Result<Vec<u8>, DeliveryError>)> {
        let first = self.workers.get_mut(&worker)?.front_mut()?;
        let under_way = first.under_way.as_mut().filter(|_| first.attempt == attempt)?;
        let Some(whole) = under_way.assembly.accept(offset, total, bytes).transpose() else {
            under_way.heard_at = now;
            return None;
        };
        let delivery = self.pop(worker)?;
        Some((delivery, whole.map_err(DeliveryError::from)))
    }

    /// Outputs of which nothing has come for too long.
    pub(crate) fn silent(&mut self, now: MonotonicMs) -> Vec<(WorkerId, Delivery)> {
        let is_silent = |queue: &VecDeque<Delivery>| {
            let under_way = queue.front().and_then(|first| first.under_way.as_ref());
            under_way.is_some_and(|it| now - it.heard_at >= SILENCE_MAX)
        };
        let workers = self.workers.iter().filter(|(_, queue)| is_silent(queue));
        let silent: Vec<WorkerId> = workers.map(|(worker, _)| *worker).collect();
        silent.into_iter().filter_map(|worker| Some((worker, self.pop(worker)?))).collect()
    }

    /// The connection is gone: what the worker has not delivered it says again on its next one.
    pub(crate) fn gone(&mut self, worker: WorkerId) {
        for delivery in self.workers.remove(&worker).unwrap_or_default() {
            self.account(&delivery);
        }
    }

    fn pop(&mut self, worker: WorkerId) -> Option<Delivery> {
        let queue = self.workers.get_mut(&worker)?;
        let delivery = queue.pop_front()?;
        if queue.is_empty() {
            self.workers.remove(&worker);
        }
        self.account(&delivery);
        Some(delivery)
    }

    const fn account(&mut self, over: &Delivery) {
        if over.under_way.is_some() {
            self.bytes -= over.len;
        }
    }
}

#[cfg(test)]
mod tests {
    use wfhost_transport::codec::CHUNK_BYTES;
    use wfhost_workflow::{Attempt, RunId, StepId, TaskId, TimestampMs};

    use super::*;

    const CHUNK: u64 = CHUNK_BYTES as u64;
    const NOW: MonotonicMs = MonotonicMs(5);

    fn attempt(number: u32) -> AttemptId {
        let task = TaskId { step: StepId(0), index: Some(number) };
        AttemptId { run: RunId::new(TimestampMs(1), 1), task, attempt: Attempt::FIRST }
    }

    fn delivery(number: u32, len: u64) -> Delivery {
        Delivery::new(attempt(number), Digest::of(b""), len, Vec::new())
    }

    fn give(
        deliveries: &mut Deliveries,
        part: Part,
        total: u64,
    ) -> Option<(Delivery, Result<Vec<u8>, DeliveryError>)> {
        let bytes = vec![b'x'; part.len as usize];
        deliveries.chunk(NOW, part.worker, part.attempt, (part.offset, total, &bytes))
    }

    #[test]
    fn each_worker_delivers_one_output_at_a_time_with_so_many_chunks_under_way() {
        let (slow, quick) = (WorkerId(1), WorkerId(2));
        let mut deliveries = Deliveries::default();
        for (worker, number) in [(slow, 1), (slow, 2), (quick, 3), (quick, 4)] {
            deliveries.add(worker, delivery(number, CHUNK * 6));
        }
        deliveries.add(slow, delivery(1, CHUNK * 6));
        let mut parts = deliveries.parts(NOW);
        assert_eq!(parts.len(), 2 * CREDITS as usize);
        assert!(parts.iter().all(|part| [attempt(1), attempt(3)].contains(&part.attempt)));
        // The slow one says nothing; the quick one delivers both.
        let mut delivered = Vec::new();
        while let Some(at) = parts.iter().position(|part| part.worker == quick) {
            let part = parts.remove(at);
            if let Some((delivery, whole)) = give(&mut deliveries, part, CHUNK * 6) {
                assert_eq!(whole.unwrap().len() as u64, CHUNK * 6);
                delivered.push(delivery.attempt);
            }
            parts.extend(deliveries.parts(NOW));
        }
        assert_eq!(delivered, [attempt(3), attempt(4)]);
        assert_eq!(deliveries.bytes, CHUNK * 6, "only the slow one's");
        deliveries.gone(slow);
        assert_eq!((deliveries.bytes, deliveries.parts(NOW)), (0, Vec::new()));
    }

    #[test]
    fn all_together_are_bounded_and_a_larger_one_comes_alone() {
        let mut deliveries = Deliveries::default();
        deliveries.add(WorkerId(1), delivery(1, BYTES_MAX / 2 + 1));
        deliveries.add(WorkerId(2), delivery(2, BYTES_MAX / 2));
        deliveries.add(WorkerId(3), delivery(3, BYTES_MAX * 2));
        let workers = |parts: Vec<Part>| -> Vec<WorkerId> {
            let mut workers: Vec<_> = parts.into_iter().map(|part| part.worker).collect();
            workers.dedup();
            workers
        };
        assert_eq!(workers(deliveries.parts(NOW)), [WorkerId(1)]);
        deliveries.gone(WorkerId(1));
        assert_eq!(workers(deliveries.parts(NOW)), [WorkerId(2)]);
        deliveries.gone(WorkerId(2));
        assert_eq!(workers(deliveries.parts(NOW)), [WorkerId(3)]);
    }

    #[test]
    fn silence_and_what_does_not_fit_end_a_delivery_and_the_next_one_begins() {
        let worker = WorkerId(1);
        let mut deliveries = Deliveries::default();
        for number in 1..=3 {
            deliveries.add(worker, delivery(number, CHUNK));
        }
        let part = deliveries.parts(NOW)[0];
        let (_, broken) = give(&mut deliveries, part, CHUNK + 1).unwrap();
        assert_eq!(
            broken,
            Err(AssemblyError::TooLarge { bytes: CHUNK + 1, bytes_max: CHUNK }.into())
        );
        assert_eq!(deliveries.parts(NOW)[0].attempt, attempt(2));
        assert!(deliveries.silent(NOW).is_empty());
        let silent = deliveries.silent(NOW + SILENCE_MAX);
        assert_eq!(silent[0].1.attempt, attempt(2));
        assert_eq!(deliveries.parts(NOW)[0].attempt, attempt(3));
        assert!(give(&mut deliveries, part, CHUNK).is_none(), "a late part of the first");
    }
}
