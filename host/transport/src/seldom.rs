//! Lines of the log that others can cause: a few in each span are written, the rest are counted.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::clock;

/// In which so many lines are written.
const SPAN: Duration = Duration::from_secs(10);

/// How often one kind of line is written; one for each place that writes it, for the process.
#[derive(Debug)]
pub struct Seldom {
    most: u32,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    since: Option<Instant>,
    written: u32,
    left_out: u64,
}

impl Seldom {
    /// At most so many lines in ten seconds.
    #[must_use]
    pub const fn new(most: u32) -> Self {
        let state = State { since: None, written: 0, left_out: 0 };
        Self { most, state: Mutex::new(state) }
    }

    /// Whether a line is written now: then with how many were left out before it.
    pub fn may(&self) -> Option<u64> {
        self.may_at(clock::now())
    }

    fn may_at(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.since.is_none_or(|since| now.duration_since(since) >= SPAN) {
            state.since = Some(now);
            state.written = 0;
        }
        if state.written >= self.most {
            state.left_out += 1;
            return None;
        }
        state.written += 1;
        Some(std::mem::take(&mut state.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_are_written_and_the_others_are_counted() {
        let (seldom, now) = (Seldom::new(2), clock::now());
        let at = |seconds| seldom.may_at(now + Duration::from_secs(seconds));
        assert_eq!((at(0), at(1)), (Some(0), Some(0)));
        assert_eq!((at(1), at(9)), (None, None));
        assert_eq!((at(10), at(10), at(10)), (Some(2), Some(0), None));
        assert_eq!(at(30), Some(1));
    }
}
