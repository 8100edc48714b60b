//! What holds after any sequence of events, against a plain list of what is where.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::tests::{attempt, ms, wanted};
use super::*;

const LABELS: [&str; 2] = ["gpu", "near"];

#[derive(Debug, Clone, Copy)]
enum Event {
    Wanted {
        labels: u8,
        priority: i64,
        workflow: u8,
        max: Option<u32>,
        timeout: Option<u64>,
    },
    Ended(prop::sample::Index),
    Withdrawn(prop::sample::Index),
    Joined {
        worker: u64,
        slots: u32,
        labels: u8,
    },
    Gone(u64),
    Draining(u64),
    Moved {
        from: u64,
        to: u64,
    },
    Orphaned {
        workflow: u8,
        max: Option<u32>,
    },
    Adopted {
        worker: u64,
        which: prop::sample::Index,
    },
    /// It says hello again, with some of what it holds.
    Reconciled {
        worker: u64,
        has: u8,
    },
    Tick,
}

fn events() -> impl Strategy<Value = Event> {
    let max = prop::option::of(1..3_u32);
    prop_oneof![
        8 => (0..4_u8, -2..3_i64, 0..3_u8, max.clone(), prop::option::of(50..3000_u64)).prop_map(
            |(labels, priority, workflow, max, timeout)| Event::Wanted {
                labels, priority, workflow, max, timeout,
            }
        ),
        6 => any::<prop::sample::Index>().prop_map(Event::Ended),
        1 => any::<prop::sample::Index>().prop_map(Event::Withdrawn),
        2 => (0..4_u64, 0..4_u32, 0..4_u8)
            .prop_map(|(worker, slots, labels)| Event::Joined { worker, slots, labels }),
        1 => (0..4_u64).prop_map(Event::Gone),
        1 => (0..4_u64).prop_map(Event::Draining),
        1 => (0..4_u64, 0..4_u64).prop_map(|(from, to)| Event::Moved { from, to }),
        1 => (0..3_u8, max).prop_map(|(workflow, max)| Event::Orphaned { workflow, max }),
        1 => (0..4_u64, any::<prop::sample::Index>())
            .prop_map(|(worker, which)| Event::Adopted { worker, which }),
        1 => (0..4_u64, any::<u8>())
            .prop_map(|(worker, has)| Event::Reconciled { worker, has }),
        2 => Just(Event::Tick),
    ]
}

fn labels(bits: u8) -> Labels {
    (0..LABELS.len())
        .filter(|bit| bits & (1 << bit) != 0)
        .map(|bit| (LABELS[bit].to_owned(), "true".to_owned()))
        .collect()
}

#[derive(Debug, Clone, PartialEq)]
enum Where {
    Waiting,
    At(WorkerId),
    /// Told to stop there.
    Stopping(WorkerId),
    Orphan,
}

/// The plain list.
#[derive(Default)]
struct Model {
    placement: Placement,
    now: u64,
    items: BTreeMap<u32, (Wanted, Where)>,
    workers: BTreeMap<WorkerId, (u32, Labels, bool)>,
    next: u32,
}

impl Model {
    fn holds(&self, worker: WorkerId) -> usize {
        let here = [Where::At(worker), Where::Stopping(worker)];
        self.items.values().filter(|(_, at)| here.contains(at)).count()
    }

    fn through_gate(&self, wanted: &Wanted) -> usize {
        let same = |other: &Wanted| {
            other.concurrency.is_some()
                && other.workflow == wanted.workflow
                && other.component == wanted.component
        };
        self.items.values().filter(|(other, at)| *at != Where::Waiting && same(other)).count()
    }

    fn can_take(&self, worker: WorkerId, wanted: &Wanted) -> bool {
        let Some((slots, labels, draining)) = self.workers.get(&worker) else { return false };
        !draining
            && self.holds(worker) < *slots as usize
            && wanted.requires.iter().all(|(name, value)| labels.get(name) == Some(value))
            && wanted.concurrency.is_none_or(|max| self.through_gate(wanted) < max as usize)
    }

    fn add(&mut self, workflow: u8, max: Option<u32>) -> Wanted {
        self.next += 1;
        Wanted { workflow: format!("w{workflow}").into(), concurrency: max, ..wanted(self.next) }
    }

