//! What happened, as everybody who saw it tells it: the checker compares them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use wfhost_workflow::RunId;

/// A step of a run, or an item of one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Task {
    pub(crate) step: String,
    pub(crate) index: Option<u32>,
}

/// One event of a run's journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Happened {
    pub(crate) revision: u64,
    /// The name that `wfhost runs events` gives it.
    pub(crate) name: String,
    /// `None`: the run's own.
    pub(crate) task: Option<Task>,
    pub(crate) attempt: Option<u32>,
    /// The output or input that it holds, as JSON; `None` too where it is longer than is shown.
    pub(crate) value: Option<String>,
    /// Of a failed attempt: another one is due.
    pub(crate) again: bool,
}

/// One journal.
pub(crate) type Journal = Vec<Happened>;

/// A run that somebody wanted to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) input: Value,
    /// What it must give.
    pub(crate) output: Value,
    /// Whether the coordinator said that it is stored.
    pub(crate) acknowledged: bool,
}

/// One look at the list of all runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counted {
    /// Starts that were acknowledged before the look.
    pub(crate) acknowledged_before: usize,
    /// Starts that were asked for when the look was over.
    pub(crate) asked_after: usize,
    pub(crate) running: usize,
    pub(crate) succeeded: usize,
    pub(crate) failed: usize,
    pub(crate) cancelled: usize,
}

impl Counted {
    pub(crate) const fn all(&self) -> usize {
        self.running + self.succeeded + self.failed + self.cancelled
    }
}

/// A run as `wfhost runs show` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct View {
    pub(crate) status: String,
    pub(crate) output: Option<Value>,
    pub(crate) steps: Vec<ShownStep>,
}

/// Name, state, and items done and in all.
pub(crate) type ShownStep = (String, String, Option<(u32, u32)>);

/// What a guest itself wrote down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Execution {
    /// The worker's process.
    pub(crate) process: String,
    pub(crate) run: RunId,
    pub(crate) task: Task,
    pub(crate) attempt: u32,
    pub(crate) input: String,
    pub(crate) start_ns: u64,
    /// `None`: it was ended from outside.
    pub(crate) end_ns: Option<u64>,
}

/// A time in which a worker's process could not know whether its leases hold: it was stopped or
/// cut off, or its coordinator was away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Apart {
    /// `None`: all of them.
    pub(crate) process: Option<String>,
    /// From when the coordinator counts its silence.
    pub(crate) from_ns: u64,
}

/// Everything that is known of one row's repetition.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    pub(crate) wanted: BTreeMap<RunId, Wanted>,
    /// Journals as they were read on the way, in the order of reading.
    pub(crate) seen: Vec<(RunId, Journal)>,
    pub(crate) counted: Vec<Counted>,
    /// At the end, asked of the coordinator.
    pub(crate) told: BTreeMap<RunId, Journal>,
    pub(crate) views: BTreeMap<RunId, View>,
    /// After the end, read from the store itself.
    pub(crate) stored: BTreeMap<RunId, Journal>,
    pub(crate) executions: Vec<Execution>,
    /// When workers' processes were ended.
    pub(crate) ended_ns: BTreeMap<String, u64>,
    pub(crate) apart: Vec<Apart>,
    /// Runs that were there and were removed: nothing is to be found of them but what guests did.
    pub(crate) removed: BTreeSet<RunId>,
    /// Runs that may end in other ways than with their output.
    pub(crate) may_fail: BTreeSet<RunId>,
}
