//! What an attempt may take, summed over everything that its instance has.
//!
//! Growth beyond a limit ends the attempt with a failure that names the setting: a guest
//! that was told "no" and goes on without memory would only fail later and elsewhere.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wasmtime::{Error, ResourceLimiter};
use wfhost_workflow::{
    DurationMs, Failure, FailureKind, Limit, LimitSource, Limits, Name, OperatorLimits,
};

use crate::{HostOptions, Invocation};

/// A guest went over a limit; raised as a trap.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("over the limit `{limit}` of {}: {what}", limit.show(*max))]
pub(crate) struct OverLimit {
    pub(crate) limit: Limit,
    pub(crate) max: u64,
    pub(crate) what: String,
}

impl OverLimit {
    pub(crate) fn new(limit: Limit, max: u64, what: impl Into<String>) -> Self {
        Self { limit, max, what: what.into() }
    }
}

/// The limits that hold for one attempt, and who can change them.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    /// The lower of what the workflow and the operator set.
    pub(crate) limits: Limits,
    /// Wall clock: the step's own timeout, unless the operator permits less.
    pub(crate) wall: Duration,
    given: Limits,
    operator: OperatorLimits,
    plugin: Option<Name>,
    /// Where the guest's core dump goes, if one is wanted.
    pub(crate) core_dump: Option<PathBuf>,
}

impl Held {
    pub(crate) fn new(
        given: Limits,
        timeout: Duration,
        operator: OperatorLimits,
        plugin: Option<Name>,
    ) -> Self {
        let limits = operator.lower(given);
        let wall = timeout.min(Duration::from_millis(limits[Limit::Timeout]));
        Self { limits, wall, given, operator, plugin, core_dump: None }
    }

    /// What holds for this invocation.
    pub(crate) fn of(invocation: &Invocation, options: &HostOptions) -> Self {
        let Invocation { limits, timeout, alias, context, .. } = invocation;
        let core_dump = options.core_dumps.as_ref().map(|dumps| dumps.path(context));
        let held = Self::new(*limits, *timeout, options.operator, alias.clone());
        Self { core_dump, ..held }
    }

    pub(crate) fn get(&self, limit: Limit) -> u64 {
        self.limits[limit]
    }

    /// The failure of an attempt that went over this limit.
    pub(crate) fn over(&self, limit: Limit, what: &str) -> Failure {
        let remedy = self.source(limit).remedy(limit, self.plugin.as_deref());
        Failure::over_limit(limit, self.get(limit), what, &remedy)
    }

    /// The attempt went over its wall clock.
    pub(crate) fn timed_out(&self) -> Failure {
        let wall = DurationMs(u64::try_from(self.wall.as_millis()).unwrap_or(u64::MAX));
        let mut message = format!("the attempt was stopped at its timeout of {wall}");
        if wall.0 == self.get(Limit::Timeout) {
            let remedy = self.source(Limit::Timeout).remedy(Limit::Timeout, self.plugin.as_deref());
            message = format!("{message}; {remedy}");
        }
        Failure::new(FailureKind::Timeout, Limit::Timeout.name(), message)
    }

    fn source(&self, limit: Limit) -> LimitSource {
        self.operator.source(limit, self.given[limit])
    }
}

/// How often each limit has ended an attempt.
#[derive(Debug, Default)]
pub(crate) struct Counters([AtomicU64; Limit::COUNT]);

impl Counters {
    pub(crate) fn count(&self, failure: &Failure) {
        let is_limit = matches!(failure.kind, FailureKind::Limit | FailureKind::Timeout);
        if is_limit && let Ok(limit) = failure.code.parse::<Limit>() {
            self.hit(limit);
        }
    }

