//! The runs in memory, and what is known of them besides their state.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use wfhost_checkpoint::{Snapshot, crash_points};
use wfhost_transport::message::Progress;
use wfhost_workflow::run::{Effect, Event, Input, Record, Run};
use wfhost_workflow::{
    Attempt, AttemptId, Definition, Digest, Limits, PinnedPlugin, Revision, RunId, TaskId,
    TimestampMs,
};

use crate::commands::ReplyTo;

/// A snapshot is worth writing once the journal since the last one is this large, and larger
/// than twice that snapshot: so all snapshots together stay below the journal's size.
const SNAPSHOT_AFTER_BYTES: usize = 256 << 10;

/// Every run that is served.
#[derive(Default)]
pub(crate) struct Runs {
    /// Boxed: a table that grows holds twice what is in it.
    slots: HashMap<RunId, Box<Slot>>,
    /// When [`Input::TimersDue`] is wanted, by time.
    timers: BTreeSet<(TimestampMs, RunId)>,
}

/// One run that is served.
pub(crate) struct Slot {
    pub(crate) place: Place,
    /// What the run was started from: also known while it is away.
    pub(crate) definition: Arc<Definition>,
    /// The version of a bundle that it is of now.
    pub(crate) origin: Option<Digest>,
    /// Of a run that is, or was, away: any other is here to be asked.
    plugins: Arc<[PinnedPlugin]>,
    /// Attempts up to this number are of a version that the run no longer has.
    floor: Attempt,
    /// The key-value store of a run that is away, as it was when it left.
    kv: Arc<BTreeMap<String, Vec<u8>>>,
    /// Attempts whose inputs are to be made again when the run is back.
    pub(crate) unmade: Vec<AttemptId>,
    /// Commits that are on their way, oldest first.
    pub(crate) pending: VecDeque<PendingCommit>,
    /// Rises with everything that a view shows.
    pub(crate) tick: u64,
    pub(crate) watchers: Vec<Watcher>,
    pub(crate) live: Live,
    /// Its expressions are evaluated away from the event loop.
    pub(crate) heavy: bool,
    timer: Option<TimestampMs>,
    journal_bytes: usize,
    snapshot_bytes: usize,
}

/// Where a run is.
pub(crate) enum Place {
    Here(Box<Run>),
    /// At the evaluator; these inputs wait for it.
    Away(VecDeque<(Input, Option<ReplyTo>)>),
}

/// A commit that is on its way to the store, and what to do when it is there.
pub(crate) struct PendingCommit {
    pub(crate) revision: Revision,
    pub(crate) effects: Vec<Effect>,
    pub(crate) reply: Option<ReplyTo>,
}

/// Somebody who waits for a run to change or to end.
pub(crate) struct Watcher {
    pub(crate) reply: ReplyTo,
    pub(crate) until: wfhost_workflow::MonotonicMs,
    pub(crate) kind: WatchKind,
}

#[derive(Clone, Copy)]
pub(crate) enum WatchKind {
    /// The next view after this tick.
    View { seen: u64 },
    /// The end.
    End,
}

/// What workers say of attempts that are under way; not stored.
#[derive(Default)]
pub(crate) struct Live {
    pub(crate) leased: BTreeMap<TaskId, Attempt>,
    pub(crate) progress: BTreeMap<TaskId, Progress>,
}

impl Slot {
    pub(crate) fn new(place: Place, definition: Arc<Definition>, plugins: &[PinnedPlugin]) -> Self {
        let heavy = definition.is_heavy();
        Self {
            place,
            heavy,
            definition,
            origin: None,
            plugins: if heavy { Arc::from(plugins) } else { Arc::default() },
            floor: Attempt::default(),
            kv: Arc::default(),
            unmade: Vec::new(),
            pending: VecDeque::new(),
            tick: 1,
            watchers: Vec::new(),
            live: Live::default(),
            timer: None,
            journal_bytes: 0,
            snapshot_bytes: 0,
        }
    }

    /// A run that was read back.
    pub(crate) fn of(run: Box<Run>) -> Self {
        let (definition, plugins) = (run.definition().clone(), run.plugins().to_vec());
        let mut slot = Self::new(Place::Here(run), definition, &plugins);
        slot.follow();
        slot
    }

    pub(crate) fn run(&self) -> Option<&Run> {
        match &self.place {
            Place::Here(run) => Some(run),
            Place::Away(_) => None,
        }
    }

    /// Takes over what the run is made from, if it was upgraded.
    pub(crate) fn follow(&mut self) {
        let Place::Here(run) = &self.place else { return };
        self.floor = run.attempt_floor();
        self.origin = run.origin().map(|origin| origin.digest);
        if Arc::ptr_eq(&self.definition, run.definition()) {
            return;
        }
        self.definition = run.definition().clone();
        self.heavy = self.definition.is_heavy();
        self.plugins = if self.heavy { Arc::from(run.plugins()) } else { Arc::default() };
        // By positions that mean something else now.
        self.live = Live::default();
    }

    /// Whether an attempt is of the version that the run has now.
    pub(crate) fn is_current(&self, attempt: Attempt) -> bool {
        attempt > self.floor
    }

    /// The plugin at a position of the definition.
    pub(crate) fn plugin(&self, position: usize) -> Option<&PinnedPlugin> {
        self.run().map_or(&*self.plugins, Run::plugins).get(position)
    }

