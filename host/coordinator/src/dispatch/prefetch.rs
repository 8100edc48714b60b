//! Components that workers have ready before a step wants them.
//!
//! A client asks again and again. Each time, the workers that are there and have not been told are
//! told, and the answer is what they have said so far: nothing waits for a worker that is gone.

use std::collections::BTreeMap;

use wfhost_transport::client::{Answer, PrefetchedAt, Refusal};
use wfhost_transport::message::{COMPONENTS_MAX, PREFETCH_ERROR_BYTES_MAX, PREFETCH_MAX, ToWorker};
use wfhost_workflow::{Digest, DurationMs, MonotonicMs, WorkerId};

use super::shown_workers::id_of;
use crate::commands::ReplyTo;
use crate::event_loop::EventLoop;

/// What a worker has not answered is asked for again: it may have got lost.
const AGAIN: DurationMs = DurationMs(5_000);

/// What has failed is tried again when somebody asks who has not asked for so long: the disk may
/// have room by then. Longer than a worker remembers what it refused.
const FORGIVEN: DurationMs = DurationMs(15_000);

/// Reasons that are told of one worker; the others are counted.
const ERRORS_MAX: usize = 8;

/// Components of one worker that something is known of.
const KNOWN_MAX: usize = 4 * COMPONENTS_MAX;

/// What a worker has said of components.
#[derive(Debug, Clone, Default)]
pub(crate) struct Prefetched(BTreeMap<Digest, Known>);

#[derive(Debug, Clone)]
enum Known {
    /// From its hello: it holds the bytes, and says so if it cannot use them.
    Held,
    Asked(MonotonicMs),
    Ready,
    Failed {
        error: String,
        /// When somebody last asked.
        asked_at: MonotonicMs,
    },
}

impl Prefetched {
    pub(crate) fn held(components: &[Digest]) -> Self {
        let held = components.iter().take(COMPONENTS_MAX);
        Self(held.map(|component| (*component, Known::Held)).collect())
    }

    /// The same process on another connection: what was on its way may be lost.
    pub(crate) fn reconnected(mut self, components: &[Digest]) -> Self {
        self.0.retain(|_, known| !matches!(known, Known::Asked(_)));
        for (component, held) in Self::held(components).0 {
            self.0.entry(component).or_insert(held);
        }
        self
    }

    /// The worker has said how it went. What it was not asked for says nothing.
    fn said(&mut self, now: MonotonicMs, component: Digest, error: Option<String>) -> bool {
        let Some(known) = self.0.get_mut(&component) else { return false };
        *known = match error {
            None => Known::Ready,
            Some(mut error) => {
                error.truncate(error.floor_char_boundary(PREFETCH_ERROR_BYTES_MAX));
                Known::Failed { error, asked_at: now }
            }
        };
        matches!(known, Known::Ready)
    }

    /// Of these, what the worker has to be told.
    fn due(&mut self, now: MonotonicMs, components: &[Digest]) -> Vec<Digest> {
        if self.0.len() > KNOWN_MAX {
            // What is asked for now is asked for anew.
            self.0.clear();
        }
        let is_due = |known: Option<&mut Known>| match known {
            None | Some(Known::Held) => true,
            Some(Known::Ready) => false,
            Some(Known::Asked(at)) => now - *at >= AGAIN,
            Some(Known::Failed { asked_at, .. }) => {
                let since = now - std::mem::replace(asked_at, now);
                since >= FORGIVEN
            }
        };
        let due = components.iter().filter(|component| is_due(self.0.get_mut(component)));
        due.copied().collect()
    }

    fn told(&mut self, now: MonotonicMs, components: &[Digest]) {
        for component in components {
            let known = self.0.entry(*component).or_insert(Known::Asked(now));
            // What it holds counts until it says otherwise.
            *known = match known {
                Known::Held | Known::Ready => Known::Ready,
                Known::Asked(_) | Known::Failed { .. } => Known::Asked(now),
            };
        }
    }

    fn shown(&self, components: &[Digest], shown: &mut PrefetchedAt) {
        for component in components {
            match self.0.get(component) {
                None | Some(Known::Asked(_)) => {}
                Some(Known::Held | Known::Ready) => shown.ready += 1,
                Some(Known::Failed { error, .. }) => {
                    shown.failed += 1;
                    if shown.errors.len() < ERRORS_MAX {
                        shown.errors.push(error.clone());
                    }
                }
            }
        }
    }
}

