//! Room for short attempts: the long lane leaves its processors to those that wait for one.
//!
//! The priorities alone should bring that about, and now and then they do not: a thread that
//! has just had more than its share is not eligible at once when it wakes up, and Linux goes
//! on with an idle one until the next interrupt. So whoever hands a short attempt over has
//! the guests of the long lane interrupted, and its threads sleep until it has had a turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::priority;

/// For how long a thread of the long lane sleeps at once: a few short steps' time.
const NAP: Duration = Duration::from_micros(50);

/// After so many, it takes a turn whoever waits: long attempts must go on as well.
const NAPS_MAX: u32 = 20;

/// Who waits for a processor, and who has one.
///
/// Who announces itself counts itself first and looks for turns then; who begins a turn does
/// it the other way round. So one of the two sees the other.
#[derive(Default)]
pub(crate) struct Room {
    /// Short attempts that were handed over and had no turn yet.
    waiting: AtomicUsize,
    /// Threads of the long lane that are in a turn.
    turns: AtomicUsize,
    /// A turn began since guests were interrupted last.
    begun: AtomicBool,
}

impl Room {
    /// A short attempt waits until the guard is dropped; `interrupt` ends the turns of guests.
    pub(crate) fn announce(self: &Arc<Self>, interrupt: impl FnOnce()) -> Announced {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let announced = Announced(Arc::clone(self));
        // Once for all turns that it finds: a burst of short attempts interrupts once.
        if self.turns.load(Ordering::SeqCst) > 0 && self.begun.swap(false, Ordering::SeqCst) {
            interrupt();
        }
        announced
    }

    /// Called by a thread of the long lane before each turn; the turn lasts until the guard
    /// is dropped. Sleeps as long as short attempts wait, if it `gives_way`.
    pub(super) fn turn(&self, gives_way: bool) -> Turn<'_> {
        let mut naps = if gives_way { NAPS_MAX } else { 0 };
        loop {
            self.turns.fetch_add(1, Ordering::SeqCst);
            self.begun.store(true, Ordering::SeqCst);
            let turn = Turn(self);
            if naps == 0 || self.waiting.load(Ordering::SeqCst) == 0 {
                return turn;
            }
            drop(turn);
            naps -= 1;
            priority::nap(NAP);
        }
    }
}

/// A short attempt that has had no turn yet.
pub(crate) struct Announced(Arc<Room>);

impl Drop for Announced {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A turn of the long lane.
pub(super) struct Turn<'a>(&'a Room);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.turns.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn interrupts(room: &Arc<Room>) -> (Announced, bool) {
        let mut interrupted = false;
        let announced = room.announce(|| interrupted = true);
        (announced, interrupted)
    }

    #[test]
    fn a_burst_of_short_attempts_interrupts_the_turns_that_it_finds_once() {
        let room = Arc::new(Room::default());
        assert!(!interrupts(&room).1, "nobody computes");
        let turn = room.turn(true);
        let (first, second) = (interrupts(&room), interrupts(&room));
        assert_eq!((first.1, second.1), (true, false));
        let other = room.turn(false);
        assert!(interrupts(&room).1, "a turn began since");
        drop((turn, other));
        assert!(!interrupts(&room).1);
    }

    #[test]
    fn a_turn_waits_for_short_attempts_and_not_for_ever() {
        let room = Arc::new(Room::default());
        let (announced, _) = interrupts(&room);
        drop(room.turn(true));
        let waits = {
            let room = Arc::clone(&room);
            thread::spawn(move || drop(room.turn(true)))
        };
        drop(announced);
        waits.join().unwrap();
        assert_eq!(room.waiting.load(Ordering::SeqCst), 0);
        assert_eq!(room.turns.load(Ordering::SeqCst), 0);
    }
}
