//! The workers that are there: who they are and what they have done. What each holds is
//! placement's.

use std::collections::{BTreeMap, VecDeque};

use wfhost_transport::PeerKey;
use wfhost_transport::message::{Hello, LABEL_BYTES_MAX, LABELS_MAX};
use wfhost_workflow::{AttemptId, MonotonicMs, WorkerId};

use crate::dispatch::prefetch::Prefetched;

/// A name is for people.
const NAME_BYTES_MAX: usize = 256;

/// Of a name in a run's journal.
const NAME_BYTES_KEPT: usize = 64;

/// Processes that ended, and may still be named as those with which attempts were lost: these are
/// decided on at once.
const FORMER_MAX: usize = 256;

/// Late ends of one worker that are told from those before them.
const LATE_MAX: usize = 256;

/// Workers by their connection.
#[derive(Default)]
pub(crate) struct Workers {
    connected: BTreeMap<WorkerId, Connected>,
    /// Those that ended without a word, by what they were called; the newest last.
    former: VecDeque<(WorkerId, String)>,
}

/// One worker.
#[derive(Debug, Clone)]
pub(crate) struct Connected {
    pub(crate) key: PeerKey,
    pub(crate) instance: u64,
    /// Which of its process's connections it is.
    connection: u64,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) slots: u32,
    /// Its process, if the pool of this process started it.
    pub(crate) managed: Option<u32>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) joined_at: MonotonicMs,
    pub(crate) heard_at: MonotonicMs,
    /// When it was last told that the coordinator lives.
    pub(crate) told_at: MonotonicMs,
    pub(crate) draining: bool,
    pub(crate) counts: Counts,
    /// What it has ready, or was told to.
    pub(crate) prefetched: Prefetched,
    /// Attempts whose ends came too late, the newest last: one that is said again is not counted
    /// again.
    late: VecDeque<AttemptId>,
}

impl Connected {
    /// The end of this attempt came too late.
    pub(crate) fn note_late(&mut self, attempt: AttemptId) {
        if self.late.contains(&attempt) {
            return;
        }
        if self.late.len() == LATE_MAX {
            self.late.pop_front();
        }
        self.late.push_back(attempt);
        self.counts.late += 1;
    }

    /// What this process is called in journals: no other one is called the same.
    fn process(&self) -> String {
        let name = &self.name[..self.name.floor_char_boundary(NAME_BYTES_KEPT)];
        format!("{name}#{:016x}", self.instance)
    }
}

/// What became of the attempts that a worker was given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) done: u64,
    pub(crate) failed: u64,
    /// Attempts whose ends came after another one was begun.
    pub(crate) late: u64,
    /// Ends of attempts that it was never given.
    pub(crate) forged: u64,
}

/// What a worker that says hello is to those that are there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nobody.
    New,
    /// The one on this very connection.
    Again,
    /// One that was on another connection.
    Moved(WorkerId),
    /// A process before it, with the same key, which is over.
    Successor(WorkerId),
    /// One that has another connection since: this one is over.
    Over,
}

impl Workers {
    /// Why a hello cannot be taken.
    pub(crate) fn objection(hello: &Hello) -> Option<String> {
        let long = |text: &String| text.is_empty() || text.len() > LABEL_BYTES_MAX;
        if hello.labels.len() > LABELS_MAX {
            return Some(format!("a worker has at most {LABELS_MAX} labels"));
        }
        if hello.labels.iter().any(|(name, value)| long(name) || long(value)) {
            return Some(format!("names and values of labels have 1 to {LABEL_BYTES_MAX} bytes"));
        }
        if hello.name.len() > NAME_BYTES_MAX || hello.version.len() > NAME_BYTES_MAX {
            return Some(format!("a worker's name has at most {NAME_BYTES_MAX} bytes"));
        }
        None
    }

    pub(crate) fn known(&self, worker: WorkerId, key: PeerKey, hello: &Hello) -> Known {
        let Hello { instance, connection, .. } = *hello;
        let same = |other: &Connected| other.key == key && other.instance == instance;
        if self.connected.get(&worker).is_some_and(same) {
            return Known::Again;
        }
        match self.connected.iter().find(|(_, other)| same(other)) {
            Some((_, other)) if other.connection > connection => return Known::Over,
            Some((id, _)) => return Known::Moved(*id),
            None => {}
        }
        // Local workers have no key of their own: each process is another worker.
        let before = self.connected.iter().find(|(_, it)| key != PeerKey::Local && it.key == key);
        before.map_or(Known::New, |(id, _)| Known::Successor(*id))
    }

