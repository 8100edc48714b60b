//! What holds of the number of workers, whatever is asked of them.

use proptest::prelude::*;

use super::*;

const TICK_MS: u64 = 100;

const RULES: Rules = Rules {
    slots: 2,
    patience: DurationMs(200),
    step_every: DurationMs(500),
    cool_down: DurationMs(5_000),
};

/// Workers that join some time after they are wanted, and steps that wait where slots are few.
struct World {
    scaler: Scaler,
    rules: Rules,
    now: MonotonicMs,
    /// When each worker is there.
    joins_at: Vec<MonotonicMs>,
    join_ms: u64,
    waiting_since: Option<MonotonicMs>,
}

impl World {
    fn new(bounds: Bounds, rules: Rules, join_ms: u64, present: u32) -> Self {
        let scaler = Scaler::new(bounds, rules, present);
        let joins_at = vec![MonotonicMs(0); present.min(bounds.max()) as usize];
        let now = MonotonicMs(1_000);
        Self { scaler, rules, now, joins_at, join_ms, waiting_since: None }
    }

    /// A tick in which so many steps want to run at once.
    fn tick(&mut self, steps: u64) -> u32 {
        self.now = self.now + DurationMs(TICK_MS);
        let there = self.joins_at.iter().filter(|at| **at <= self.now).count() as u64;
        let busy = steps.min(there * u64::from(self.rules.slots));
        let waiting = steps - busy;
        if waiting == 0 {
            self.waiting_since = None;
        }
        let since = (waiting > 0).then(|| *self.waiting_since.get_or_insert(self.now));
        let oldest = since.map_or(DurationMs(0), |since| self.now - since);
        let demand = Demand { waiting, oldest };
        let workers = u32::try_from(there).unwrap();
        let wanted = self.scaler.decide(self.now, Load { demand, busy, workers });
        let joins_at = self.now + DurationMs(self.join_ms);
        self.joins_at.resize(wanted as usize, joins_at);
        wanted
    }

    fn ticks(&mut self, span_ms: u64, steps: u64) -> Vec<u32> {
        (0..span_ms / TICK_MS).map(|_| self.tick(steps)).collect()
    }
}

fn bounds() -> impl Strategy<Value = Bounds> {
    (0..6_u32, 0..40_u32).prop_map(|(min, more)| Bounds::new(min, min + more).unwrap())
}

fn rules() -> impl Strategy<Value = Rules> {
    (1..9_u32, 0..500_u64, 100..1_000_u64, 500..10_000_u64).prop_map(
        |(slots, patience, step_every, cool_down)| Rules {
            slots,
            patience: DurationMs(patience),
            step_every: DurationMs(step_every),
            cool_down: DurationMs(cool_down),
        },
    )
}

/// Far more than any number of steps up takes in these bounds.
fn settling_ms(rules: Rules, join_ms: u64) -> u64 {
    let step = rules.step_every.0 + join_ms + 2 * TICK_MS;
    rules.patience.0 + 8 * step + 2 * rules.cool_down.0 + 2 * TICK_MS
}