    fn carry_out(&mut self, decisions: Vec<Decision>) {
        for decision in decisions {
            match decision {
                Decision::Assign { worker, attempt } => {
                    let number = attempt.task.index.unwrap_or_default();
                    let (wanted, at) = self.items[&number].clone();
                    assert_eq!(at, Where::Waiting, "{number} is assigned twice");
                    assert!(self.can_take(worker, &wanted), "{worker:?} cannot take {wanted:?}");
                    self.items.insert(number, (wanted, Where::At(worker)));
                }
                Decision::Lost { attempt, worker } => {
                    let number = attempt.task.index.unwrap_or_default();
                    let (_, at) = self.items.remove(&number).expect("it was here");
                    assert_eq!(at, worker.map_or(Where::Orphan, Where::At));
                }
                Decision::QueueTimedOut { attempt, .. } => {
                    let number = attempt.task.index.unwrap_or_default();
                    let (_, at) = self.items.remove(&number).expect("it was here");
                    assert_eq!(at, Where::Waiting);
                }
                Decision::TimedOut { attempt } => {
                    let number = attempt.task.index.unwrap_or_default();
                    let (_, at) = self.items.get_mut(&number).expect("it was here");
                    let Where::At(worker) = *at else { panic!("{number} was {at:?}") };
                    *at = Where::Stopping(worker);
                }
                Decision::Forget { worker } => {
                    self.forget(worker);
                }
                Decision::Stop { .. } => {}
            }
        }
    }

    fn forget(&mut self, worker: WorkerId) {
        self.workers.remove(&worker);
        self.items.retain(|_, (_, at)| *at != Where::Stopping(worker));
    }

    fn happen(&mut self, event: Event) {
        self.now += 90;
        let now = ms(self.now);
        match event {
            Event::Wanted { labels: bits, priority, workflow, max, timeout } => {
                let wanted = Wanted {
                    requires: labels(bits).into(),
                    priority: Priority::new(priority).expect("in bounds"),
                    queue_timeout: timeout.map(DurationMs),
                    ..self.add(workflow, max)
                };
                self.items.insert(self.next, (wanted.clone(), Where::Waiting));
                let decisions = self.placement.wanted(now, wanted);
                self.carry_out(decisions);
            }
            Event::Ended(which) => self.ended(&which),
            Event::Withdrawn(which) => self.withdrawn(&which),
            Event::Joined { worker, slots, labels: bits } => {
                let worker = WorkerId(worker);
                let joining = Joining { slots, labels: labels(bits), ..Joining::default() };
                let decisions = self.placement.joined(now, worker, joining);
                self.forget(worker);
                self.workers.insert(worker, (slots, labels(bits), false));
                self.carry_out(decisions);
            }
            Event::Gone(worker) => {
                let decisions = self.placement.gone(now, WorkerId(worker));
                self.forget(WorkerId(worker));
                self.carry_out(decisions);
            }
            Event::Draining(worker) => {
                self.placement.draining(WorkerId(worker));
                if let Some((_, _, draining)) = self.workers.get_mut(&WorkerId(worker)) {
                    *draining = true;
                }
            }
            Event::Moved { from, to } => self.moved(WorkerId(from), WorkerId(to)),
            Event::Orphaned { workflow, max } => {
                let wanted = self.add(workflow, max);
                self.items.insert(self.next, (wanted.clone(), Where::Orphan));
                self.placement.orphaned(now, wanted, ms(self.now + 900));
            }
            Event::Adopted { worker, which } => self.adopted(WorkerId(worker), &which),
            Event::Reconciled { worker, has } => self.reconciled(WorkerId(worker), has),
            Event::Tick => {
                for worker in self.workers.keys() {
                    self.placement.heard(now, *worker);
                }
                let decisions = self.placement.tick(now);
                self.carry_out(decisions);
            }
        }
    }

    fn pick(&self, which: &prop::sample::Index) -> Option<(u32, Where)> {
        let all: Vec<u32> = self.items.keys().copied().collect();
        if all.is_empty() {
            return None;
        }
        let number = *which.get(&all);
        Some((number, self.items[&number].1.clone()))
    }

    fn ended(&mut self, which: &prop::sample::Index) {
        let Some((number, at)) = self.pick(which) else { return };
        let worker = match at {
            Where::At(worker) | Where::Stopping(worker) => worker,
            Where::Waiting | Where::Orphan => return,
        };
        self.items.remove(&number);
        let decisions = self.placement.ended(ms(self.now), worker, attempt(number));
        self.carry_out(decisions);
    }

    fn withdrawn(&mut self, which: &prop::sample::Index) {
        let Some((number, at)) = self.pick(which) else { return };
        let decisions = self.placement.withdrawn(ms(self.now), attempt(number));
        match at {
            Where::Waiting | Where::Orphan => {
                self.items.remove(&number);
            }
            Where::At(worker) => {
                self.items.get_mut(&number).expect("it is here").1 = Where::Stopping(worker);
            }
            Where::Stopping(_) => {}
        }
        self.carry_out(decisions);
    }