    pub(crate) fn join(&mut self, now: MonotonicMs, worker: WorkerId, key: PeerKey, hello: Hello) {
        let Hello { name, version, instance, connection, slots, labels, managed, .. } = hello;
        let components = hello.components;
        // Only who is on this machine can be of this process's pool.
        let managed = managed.filter(|_| key == PeerKey::Local);
        let before = self.connected.remove(&worker);
        let (joined_at, counts, draining, late, prefetched) = before.map_or_else(
            || {
                let held = Prefetched::held(&components);
                (now, Counts::default(), false, VecDeque::new(), held)
            },
            |it| {
                let prefetched = it.prefetched.reconnected(&components);
                (it.joined_at, it.counts, it.draining, it.late, prefetched)
            },
        );
        let connected = Connected {
            key,
            instance,
            connection,
            name,
            version,
            slots,
            managed,
            labels,
            joined_at,
            heard_at: now,
            told_at: now,
            draining,
            counts,
            prefetched,
            late,
        };
        self.connected.insert(worker, connected);
    }

    /// The same process is on another connection.
    pub(crate) fn moved(&mut self, from: WorkerId, to: WorkerId) {
        if let Some(connected) = self.connected.remove(&from) {
            self.connected.insert(to, connected);
        }
    }

    /// A worker has ended, or seems to: what it held may have been the cause.
    pub(crate) fn remove(&mut self, worker: WorkerId) -> Option<Connected> {
        let gone = self.connected.remove(&worker)?;
        if self.former.len() == FORMER_MAX {
            self.former.pop_front();
        }
        self.former.push_back((worker, gone.process()));
        Some(gone)
    }

    /// A worker left, or was put out: nothing that it held is to blame.
    pub(crate) fn dismiss(&mut self, worker: WorkerId) -> Option<Connected> {
        self.connected.remove(&worker)
    }

    /// Which process has ended on a connection, if what it held may have been the cause.
    pub(crate) fn former(&self, worker: WorkerId) -> Option<String> {
        let found = self.former.iter().rev().find(|(id, _)| *id == worker);
        found.map(|(_, process)| process.clone())
    }

    pub(crate) fn get(&self, worker: WorkerId) -> Option<&Connected> {
        self.connected.get(&worker)
    }

    pub(crate) fn get_mut(&mut self, worker: WorkerId) -> Option<&mut Connected> {
        self.connected.get_mut(&worker)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (WorkerId, &Connected)> {
        self.connected.iter().map(|(id, connected)| (*id, connected))
    }

    /// Those that were last told more than `every_ms` ago; they count as told now.
    pub(crate) fn due(&mut self, now: MonotonicMs, every_ms: u64) -> Vec<WorkerId> {
        let due = self.connected.iter_mut().filter(|(_, it)| (now - it.told_at).0 >= every_ms);
        due.map(|(id, connected)| {
            connected.told_at = now;
            *id
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_its_key_and_its_process() {
        let known = |workers: &Workers, worker, key, instance| {
            workers.known(worker, key, &Hello { instance, connection: 1, ..Hello::default() })
        };
        let key = |digit: &str| PeerKey::Key(digit.repeat(32).parse().unwrap());
        let (one, two, three) = (WorkerId(1), WorkerId(2), WorkerId(3));
        let mut workers = Workers::default();
        let hello = |instance| Hello { instance, connection: 1, ..Hello::default() };
        workers.join(MonotonicMs(1), one, key("aa"), hello(7));
        assert_eq!(known(&workers, one, key("aa"), 7), Known::Again);
        assert_eq!(known(&workers, two, key("aa"), 7), Known::Moved(one));
        assert_eq!(known(&workers, two, key("aa"), 8), Known::Successor(one));
        assert_eq!(known(&workers, two, key("bb"), 7), Known::New);
        workers.join(MonotonicMs(1), three, PeerKey::Local, hello(1));
        assert_eq!(known(&workers, two, PeerKey::Local, 2), Known::New);
        let late = Hello { instance: 7, connection: 0, ..Hello::default() };
        assert_eq!(workers.known(two, key("aa"), &late), Known::Over);
        workers.moved(one, two);
        assert_eq!(known(&workers, two, key("aa"), 7), Known::Again);
    }

    #[test]
    fn a_process_that_has_ended_is_known_by_name_and_one_that_left_is_not() {
        let mut workers = Workers::default();
        let hello = |instance| Hello { name: "é".repeat(100), instance, ..Hello::default() };
        for id in 0..3 {
            workers.join(MonotonicMs(0), WorkerId(id), PeerKey::Local, hello(id));
        }
        workers.remove(WorkerId(0));
        workers.dismiss(WorkerId(1));
        let first = format!("{}#0000000000000000", "é".repeat(32));
        assert_eq!(workers.former(WorkerId(0)), Some(first));
        assert_eq!(workers.former(WorkerId(1)), None);
        assert_eq!(workers.former(WorkerId(2)), None);
        for id in 3..=FORMER_MAX as u64 + 3 {
            workers.join(MonotonicMs(0), WorkerId(id), PeerKey::Local, hello(id));
            workers.remove(WorkerId(id));
        }
        assert_eq!(workers.former.len(), FORMER_MAX);
        assert_eq!(workers.former(WorkerId(0)), None);
    }
}
