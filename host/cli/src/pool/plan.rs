//! What to do now that so many workers are wanted: a decision from what is seen, and nothing else.
//!
//! Workers of another program are replaced one by one: a new one is started besides, and only when
//! it is there does an old one leave; the next is begun when that one is gone.

/// Processes that are starting at once: each is busy for a moment.
const STARTING_MAX: usize = 8;

/// What is seen of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Seen {
    /// It has joined.
    pub(super) joined: bool,
    /// It was told to leave, by whomever.
    pub(super) leaving: bool,
    /// It is of another program, or was started otherwise.
    pub(super) outdated: bool,
    /// Attempts that it has.
    pub(super) busy: u32,
}

/// What to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// So many are started.
    pub(super) start: usize,
    /// These leave, by their position.
    pub(super) leave: Vec<usize>,
}

/// For workers in the order in which they were started.
pub(super) fn plan(wanted: u32, seen: &[Seen], may_start: bool) -> Plan {
    let wanted = wanted as usize;
    let active: Vec<usize> = (0..seen.len()).filter(|position| !seen[*position].leaving).collect();
    let is_new = |position: &&usize| !seen[**position].outdated;
    let starting = active.iter().filter(is_new).filter(|it| !seen[**it].joined).count();
    let outdated = active.iter().filter(|it| seen[**it].outdated).count();
    let room = if may_start { STARTING_MAX.saturating_sub(starting) } else { 0 };
    if active.len() > wanted {
        let surplus = active.len() - wanted;
        // The one that is there besides is the successor of an old one.
        let successor_is_coming = outdated > 0 && starting > 0;
        let leaving = surplus - usize::from(successor_is_coming && wanted > 0);
        return Plan { start: 0, leave: least_needed(seen, active, leaving) };
    }
    if active.len() < wanted {
        return Plan { start: (wanted - active.len()).min(room), leave: Vec::new() };
    }
    let one_is_leaving = seen.iter().any(|it| it.leaving && it.outdated);
    let renew = outdated > 0 && starting == 0 && !one_is_leaving;
    Plan { start: usize::from(renew).min(room), leave: Vec::new() }
}

/// Those that are missed least: old ones, those that are not there, then the least busy, of these
/// the newest.
fn least_needed(seen: &[Seen], mut active: Vec<usize>, count: usize) -> Vec<usize> {
    active.sort_by_key(|position| {
        let it = seen[*position];
        (!it.outdated, it.joined, it.busy, std::cmp::Reverse(*position))
    });
    active.truncate(count);
    active
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: Seen = Seen { joined: true, leaving: false, outdated: false, busy: 0 };
    const STARTING: Seen = Seen { joined: false, ..READY };
    const OLD: Seen = Seen { outdated: true, ..READY };
    const LEAVING: Seen = Seen { leaving: true, ..READY };

    fn busy(busy: u32) -> Seen {
        Seen { busy, ..READY }
    }

    #[track_caller]
    fn check(wanted: u32, seen: &[Seen], start: usize, leave: &[usize]) {
        let expected = Plan { start, leave: leave.to_vec() };
        assert_eq!(plan(wanted, seen, true), expected);
        let nothing_starts = plan(wanted, seen, false);
        assert_eq!(nothing_starts, Plan { start: 0, ..expected });
    }

    #[test]
    fn as_many_are_started_as_are_missing() {
        check(0, &[], 0, &[]);
        check(3, &[], 3, &[]);
        check(3, &[READY, STARTING], 1, &[]);
        check(2, &[LEAVING, READY], 1, &[]);
        check(100, &[STARTING, READY], 7, &[]);
        check(2, &[READY, READY], 0, &[]);
    }

    #[test]
    fn those_that_are_missed_least_leave() {
        check(0, &[READY, STARTING], 0, &[1, 0]);
        check(1, &[busy(2), busy(1), busy(2)], 0, &[1, 2]);
        check(2, &[busy(1), busy(1), busy(1)], 0, &[2]);
        check(1, &[READY, LEAVING], 0, &[]);
    }

    #[test]
    fn old_ones_are_replaced_one_by_one() {
        check(2, &[OLD, OLD], 1, &[]);
        check(2, &[OLD, OLD, STARTING], 0, &[]);
        check(2, &[OLD, OLD, READY], 0, &[1]);
        let leaving = Seen { leaving: true, ..OLD };
        check(2, &[OLD, leaving, READY], 0, &[]);
        check(2, &[OLD, READY], 1, &[]);
        check(2, &[READY, READY], 0, &[]);
        // None is wanted any more.
        check(0, &[OLD, STARTING], 0, &[0, 1]);
    }

    /// Whatever is there: replacing ends, and at each moment as many are there as are wanted.
    #[test]
    fn replacing_ends_and_never_leaves_too_few() {
        for wanted in 1..5 {
            let mut seen = vec![OLD; wanted as usize];
            for _ in 0..40 {
                let Plan { start, leave } = plan(wanted, &seen, true);
                for position in leave {
                    seen[position].leaving = true;
                }
                let there = seen.iter().filter(|it| it.joined && !it.leaving).count();
                assert!(there >= wanted as usize && seen.len() <= wanted as usize + 1, "{seen:?}");
                // What was started joins, what was told to leave has left.
                for it in &mut seen {
                    it.joined = true;
                }
                seen.extend(std::iter::repeat_n(STARTING, start));
                if start == 0 {
                    seen.retain(|it| !it.leaving);
                }
            }
            assert_eq!(seen, vec![READY; wanted as usize]);
        }
    }
}