    fn moved(&mut self, from: WorkerId, to: WorkerId) {
        let decisions = self.placement.moved(ms(self.now), from, to);
        if from != to
            && let Some(worker) = self.workers.get(&from).cloned()
        {
            self.forget(to);
            self.workers.remove(&from);
            self.workers.insert(to, worker);
            // What the new connection's former user held is lost: those are in the decisions.
            let lost: BTreeSet<u32> = decisions
                .iter()
                .filter_map(|decision| match decision {
                    Decision::Lost { attempt, .. } => attempt.task.index,
                    _ => None,
                })
                .collect();
            for (number, (_, at)) in &mut self.items {
                match at {
                    Where::At(holder) if *holder == from && !lost.contains(number) => *holder = to,
                    Where::Stopping(holder) if *holder == from => *holder = to,
                    _ => {}
                }
            }
        }
        self.carry_out(decisions);
    }

    fn adopted(&mut self, worker: WorkerId, which: &prop::sample::Index) {
        let Some((number, at)) = self.pick(which) else { return };
        let adopted = self.placement.adopted(ms(self.now), worker, attempt(number));
        let may = match at {
            Where::Orphan => self.workers.contains_key(&worker),
            Where::At(holder) => holder == worker,
            Where::Waiting | Where::Stopping(_) => false,
        };
        assert_eq!(adopted, may);
        if adopted {
            self.items.get_mut(&number).expect("it is here").1 = Where::At(worker);
        }
    }

    /// What it has not is lost, and it is not to blame; what it has stays there.
    fn reconciled(&mut self, worker: WorkerId, bits: u8) {
        let here = [Where::At(worker), Where::Stopping(worker)];
        let held: Vec<u32> = self
            .items
            .iter()
            .filter(|(_, (_, at))| here.contains(at))
            .map(|(number, _)| *number)
            .collect();
        let (has, missing): (Vec<u32>, Vec<u32>) =
            held.iter().partition(|number| bits & (1 << (**number % 8)) != 0);
        let mut lost: BTreeSet<AttemptId> = BTreeSet::new();
        for number in missing {
            if let Some((_, Where::At(_))) = self.items.remove(&number) {
                lost.insert(attempt(number));
            }
        }
        let has = has.into_iter().map(attempt).collect();
        let mut decisions = self.placement.reconciled(ms(self.now), worker, &has);
        decisions.retain(|decision| match decision {
            Decision::Lost { attempt, worker: None } => !lost.remove(attempt),
            _ => true,
        });
        assert!(lost.is_empty(), "{lost:?} are neither there nor lost");
        self.carry_out(decisions);
    }

    /// Nothing waits that a free slot could take, and the tables agree with the list.
    fn check(&self) {
        for (number, (wanted, at)) in &self.items {
            let id = attempt(*number);
            let holder = self.placement.holder(&id);
            match at {
                Where::At(worker) => assert_eq!(holder, Some(*worker)),
                Where::Waiting | Where::Stopping(_) | Where::Orphan => assert_eq!(holder, None),
            }
            let waits = matches!(at, Where::Waiting | Where::Orphan);
            assert_eq!(self.placement.why(&id).is_some(), waits);
            // At a gate that the oldest has for itself, others wait.
            if *at == Where::Waiting && wanted.concurrency.is_none() {
                let idle = self.workers.keys().find(|worker| self.can_take(**worker, wanted));
                assert_eq!(idle, None, "{number} waits");
            }
        }
        let waiting = self.items.values().filter(|(_, at)| *at == Where::Waiting).count();
        assert_eq!(self.placement.waiting_count(), waiting);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_tables_agree_with_a_plain_list_and_nothing_waits_for_nothing(
        events in prop::collection::vec(events(), 1..120)
    ) {
        let mut model = Model::default();
        for event in events {
            model.happen(event);
            model.check();
        }
        // Whatever is left is withdrawn and ends: nothing may stay behind.
        let numbers: Vec<u32> = model.items.keys().copied().collect();
        for number in &numbers {
            drop(model.placement.withdrawn(ms(model.now), attempt(*number)));
        }
        let workers: Vec<WorkerId> = model.workers.keys().copied().collect();
        for worker in workers {
            drop(model.placement.gone(ms(model.now), worker));
        }
        prop_assert!(model.placement.queue.is_clean());
        prop_assert!(!model.placement.needs_ticks());
        prop_assert!(model.placement.places.is_empty());
    }
}
