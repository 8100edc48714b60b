//! What goes in and out of placement: workers that join, attempts that want one, decisions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Why;
use crate::{AttemptId, Digest, DurationMs, Name, WorkerId};

/// A worker with more labels is taken to have only the first of them, in their order.
pub const LABELS_MAX: usize = 64;

/// Labels, by name: what a worker has, or what a step requires of one.
pub type Labels = BTreeMap<String, String>;

/// Characters of a label's name or value.
pub const LABEL_CHARS_MAX: usize = 63;

/// Whether a text can be the name or the value of a label.
#[must_use]
pub fn is_label(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.len() <= LABEL_CHARS_MAX
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/'))
}

/// What a worker says of itself when it joins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Joining {
    /// Attempts at once.
    pub slots: u32,
    /// What steps may require.
    pub labels: Labels,
    /// Components that it has already.
    pub components: BTreeSet<Digest>,
    /// Attempts that it says it is running, and has proved to have been given: those that it may
    /// keep take their slots before anything new is assigned, and it is told to stop the others.
    pub running: Vec<AttemptId>,
}

/// What goes first where not everything can: a step's workflow decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Priority(i8);

impl Priority {
    /// The last to go.
    pub const MIN: i8 = -10;
    /// The first to go.
    pub const MAX: i8 = 10;

    /// From a number between [`Self::MIN`] and [`Self::MAX`].
    #[must_use]
    pub fn new(level: i64) -> Option<Self> {
        i8::try_from(level).ok().filter(|level| (Self::MIN..=Self::MAX).contains(level)).map(Self)
    }

    /// As the number.
    #[must_use]
    pub const fn level(self) -> i8 {
        self.0
    }
}

/// An attempt that wants a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which attempt.
    pub attempt: AttemptId,
    /// Wall clock that it may take on the worker.
    pub timeout: DurationMs,
    /// What it runs: workers that have it already are preferred.
    pub component: Digest,
    /// Whose attempt it is: workflows share the slots fairly.
    pub workflow: Name,
    /// Labels that its worker must have.
    pub requires: Arc<Labels>,
    /// What goes first.
    pub priority: Priority,
    /// At most so many attempts of this workflow's with this component are at workers at once.
    pub concurrency: Option<u32>,
    /// How long it may wait for a worker; `None`: for ever.
    pub queue_timeout: Option<DurationMs>,
}

impl Wanted {
    /// What its being at a worker is counted under.
    pub(super) fn into_account(self) -> Account {
        let gated = self.concurrency.is_some().then_some(self.component);
        Account { workflow: self.workflow, lane: (self.priority, self.requires), gated }
    }
}

/// What tells the attempts of a workflow apart, as far as their turn goes.
pub(super) type Lane = (Priority, Arc<Labels>);

/// Under what an attempt at a worker is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) workflow: Name,
    pub(super) lane: Lane,
    /// Its component, if its concurrency is limited.
    pub(super) gated: Option<Digest>,
}

/// What placement decides; the caller carries it out in order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a decision must be carried out"]
pub enum Decision {
    /// Send the attempt to the worker.
    Assign {
        /// To whom.
        worker: WorkerId,
        /// What.
        attempt: AttemptId,
    },
    /// Tell the worker to stop; the attempt is no longer leased.
    Stop {
        /// Whom.
        worker: WorkerId,
        /// What.
        attempt: AttemptId,
    },
    /// The attempt's worker is gone, or nobody has claimed it: tell the run that it is lost.
    Lost {
        /// What.
        attempt: AttemptId,
        /// Who held it and is gone; `None`: it was an orphan.
        worker: Option<WorkerId>,
    },
    /// The attempt's worker hangs: tell the run that it timed out.
    TimedOut {
        /// What.
        attempt: AttemptId,
    },
    /// No worker took the attempt in its queue timeout: tell the run that it timed out.
    QueueTimedOut {
        /// What.
        attempt: AttemptId,
        /// For how long it waited.
        waited: DurationMs,
        /// For what, at the end.
        why: Why,
    },
    /// The worker was silent for too long and is forgotten; it may say hello again.
    Forget {
        /// Whom.
        worker: WorkerId,
    },
}