proptest! {
    #[test]
    fn the_number_is_always_within_its_bounds(
        bounds in bounds(),
        others in bounds(),
        rules in rules(),
        join_ms in 0..3_000_u64,
        present in 0..60_u32,
        steps in prop::collection::vec((0..400_u64, 1..40_usize), 1..20),
        change_at in 0..20_usize,
    ) {
        let mut world = World::new(bounds, rules, join_ms, present);
        for (position, (steps, ticks)) in steps.into_iter().enumerate() {
            if position == change_at {
                world.scaler.set_bounds(others);
            }
            for _ in 0..ticks {
                let wanted = world.tick(steps);
                let held = world.scaler.bounds();
                prop_assert!((held.min()..=held.max()).contains(&wanted));
            }
        }
    }

    #[test]
    fn a_demand_that_stays_is_met_soon_and_by_a_number_that_stays(
        bounds in bounds(),
        rules in rules(),
        join_ms in 0..3_000_u64,
        present in 0..60_u32,
        before in 0..400_u64,
        steps in 0..400_u64,
    ) {
        let mut world = World::new(bounds, rules, join_ms, present);
        world.ticks(3 * rules.cool_down.0, before);
        world.ticks(settling_ms(rules, join_ms), steps);
        let needed = u32::try_from(steps.div_ceil(u64::from(rules.slots))).unwrap();
        let met = needed.clamp(bounds.min(), bounds.max());
        for wanted in world.ticks(4 * rules.cool_down.0, steps) {
            prop_assert_eq!(wanted, met);
        }
    }

    #[test]
    fn a_demand_that_comes_and_goes_within_the_cool_down_does_not_make_it_flap(
        bounds in bounds(),
        rules in rules(),
        join_ms in 0..3_000_u64,
        low in 0..100_u64,
        high in 0..100_u64,
        // Of the cool-down; both parts are shorter than it together.
        parts in (1..4_u64, 1..4_u64),
    ) {
        let mut world = World::new(bounds, rules, join_ms, 0);
        let span = |part: u64| (rules.cool_down.0 * part / 8).max(TICK_MS);
        let swing = |world: &mut World, for_ms: u64| {
            let before = world.now;
            let mut seen = Vec::new();
            while (world.now - before).0 < for_ms {
                seen.extend(world.ticks(span(parts.0), low));
                seen.extend(world.ticks(span(parts.1), high));
            }
            seen
        };
        // Steps up need what waits to be old, and may be rare: it can only rise.
        swing(&mut world, 3 * settling_ms(rules, join_ms));
        let seen = swing(&mut world, 6 * rules.cool_down.0);
        prop_assert!(seen.is_sorted(), "{seen:?}");
    }

    #[test]
    fn pauses_grow_to_the_longest_and_never_past_it(
        ends in prop::collection::vec((0..20_000_u64, 0.0..1.0_f64), 1..60),
    ) {
        let (mut restarts, mut now, mut least) = (Restarts::default(), MonotonicMs(0), 0);
        for (lived, draw) in ends {
            let lived = DurationMs(lived);
            let expected = if lived >= HEALTHY { 100 } else { least.clamp(100, PAUSE_MAX.0 / 2) };
            let pause = restarts.failed(now, lived, draw);
            prop_assert!(pause.0 >= expected && pause <= PAUSE_MAX, "{pause} after {lived}");
            prop_assert_eq!(restarts.pause(now), pause);
            least = expected * 2;
            now = now + pause;
            prop_assert_eq!(restarts.pause(now), DurationMs(0));
        }
    }
}

#[test]
fn it_rises_in_steps_that_double_each_when_the_former_one_is_there() {
    let mut world = World::new(Bounds::new(0, 100).unwrap(), RULES, 1_000, 0);
    let mut seen = world.ticks(20_000, 60);
    seen.dedup();
    assert_eq!(seen, [0, 1, 2, 4, 8, 16, 30]);
}

#[test]
fn what_has_just_come_is_left_to_the_slots_that_become_free() {
    let mut scaler = Scaler::new(Bounds::new(1, 4).unwrap(), RULES, 0);
    let mut decide = |now, oldest, workers| {
        let demand = Demand { waiting: 8, oldest: DurationMs(oldest) };
        scaler.decide(MonotonicMs(now), Load { demand, busy: 2, workers })
    };
    assert_eq!(decide(0, 199, 1), 1);
    assert_eq!(decide(100, 200, 1), 2);
    // The second is not there yet; then it is, and it is too soon.
    assert_eq!(decide(2_000, 2_000, 1), 2);
    assert_eq!(decide(599, 699, 2), 2);
    assert_eq!(decide(600, 700, 2), 4);
}

#[test]
fn a_number_that_is_given_holds_at_once() {
    let mut world = World::new(Bounds::new(1, 4).unwrap(), RULES, 0, 0);
    world.scaler.set_bounds(Bounds::exactly(7));
    assert_eq!(world.tick(0), 7);
    world.scaler.set_bounds(Bounds::exactly(0));
    assert_eq!(world.tick(100), 0);
    assert_eq!(Bounds::new(2, 1), None);
}

#[test]
fn those_that_end_together_are_one_failure() {
    let mut restarts = Restarts::default();
    let first = restarts.failed(MonotonicMs(0), DurationMs(0), 1.0);
    assert_eq!(first, PAUSE_FIRST);
    assert_eq!(restarts.failed(MonotonicMs(50), DurationMs(0), 1.0), DurationMs(150));
    assert_eq!(restarts.failures(), 1);
    assert_eq!(restarts.failed(MonotonicMs(200), DurationMs(0), 1.0), DurationMs(400));
    // One that was there for long is no failed start.
    let long = MonotonicMs(700);
    assert_eq!(restarts.failed(long, HEALTHY, 1.0), PAUSE_FIRST);
    assert_eq!(restarts.failures(), 1);
    restarts.forget();
    assert_eq!((restarts.failures(), restarts.pause(MonotonicMs(300))), (0, DurationMs(0)));
}
