//! Why an attempt waits, for people.

use std::fmt;

use super::queue::Arrival;
use super::wanted::Labels;
use super::{Place, Placement};
use crate::AttemptId;

/// As far as those ahead are counted.
pub const AHEAD_MAX: usize = 1000;

/// Why an attempt waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// There is no worker at all.
    NoWorker,
    /// No worker has this label.
    NoLabel {
        /// The label's name.
        name: String,
        /// What the step requires it to be.
        value: String,
        /// The workers that there are.
        workers: usize,
    },
    /// Every label that it requires is there, but no worker has all of them.
    NoneHasAll {
        /// What the step requires.
        requires: Labels,
        /// The workers that there are.
        workers: usize,
    },
    /// The workers that could take it take nothing more.
    Draining {
        /// How many.
        workers: usize,
    },
    /// As many attempts of its plugin are under way as its workflow lets be.
    Concurrency {
        /// Under way.
        held: u32,
        /// The plugin's `concurrency`.
        max: u32,
        /// At least so many go before it, at most [`AHEAD_MAX`].
        ahead: usize,
    },
    /// The workers that could take it have no free slot.
    Full {
        /// How many.
        workers: usize,
        /// At least so many go before it, at most [`AHEAD_MAX`].
        ahead: usize,
    },
    /// It was under way when the coordinator was started again: its worker may still have it.
    Orphaned,
}

impl Placement {
    /// Why an attempt is not at a worker; `None`: it is, or is not here.
    #[must_use]
    pub fn why(&self, attempt: &AttemptId) -> Option<Why> {
        match self.places.get(attempt)? {
            Place::Waiting { arrival } => self.why_waiting(*arrival),
            Place::Leased { .. } => None,
            Place::Orphaned { .. } => Some(Why::Orphaned),
        }
    }

    pub(super) fn why_waiting(&self, arrival: Arrival) -> Option<Why> {
        let requires = &self.queue.get(arrival)?.wanted.requires;
        let workers = self.workers.len();
        if workers == 0 {
            return Some(Why::NoWorker);
        }
        let fitting = || self.workers.values().filter(|worker| worker.meets(requires));
        if fitting().next().is_none() {
            let nobody_has = |(name, value): &(&String, &String)| {
                !self.workers.values().any(|worker| worker.labels.get(*name) == Some(*value))
            };
            return Some(match requires.iter().find(nobody_has) {
                Some((name, value)) => {
                    Why::NoLabel { name: name.clone(), value: value.clone(), workers }
                }
                None => Why::NoneHasAll { requires: Labels::clone(requires), workers },
            });
        }
        let takers = fitting().filter(|worker| !worker.draining).count();
        if takers == 0 {
            return Some(Why::Draining { workers: fitting().count() });
        }
        let ahead = self.queue.ahead(arrival, AHEAD_MAX);
        Some(match self.queue.kept_at_gate(arrival) {
            Some((held, max)) => Why::Concurrency { held, max, ahead },
            None => Why::Full { workers: takers, ahead },
        })
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWorker => f.write_str("there is no worker"),
            Self::NoLabel { name, value, workers } => {
                write!(f, "no worker has the label {name}={value}, of {workers}")
            }
            Self::NoneHasAll { requires, workers } => {
                f.write_str("no worker has all of the labels ")?;
                for (position, (name, value)) in requires.iter().enumerate() {
                    let comma = if position == 0 { "" } else { ", " };
                    write!(f, "{comma}{name}={value}")?;
                }
                write!(f, ", of {workers}")
            }
            Self::Draining { workers: 1 } => f.write_str("the only worker that fits is draining"),
            Self::Draining { workers } => write!(f, "all {workers} workers that fit are draining"),
            Self::Concurrency { held, max, ahead } => {
                write!(f, "{held} of the plugin are under way, its `concurrency` is {max}")?;
                behind(f, *ahead)
            }
            Self::Full { workers: 1, ahead } => {
                f.write_str("the only worker that fits is full")?;
                behind(f, *ahead)
            }
            Self::Full { workers, ahead } => {
                write!(f, "all {workers} workers that fit are full")?;
                behind(f, *ahead)
            }
            Self::Orphaned => f.write_str("the worker that had it before the restart is awaited"),
        }
    }
}

fn behind(f: &mut fmt::Formatter<'_>, ahead: usize) -> fmt::Result {
    match ahead {
        0 => Ok(()),
        1 => f.write_str("; 1 other goes before it"),
        AHEAD_MAX.. => write!(f, "; {AHEAD_MAX} others or more go before it"),
        _ => write!(f, "; {ahead} others go before it"),
    }
}
