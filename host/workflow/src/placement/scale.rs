//! How many local workers there should be, and when one that failed is started again.
//!
//! Never starts anything and never asks for the time. Up: as soon as something waits for longer
//! than a moment, in steps that double, each only when the workers of the former one are there.
//! Down: to what the busiest moment of a whole cool-down needed. So a demand that stays, or that
//! comes and goes faster than the cool-down, is met by a number that stays.

use crate::{DurationMs, MonotonicMs};

/// How many workers there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    min: u32,
    max: u32,
}

impl Bounds {
    /// From `min` to `max`; `None` if that is nothing.
    #[must_use]
    pub const fn new(min: u32, max: u32) -> Option<Self> {
        if min <= max { Some(Self { min, max }) } else { None }
    }

    /// So many and no other number.
    #[must_use]
    pub const fn exactly(workers: u32) -> Self {
        Self { min: workers, max: workers }
    }

    /// The least.
    #[must_use]
    pub const fn min(self) -> u32 {
        self.min
    }

    /// The most.
    #[must_use]
    pub const fn max(self) -> u32 {
        self.max
    }
}

/// How demand becomes workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Attempts that one worker takes at once, at least one.
    pub slots: u32,
    /// How old the oldest that waits must be: a slot that is just becoming free takes it.
    pub patience: DurationMs,
    /// Between two steps up.
    pub step_every: DurationMs,
    /// How long fewer must have been enough.
    pub cool_down: DurationMs,
}

/// What waits that a worker with certain labels could take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demand {
    /// How many attempts.
    pub waiting: u64,
    /// For how long the oldest has been waiting.
    pub oldest: DurationMs,
}

/// What is asked of the workers now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// What waits for them.
    pub demand: Demand,
    /// What they have.
    pub busy: u64,
    /// How many of them are there and take more.
    pub workers: u32,
}

/// Decides how many workers are wanted.
#[derive(Debug, Clone)]
pub struct Scaler {
    bounds: Bounds,
    rules: Rules,
    wanted: u32,
    stepped_at: Option<MonotonicMs>,
    window: Option<Window>,
}

/// The time in which fewer may turn out to be enough.
#[derive(Debug, Clone, Copy)]
struct Window {
    since: MonotonicMs,
    /// The most that was asked at one moment.
    peak: u64,
}

impl Scaler {
    /// Wants the least, or as many as there are already, within the bounds.
    #[must_use]
    pub fn new(bounds: Bounds, rules: Rules, present: u32) -> Self {
        let wanted = present.clamp(bounds.min, bounds.max);
        Self { bounds, rules, wanted, stepped_at: None, window: None }
    }

    /// The bounds as they are now.
    #[must_use]
    pub const fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// How many workers are wanted.
    #[must_use]
    pub const fn wanted(&self) -> u32 {
        self.wanted
    }

    /// Other bounds hold from now on, at once.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
        self.wanted = self.wanted.clamp(bounds.min, bounds.max);
        self.window = None;
    }

    /// Takes in what is asked of the workers now. Call it a few times a second.
    pub fn decide(&mut self, now: MonotonicMs, load: Load) -> u32 {
        let asked = load.busy.saturating_add(load.demand.waiting);
        let needed = self.workers_for(asked);
        if needed > self.wanted && self.may_step_up(now, &load) {
            let step = (needed - self.wanted).min(self.wanted.max(1));
            self.wanted += step;
            self.stepped_at = Some(now);
        }
        self.cool_down(now, asked);
        self.wanted
    }

    fn may_step_up(&self, now: MonotonicMs, load: &Load) -> bool {
        load.demand.waiting > 0
            && load.demand.oldest >= self.rules.patience
            && load.workers >= self.wanted
            && self.stepped_at.is_none_or(|at| now - at >= self.rules.step_every)
    }

    fn cool_down(&mut self, now: MonotonicMs, asked: u64) {
        let window = self.window.get_or_insert(Window { since: now, peak: asked });
        window.peak = window.peak.max(asked);
        if now - window.since < self.rules.cool_down {
            return;
        }
        let enough = window.peak;
        self.window = None;
        self.wanted = self.wanted.min(self.workers_for(enough));
    }

    /// As many as have the slots for this, as far as there may be so many.
    fn workers_for(&self, asked: u64) -> u32 {
        let workers = asked.div_ceil(u64::from(self.rules.slots.max(1)));
        u32::try_from(workers).unwrap_or(u32::MAX).clamp(self.bounds.min, self.bounds.max)
    }
}

/// Pauses before a worker is started again that ended by itself, longer with each that follows
/// soon.
#[derive(Debug, Clone, Default)]
pub struct Restarts {
    failures: u32,
    until: Option<MonotonicMs>,
}

/// The first pause; each next one is twice as long.
const PAUSE_FIRST: DurationMs = DurationMs(200);

/// No pause is longer.
pub const PAUSE_MAX: DurationMs = DurationMs::from_secs(30);

/// A worker that lived so long was no failed start.
pub const HEALTHY: DurationMs = DurationMs::from_secs(10);

impl Restarts {
    /// A worker has ended that nobody told to, after living so long. `draw`, from 0 to 1, decides
    /// how much of the pause's second half is waited. Those that end during a pause are one
    /// failure with the one that began it.
    pub fn failed(&mut self, now: MonotonicMs, lived: DurationMs, draw: f64) -> DurationMs {
        if let Some(until) = self.until
            && until > now
        {
            return until - now;
        }
        if lived >= HEALTHY {
            self.failures = 0;
        }
        let grown = PAUSE_FIRST.0.checked_shl(self.failures.min(32)).unwrap_or(u64::MAX);
        let longest = grown.min(PAUSE_MAX.0) as f64;
        let pause = DurationMs((longest * f64::midpoint(1.0, draw.clamp(0.0, 1.0))) as u64);
        self.failures = self.failures.saturating_add(1);
        self.until = Some(now + pause);
        pause
    }

    /// A worker has been there for long enough, or another program is started: what failed before
    /// says nothing any more.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// How many have failed one after the other.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// How long nothing is started; zero: it may be now.
    #[must_use]
    pub fn pause(&self, now: MonotonicMs) -> DurationMs {
        self.until.map_or(DurationMs(0), |until| until - now)
    }
}

#[cfg(test)]
#[path = "scale_tests.rs"]
mod tests;