    /// The run's key-value store, as far as it is known here.
    pub(crate) fn kv(&self) -> &BTreeMap<String, Vec<u8>> {
        self.run().map_or(&*self.kv, |run| run.kv())
    }

    /// The run leaves for the evaluator.
    pub(crate) fn leave(&mut self) -> Option<Box<Run>> {
        match std::mem::replace(&mut self.place, Place::Away(VecDeque::new())) {
            Place::Here(run) => {
                self.kv = run.kv().clone();
                self.plugins = Arc::from(run.plugins());
                Some(run)
            }
            away @ Place::Away(_) => {
                self.place = away;
                None
            }
        }
    }

    /// What attempts of a task may use.
    pub(crate) fn limits_of(&self, task: TaskId) -> Limits {
        let call = self.definition.steps.get(task.step.position()).and_then(|it| it.kind.call());
        let plugin = call.and_then(|call| self.plugin(call.plugin));
        plugin.map_or_else(Limits::default, |plugin| plugin.limits)
    }

    /// Gives back what only a busy run needs: thousands may wait for hours.
    pub(crate) fn shrink(&mut self) {
        if self.pending.is_empty() {
            self.pending = VecDeque::new();
        }
        if self.watchers.is_empty() {
            self.watchers = Vec::new();
        }
        if self.live.leased.is_empty() {
            self.live = Live::default();
        }
    }

    /// A snapshot, if one is worth its bytes with this record.
    pub(crate) fn snapshot_for(&mut self, record: &Record) -> Option<Snapshot> {
        self.journal_bytes += record.events.iter().map(event_bytes).sum::<usize>();
        let is_early = self.journal_bytes < SNAPSHOT_AFTER_BYTES.max(2 * self.snapshot_bytes);
        if is_early && !crash_points::is_hit("snapshot") {
            return None;
        }
        let bytes = self.run()?.snapshot().to_bytes();
        self.journal_bytes = 0;
        self.snapshot_bytes = bytes.len();
        Some(Snapshot { revision: record.revision, bytes })
    }
}

/// About what an event takes in the journal: its values, and what surrounds them.
fn event_bytes(event: &Event) -> usize {
    const AROUND: usize = 64;
    AROUND
        + match event {
            Event::Started(started) => started.input.len_bytes(),
            Event::AttemptSucceeded { output, kv, .. } => {
                let writes = kv
                    .iter()
                    .map(|write| write.key.len() + write.value.as_ref().map_or(0, Vec::len));
                output.len_bytes() + writes.sum::<usize>()
            }
            Event::Succeeded { output } => output.len_bytes(),
            Event::StepCompleted { output, .. } => match output {
                wfhost_workflow::run::StepOutput::Value(output) => output.len_bytes(),
                wfhost_workflow::run::StepOutput::Parts => 0,
            },
            Event::StepQuarantined { workers, .. } => workers.iter().map(String::len).sum(),
            Event::AttemptFailed { failure, .. } | Event::Failed { failure, .. } => {
                failure.message.len()
            }
            // What was pinned is as large as what is pinned now.
            Event::Upgraded(upgraded) => 512 * upgraded.plugins.len(),
            Event::StepSkipped { .. }
            | Event::MapOpened { .. }
            | Event::AttemptScheduled { .. }
            | Event::AttemptLost { .. }
            | Event::StepReleased { .. }
            | Event::RunRetried
            | Event::Cancelled { .. } => 0,
        }
}

impl Runs {
    pub(crate) fn get(&self, run: RunId) -> Option<&Slot> {
        self.slots.get(&run).map(Box::as_ref)
    }

    pub(crate) fn get_mut(&mut self, run: RunId) -> Option<&mut Slot> {
        self.slots.get_mut(&run).map(Box::as_mut)
    }

    pub(crate) fn contains(&self, run: RunId) -> bool {
        self.slots.contains_key(&run)
    }

    pub(crate) fn insert(&mut self, run: RunId, slot: Slot) {
        self.slots.insert(run, Box::new(slot));
    }

    pub(crate) fn remove(&mut self, run: RunId) -> Option<Slot> {
        let slot = self.slots.remove(&run)?;
        if let Some(at) = slot.timer {
            self.timers.remove(&(at, run));
        }
        Some(*slot)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = RunId> {
        self.slots.keys().copied()
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.values().map(Box::as_ref)
    }

    pub(crate) fn slots_mut(&mut self) -> impl Iterator<Item = (RunId, &mut Slot)> {
        self.slots.iter_mut().map(|(run, slot)| (*run, slot.as_mut()))
    }

    /// Takes over when the run wants its next timer.
    pub(crate) fn set_timer(&mut self, run: RunId) {
        let Some(slot) = self.slots.get_mut(&run) else { return };
        let wanted = slot.run().and_then(Run::next_timer);
        if wanted == slot.timer {
            return;
        }
        if let Some(at) = slot.timer {
            self.timers.remove(&(at, run));
        }
        if let Some(at) = wanted {
            self.timers.insert((at, run));
        }
        slot.timer = wanted;
    }

    /// The first run whose timer is due, taken off the list.
    pub(crate) fn take_due(&mut self, now: TimestampMs) -> Option<RunId> {
        let (at, run) = *self.timers.first()?;
        if at > now {
            return None;
        }
        self.timers.pop_first();
        if let Some(slot) = self.slots.get_mut(&run) {
            slot.timer = None;
        }
        Some(run)
    }

    pub(crate) fn next_timer(&self) -> Option<TimestampMs> {
        self.timers.first().map(|(at, _)| *at)
    }
}
