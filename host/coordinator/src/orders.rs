//! Attempts that are to be sent to workers, and the inputs that workers may fetch.
//!
//! What waits is bounded: past [`INPUTS_BYTES_MAX`] an order is kept without its input, which is
//! made again from the run when a worker is free. So a hundred thousand waiting attempts take
//! memory for their numbers, not for their inputs.

use std::collections::HashMap;

use wfhost_transport::message::{INLINE_BYTES_MAX, Payload};
use wfhost_workflow::{AttemptId, Digest, Json, RunId};

/// Inputs of attempts that wait for a worker, together.
const INPUTS_BYTES_MAX: usize = 64 << 20;

/// Orders that wait or are out.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    /// Until they are sent: an attempt is sent once. `None`: the input is to be made again.
    waiting: HashMap<AttemptId, Option<Json>>,
    /// What the inputs that are here have together.
    bytes: usize,
    /// Which input an attempt may fetch, until it ends.
    references: HashMap<AttemptId, Digest>,
    /// Inputs that were sent by reference, and by how many orders.
    inputs: HashMap<Digest, (Json, u32)>,
}

/// What there is to send.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// Nothing: it was sent, or is no longer wanted.
    No,
    /// The attempt, with its input.
    Here(Json),
    /// The attempt, whose input is to be made again.
    Gone,
}

impl Orders {
    /// An attempt is to be sent when a worker is free.
    pub(crate) fn wait(&mut self, attempt: AttemptId, input: Json) {
        self.forget(&attempt);
        let len = input.len_bytes();
        let fits = self.bytes + len <= INPUTS_BYTES_MAX;
        if fits {
            self.bytes += len;
        }
        self.waiting.insert(attempt, fits.then_some(input));
    }

    /// A worker is free for it: it waits no longer, unless its input has to be made.
    pub(crate) fn take(&mut self, attempt: &AttemptId) -> Waiting {
        match self.waiting.get(attempt) {
            None => Waiting::No,
            Some(None) => Waiting::Gone,
            Some(Some(_)) => match self.waiting.remove(attempt).flatten() {
                Some(input) => {
                    self.bytes -= input.len_bytes();
                    Waiting::Here(input)
                }
                None => Waiting::No,
            },
        }
    }

    /// Whether it has not been sent yet.
    pub(crate) fn is_waiting(&self, attempt: &AttemptId) -> bool {
        self.waiting.contains_key(attempt)
    }

    /// How the attempt's input travels. One that travels by reference can be fetched until
    /// [`Self::forget`].
    pub(crate) fn sent(&mut self, attempt: AttemptId, input: Json) -> Payload {
        if input.len_bytes() <= INLINE_BYTES_MAX {
            return Payload::Inline(input);
        }
        let digest = Digest::of(input.as_str().as_bytes());
        let len = input.len_bytes() as u64;
        self.references.insert(attempt, digest);
        self.inputs.entry(digest).or_insert((input, 0)).1 += 1;
        Payload::Reference { digest, len }
    }

    /// An input that some attempt may fetch.
    pub(crate) fn input(&self, digest: &Digest) -> Option<&Json> {
        self.inputs.get(digest).map(|(input, _)| input)
    }

    /// The attempt has ended, or is no longer wanted.
    pub(crate) fn forget(&mut self, attempt: &AttemptId) {
        if let Some(Some(input)) = self.waiting.remove(attempt) {
            self.bytes -= input.len_bytes();
        }
        if let Some(digest) = self.references.remove(attempt)
            && let Some((_, users)) = self.inputs.get_mut(&digest)
        {
            *users -= 1;
            if *users == 0 {
                self.inputs.remove(&digest);
            }
        }
    }

    /// The attempts of a run.
    pub(crate) fn of_run(&self, run: RunId) -> Vec<AttemptId> {
        let all = self.waiting.keys().chain(self.references.keys());
        all.filter(|attempt| attempt.run == run).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use wfhost_workflow::{Attempt, StepId, TaskId, TimestampMs};

    use super::*;

    fn attempt(number: u32) -> AttemptId {
        let task = TaskId { step: StepId(0), index: Some(number) };
        AttemptId { run: RunId::new(TimestampMs(1), 1), task, attempt: Attempt::FIRST }
    }

    fn input(bytes: usize) -> Json {
        Json::from_trusted(format!("\"{}\"", "x".repeat(bytes - 2)))
    }

    #[test]
    fn inputs_past_the_bound_are_made_again() {
        let mut orders = Orders::default();
        for number in 0..100_000 {
            orders.wait(attempt(number), input(16 << 10));
        }
        assert!(orders.bytes <= INPUTS_BYTES_MAX);
        let here = INPUTS_BYTES_MAX / (16 << 10);
        assert_eq!(orders.take(&attempt(0)), Waiting::Here(input(16 << 10)));
        assert_eq!(orders.take(&attempt(0)), Waiting::No);
        let gone = attempt(here as u32);
        assert_eq!(orders.take(&gone), Waiting::Gone);
        assert!(orders.is_waiting(&gone), "until its input is there");
        for number in 0..100_000 {
            orders.forget(&attempt(number));
        }
        assert_eq!((orders.bytes, orders.waiting.len()), (0, 0));
    }

    #[test]
    fn an_input_can_be_fetched_until_the_last_attempt_that_has_it_has_ended() {
        let mut orders = Orders::default();
        assert!(matches!(orders.sent(attempt(0), input(9)), Payload::Inline(_)));
        let large = input(INLINE_BYTES_MAX + 1);
        let Payload::Reference { digest, .. } = orders.sent(attempt(1), large.clone()) else {
            panic!("it is too large for a message")
        };
        orders.sent(attempt(2), large.clone());
        orders.forget(&attempt(1));
        assert_eq!(orders.input(&digest), Some(&large));
        orders.forget(&attempt(2));
        assert_eq!(orders.input(&digest), None);
    }
}