impl EventLoop {
    /// Tells workers what to have ready, and the client how far they are.
    pub(crate) fn prefetch(&mut self, mut components: Vec<Digest>, reply: ReplyTo) {
        components.sort_unstable();
        components.dedup();
        if components.len() > PREFETCH_MAX {
            let message = format!("at most {PREFETCH_MAX} components are made ready at once");
            return self.reply(reply, Answer::Refused(Refusal::Invalid(message)));
        }
        let workers = self.dispatcher.workers.iter().filter(|(_, it)| !it.draining);
        for worker in workers.map(|(id, _)| id).collect::<Vec<_>>() {
            self.tell_prefetch(worker, &components);
        }
        let of = u32::try_from(components.len()).unwrap_or(u32::MAX);
        let workers = self.dispatcher.workers.iter().filter(|(_, it)| !it.draining);
        let mut shown: Vec<PrefetchedAt> = workers
            .map(|(_, it)| {
                let (worker, name) = (id_of(it), it.name.clone());
                let mut shown = PrefetchedAt { worker, name, of, ..PrefetchedAt::default() };
                it.prefetched.shown(&components, &mut shown);
                shown
            })
            .collect();
        shown.sort_by(|a, b| a.worker.cmp(&b.worker));
        self.reply(reply, Answer::Prefetched(shown));
    }

    fn tell_prefetch(&mut self, worker: WorkerId, components: &[Digest]) {
        let now = self.parts.clock.monotonic();
        let Some(known) = self.dispatcher.workers.get_mut(worker) else { return };
        let components = known.prefetched.due(now, components);
        if components.is_empty() {
            return;
        }
        let message = ToWorker::Prefetch { components };
        self.send(worker, &message);
        let ToWorker::Prefetch { components } = message else { return };
        // Gone, if it could not be sent.
        if let Some(known) = self.dispatcher.workers.get_mut(worker) {
            known.prefetched.told(now, &components);
        }
    }

    /// A worker has said how it went with a component.
    pub(super) fn prefetched(
        &mut self,
        worker: WorkerId,
        component: Digest,
        error: Option<String>,
    ) {
        let now = self.parts.clock.monotonic();
        let known = self.dispatcher.workers.get_mut(worker);
        if known.is_some_and(|known| known.prefetched.said(now, component, error)) {
            self.dispatcher.placement.prefetched(worker, component);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: usize) -> Digest {
        Digest::of(&number.to_le_bytes())
    }

    fn at(ms: u64) -> MonotonicMs {
        MonotonicMs(1_000_000 + ms)
    }

    /// Whether it is told at this time, as it is told when somebody asks.
    fn is_told(known: &mut Prefetched, ms: u64) -> bool {
        let due = known.due(at(ms), &[digest(1)]);
        known.told(at(ms), &due);
        !due.is_empty()
    }

    #[test]
    fn what_is_not_answered_is_told_again_and_what_failed_when_somebody_else_asks() {
        let mut known = Prefetched::default();
        assert!(is_told(&mut known, 0) && !is_told(&mut known, AGAIN.0 - 1));
        assert!(is_told(&mut known, AGAIN.0) && !is_told(&mut known, AGAIN.0 + 1));
        let start = 2 * AGAIN.0;
        known.said(at(start), digest(1), Some("no room".to_owned()));
        // Whoever goes on asking sees it, for as long as it asks.
        for polled in 1..10 {
            assert!(!is_told(&mut known, start + polled * (FORGIVEN.0 - 1)));
        }
        let last = start + 9 * (FORGIVEN.0 - 1);
        let mut shown = PrefetchedAt::default();
        known.shown(&[digest(1)], &mut shown);
        assert_eq!((shown.ready, shown.failed, shown.errors), (0, 1, vec!["no room".to_owned()]));
        assert!(is_told(&mut known, last + FORGIVEN.0));
        let mut shown = PrefetchedAt::default();
        known.shown(&[digest(1)], &mut shown);
        assert_eq!((shown.ready, shown.failed), (0, 0));
        assert!(known.said(at(last), digest(1), None));
        assert!(!is_told(&mut known, last + 10 * FORGIVEN.0));
    }

    #[test]
    fn only_so_much_is_known_of_a_worker() {
        let mut known = Prefetched::default();
        for round in 0..20 {
            let components: Vec<Digest> =
                (0..PREFETCH_MAX).map(|number| digest(round * PREFETCH_MAX + number)).collect();
            let due = known.due(at(0), &components);
            assert_eq!(due.len(), PREFETCH_MAX);
            known.told(at(0), &due);
            assert!(known.0.len() <= KNOWN_MAX + PREFETCH_MAX);
        }
        let long = Some("é".repeat(PREFETCH_ERROR_BYTES_MAX));
        let last = digest(20 * PREFETCH_MAX - 1);
        known.said(at(1), last, long);
        let mut shown = PrefetchedAt::default();
        known.shown(&[last], &mut shown);
        assert_eq!(shown.errors[0].len(), PREFETCH_ERROR_BYTES_MAX);
    }
}