    pub(crate) fn hit(&self, limit: Limit) {
        self.0[limit as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Vec<(Limit, u64)> {
        let read = |limit: Limit| (limit, self.0[limit as usize].load(Ordering::Relaxed));
        Limit::ALL.into_iter().map(read).collect()
    }
}

/// Sums memories and tables: wasmtime's own limiter bounds each alone.
pub(crate) struct Meter {
    memory: Sum,
    tables: Sum,
    counts: Counts,
    /// What one memory has room for, where the address space is short.
    room_bytes: u64,
}

/// What a store may have of each.
struct Counts {
    instances: usize,
    memories: usize,
    tables: usize,
}

impl Meter {
    pub(crate) fn new(limits: &Limits) -> Self {
        let count = |limit| usize::try_from(limits[limit]).unwrap_or(usize::MAX);
        Self {
            memory: Sum::new(Limit::Memory, limits),
            tables: Sum::new(Limit::TableElements, limits),
            counts: Counts {
                instances: count(Limit::Instances),
                memories: count(Limit::Memories),
                tables: count(Limit::Tables),
            },
            room_bytes: u64::MAX,
        }
    }
}

impl Meter {
    /// No memory can be larger than this.
    pub(crate) const fn set_room(&mut self, bytes: u64) {
        self.room_bytes = bytes;
    }

    /// What all memories have now.
    pub(crate) const fn memory_bytes(&self) -> u64 {
        self.memory.used
    }
}

struct Sum {
    limit: Limit,
    max: u64,
    used: u64,
    /// What the last growth added, to be taken back where it then fails.
    added: u64,
}

impl Sum {
    fn new(limit: Limit, limits: &Limits) -> Self {
        Self { limit, max: limits[limit], used: 0, added: 0 }
    }

    fn grow(&mut self, current: usize, desired: usize) -> Result<bool, Error> {
        let added = desired.saturating_sub(current) as u64;
        let total = self.used.saturating_add(added);
        if total > self.max {
            let what = format!("the step asked for {} in all", self.limit.show(total));
            return Err(OverLimit::new(self.limit, self.max, what).into());
        }
        (self.used, self.added) = (total, added);
        Ok(true)
    }

    fn take_back(&mut self) {
        self.used = self.used.saturating_sub(self.added);
        self.added = 0;
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, Error> {
        if desired as u64 > self.room_bytes {
            let room = Limit::Memory.show(self.room_bytes);
            let what = format!("this host has address space for {room} of one memory (ulimit -v)");
            return Err(OverLimit::new(Limit::Memory, self.memory.max, what).into());
        }
        self.memory.grow(current, desired)
    }

    fn memory_grow_failed(&mut self, _error: Error) -> Result<(), Error> {
        self.memory.take_back();
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, Error> {
        self.tables.grow(current, desired)
    }

    fn table_grow_failed(&mut self, _error: Error) -> Result<(), Error> {
        self.tables.take_back();
        Ok(())
    }

    fn instances(&self) -> usize {
        self.counts.instances
    }

    fn tables(&self) -> usize {
        self.counts.tables
    }

    fn memories(&self) -> usize {
        self.counts.memories
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_summed_and_a_failed_growth_is_taken_back() {
        let mut sum = Sum::new(Limit::Memory, &Limits::default().with(Limit::Memory, 100));
        assert!(sum.grow(0, 60).unwrap());
        assert!(sum.grow(0, 40).unwrap(), "a second memory up to the limit");
        sum.take_back();
        sum.take_back();
        assert!(sum.grow(60, 90).unwrap(), "the second memory failed to grow");
        let mut meter = Meter::new(&Limits::default());
        meter.set_room(10);
        assert!(meter.memory_growing(0, 10, None).unwrap());
        assert!(meter.memory_growing(10, 11, None).is_err(), "where the address space is short");
        let error = sum.grow(90, 101).unwrap_err();
        let over = error.downcast_ref::<OverLimit>().unwrap();
        assert_eq!((over.limit, over.max), (Limit::Memory, 100));
    }

    #[test]
    fn a_timeout_names_the_limit_only_if_that_is_what_ended_the_attempt() {
        let held = |timeout_ms, most| {
            let mut operator = OperatorLimits::default();
            operator.config.set(Limit::Timeout, most);
            let wall = Duration::from_millis(timeout_ms);
            Held::new(Limits::default(), wall, operator, None).timed_out().message
        };
        assert_eq!(held(20, 1000), "the attempt was stopped at its timeout of 20ms");
        assert!(held(2000, 1000).contains("1s; the operator has set it: `limits.timeout`"));
    }
}
